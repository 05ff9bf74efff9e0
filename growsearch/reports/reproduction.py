"""A reproduction beside the published figures, as tables and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from growsearch.evidence.statistics import FEWEST_PAIRS, Paired, paired
from growsearch.growth import Treatment
from growsearch.reports.reproduction_summary import heading, not_comparable, summary
from growsearch.reports.tables import plain_table, short_fraction, spaced, titled
from growsearch.reproduction.experiments import EXPERIMENTS, Experiment
from growsearch.reproduction.result import Reproduction, Spread

# A title, two experiments that are compared at every iteration, and the treatment of their slots.
PAIRED_EXPERIMENTS: tuple[tuple[str, str, str, Treatment], ...] = (
    ("wider − random pad", "wider", "random pad", "reset"),
    ("deeper − random init", "deeper", "random init", "reset"),
    ("wider − continued", "wider", "continued", "carry"),
    ("deeper − continued", "deeper", "continued", "carry"),
)


def report(reproduction: Reproduction) -> RenderableType:
    """Render for the terminal: images and machine, a table an experiment, differences, summary."""
    parts: list[RenderableType] = [Text(heading(reproduction))]
    if not reproduction.comparable:
        parts.append(Text(not_comparable(reproduction), "bold red"))
    parts += [table(reproduction, experiment) for experiment in EXPERIMENTS]
    parts.append(differences_table(reproduction))
    parts.append(Text(summary(reproduction)))
    return spaced(parts)


def table(reproduction: Reproduction, experiment: Experiment) -> RenderableType:
    """Set one experiment beside its published figures, a row an evaluation; fits 80 columns."""
    has_published = bool(experiment.published)
    comparable = reproduction.comparable and has_published
    carries = "carry" in experiment.treatments
    made = plain_table(
        f"test accuracy, {mean_over(len(reproduction.seeds))}",
        *(["published" if comparable else "not comparable"] if has_published else []),
        *(["difference"] if comparable else []),
        *(["slots carried"] if carries else []),
    )
    for row in reproduction.rows(experiment):
        below = row.difference is not None and row.difference < 0.0
        published = "" if row.published is None else f"{row.published:.4f}"
        cells = [Text(f"[Iter: {row.iteration}] Accuracy: {_plus_minus(row.accuracy)}")]
        if has_published:
            cells.append(Text(published if comparable or not published else f"({published})"))
        if comparable:
            cells.append(Text(_signed(row.difference), "red" if below else "green"))
        if carries and row.carried is not None:
            cells.append(Text(_plus_minus(row.carried)))
        made.add_row(*cells)
    return titled(f"{EXPERIMENTS.index(experiment) + 1}. {experiment.title}", made)


def paired_differences(reproduction: Reproduction) -> dict[str, tuple[Paired, ...]]:
    """Compare two experiments at each evaluation, paired by seed: title -> an entry a step."""
    return {
        title: tuple(
            paired(each)
            for each in (
                reproduction.accuracies(one, slots) - reproduction.accuracies(other, slots)
            ).T
        )
        for title, one, other, slots in PAIRED_EXPERIMENTS
    }


def differences_table(reproduction: Reproduction) -> RenderableType:
    """Return the paired differences, a row an iteration; fits 80 columns."""
    seeds = len(reproduction.seeds)
    explanation = f"Mean difference, and in how many of {seeds} seeds the first of the two is ahead"
    if seeds < FEWEST_PAIRS:
        explanation += "; too few seeds for intervals."
    else:
        explanation += ";\n± half of the 95 % interval, * where the interval is without 0."
    names = [
        title.replace(" − ", " −\n") + (",\nslots carried" if slots == "carry" else "")
        for title, _, _, slots in PAIRED_EXPERIMENTS
    ]
    made = plain_table("iteration", *names)
    found = paired_differences(reproduction)
    for place, step in enumerate(reproduction.steps):
        made.add_row(str(step), *(_difference(each[place]) for each in found.values()))
    return titled("Differences in test accuracy, paired by seed", made, explanation)


def to_json(reproduction: Reproduction) -> dict[str, Any]:
    """Return the reproduction and its paired differences as plain JSON values."""
    found = paired_differences(reproduction)
    who_wins = [
        {"title": title, "slots": slots, "iteration": step, **asdict(each)}
        for title, _, _, slots in PAIRED_EXPERIMENTS
        for step, each in zip(reproduction.steps, found[title], strict=True)
    ]
    return reproduction.to_json() | {"who_wins": who_wins}


def mean_over(seeds: int) -> str:
    """Name the figures of a table or a plot over some seeds."""
    return "one seed" if seeds == 1 else f"mean ± std ({seeds} seeds)"


def _difference(found: Paired) -> Text:
    if found.mean is None:
        return Text("")
    text = f"{short_fraction(found.mean, sign=True)} ({found.ahead}/{found.n})"
    if found.interval is None:
        return Text(text)
    low, high = found.interval
    excludes_zero = low > 0.0 or high < 0.0
    half = short_fraction((high - low) / 2.0)
    return Text(f"{text}\n±{half}{'*' * excludes_zero}", "bold" if excludes_zero else "")


def _plus_minus(spread: Spread) -> str:
    return f"{spread.mean:.4f}" + ("" if spread.std is None else f" ± {spread.std:.4f}")


def _signed(difference: float | None) -> str:
    return "" if difference is None else f"{difference + 0.0:+.4f}"
