"""The plans of a run's trainings: one schedule through all legs, re-warming, averages, cooling."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial

import growsearch as gs
from growsearch.driver.plans import (
    average_over,
    candidate_plan,
    candidates_plan,
    cooled_plan,
    decay_plan,
    on_plan,
    paced,
    rate_of,
)
from growsearch.execution import InProcessExecutor
from growsearch.space import SearchSpace
from growsearch.study.attributes import Candidate, Trunk
from growsearch.training import TrainingPlan
from growsearch.training.schedules import learning_rates
from growsearch.trials.job import TrialJob
from tests.fake_trainer import FakeTrainer, images, space

SPACE = SearchSpace.load("mnist")
SCHEDULES = {
    "inverse_sqrt": SPACE,
    "constant": SPACE.replace(training={"schedule": "constant", "warmup": 0}),
}


def trunk(updates: int = 800, **changed: Any) -> Trunk:
    known = {
        "weights": "a" * 64,
        "average": "b" * 64,
        "validation_accuracy": 0.9,
        "validation_loss": 0.3,
        "learning_rate": 0.4,
        "precision": "bfloat16",
    }
    return Trunk(updates=updates, **(known | changed))


def rates(plan: TrainingPlan) -> NDArray[np.float32]:
    """The rates of all updates of a plan, as a trainer takes them."""
    positions = plan.schedule_start + np.arange(plan.steps, dtype=np.float64)
    return learning_rates(plan, positions, 0)


# --- the trunk ------------------------------------------------------------------------------------


@given(st.floats(0.0, 1e7), st.floats(0.0, 1e7), st.integers(0, 10**6))
def test_the_rate_of_a_longer_run_is_no_lower(one: float, other: float, updates: int) -> None:
    """At any update; and no run's timescale is shorter than that of its space."""
    shorter, longer = sorted((one, other))
    spaces = [paced(SPACE, length) for length in (shorter, longer)]
    assert rate_of(spaces[0], trunk(updates)) <= rate_of(spaces[1], trunk(updates))
    assert spaces[0].training.timescale >= SPACE.training.timescale
    assert rate_of(spaces[0], trunk(updates)) >= rate_of(SPACE, trunk(updates))
    for each in spaces:
        assert each.model_dump(exclude={"training"}) == SPACE.model_dump(exclude={"training"})


def test_a_space_may_leave_the_rate_to_its_training() -> None:
    """With a share of 0 the length of the run changes nothing."""
    space = SPACE.replace(trunk={"timescale": 0.0})
    assert paced(space, 1e9) == space


@pytest.mark.parametrize("name", SCHEDULES)
@given(
    begin=st.integers(0, 5000),
    legs=st.lists(st.tuples(st.integers(1, 400), st.integers(1, 5)), min_size=1, max_size=6),
)
def test_legs_continue_one_schedule(name: str, begin: int, legs: list[tuple[int, int]]) -> None:
    """The rates of several legs are those of one long leg, to the last bit."""
    known, found = SCHEDULES[name], []
    updates = begin
    for steps, readings in legs:
        found.append(rates(on_plan(known, trunk(updates), steps, readings=readings)))
        updates += steps
    whole = rates(on_plan(known, trunk(begin), updates - begin))
    np.testing.assert_array_equal(np.concatenate(found), whole)


def test_a_trunk_is_trained_at_its_own_rate_and_precision() -> None:
    """Those that it was grown or slowed down to, not those of the space."""
    plan = on_plan(SPACE, trunk(4000, learning_rate=0.1), 50)
    assert plan.precision == "bfloat16"
    assert plan.learning_rate == 0.1
    assert rates(plan)[0] == pytest.approx(rates(on_plan(SPACE, trunk(4000), 50))[0] / 4.0)


def test_a_trunk_is_not_warmed_again() -> None:
    """Nothing of it is new, though the space re-warms what has grown."""
    assert SPACE.training.rewarm > 0
    assert on_plan(SPACE, trunk(), 100).rewarm == 0


