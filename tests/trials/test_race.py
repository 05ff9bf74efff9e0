"""The race of a growth against its trunk: gaps at equal cost, and decisions under noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from growsearch.trials.race import (
    Gap,
    Trend,
    contest,
    expected_gain,
    gaps,
    loss_at,
    screen,
    unraced,
)

# --- losses and gaps ------------------------------------------------------------------------------

losses = st.floats(-8.0, 8.0).map(lambda loss: round(loss, 4))
readings = st.lists(st.tuples(st.integers(0, 100), losses), min_size=1, max_size=8).map(
    lambda found: sorted({float(cost): loss for cost, loss in found}.items())
)


@given(readings, st.floats(0.0, 120.0))
def test_a_loss_lies_between_the_readings_around_it(
    found: list[tuple[float, float]], cost: float
) -> None:
    """At a reading it is that reading; beyond the ends it is the nearest."""
    assert all(loss_at(found, at) == pytest.approx(loss) for at, loss in found)
    before = [loss for at, loss in found if at <= cost][-1:]
    after = [loss for at, loss in found if at >= cost][:1]
    around = before + after
    assert min(around) - 1e-9 <= loss_at(found, cost) <= max(around) + 1e-9


@given(st.floats(0.01, 8.0), st.floats(0.0, 2.0), st.floats(0.0, 4.0))
def test_a_growth_that_is_not_raced_is_kept_unless_it_broke(
    before: float, tolerance: float, times: float
) -> None:
    """It may be as far above the network before as a candidate may be above the trunk."""
    assert unraced(times * before, before, tolerance).kept == (
        times * before <= (1.0 + tolerance) * before
    )
    assert not unraced(math.nan, before, tolerance).kept
    assert not unraced(math.inf, before, tolerance).kept


@given(readings)
def test_a_network_has_no_gap_to_itself(found: list[tuple[float, float]]) -> None:
    """One gap a reading, at the reading's cost."""
    assert [gap.cost for gap in gaps(found, found)] == [cost for cost, _ in found]
    assert all(gap.loss == pytest.approx(0.0, abs=1e-9) for gap in gaps(found, found))


def test_a_gap_is_taken_at_equal_cost() -> None:
    """Not at equal places in the two lists of readings."""
    trunk = [(0.0, 0.30), (10.0, 0.20)]
    assert gaps([(5.0, 0.26), (20.0, 0.15)], trunk) == (
        Gap(5.0, pytest.approx(0.01)),
        Gap(20.0, pytest.approx(-0.05)),
    )


@pytest.mark.parametrize(
    ("loss", "kept"), [(-0.1, True), (0.05, True), (0.0501, False), (math.nan, False)]
)
def test_a_screening_refuses_only_what_is_far_behind(loss: float, kept: bool) -> None:
    """A fraction of the trunk's loss; a loss that is no number is refused."""
    decision = screen(Gap(4.0, loss), 0.25, 0.2)
    assert decision.kept == kept
    assert ("too far behind the trunk, 0.2500" in decision.reason) != kept


# --- the laws of a contest ------------------------------------------------------------------------

contests = st.lists(losses, min_size=2, max_size=6).map(
    lambda found: [Gap(4.0 + 2.0 * place, loss) for place, loss in enumerate(found)]
)
noises = st.floats(0.0, 1.0).map(lambda noise: round(noise, 4))


def moved(found: list[Gap], by: float) -> list[Gap]:
    return [Gap(gap.cost, gap.loss + by) for gap in found]


@given(contests, noises, st.floats(0.1, 8.0))
def test_a_growth_that_is_better_everywhere_is_kept_where_the_other_is(
    found: list[Gap], noise: float, better: float
) -> None:
    """A lower loss at every cost turns no decision against a growth."""
    if contest(found, 100.0, noise=noise).kept:
        assert contest(moved(found, -better), 100.0, noise=noise).kept


@given(contests, noises, noises)
@example([Gap(4.0, 0.04), Gap(6.0, 0.03), Gap(8.0, 0.02)], 0.001, 0.1)
def test_noise_keeps_nothing_that_is_refused_without_it(
    found: list[Gap], noise: float, more: float
) -> None:
    """The less is known, the less is kept."""
    if contest(found, 100.0, noise=noise + more).kept:
        assert contest(found, 100.0, noise=noise).kept


@given(contests, noises, st.sampled_from((0.0625, 0.5, 4.0)))
@example([Gap(4.0, -0.004), Gap(6.0, -0.004)], 0.02, 0.0625)
def test_a_decision_has_no_scale(found: list[Gap], noise: float, scale: float) -> None:
    """Losses of MNIST are a tenth of Fashion-MNIST's: gaps and noise in proportion are the same."""
    scaled = [Gap(gap.cost, gap.loss * scale) for gap in found]
    known = contest(found, 100.0, noise=noise).kept
    assert contest(scaled, 100.0, noise=noise * scale).kept == known


