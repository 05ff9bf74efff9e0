"""Rows, networks at a mark, the best fixed size and the regret: figures computed by hand."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks.regrets import (
    Part,
    Point,
    Regret,
    Row,
    best_fixed,
    best_rate,
    figure,
    fixed_at,
    held_at,
    leaders,
    points_at,
    regret_at,
    rows_at,
    signed,
    tables,
    updates_within,
)

TESTS = st.lists(st.floats(0.5, 1.0), min_size=2, max_size=6)


def row(part: Part, contender: str, minutes: float, seed: int, *points: Point, **more: Any) -> Row:
    return Row(part, "made_up", contender, minutes, seed, points=points, **more)


def trained(size: str, minutes: float, seed: int, test: float, loss: float) -> Row:
    return row("fixed", size, minutes, seed, Point(60.0 * minutes, test, loss), rate=0.4)


def searched(minutes: float, seed: int, *tests: tuple[float, float]) -> Row:
    points = [
        Point(seconds, test, 0.2, growths=place) for place, (seconds, test) in enumerate(tests)
    ]
    return row("ours", "growsearch", minutes, seed, *points)


# -- rows ------------------------------------------------------------------------------------------


def test_a_row_comes_back_from_its_line() -> None:
    """A row that is written as JSON is read as the same row."""
    before = row("fixed", "deep", 1.0, 3, Point(60.0, 0.9, 0.3, 0.91, 70_586), rate=0.4)
    assert Row.from_json(json.loads(json.dumps(before.to_json()))) == before


def test_what_a_row_is_known_by() -> None:
    """A rate tells trainings that tune apart, and not those that were tuned; nor does emulation."""
    one = row("tune", "deep", 1.0, 0, rate=0.2)
    assert one.key != row("tune", "deep", 1.0, 0, rate=0.4).key
    fixed = trained("deep", 1.0, 0, 0.9, 0.3)
    assert fixed.key == row("fixed", "deep", 1.0, 0, rate=0.8, about={"emulated": True}).key
    others = [trained("mid", 1.0, 0, 0.9, 0.3), trained("deep", 2.0, 0, 0.9, 0.3)]
    assert fixed.key not in {each.key for each in [*others, trained("deep", 1.0, 1, 0.9, 0.3)]}


# -- a mark ----------------------------------------------------------------------------------------


def test_a_run_at_a_mark_is_its_last_network_until_then() -> None:
    """A network up to 5 % later counts, a later one does not, and a better one before is past."""
    points = [Point(60.0, 0.93), Point(126.0, 0.92), Point(127.0, 0.99)]
    assert held_at(points, 0.9) is None
    assert held_at(points, 1.0) == points[0]
    assert held_at(points, 1.9) == points[0]
    assert held_at(points, 2.0) == points[1]
    assert held_at(reversed_of(points), 2.0) == points[1]
    assert held_at([], 2.0) is None


def reversed_of(points: list[Point]) -> list[Point]:
    return points[::-1]


def test_a_mark_is_read_from_the_shortest_run_that_reaches_it() -> None:
    """A run of thirty minutes does not tell of ten where one of ten was made."""
    rows = [searched(10.0, 0, (60.0, 0.91), (600.0, 0.93)), searched(30.0, 0, (480.0, 0.92))]
    rows += [searched(10.0, 1, (60.0, 0.90), (600.0, 0.94))]
    assert {r.minutes for r in rows_at(rows, "ours", "made_up", "growsearch", 4.0).values()} == {10}
    at_ten = points_at(rows, "ours", "made_up", "growsearch", 10.0)
    assert [p.test_accuracy for p in at_ten.values() if p] == [0.93, 0.94]
    assert list(points_at(rows, "ours", "made_up", "growsearch", 30.0)) == [0]
    assert points_at(rows, "ours", "made_up", "growsearch", 31.0) == {}
    assert points_at(rows, "ours", "other", "growsearch", 10.0) == {}


def test_a_fixed_size_had_exactly_the_mark() -> None:
    """A training of ten minutes says nothing of four: its rate had not fallen yet."""
    rows = [trained("deep", 10.0, 0, 0.93, 0.18)]
    assert fixed_at(rows, "made_up", 10.0) == {"deep": {0: rows[0].points[0]}}
    assert fixed_at(rows, "made_up", 4.0) == {}


# -- the best fixed size ---------------------------------------------------------------------------


def test_the_best_size_has_the_lowest_mean_loss() -> None:
    """Losses on validation images choose; test accuracies choose only in the hardest reading."""
    rows = [trained("deep", 1.0, 0, 0.90, 0.20), trained("deep", 1.0, 1, 0.91, 0.30)]
    rows += [trained("mid", 1.0, 0, 0.95, 0.26), trained("mid", 1.0, 1, 0.95, 0.26)]
    sizes = fixed_at(rows, "made_up", 1.0)
    assert best_fixed(sizes) == "deep"
    assert best_fixed(sizes, by_test=True) == "mid"
    assert best_fixed({}) is None


def test_a_size_of_fewer_seeds_does_not_count() -> None:
    """One lucky seed is no mean."""
    rows = [trained("deep", 1.0, seed, 0.90, 0.25) for seed in (0, 1)]
    rows.append(trained("mid", 1.0, 0, 0.95, 0.20))
    assert best_fixed(fixed_at(rows, "made_up", 1.0)) == "deep"
    assert best_fixed(fixed_at(rows, "made_up", 1.0), by_test=True) == "deep"


def test_leaders_are_those_of_the_first_seed() -> None:
    """They come in the order of their losses, at this mark alone."""
    rows = [trained("a", 1.0, 0, 0.9, 0.3), trained("b", 1.0, 0, 0.9, 0.2)]
    rows += [trained("c", 1.0, 0, 0.9, 0.25), trained("c", 2.0, 0, 0.9, 0.1)]
    rows += [trained("a", 1.0, 1, 0.9, 0.1)]
    assert leaders(rows, "made_up", 1.0, 0, 2) == ["b", "c"]
    assert leaders(rows, "made_up", 2.0, 0, 2) == ["c"]


def test_the_rate_of_the_lowest_loss_is_taken() -> None:
    """Only trainings that tune decide, of this size and these images."""
    rows = [
        row("tune", "deep", 1.0, 1000, Point(60.0, None, loss), rate=rate)
        for rate, loss in ((0.2, 0.25), (0.4, 0.22), (0.8, 0.23))
    ]
    rows.append(row("fixed", "deep", 1.0, 0, Point(60.0, 0.9, 0.1), rate=0.8))
    assert best_rate(rows, "made_up", "deep") == 0.4
    assert best_rate(rows, "made_up", "mid") is None
    assert best_rate(rows, "other", "deep") is None


def test_updates_fill_the_time_that_the_start_leaves() -> None:
    """Of 60 s with 8 s of start, 13 ms an update leave 4,000 updates; there is always one."""
    assert updates_within(60.0, 8.0, 0.013) == 4000
    assert updates_within(5.0, 8.0, 0.013) == 1


# -- regret ----------------------------------------------------------------------------------------


def test_regret_by_hand() -> None:
    """Means differ by .02; variances .0001 and .0004 of three seeds each give an error of .0129."""
    regret = Regret((0.91, 0.92, 0.93), (0.88, 0.90, 0.92))
    assert regret.mean == pytest.approx(0.02)
    assert regret.error == pytest.approx(math.sqrt((0.0001 + 0.0004) / 3))
    assert regret.interval is not None
    half = stats.t.ppf(0.975, 2 * 25 / 17) * math.sqrt(0.0005 / 3)
    assert regret.interval == pytest.approx((0.02 - half, 0.02 + half))
    assert str(regret).startswith("+.0200 ± .0129 [−")


@given(TESTS, TESTS)
def test_the_interval_is_that_of_welchs_test(fixed: list[float], ours: list[float]) -> None:
    """Scipy's confidence interval of the difference is the same, wherever it has one."""
    regret = Regret(tuple(fixed), tuple(ours))
    if min(np.var(fixed), np.var(ours)) < 1e-9:
        return
    known = stats.ttest_ind(fixed, ours, equal_var=False).confidence_interval(0.95)
    assert regret.interval == pytest.approx((known.low, known.high), abs=1e-9)


