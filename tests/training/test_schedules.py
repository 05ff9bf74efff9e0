"""Learning rates: their bounds, one schedule in several trainings, warm-up, decay, re-warming."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from growsearch.testing.trainer_contract.formulas import scheduled
from growsearch.training import TrainingPlan
from growsearch.training.plan import SCHEDULES
from growsearch.training.schedules import learning_rates

FALLING = ("linear", "cosine", "one_cycle", "wsd")


@st.composite
def plans(draw: st.DrawFn, schedules: tuple[str, ...] = SCHEDULES) -> TrainingPlan:
    """Plans of a whole schedule with every option that changes its rates but ``rewarm``."""
    plan = TrainingPlan(
        draw(st.integers(1, 300)),
        learning_rate=draw(st.floats(1e-6, 100.0)),
        schedule=draw(st.sampled_from(schedules)),
        decay_share=draw(st.floats(0.0, 1.0, exclude_min=True)),
        timescale=draw(st.integers(1, 10**6)),
    )
    longest = {
        "one_cycle": 0,
        "wsd": int(plan.steps - plan.fall),
        "constant": 400,
        "inverse_sqrt": 400,
    }.get(plan.schedule, plan.steps - 1)
    return replace(plan, warmup=draw(st.integers(0, longest)))


def rates(plan: TrainingPlan) -> Any:
    """Return the rates of all updates of a training."""
    positions = plan.schedule_start + np.arange(plan.steps, dtype=np.float64)
    return learning_rates(plan, positions, 0)


@given(plans())
def test_rates_are_the_published_formulas(plan: TrainingPlan) -> None:
    """Each is that of an implementation for single steps, to float32's precision."""
    assume(plan.schedule != "one_cycle" or plan.steps > 3)  # else that formula divides by 0
    shares = [scheduled(plan, step, plan.steps) for step in range(plan.steps)]
    assert np.allclose(rates(plan) / plan.learning_rate, shares, rtol=1e-5, atol=1e-6)


@given(plans(("constant", "cosine", "one_cycle")))
def test_plans_of_before_have_the_same_bytes(plan: TrainingPlan) -> None:
    """Without a warm-up, the first three schedules are those of version 0.1 to the last bit."""
    plan = replace(plan, warmup=0)
    positions, total = np.arange(float(plan.steps)), plan.steps

    def fall(share: Any, start: float, end: float) -> Any:
        return end + (start - end) * 0.5 * (1.0 + np.cos(np.pi * share))

    if plan.schedule == "constant":
        share = np.ones(plan.steps)
    elif plan.schedule == "cosine":
        share = fall(positions / total, 1.0, 0.0)
    else:
        top, last = 0.3 * total - 1.0, total - 1.0
        rising = fall(positions / max(top, 1.0), 1 / 25, 1.0)
        falling = fall((positions - top) / (last - top), 1.0, 1 / (25 * 1e4))
        share = np.where(positions < top, rising, falling)
    expected = np.asarray(plan.learning_rate * share, np.float32)
    assert rates(plan).tobytes() == expected.tobytes()


@given(plans(), st.data())
def test_a_schedule_runs_through_several_trainings(plan: TrainingPlan, data: st.DataObject) -> None:
    """The rates of the parts are those of the whole; without an end, no part must know it."""
    cut = data.draw(st.integers(1, plan.steps))
    is_endless = plan.schedule in ("constant", "inverse_sqrt")
    first = replace(plan, steps=cut, schedule_steps=None if is_endless else plan.steps)
    parts = [rates(first)]
    if cut < plan.steps:
        parts.append(rates(replace(plan, steps=plan.steps - cut, schedule_start=cut)))
    assert np.concatenate(parts).tobytes() == rates(plan).tobytes()


@given(plans(), st.integers(0, 400), st.integers(0, 400), st.data())
def test_rates_lie_between_0_and_the_plans(
    plan: TrainingPlan, rewarm: int, step: int, data: st.DataObject
) -> None:
    """Also between the steps and at the end of the schedule, which a timed training comes to."""
    places = st.floats(0.0, float(plan.steps))
    positions = np.array(data.draw(st.lists(places, min_size=1, max_size=9)))
    found = learning_rates(replace(plan, rewarm=rewarm), positions, step)
    assert found.dtype == np.float32
    assert (found >= 0.0).all()
    assert (found <= np.float32(plan.learning_rate)).all()


@given(plans())
def test_every_update_of_a_training_moves(plan: TrainingPlan) -> None:
    """No rate before the schedule's end is 0."""
    assert (rates(plan) > 0.0).all()


@given(plans(FALLING))
def test_a_falling_schedule_ends_low(plan: TrainingPlan) -> None:
    """The last rate is at most one step of the fall; at the end there is none left."""
    assume(plan.steps >= 10)
    if plan.schedule == "one_cycle":
        assert rates(plan)[-1] <= plan.learning_rate / 1e5
        return
    length = plan.fall if plan.schedule == "wsd" else plan.steps - plan.warmup
    assert rates(plan)[-1] <= plan.learning_rate / length * (1 + 1e-6)
    assert learning_rates(plan, np.array([float(plan.steps)]), 0)[0] <= 1e-7 * plan.learning_rate


@given(plans(("linear", "cosine", "wsd", "inverse_sqrt", "constant")))
def test_rates_rise_in_the_warm_up_and_never_after(plan: TrainingPlan) -> None:
    """They rise to the plan's rate, which the first update after the warm-up has too."""
    found, top = rates(plan), np.float32(plan.learning_rate)
    warm = found[: plan.warmup]
    assert (np.diff(warm) > 0.0).all()
    assert (np.diff(found[plan.warmup :]) <= 0.0).all()
    if plan.warmup <= plan.steps and plan.warmup:
        assert warm[-1] == top
    if plan.warmup < plan.steps:
        assert found[plan.warmup] == pytest.approx(top)


@given(plans(), st.integers(0, 400), st.integers(0, 300))
def test_rewarming_multiplies_the_first_updates_only(
    plan: TrainingPlan, rewarm: int, cut: int
) -> None:
    """By k/rewarm, wherever the training begins and however its updates are divided in calls."""
    start = 7 if plan.schedule in ("constant", "inverse_sqrt") else 0
    plan, cut = replace(plan, schedule_start=start), min(cut, plan.steps)
    changed, positions = replace(plan, rewarm=rewarm), start + np.arange(float(plan.steps))
    plain = learning_rates(plan, positions, 0)
    found = np.concatenate(
        [
            learning_rates(changed, positions[:cut], 0),
            learning_rates(changed, positions[cut:], cut),
        ]
    )
    share = np.array([min(1.0, k / rewarm) if rewarm else 1.0 for k in range(1, plan.steps + 1)])
    assert np.allclose(found, share * plain, rtol=1e-6, atol=0.0)
    assert found[rewarm:].tobytes() == plain[rewarm:].tobytes()


def test_warm_up_stable_decay_at_a_glance() -> None:
    """Three rising rates, four that stay, four that fall to a quarter of the highest."""
    plan = TrainingPlan(10, learning_rate=1.0, schedule="wsd", warmup=3, decay_share=0.4)
    expected = [1 / 3, 2 / 3, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25]
    assert rates(plan) == pytest.approx(expected)


def test_the_reciprocal_square_root_halves_after_three_timescales() -> None:
    """Counted from the end of the warm-up."""
    plan = TrainingPlan(1000, learning_rate=1.0, schedule="inverse_sqrt", warmup=5, timescale=100)
    found = rates(plan)
    assert (found[4], found[5], found[305]) == (1.0, 1.0, 0.5)
