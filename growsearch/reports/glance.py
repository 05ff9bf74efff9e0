"""A running search at a glance: the best network so far and the last decisions, in two lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from growsearch.driver.events import (
    Committed,
    Event,
    FrontRead,
    Polished,
    Started,
    TeacherReady,
    TrialFinished,
    TrunkRead,
)
from growsearch.reports.times import moment
from growsearch.reports.trials import sizes
from growsearch.trials.records import TrialRecord

_BLOCKS = "▁▂▃▄▅▆▇█"
_CURVE = 12  # characters of a curve
_SHOWN = 16  # decisions that are drawn
_KEPT, _NOT_KEPT, _FAILED = "kept", "not kept", "failed"
# Decision -> its mark, its mark where the terminal has letters only, its style.
_MARKS = {_KEPT: ("●", "+", "bold green"), _NOT_KEPT: ("○", ".", ""), _FAILED: ("×", "x", "red")}
# What a terminal of letters only gets instead.
_LETTERS = str.maketrans(
    {"→": "->", "…": "...", "×": "x", "−": "-", "–": "-", "·": "-", "é": "e", "’": "'"}
)
_LABEL = 8  # characters in front of a line


class Glance:
    """Two lines about a search in progress, from its events.

    The first one has the best network so far: its accuracy, the curve of the best accuracies, its
    growth and its parameters. The second one has a mark for each of the last decisions, the newest
    on the right, their numbers, and the last decision in words.

    Parameters
    ----------
    has_signs : bool
        True if the terminal shows blocks, circles and arrows.
    """

    def __init__(self, *, has_signs: bool = True) -> None:
        self._has_signs = has_signs
        self._in_seconds = False
        self._best: float | None = None
        self._about = ""
        self._curve: list[float] = []
        self._teacher: float | None = None
        self._decided: list[tuple[str, TrialRecord]] = []

    def take(self, event: Event) -> None:
        """Take one event."""
        match event:
            case Started():
                self._in_seconds = event.time_budget is not None
                if event.best_accuracy is not None:
                    about = f"{event.best_parameters or 0:,} parameters, of an earlier session"
                    self._better(event.best_accuracy, about)
            case TeacherReady():
                self._teacher = event.validation_accuracy
                if self._best is None:
                    about = f"the first network, {event.parameters:,} parameters"
                    self._better(event.validation_accuracy, about)
            case TrialFinished():
                self._decide(event.record)
            case FrontRead():
                self._read_front(event)
            case TrunkRead():
                self._at(event, "the trunk's averages")
            case Committed():
                self._at(event, "cooled" if event.cooled else "the trunk's averages")
            case Polished() if event.better:
                self._better(event.validation_accuracy, f"{self._about}, trained on")

    def lines(self, width: int) -> Iterator[Text]:
        """Yield the lines that are known, none longer than a terminal of so many characters."""
        if self._best is not None:
            yield self._fitted(self._best_line(self._best), width)
        if self._decided:
            yield self._fitted(self._decisions_line(), width)

    def _decide(self, record: TrialRecord) -> None:
        """Take the decision about a trial."""
        outcome = _FAILED if record.state == "FAIL" else _KEPT if record.kept else _NOT_KEPT
        self._decided.append((outcome, record))
        accuracy = record.validation_accuracy
        # A growth that took the trunk's place is read by the trunk's averages, which follow.
        # Of those on a front one is the best, which the front says.
        is_best = record.kept and record.elapsed is None and record.demand is None
        if is_best and accuracy is not None:
            about = f"trial {record.number} {sizes(record)}, {record.parameters:,} parameters"
            self._better(accuracy, about)

    def _read_front(self, event: FrontRead) -> None:
        """Take the front of a run with two objectives, whose last member is the most accurate."""
        number, accuracy, demand = event.members[-1]
        if self._best is not None and accuracy <= self._best:
            return
        whose = "the first network" if number is None else f"trial {number}"
        self._better(accuracy, f"{whose}, {demand:,g} {event.demand.replace('_', ' ')}")

    def _at(self, event: TrunkRead | Committed, words: str) -> None:
        """Take a reading of a trunk, if none was higher."""
        if self._best is None or event.validation_accuracy >= self._best:
            at = moment(event.elapsed, in_seconds=self._in_seconds)
            about = f"{event.parameters:,} parameters, {words} at {at}"
            self._better(event.validation_accuracy, about)

    def _better(self, accuracy: float, about: str) -> None:
        self._best, self._about = accuracy, about
        self._curve.append(accuracy)

    def _best_line(self, best: float) -> Text:
        text = Text(f"{'best':<{_LABEL}}").append(f"{best:.4f}", "bold")
        if self._has_signs and len(self._curve) > 1:
            text.append(f" {sparkline(self._curve, _CURVE)}")
        text.append(f"  {self._said(self._about)}")
        if self._teacher is not None and self._best != self._teacher:
            text.append(f" (first network {self._teacher:.4f})")
        return text

    def _decisions_line(self) -> Text:
        text = Text(f"{'decided':<{_LABEL}}")
        for outcome, _ in self._decided[-_SHOWN:]:
            sign, letter, style = _MARKS[outcome]
            text.append(sign if self._has_signs else letter, style)
        outcomes = [outcome for outcome, _ in self._decided]
        counts = ((each, outcomes.count(each)) for each in _MARKS)
        text.append(f"  {', '.join(f'{count} {each}' for each, count in counts if count)}")
        outcome, record = self._decided[-1]
        gain = "" if record.gain is None else f" {record.gain:+.4f}"
        return text.append(self._said(f"; last: {record.number} {sizes(record)}{gain} {outcome}"))

    def _said(self, text: str) -> str:
        return text if self._has_signs else plain_letters(text)

    def _fitted(self, text: Text, width: int) -> Text:
        if text.cell_len > width:
            dots = "…" if self._has_signs else "..."
            text.truncate(max(0, width - len(dots)))
            text.append(dots[:width])
        text.no_wrap = True
        return text


def plain_letters(text: str) -> str:
    """Return a text without arrows, dots and signs that only Unicode has.

    Examples
    --------
    >>> plain_letters("widen conv1 32 → 48 …")
    'widen conv1 32 -> 48 ...'
    """
    return text.translate(_LETTERS)


def sparkline(values: Sequence[float], width: int) -> str:
    """Draw numbers as a line of at most ``width`` blocks, from their least to their largest.

    Of more numbers evenly spaced ones are drawn, with the first and the last.

    Examples
    --------
    >>> sparkline([0.1, 0.4, 0.6, 0.7, 0.75, 0.8], 6), sparkline([0.1, 0.4, 0.7, 0.8], 2)
    ('▁▄▆▇▇█', '▁█')
    """
    shown = list(values)
    if len(values) > width:
        step = (len(values) - 1) / (width - 1)
        shown = [values[round(place * step)] for place in range(width)]
    least, largest = min(values), max(values)
    scale = (len(_BLOCKS) - 1) / (largest - least) if largest > least else 0.0
    return "".join(_BLOCKS[round((value - least) * scale)] for value in shown)