def test_one_seed_has_no_error() -> None:
    """A single seed gives a difference, and nothing about its noise."""
    regret = Regret((0.92,), (0.90, 0.91))
    assert (regret.error, regret.interval, str(regret)) == (None, None, "+.0150")
    assert Regret((0.9, 0.9), (0.9, 0.9)).interval == (0.0, 0.0)


def test_regret_at_a_mark_needs_every_run() -> None:
    """If one seed of ours held nothing yet, there is no regret to tell, and no mean."""
    rows = [trained("deep", 1.0, 0, 0.92, 0.2), trained("deep", 10.0, 0, 0.95, 0.1)]
    rows += [searched(10.0, 0, (62.0, 0.91), (600.0, 0.94)), searched(10.0, 1, (600.0, 0.96))]
    assert regret_at(rows, "made_up", 1.0) is None
    found = regret_at(rows, "made_up", 10.0)
    assert found == ("deep", Regret((0.95,), (0.94, 0.96)))
    assert regret_at(rows, "made_up", 2.0) is None
    assert regret_at(rows, "made_up", 10.0, part="knew") is None


# -- tables ----------------------------------------------------------------------------------------


def test_tables_of_a_whole_comparison() -> None:
    """Regret, sizes, contenders and runs stand in tables; what is lacking is a dash."""
    rows = [trained("deep", 1.0, seed, 0.92, 0.2) for seed in (0, 1)]
    rows += [trained("mid", 1.0, 0, 0.90, 0.3)]
    about = {"trials": 17, "kept": 2, "kept_early": 1, "wall": 601.4, "shares": {"descent": 0.61}}
    for seed in (0, 1):
        run = searched(10.0, seed, (61.0, 0.91), (600.0, 0.94))
        rows.append(Row(**{**vars(run), "about": about}))
    rows.append(row("others", "expert", 10.0, 0, Point(59.0, 0.89), Point(500.0, 0.90)))
    told = tables(rows, [1.0, 10.0]).splitlines()
    regret = next(line for line in told if line.startswith("| 1 min |"))
    assert "deep: .9200 ± .0000 | +.0100 ± .0000 [+.0100, +.0100]" in regret
    assert "| 61 s |" in regret
    later = next(line for line in told if line.startswith("| 10 min | .9400"))
    assert later.count("–") == 5
    assert any(line.startswith("| deep | 0.4 | .2000 ± .0000 / .9200") for line in told)
    assert "| mid | 0.4 | .3000 / .9000 (1) | – |" in told
    assert "| expert | 1 | .8900 | .9000 |" in told
    assert "| growsearch | 2 | .9100 ± .0000 | .9400 ± .0000 |" in told
    assert "| 10 min | 0 | 17 | 1 | 2 | 0 | 61 % | – | 601 s |" in told
    assert tables([], [1.0]) == ""


def test_figures() -> None:
    """Fractions have no zero before their point; a sign is always there where it was asked for."""
    assert [figure(0.91234), figure(1.0), figure(0.0)] == [".9123", "1.0000", ".0000"]
    assert [signed(-0.002), signed(0.0), signed(0.1)] == ["−.0020", "+.0000", "+.1000"]