@given(contests, noises)
@example([Gap(4.0, 0.04), Gap(6.0, 0.03), Gap(8.0, 0.02)], 0.001)
def test_near_the_end_no_promise_is_kept(found: list[Gap], noise: float) -> None:
    """If no cost is left, a growth must be level already, by its mean or by its trend."""
    if contest(found, 0.0, noise=noise).kept:
        trend = Trend.of(found)
        assert trend is not None
        mean = sum(gap.loss for gap in found[1:]) / (len(found) - 1)
        assert min(mean, trend.at(found[-1].cost)[0]) <= 1e-9


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_gap_that_is_no_number_keeps_nothing(place: int) -> None:
    """Nor does a noise that is none."""
    found = [Gap(4.0, 0.02), Gap(6.0, 0.01), Gap(8.0, 0.001)]
    found[place] = Gap(found[place].cost, math.nan)
    assert not contest(found, 1000.0, noise=0.0001).kept
    assert not contest([Gap(4.0, -0.1), Gap(8.0, -0.1)], 1000.0, noise=math.nan).kept
    assert not contest([Gap(4.0, -0.1), Gap(8.0, -0.1)], 1000.0, noise=math.inf).kept


@given(contests, noises, st.floats(0.0, 2.0), st.floats(0.0, 2.0))
@example([Gap(4.0, 0.004), Gap(6.0, 0.004)], 0.002, 0.0, 0.006)
def test_an_expected_gain_turns_no_decision_against_a_growth(
    found: list[Gap], noise: float, expected: float, more: float
) -> None:
    """It stands against the gap: a growth may be behind by it, less half the noise."""
    if contest(found, 100.0, noise=noise, expected=expected).kept:
        assert contest(found, 100.0, noise=noise, expected=expected + more).kept
    late = [Gap(gap.cost, expected - 0.51 * noise - 0.001) for gap in found]
    assert contest(late, 0.0, noise=noise, expected=expected).kept
    late = [Gap(gap.cost, expected - 0.49 * noise + 0.001) for gap in found]
    assert not contest(late, 0.0, noise=noise, expected=expected).kept


@given(st.floats(0.01, 2.0), st.floats(1.0, 4.0), st.floats(0.01, 1.0), st.floats(1.0, 30_000.0))
def test_a_gain_is_expected_of_dearer_networks_while_time_is_left(
    loss: float, dearer: float, share: float, whole: float
) -> None:
    """In proportion to the loss, to the doublings of the price, and to those of the time."""
    now = share * whole
    gain = expected_gain(loss, dearer, now, whole)
    assert gain >= 0.0
    assert expected_gain(2.0 * loss, dearer, now, whole) == pytest.approx(2.0 * gain)
    assert expected_gain(loss, dearer**2, now, whole) == pytest.approx(2.0 * gain)
    assert expected_gain(loss, dearer, now, whole / share) == pytest.approx(2.0 * gain, abs=1e-9)
    assert expected_gain(loss, dearer, whole, whole) == 0.0
    assert expected_gain(loss, 1.0 / dearer, now, whole) == 0.0


def test_the_end_of_the_screening_is_no_evidence_of_being_ahead() -> None:
    """The best of several candidates owes it in part to luck; alone it is all that is known."""
    lucky = [Gap(4.0, -0.05), Gap(6.0, 0.002), Gap(8.0, 0.002)]
    assert not contest(lucky, 100.0, noise=0.002).kept
    assert contest(lucky[:1], 100.0, noise=0.002).kept


@pytest.mark.parametrize(
    ("found", "left", "kept", "reason"),
    [
        (
            (0.01, -0.002, -0.004),
            300.0,
            True,
            "now: loss -0.0030 ± 0.0020 at equal cost, ahead of the trunk 9 s after the growth",
        ),
        (
            (0.04, 0.02, 0.01),
            300.0,
            True,
            "now: loss +0.0150 ± 0.0020 at equal cost, level in 3 s at this pace, "
            "of 300 s that are left",
        ),
        (
            (0.04, 0.035, 0.032),
            300.0,
            False,
            "not yet: loss +0.0335 ± 0.0020 at equal cost, level in 217 s at this pace, "
            "of 300 s that are left",
        ),
        (
            (0.04, 0.035, 0.032),
            100.0,
            False,
            "not yet: loss +0.0335 ± 0.0020 at equal cost, and not level in the 100 s left",
        ),
        (
            (0.003, 0.002, 0.001),
            300.0,
            False,
            "not yet: loss +0.0015 ± 0.0020 at equal cost, level in 5 s at this pace, "
            "of 300 s that are left, but that is not sure",
        ),
        (
            (0.002, 0.002, 0.0024),
            300.0,
            False,
            "not yet: loss +0.0022 ± 0.0020 at equal cost, and no closer than before",
        ),
        (
            (-0.001, -0.0005, -0.0005),
            300.0,
            False,
            "not yet: loss -0.0005 ± 0.0020 at equal cost, not surely ahead, "
            "and no closer than before",
        ),
    ],
)
def test_the_reason_says_why_now_or_why_not_yet(
    found: tuple[float, ...], left: float, kept: bool, reason: str
) -> None:
    """In words that stand in a table."""
    known = [Gap(cost, loss) for cost, loss in zip((4.0, 6.5, 9.0), found, strict=True)]
    decision = contest(known, left, noise=0.002)
    assert (decision.kept, decision.reason) == (kept, reason)


