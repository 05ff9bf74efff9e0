"""The facts of a run in words: its headline, its figures, its evidence in one sentence."""

from __future__ import annotations

from dataclasses import dataclass

from growsearch.evidence.comparison import Comparison
from growsearch.evidence.statistics import FEWEST_PAIRS
from growsearch.reports.times import span
from growsearch.study.result import SearchResult
from growsearch.trials.arms import ARMS
from growsearch.trials.metrics import METRICS


@dataclass(frozen=True)
class Fact:
    """A figure of the run: its name, its value as text, and a note below it."""

    name: str
    value: str
    note: str = ""


def has_ended(result: SearchResult) -> bool:
    """Return whether the search has ended: the test images were used."""
    return result.test_accuracy is not None


def percent(value: float | None, digits: int = 2) -> str:
    """Return a fraction as a percentage, a dash for None; the four digits of other reports.

    Examples
    --------
    >>> percent(0.938).split(), percent(None)
    (['93.80', '%'], '–')
    """
    return "–" if value is None else f"{100.0 * float(f'{value:.4f}'):.{digits}f}\u00a0%"


def signed(value: float | None, digits: int = 4) -> str:
    """Return a difference with its sign, a dash for None.

    Examples
    --------
    >>> signed(0.0176), signed(-0.5, 2), signed(None)
    ('+0.0176', '−0.50', '–')
    """
    return "–" if value is None else f"{value:+.{digits}f}".replace("-", "−")


def score(value: float | None, metric: str) -> str:
    """Return a value of a metric: a percentage of an accuracy, else a number."""
    if metric == "accuracy":
        return percent(value)
    return "–" if value is None else f"{value:.4f}"


def lead(result: SearchResult, first_parameters: int | None) -> str:
    """Return the headline of a run in a sentence or two.

    Parameters
    ----------
    result : SearchResult
    first_parameters : int or None
        Parameters of the first network.
    """
    metric, best = result.metric, result.best
    tried = len(result.trials)
    kept = sum(trial.kept for trial in result.trials)
    ended = has_ended(result)
    value = result.test_score if ended else best.validation_accuracy
    before = result.teacher_test_score if ended else result.teacher_accuracy
    images = "test images" if ended else "validation images"
    if metric == "accuracy":
        reached, was = f"classifies {score(value, metric)} of the {images} right", "classified"
    else:
        reached = f"has {METRICS[metric].words} {score(value, metric)} on the {images}"
        was = "had"
    size = f"of {first_parameters:,} parameters, " if first_parameters else ""
    time = span(sum(result.spent.values())).replace(" ", "\u00a0")
    search = f"In {time} the search" if result.spent else "The search"
    return (
        f"The best network{'' if ended else ' so far'}, of {best.network.parameters:,} "
        f"parameters, {reached}; the first one, {size}"
        f"{was} {score(before, metric)}. {search} tried {tried:,} "
        f"growth{'s' * (tried != 1)} and kept {kept:,}."
    )


def figures(result: SearchResult, first_parameters: int | None) -> list[Fact]:
    """Return the figures that stand below the headline."""
    words = METRICS[result.metric].words
    found = []
    if has_ended(result):
        teachers = score(result.teacher_test_score, result.metric)
        found.append(
            Fact(
                f"test {words}",
                score(result.test_score, result.metric),
                f"first network {teachers}",
            )
        )
    found.append(
        Fact(
            f"validation {words}",
            score(result.best.validation_accuracy, result.metric),
            f"first network {score(result.teacher_accuracy, result.metric)}",
        )
    )
    note = f"first network {first_parameters:,}" if first_parameters else ""
    found.append(Fact("parameters", f"{result.best.network.parameters:,}", note))
    if result.spent:
        count = result.workers.count
        workers = f"{count} worker{'s' * (count != 1)}" if count else "one process"
        found.append(Fact("time", span(sum(result.spent.values())), workers))
    else:
        kept = sum(trial.kept for trial in result.trials)
        found.append(Fact("trials", f"{len(result.trials):,}", f"{kept:,} kept"))
    return found


def evidence_sentence(result: SearchResult) -> str:
    """Return the evidence of a run in one sentence."""
    compared = [each for each in result.evidence().overall if each.accuracy.n]
    if not compared:
        return (
            "No control was trained beside a candidate: the run shows what was found, not whether "
            "growing helped to find it."
        )
    first, *others = compared
    more = f" {len(others)} more control{'s' * (len(others) != 1)} below." if others else ""
    return _sentence(first, result.metric) + more


def _sentence(each: Comparison, metric: str) -> str:
    found = each.accuracy
    assert found.mean is not None
    question = f" ({ARMS[each.arm].question.rstrip('?')}?)" if each.arm in ARMS else ""
    unit = " percentage points" if metric == "accuracy" else f" in {METRICS[metric].words}"
    size = f"{100 * abs(found.mean):.2f}" if metric == "accuracy" else f"{abs(found.mean):.4f}"
    if round(found.mean, 9) == 0.0:
        verb = "are on average equal to"
    else:
        verb = f"are on average {size}{unit} {'above' if found.mean > 0 else 'below'}"
    pairs = f"n = {found.n}, {found.ahead} ahead, {found.behind} behind"
    text = f"Grown candidates {verb} their control “{each.arm}”{question}: {pairs}"
    if found.interval is None or each.adjusted_p is None:
        few = (
            f"fewer than the {FEWEST_PAIRS} pairs"
            if found.n < FEWEST_PAIRS
            else "too little spread"
        )
        return f"{text}; {few} that an interval and a test need."
    scale = 100.0 if metric == "accuracy" else 1.0
    digits = 2 if metric == "accuracy" else 4
    low, high = (scale * end for end in found.interval)
    return (
        f"{text}; 95 % interval {signed(low, digits)} to {signed(high, digits)}, "
        f"Wilcoxon p = {each.adjusted_p:.2g}."
    )
