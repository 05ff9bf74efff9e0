"""Regret: the test accuracy of the best fixed network at a time, less that of one run.

Rows as they are stored, what a contender held at a time, the best fixed size, the regret with its
standard error and interval, and the tables of them. All of it is pure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

import numpy as np
from scipy import stats

SLACK = 1.05  # a network that is there up to 5 % later counts
CONFIDENCE = 0.95
BY_MINUTES = 4.0  # until which kept growths are counted

Part = Literal["cost", "tune", "fixed", "ours", "knew", "others"]


@dataclass(frozen=True)
class Point:
    """A network that a contender held.

    Parameters
    ----------
    seconds : float
        When, from the start of its process.
    test_accuracy : float or None
        None of a training that only tunes.
    validation_loss, validation_accuracy : float or None
        On all validation images; None where they are not known.
    parameters, growths : int
        Of the network; growths that it descends from.
    """

    seconds: float
    test_accuracy: float | None
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    parameters: int = 0
    growths: int = 0


@dataclass(frozen=True)
class Row:
    """One measurement, independent of all others.

    Parameters
    ----------
    part : str
        "cost" of an update, "tune" of a rate, "fixed" size for a given time, "ours" is the search
        read at all marks, "knew" a search whose time budget is the mark, "others" are contenders.
    data : str
        Name of the data set.
    contender : str
        A size, or the name of a contender.
    minutes : float
        The time that it had.
    seed : int
    rate : float
        The learning rate of a fixed size; 0 of others.
    points : tuple of Point
        In the order of time.
    about : dict
        Circumstances: the machine, updates, trials, shares of the time.
    """

    part: Part
    data: str
    contender: str
    minutes: float
    seed: int
    rate: float = 0.0
    points: tuple[Point, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[object, ...]:
        """The identity of the measurement: a row of this key is not made again."""
        rate = self.rate if self.part == "tune" else 0.0
        return self.part, self.data, self.contender, self.minutes, self.seed, rate

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Read the values of `to_json`."""
        points = tuple(Point(**each) for each in values["points"])
        return cls(**{**values, "points": points})


def held_at(points: Sequence[Point], minutes: float) -> Point | None:
    """Return the last network that was there at a time; None before the first.

    Examples
    --------
    >>> points = [Point(59.0, 0.91), Point(123.0, 0.92), Point(127.0, 0.93)]
    >>> held_at(points, 0.5), held_at(points, 2.0).test_accuracy
    (None, 0.92)
    """
    there = [point for point in points if point.seconds <= minutes * 60.0 * SLACK]
    return max(there, key=lambda point: point.seconds, default=None)


def rows_at(
    rows: Iterable[Row], part: Part, data: str, contender: str, minutes: float
) -> dict[int, Row]:
    """Return the rows that tell of a mark, by seed.

    Of a part that is read at several marks, these are the rows of the shortest time that reaches
    the mark; of the others, those of exactly this time.
    """
    of = [r for r in rows if (r.part, r.data, r.contender) == (part, data, contender)]
    reaching = [r.minutes for r in of if r.minutes >= minutes]
    if not reaching:
        return {}
    time = min(reaching) if part in ("ours", "others") else minutes
    return {r.seed: r for r in of if r.minutes == time}


def points_at(
    rows: Iterable[Row], part: Part, data: str, contender: str, minutes: float
) -> dict[int, Point | None]:
    """Return what a contender held at a mark, by seed; None of a seed that held nothing."""
    found = rows_at(rows, part, data, contender, minutes)
    return {seed: held_at(row.points, minutes) for seed, row in sorted(found.items())}


# -- fixed sizes -----------------------------------------------------------------------------------


def best_rate(rows: Iterable[Row], data: str, size: str) -> float | None:
    """Return the rate of the lowest validation loss among those tried; None before the first."""
    tried = [
        (point.validation_loss, row.rate)
        for row in rows
        if (row.part, row.data, row.contender) == ("tune", data, size)
        for point in row.points
        if point.validation_loss is not None
    ]
    return min(tried)[1] if tried else None


def fixed_at(rows: Sequence[Row], data: str, minutes: float) -> dict[str, dict[int, Point]]:
    """Return the fixed sizes that were trained for exactly this time, each by seed."""
    sizes = dict.fromkeys(row.contender for row in rows if row.part == "fixed" and row.data == data)
    found = {}
    for size in sizes:
        points = points_at(rows, "fixed", data, size, minutes)
        if points:
            found[size] = {seed: point for seed, point in points.items() if point is not None}
    return found


def leaders(rows: Sequence[Row], data: str, minutes: float, seed: int, count: int) -> list[str]:
    """Return the fixed sizes of the lowest validation losses with one seed, the best first."""
    losses = {
        size: points[seed].validation_loss
        for size, points in fixed_at(rows, data, minutes).items()
        if seed in points
    }
    known = {size: loss for size, loss in losses.items() if loss is not None}
    return sorted(known, key=lambda size: known[size])[:count]