def test_a_unit_is_named() -> None:
    """Costs are seconds, or updates of the first network."""
    unit = "updates of the first network"
    known = [Gap(40.0, 0.1), Gap(80.0, 0.09)]
    reason = contest(known, 50_000.0, unit).reason
    assert f"level in 40880 {unit} at this pace, of 50000 {unit} that are left" in reason
    assert f"and not level in the 100 {unit} left" in contest(known, 100.0, unit).reason
    assert f"ahead of the trunk 80 {unit} after" in contest([Gap(80.0, -0.1)], 100.0, unit).reason


# --- the trend ------------------------------------------------------------------------------------


@given(
    st.floats(-1.0, 1.0),
    st.floats(-1.0, -0.01),
    st.lists(st.integers(1, 50), min_size=2, max_size=6, unique=True),
)
def test_a_trend_finds_the_line_of_its_gaps(start: float, slope: float, costs: list[int]) -> None:
    """A line over the logarithm of the cost, with its place of no gap."""
    trend = Trend.of([Gap(float(cost), start + slope * math.log(cost)) for cost in costs])
    assert trend is not None
    assert trend.slope == pytest.approx(slope, abs=1e-6)
    assert trend.at(7.0)[0] == pytest.approx(start + slope * math.log(7.0), abs=1e-5)
    if start / -slope < 8.0:
        assert trend.level_at() == pytest.approx(math.exp(start / -slope), rel=1e-3, abs=1e-6)


def test_the_error_of_a_trend_is_that_of_least_squares() -> None:
    """Simulated: the deviation of the line at a cost, of gaps with a noise of 1."""
    rng, costs = np.random.default_rng(0), (4.0, 6.0, 8.0, 11.0)
    found = [Trend.of([Gap(cost, rng.normal()) for cost in costs]) for _ in range(4000)]
    for cost in (8.0, 60.0):
        at = [trend.at(cost) for trend in found if trend is not None]
        assert np.std([loss for loss, _ in at]) == pytest.approx(at[0][1], rel=0.05)


def test_gaps_at_one_cost_have_no_trend() -> None:
    """Nor has a gap at no cost, whose logarithm is none."""
    assert Trend.of([Gap(4.0, 0.1)]) is None
    assert Trend.of([Gap(4.0, 0.1), Gap(4.0, 0.2)]) is None
    assert Trend.of([Gap(0.0, 0.1), Gap(4.0, 0.2)]) is None


# --- how often a growth is kept, simulated --------------------------------------------------------

Loss = Callable[[float], float]  # by the cost since the growth

# Measured on Fashion-MNIST: the loss of the averages, every 4 or 5 s since the growth. A trunk at
# 12 s, and its growth by a new layer in each stage (an update costs 1.6 times as much); that trunk
# at 40 s, and its growth to 1.5 times the width (1.9 times).
SEED = (
    *(0.2611, 0.2493, 0.2409, 0.2382, 0.2358, 0.2352),
    *(0.2297, 0.2294, 0.2243, 0.2242, 0.2257, 0.2225),
)
DEEPENED = (
    *(0.2692, 0.2417, 0.2340, 0.2273, 0.2170, 0.2166),
    *(0.2146, 0.2094, 0.2065, 0.2118, 0.2069, 0.2008),
)
DEEP = (
    *(0.2066, 0.2062, 0.2020, 0.1989, 0.1970, 0.1968),
    *(0.1953, 0.1924, 0.1903, 0.1858, 0.1878, 0.1856),
)
WIDENED = (
    *(0.2089, 0.2081, 0.2044, 0.2031, 0.1999, 0.2004),
    *(0.1992, 0.1999, 0.1981, 0.1972, 0.1960, 0.1927),
)
NOISE = 0.002  # of a reading; of a gap it is larger by the square root of 2
MEMORY = 2.0  # seconds over which the noise of readings is alike
CANDIDATES, SCREEN, LEFT, COUNT = 3, 4.8, 260.0, 3


