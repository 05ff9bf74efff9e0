"""The sentences of a reproduction's report: heading, published figures missed, findings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from growsearch.reports.tables import short_fraction
from growsearch.reproduction.experiments import BY_NAME, EXPERIMENTS
from growsearch.reproduction.result import Reproduction, Row

# A student by Net2Net, and its baseline with random new weights.
_BASELINES = (("wider", "random pad"), ("deeper", "random init"))


@dataclass(frozen=True)
class Shortfall:
    """A published figure that our mean does not reach, and by how much (a fraction)."""

    experiment: str
    iteration: int
    by: float


def shortfalls(reproduction: Reproduction) -> tuple[Shortfall, ...]:
    """List the published figures that our means lie below, in the order of the tables.

    Means are rounded to four digits, as the figures were published. The list is empty where
    nothing can be compared.
    """
    return tuple(
        Shortfall(experiment.name, row.iteration, -row.difference)
        for experiment in EXPERIMENTS
        for row in reproduction.rows(experiment)
        if row.difference is not None and row.difference < 0.0
    )


def heading(reproduction: Reproduction) -> str:
    """Name the images, the seeds, the time taken and the machine."""
    minutes = reproduction.seconds / 60.0
    seeds = ", ".join(map(str, reproduction.seeds)) or "none"
    return "\n".join(
        [
            "The five experiments of github.com/paengs/Net2Net, reproduced: accuracy on the "
            f"{reproduction.test_images:,} TEST images, as the original measured it.",
            f"Images: {reproduction.source}. Seeds: {seeds}. Time: {minutes:.1f} min.",
            *(f"Machine: {environment}" for environment in reproduction.environments),
        ]
    )


def not_comparable(reproduction: Reproduction) -> str:
    """Say why the published figures are no measure for a reproduction that has caveats."""
    caveats = "; ".join(reproduction.caveats)
    return f"NOT COMPARABLE with the published figures: {caveats}."


def summary(reproduction: Reproduction) -> str:
    """Say what the tables show: published figures missed, random baselines, carried slots."""
    if not reproduction.seeds:
        return "Nothing was measured."
    parts = [_against_published(reproduction)]
    parts += [_against_random(reproduction, *pair) for pair in _BASELINES]
    parts.append(_carried(reproduction))
    parts.append(
        "All of these are test accuracies, as the original's were (it called them validation "
        "accuracies); growsearch's own search never looks at test images before its end."
    )
    return "\n\n".join(parts)


def _against_published(reproduction: Reproduction) -> str:
    if not reproduction.comparable:
        return (
            f"{not_comparable(reproduction)} The tables show these figures in brackets and "
            "without differences."
        )
    compared = [
        row
        for experiment in EXPERIMENTS
        for row in reproduction.rows(experiment)
        if row.difference is not None
    ]
    below = shortfalls(reproduction)
    seeds = len(reproduction.seeds)
    runs = "The published figures are one run each; ours are " + (
        "one run too." if seeds == 1 else f"means over {seeds} seeds."
    )
    if not below:
        return f"At or above the published figure at all {len(compared)} evaluations. {runs}"
    lines = [f"Below the published figure at {len(below)} of {len(compared)} evaluations:"]
    for name in BY_NAME:
        if found := [each for each in below if each.experiment == name]:
            steps = ", ".join(f"{each.iteration} by {short_fraction(each.by)}" for each in found)
            lines.append(f"  {name}: at {steps}")
    text = f"At or above it elsewhere. {runs}"
    if seeds > 1:
        within = sum(_is_within_two_deviations(row) for row in compared)
        text += f" {within} of the {len(below)} lie within two of our standard deviations."
    return "\n".join([*lines, text])


def _is_within_two_deviations(row: Row) -> bool:
    """Say whether our mean lies below the published figure, by at most two deviations."""
    std = row.accuracy.std
    return std is not None and row.difference is not None and 0.0 < -row.difference <= 2.0 * std


def _against_random(reproduction: Reproduction, grown: str, random: str) -> str:
    """Say whether the original's finding holds: Net2Net's weights beat random ones."""
    steps = [i for i, step in enumerate(reproduction.steps) if step > 0]
    ours = reproduction.accuracies(grown) - reproduction.accuracies(random)
    mean = ours.mean(axis=0)[steps]
    text = (
        f"{grown.capitalize()} above {random} at {int((mean > 0).sum())} of {len(steps)} "
        f"evaluations, by {short_fraction(float(mean.mean()), sign=True)} on average"
    )
    if not reproduction.comparable:
        return text + "."
    known = BY_NAME[grown].published, BY_NAME[random].published
    published = [known[0][s] - known[1][s] for s in known[0] if s in reproduction.steps]
    return (
        f"{text}; published: at {sum(gain > 0 for gain in published)} of {len(published)}, "
        f"by {short_fraction(float(np.mean(published)), sign=True)}."
    )


def _carried(reproduction: Reproduction) -> str:
    """Say what carrying the slots changes at the first evaluation (the dip) and at the last."""
    first, last = reproduction.steps[1], reproduction.steps[-1]
    lines = []
    for experiment in EXPERIMENTS:
        if experiment.growth is not None:
            carried = reproduction.accuracies(experiment.name, "carry")
            change = (carried - reproduction.accuracies(experiment.name)).mean(axis=0)
            places = (1, -1) if first != last else (-1,)
            found = " and ".join(short_fraction(float(change[i]), sign=True) for i in places)
            lines.append(f"  {experiment.name}: {found}")
    when = f"{first} and {last}" if first != last else f"{last}"
    title = f"Slots carried instead of reset change the accuracy at {when} by:"
    return "\n".join([title, *lines])