def best_fixed(sizes: dict[str, dict[int, Point]], *, by_test: bool = False) -> str | None:
    """Return the best size in hindsight: by mean validation loss, or by mean test accuracy.

    Sizes of fewer seeds than others do not count: they were behind with the first.
    """
    most = max((len(points) for points in sizes.values()), default=0)
    scores: dict[str, float] = {}
    for size, points in sizes.items():
        if len(points) == most:
            tests = [p.test_accuracy for p in points.values() if p.test_accuracy is not None]
            losses = [p.validation_loss for p in points.values() if p.validation_loss is not None]
            values = [-value for value in tests] if by_test else losses
            if values:
                scores[size] = float(np.mean(values))
    return min(scores, key=lambda size: scores[size], default=None)


def updates_within(seconds: float, overhead: float, update: float) -> int:
    """Return the number of updates of a training that has to end in a time; at least one.

    Parameters
    ----------
    seconds : float
        From the start of the process to the end of the last update.
    overhead : float
        Seconds of it that are not spent in updates.
    update : float
        Seconds of an update.

    Examples
    --------
    >>> updates_within(60.0, 8.0, 0.013)
    4000
    """
    return max(1, int((seconds - overhead) / update + 1e-9))


# -- regret ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Regret:
    """The mean of one sample less that of another, which are independent.

    Parameters
    ----------
    fixed, ours : tuple of float
        Test accuracies of the best fixed size and of the runs, one a seed.
    """

    fixed: tuple[float, ...]
    ours: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean test accuracy of the fixed size less that of the runs."""
        return float(np.mean(self.fixed) - np.mean(self.ours))

    @property
    def error(self) -> float | None:
        """Standard error of the mean, by seeds; None where a sample has one seed."""
        variances = self._variances()
        return None if variances is None else math.sqrt(sum(variances))

    @property
    def interval(self) -> tuple[float, float] | None:
        """Interval of 95 % by Welch's t; None where a sample has one seed."""
        variances = self._variances()
        if variances is None:
            return None
        total = sum(variances)
        if total == 0.0:
            return self.mean, self.mean
        sizes = (len(self.fixed), len(self.ours))
        parts = [each**2 / (n - 1) for each, n in zip(variances, sizes, strict=True)]
        factor = float(stats.t.ppf(0.5 + CONFIDENCE / 2.0, total**2 / sum(parts)))
        half = factor * math.sqrt(total)
        return self.mean - half, self.mean + half

    def _variances(self) -> list[float] | None:
        """Return the variances of both means."""
        samples = (self.fixed, self.ours)
        if min(map(len, samples)) < 2:
            return None
        return [float(np.var(each, ddof=1)) / len(each) for each in samples]

    def __str__(self) -> str:
        """Return mean ± standard error [interval]."""
        text = signed(self.mean)
        if self.error is not None and self.interval is not None:
            low, high = self.interval
            text += f" ± {figure(self.error)} [{signed(low)}, {signed(high)}]"
        return text


def regret_at(
    rows: Sequence[Row],
    data: str,
    minutes: float,
    *,
    part: Part = "ours",
    contender: str = "growsearch",
    by_test: bool = False,
) -> tuple[str, Regret] | None:
    """Return the best fixed size at a mark and the regret; None where a row is lacking.

    It is None also where a run held no network at the mark.
    """
    sizes = fixed_at(rows, data, minutes)
    best = best_fixed(sizes, by_test=by_test)
    ours = points_at(rows, part, data, contender, minutes)
    if best is None or not ours:
        return None
    fixed, held = _tests(sizes[best]), _tests(ours)
    return None if fixed is None or held is None else (best, Regret(fixed, held))


def _tests(points: dict[int, Any]) -> tuple[float, ...] | None:
    """Return the test accuracies; None where one is lacking."""
    values = [None if point is None else point.test_accuracy for point in points.values()]
    known = [value for value in values if value is not None]
    return tuple(known) if known and len(known) == len(values) else None


# -- tables ----------------------------------------------------------------------------------------


def tables(rows: Sequence[Row], marks: Sequence[float]) -> str:
    """Return all tables, as Markdown, one data set after the other."""
    parts = []
    for data in dict.fromkeys(row.data for row in rows):
        parts += [f"### {data}", _regrets(rows, data, marks), _sizes(rows, data, marks)]
        parts += [_others(rows, data, marks), _runs(rows, data)]
    return "\n\n".join(part for part in parts if part)


def _regrets(rows: Sequence[Row], data: str, marks: Sequence[float]) -> str:
    """Return the table of regret: one line a mark."""
    lines = []
    for mark in marks:
        ours = points_at(rows, "ours", data, "growsearch", mark)
        by_loss = regret_at(rows, data, mark)
        knew = regret_at(rows, data, mark, part="knew")
        by_test = regret_at(rows, data, mark, by_test=True)
        known = points_at(rows, "knew", data, "growsearch", mark)
        if not ours and not known:
            continue
        late = max((p.seconds for p in ours.values() if p is not None), default=0.0)
        cells = [
            f"{mark:g} min",
            spread(tests_of(ours)),
            f"{late:.0f} s" if late else "–",
            spread(tests_of(known)),
            f"{by_loss[0]}: {spread(by_loss[1].fixed)}" if by_loss else "–",
            str(by_loss[1]) if by_loss else "–",
            f"{by_test[0]}: {by_test[1]}" if by_test else "–",
            str(knew[1]) if knew else "–",
        ]
        lines.append(cells)
    if not lines:
        return ""
    head = ["mark", "one run", "held since, at most", "knew its deadline"]
    head += ["best fixed size, by validation loss", "regret ± standard error [95 %]"]
    head += ["best by test: regret", "regret of the run that knew"]
    return table(head, lines)