def smooth(measured: tuple[float, ...], every: float) -> Loss:
    """The loss without its noise: a parabola over the logarithm of the cost."""
    places = np.log(every * np.arange(1, 1 + len(measured)))
    fitted = np.polynomial.Polynomial.fit(places, measured, 2)
    return lambda cost: float(fitted(math.log(cost)))


deep = smooth(DEEP, 5.0)


def behind(gap: Loss) -> tuple[Loss, Loss]:
    """The deep trunk, and a growth with a gap to it."""
    return deep, lambda cost: deep(cost) + gap(cost)


def noisy(rng: np.random.Generator, loss: Loss, costs: list[float]) -> list[tuple[float, float]]:
    """Readings of a loss; readings that are close in time are alike in their noise."""
    found, noise, before = [], rng.normal(), costs[0]
    for cost in costs:
        kept = math.exp((before - cost) / MEMORY)
        noise = kept * noise + math.sqrt(1.0 - kept**2) * rng.normal()
        found.append((cost, loss(cost) + NOISE * noise))
        before = cost
    return found


def kept_share(trunk: Loss, growth: Loss, seconds: float, runs: int = 600) -> float:
    """The share of growths that are kept after a contest of some seconds.

    Each is the best of its campaign after the screening, of candidates that are equally good.
    """
    rng, kept = np.random.default_rng(0), 0
    screened, places = CANDIDATES * SCREEN, [seconds * (1 + k) / COUNT for k in range(COUNT)]
    beside = [SCREEN * (1 + k) for k in range(CANDIDATES)] + [screened + each for each in places]
    since = [SCREEN, *(SCREEN + each for each in places)]
    for _ in range(runs):
        racers = [noisy(rng, growth, since) for _ in range(CANDIDATES)]
        best = min(racers, key=lambda racer: racer[0][1])
        found = gaps(best, noisy(rng, trunk, beside))
        kept += contest(found, LEFT, noise=math.sqrt(2.0) * NOISE).kept
    return kept / runs


@dataclass(frozen=True)
class Case:
    """A growth, the seconds of its contest, and the share of runs that may keep it."""

    name: str
    trunk: Loss
    growth: Loss
    seconds: float
    least: float
    most: float


CASES = [
    Case("deepened early", smooth(SEED, 4.0), smooth(DEEPENED, 4.0), 4.0, 0.85, 1.0),
    Case("deepened early, longer", smooth(SEED, 4.0), smooth(DEEPENED, 4.0), 10.0, 0.95, 1.0),
    Case("widened", deep, smooth(WIDENED, 5.0), 6.0, 0.0, 0.1),
    Case("widened, longer", deep, smooth(WIDENED, 5.0), 14.4, 0.0, 0.04),
    Case("neutral", *behind(lambda _: 0.0), 14.4, 0.1, 0.3),
    Case("neutral after a dip", *behind(lambda cost: 0.02 * math.exp(-cost / 2.5)), 14.4, 0.1, 0.3),
    Case("a little worse", *behind(lambda _: 0.002), 14.4, 0.0, 0.05),
    Case("worse", *behind(lambda _: 0.004), 14.4, 0.0, 0.01),
    Case(
        "worse after a dip",
        *behind(lambda cost: 0.01 + 0.02 * math.exp(-cost / 4.0)),
        *(14.4, 0.0, 0.02),
    ),
    Case("better", *behind(lambda _: -0.003), 14.4, 0.8, 1.0),
    Case("much better", *behind(lambda _: -0.005), 14.4, 0.95, 1.0),
    Case("overtakes", *behind(lambda cost: 0.02 - 0.0091 * math.log(cost)), 14.4, 0.95, 1.0),
    Case("will overtake", *behind(lambda cost: 0.03 - 0.01 * math.log(cost)), 14.4, 0.6, 0.9),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_noise_seldom_fools_the_contest(case: Case) -> None:
    """Simulated: a clearly better growth is mostly kept, a worse one seldom.

    With two readings and the pace between them, as a rule without the noise would go by, four in
    ten growths that stay behind by .01 would be kept, and half of those behind by .002.
    """
    assert case.least <= kept_share(case.trunk, case.growth, case.seconds) <= case.most


def test_the_measured_races_are_decided_as_they_ended() -> None:
    """The readings as they were, without noise added: deepen early, do not widen."""
    for trunk, growth, every, kept in (
        (SEED, DEEPENED, 4.0, True),
        (DEEP, WIDENED, 5.0, False),
    ):
        costs = every * np.arange(1, 13)
        for ends in range(3, 13):
            found = gaps(paired(costs, growth)[:ends], paired(costs, trunk))
            assert contest(found, LEFT, noise=math.sqrt(2.0) * NOISE).kept == kept


def paired(costs: NDArray[np.float64], losses: tuple[float, ...]) -> list[tuple[float, float]]:
    return [(float(cost), loss) for cost, loss in zip(costs, losses, strict=True)]