counts = st.tuples(st.integers(1, 5000), st.integers(1, 8)).filter(lambda two: two[0] >= two[1])


@given(counts)
def test_readings_lie_at_equal_distances(known: tuple[int, int]) -> None:
    """No more than asked for; each is of an average over its last share, or over 100 updates."""
    updates, readings = known
    for plan in (
        on_plan(SPACE, trunk(), updates, readings=readings),
        candidate_plan(SPACE.training.plan_at(0.3), SPACE, 800, updates, readings=readings),
    ):
        assert plan.steps == updates
        assert 1 <= -(-updates // plan.evaluate_every) <= readings
        longest = max(updates / 3.0, 2.0)  # of a short training: it begins with the start's weights
        window = min(max(0.25 * updates / readings, 100.0), longest)
        assert 1.0 / (1.0 - plan.ema) == pytest.approx(window)


@given(counts)
def test_a_growth_and_its_trunk_are_read_alike(known: tuple[int, int]) -> None:
    """In a contest a longer average of one of them would be a lead that it did not earn."""
    updates, readings = known
    ours = on_plan(SPACE, trunk(), updates, readings=readings)
    its = candidate_plan(SPACE.training.plan_at(0.3), SPACE, 900, updates, readings=readings)
    assert (its.ema, its.evaluate_every, its.steps) == (ours.ema, ours.evaluate_every, ours.steps)


def test_the_averages_window_is_never_shorter_than_some_updates() -> None:
    """The decay of an average of 100 updates is .99; that of one update would average nothing."""
    assert average_over(400, 0.25) == average_over(400, 0.01) == pytest.approx(0.99)
    assert average_over(800, 0.25) == pytest.approx(0.995)
    assert average_over(800, 0.25, readings=2) == pytest.approx(0.99)
    assert average_over(1, 0.25) == average_over(6, 0.25) == pytest.approx(0.5)


@given(st.integers(1, 5000), st.floats(0.01, 0.99), st.integers(1, 8))
def test_an_average_forgets_the_weights_at_the_start(
    updates: int, share: float, readings: int
) -> None:
    """At the end of a training they count for a twentieth at most."""
    if updates >= 6:
        assert average_over(updates, share, readings) ** updates <= 0.05


# --- candidates -----------------------------------------------------------------------------------


def test_a_candidate_goes_on_from_the_trunks_place_and_rises_again() -> None:
    """By the schedule's rate there, from nearly nothing on, over the updates of ``rewarm``."""
    base = SPACE.training.plan_at(0.4)
    plan = candidate_plan(base, SPACE, 3000, 400)
    level = rates(on_plan(SPACE, trunk(3000), 400))
    rise = np.minimum((1.0 + np.arange(400)) / base.rewarm, 1.0)
    np.testing.assert_allclose(rates(plan), level * rise, rtol=1e-6)
    assert plan.rewarm == base.rewarm > 0


def test_a_controls_plan_is_that_of_the_first_training() -> None:
    """Also of a candidate that was trained on in a contest, or in a space without a trunk."""
    rate = FloatDistribution(0.3, 0.4)
    trial = create_trial(
        params={"learning_rate": 0.35}, distributions={"learning_rate": rate}, value=0.5
    )
    about = Candidate(
        index=0,
        growth="",
        architecture="",
        start="a" * 64,
        start_updates=900,
        curve=((0, 0.5, 1.0), (150, 0.6, 0.9), (250, 0.7, 0.8)),
        precision="bfloat16",
        compared_at=150,
    )
    plan = candidates_plan(SPACE, trial, about)
    assert (plan.steps, plan.schedule_start, plan.precision) == (150, 900, "bfloat16")
    assert plan.rewarm == SPACE.training.rewarm
    assert plan.learning_rate == 0.35
    uncontested = about.model_copy(update={"compared_at": 0})
    assert candidates_plan(SPACE, trial, uncontested).steps == 250
    brief = about.model_copy(update={"start": ""})
    assert candidates_plan(SPACE, trial, brief).steps == SPACE.training.steps


# --- cooled forks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCHEDULES)
@given(updates=st.integers(0, 20_000), steps=st.integers(20, 2000))
def test_a_cooled_fork_falls_from_the_trunks_rate_to_nothing(
    name: str, updates: int, steps: int
) -> None:
    """In a line: the first rate is the trunk's next, to the last bit; the last is near 0."""
    known = SCHEDULES[name]
    found = rates(cooled_plan(known, trunk(updates), steps))
    assert found[0] == rates(on_plan(known, trunk(updates), 1))[0]
    assert float(found[0]) == rate_of(known, trunk(updates))
    assert (np.diff(found) < 0.0).all()
    assert found[-1] == pytest.approx(found[0] / steps, rel=1e-4)


def test_a_cooled_fork_is_read_at_its_end() -> None:
    """By an average over its last twentieth, where the rate is near 0; nothing is re-warmed."""
    plan = cooled_plan(SPACE, trunk(), 4000)
    assert (plan.evaluate_every, plan.rewarm, plan.warmup) == (4000, 0, 0)
    assert 1.0 / (1.0 - plan.ema) == pytest.approx(200.0)
    assert cooled_plan(SPACE, trunk(), 1000).ema == pytest.approx(0.99)  # 100 updates at least


@pytest.mark.parametrize("plan_of", [cooled_plan, decay_plan])
def test_a_cooling_falls_over_all_its_parts(plan_of: Callable[..., TrainingPlan]) -> None:
    """Its first rate is the trunk's next; each part goes on where the one before it ended."""
    known = SPACE.replace(trunk={"restart": None})
    parts = [rates(plan_of(known, trunk(), 101, part=part, parts=3)) for part in range(3)]
    assert [len(part) for part in parts] == [33, 34, 34]
    found = np.concatenate(parts)
    assert float(found[0]) == rate_of(known, trunk())
    np.testing.assert_allclose(found, found[0] * (1.0 - np.arange(101) / 101), rtol=1e-5)


def test_a_decay_may_begin_warm_again() -> None:
    """It rises to the rate over the updates of a re-warming, once, and falls by half a cosine."""
    known = SPACE.replace(trunk={"restart": 0.7})
    rewarm = known.training.rewarm
    parts = [rates(decay_plan(known, trunk(), 1000, part=part, parts=2)) for part in range(2)]
    found = np.concatenate(parts)
    expected = 0.35 * (1.0 + np.cos(np.pi * np.arange(1000) / 1000))
    np.testing.assert_allclose(found[rewarm:], expected[rewarm:], atol=1e-6)
    rising = expected[:rewarm] * (1.0 + np.arange(rewarm)) / rewarm
    np.testing.assert_allclose(found[:rewarm], rising, atol=1e-6)


@pytest.mark.parametrize("seconds", [None, 12.5])
def test_the_last_part_of_a_decay_may_differ(seconds: float | None) -> None:
    """In the keys that are given; no part before it does, and no commit."""
    keys = {"schedule": "constant", "learning_rate": 0.1, "ema": 0.9995, "zoom": 0.1, "flip": False}
    ends = SPACE.replace(trunk={"last": keys})
    for part in range(3):
        about: dict[str, Any] = {"part": part, "parts": 3, "seconds": seconds}
        found, same = (decay_plan(space, trunk(), 900, **about) for space in (ends, SPACE))
        assert found == (same.with_keys(keys) if part == 2 else same)
        assert cooled_plan(ends, trunk(), 900, **about) == cooled_plan(SPACE, trunk(), 900, **about)
    np.testing.assert_allclose(rates(decay_plan(ends, trunk(), 900, part=2, parts=3)), 0.1)


@pytest.mark.parametrize("restart", [None, 0.7])
@pytest.mark.parametrize("updates", [3, 300, 10**6])
def test_a_decay_over_time_falls_with_the_time(restart: float | None, updates: int) -> None:
    """The second part goes on in the middle of the fall, however many updates fit."""
    known = SPACE.replace(trunk={"restart": restart})
    plan = decay_plan(known, trunk(), updates, part=1, parts=2, seconds=12.5)
    assert (plan.seconds, plan.rewarm) == (12.5, 0)
    found = learning_rates(plan, plan.schedule_start + np.asarray([0.0, plan.steps]), 0)
    first = rate_of(known, trunk()) if restart is None else restart
    np.testing.assert_allclose(found, [first / 2.0, 0.0], atol=1e-6)


def test_a_plan_over_time_falls_with_the_time() -> None:
    """Its steps are a unit, so that the end of the time is the end of the fall."""
    plan = cooled_plan(SPACE, trunk(), 300, seconds=12.5)
    assert plan.seconds == 12.5
    shares = np.asarray([0.0, 0.5, 1.0]) * plan.steps
    found = learning_rates(plan, shares, 0)
    np.testing.assert_allclose(found, found[0] * np.asarray([1.0, 0.5, 0.0]), atol=1e-7)
    assert plan.evaluate_every > plan.steps


# --- the plans of a whole run ---------------------------------------------------------------------


class Recording(InProcessExecutor):
    """The executor of this process, with the jobs that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[TrialJob] = []
        self.outcomes: dict[str, Any] = {}

    def submit(self, fn: Any, /, *args: Any, **options: Any) -> Future[Any]:
        """Remember the job and its outcome."""
        future = super().submit(fn, *args, **options)
        if len(args) > 1 and isinstance(args[1], TrialJob):
            self.jobs.append(args[1])
            self.outcomes[args[1].name] = future.result()
        return future


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, quick_sqlite: None) -> Recording:
    """The jobs of a small run with a trunk, whose costs are updates."""
    del quick_sqlite
    known = space(
        training={"rewarm": 12, "schedule": "inverse_sqrt", "timescale": 50},
        trunk={"steps": 600, "screen": 0.03, "untested": 0.0},
        search={"startup_trials": 2},
    )
    executor = Recording()
    out = tmp_path_factory.mktemp("plans") / "run"
    gs.search(
        known, trials=9, out=out, data=images(), trainer=FakeTrainer(), seed=0, executor=executor
    )
    return executor


def of(recorded: Recording, begins: str, *, ends: str = "") -> list[TrialJob]:
    return [j for j in recorded.jobs if j.name.startswith(begins) and j.name.endswith(ends)]


def test_candidates_are_warmed_again_and_contests_are_not(recorded: Recording) -> None:
    """A contest goes on from its screening: its last network, its place in the schedule."""
    contests = of(recorded, "trial", ends="contest")
    assert contests
    for contest in contests:
        name = contest.name.removesuffix(" contest")
        (screening,) = (job for job in recorded.jobs if job.name == name)
        assert screening.plan.rewarm == 12
        assert contest.plan.rewarm == 0
        assert contest.growth is None
        assert contest.parent == recorded.outcomes[name].last
        assert contest.plan.schedule_start == screening.plan.schedule_start + screening.plan.steps
        assert contest.plan.learning_rate == screening.plan.learning_rate


def test_the_legs_of_a_run_leave_no_update_out(recorded: Recording) -> None:
    """Each begins where the network that it trains was left: by the leg before, or by a growth."""
    ends: dict[Any, int] = {}
    for job in recorded.jobs:
        if job.name.startswith(("trunk", "trial")) and recorded.outcomes[job.name].failure is None:
            if job.parent in ends:
                assert job.plan.schedule_start == ends[job.parent], job.name
            ends[recorded.outcomes[job.name].last] = job.plan.schedule_start + job.plan.steps
    assert len(of(recorded, "trunk")) > 2