def _sizes(rows: Sequence[Row], data: str, marks: Sequence[float]) -> str:
    """Return the table of fixed sizes: validation loss and test accuracy at each mark."""
    at = {mark: fixed_at(rows, data, mark) for mark in marks}
    sizes = dict.fromkeys(size for found in at.values() for size in found)
    lines = []
    for size in sizes:
        cells = [size, _rate_of(rows, data, size)]
        for mark in marks:
            points = at[mark].get(size, {})
            losses = [p.validation_loss for p in points.values() if p.validation_loss is not None]
            tests = tests_of(points)
            text = f"{spread(losses)} / {spread(tests)} ({len(points)})" if points else "–"
            emulated = any(
                row.about.get("emulated")
                for row in rows_at(rows, "fixed", data, size, mark).values()
            )
            cells.append(text + (" e" if emulated else ""))
        lines.append(cells)
    if not lines:
        return ""
    head = ["fixed size", "rate", *(f"{mark:g} min" for mark in marks)]
    note = "Validation loss / test accuracy (n); e: emulated by a number of updates."
    return f"{table(head, lines)}\n\n{note}"


def _others(rows: Sequence[Row], data: str, marks: Sequence[float]) -> str:
    """Return the table of all contenders' test accuracies."""
    of = [row for row in rows if row.data == data]
    names = dict.fromkeys(row.contender for row in of if row.part == "others")
    if not names:
        return ""
    contenders: list[tuple[Part, str]] = [("ours", "growsearch")]
    contenders += [("others", name) for name in names]
    lines = []
    for part, name in contenders:
        found = {mark: points_at(of, part, data, name, mark) for mark in marks}
        n = max((len(points) for points in found.values()), default=0)
        cells = [spread(tests_of(points)) for points in found.values()]
        lines.append([name, f"{n}", *cells])
    return table(["contender", "n", *(f"{mark:g} min" for mark in marks)], lines)


def _runs(rows: Sequence[Row], data: str) -> str:
    """Return the table of the searches: growths tried and kept, and where the time went."""
    lines = []
    for row in rows:
        if row.part not in ("ours", "knew") or row.data != data:
            continue
        about = row.about
        shares = about.get("shares") or {}
        lines.append(
            [
                f"{row.minutes:g} min",
                f"{row.seed}",
                f"{about.get('trials', '–')}",
                f"{about.get('kept_early', '–')}",
                f"{about.get('kept', '–')}",
                f"{row.points[-1].parameters:,}" if row.points else "–",
                *(percent(shares.get(name)) for name in ("descent", "deciding")),
                f"{about.get('wall', math.nan):.0f} s",
            ]
        )
    if not lines:
        return ""
    head = ["budget", "seed", "growths tried", f"kept by {BY_MINUTES:g} min", "kept"]
    head += ["parameters", "time into the final network", "… into deciding", "whole command"]
    return table(head, lines)


def _rate_of(rows: Sequence[Row], data: str, size: str) -> str:
    rates = {row.rate for row in rows if row.part == "fixed" and row.data == data} and {
        row.rate for row in rows if (row.part, row.data, row.contender) == ("fixed", data, size)
    }
    return ", ".join(f"{rate:g}" for rate in sorted(rates))


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    ruled = [head, ["---"] * len(head), *lines]
    text = ["| " + " | ".join(cells) + " |" for cells in ruled]
    return "\n".join(text)


def tests_of(points: dict[int, Any]) -> list[float]:
    """Return the test accuracies; none at all where a seed held nothing."""
    return list(_tests(points) or ())


def spread(values: Sequence[float], form: Callable[[float], str] | None = None) -> str:
    """Return mean ± standard deviation (n - 1); a dash of no values.

    Examples
    --------
    >>> spread([0.91, 0.93]), spread([0.91]), spread([])
    ('.9200 ± .0141', '.9100', '–')
    """
    form = form or figure
    if not values:
        return "–"
    noise = f" ± {form(float(np.std(values, ddof=1)))}" if len(values) > 1 else ""
    return f"{form(float(np.mean(values)))}{noise}"


def figure(value: float) -> str:
    """Return four digits behind the point, without a zero before it."""
    text = f"{value:.4f}"
    return text.replace("0.", ".", 1) if abs(value) < 1.0 else text


def signed(value: float) -> str:
    """Return four digits behind the point, with a sign."""
    return ("+" if value >= 0.0 else "−") + figure(abs(value))


def percent(share: float | None) -> str:
    """Return a share in per cent; a dash of None."""
    return "–" if share is None else f"{100.0 * share:.0f} %"
