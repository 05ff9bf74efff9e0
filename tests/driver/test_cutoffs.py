"""The cutoffs: by the gain alone, or beside the gains of other candidates.

They must end the same trainings at the same steps as the pruner that they replace, which was asked
at every point of a running trial. It stands here as the oracle.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.pruners import BasePruner, ThresholdPruner
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from growsearch.driver.cutoffs import cutoffs_of
from growsearch.study.attributes import FAILURE, INTERRUPTED
from growsearch.study.trials import is_interrupted, that_count
from tests.fake_trainer import space

PARENT = 0.5

Gains = Sequence[tuple[int, float]]


class GainPruner(BasePruner):
    """The pruner of earlier versions."""

    def __init__(self, tolerance: float, warmup_steps: int, reduction: int) -> None:
        self._threshold = ThresholdPruner(lower=-tolerance, n_warmup_steps=warmup_steps)
        self._first = max(warmup_steps, 1)
        self._reduction = reduction

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        if self._threshold.prune(study, trial):
            return True
        others = [
            other
            for other in study.get_trials(deepcopy=False)
            if other.state.is_finished() and not is_interrupted(other)
        ]
        return any(self._is_behind(trial, others, rung) for rung in self._reached(trial))

    def _reached(self, trial: FrozenTrial) -> Iterator[int]:
        if self._reduction == 1 or (last := trial.last_step) is None:
            return
        before = max((step for step in trial.intermediate_values if step < last), default=-1)
        rung = self._first
        while rung <= last:
            if rung > before:
                yield rung
            rung *= self._reduction

    def _is_behind(self, trial: FrozenTrial, others: list[FrozenTrial], rung: int) -> bool:
        own = trial.intermediate_values[trial.last_step or 0]
        firsts = [
            (other, min((s for s in other.intermediate_values if s >= rung), default=None))
            for other in others
        ]
        gains = [other.intermediate_values[step] for other, step in firsts if step is not None]
        places = max(1, (len(gains) + 1) // self._reduction)
        return sum(gain > own for gain in gains) >= places


class Search:
    """Candidates one after the other, by the oracle and by cutoffs."""

    def __init__(self, tolerance: float, warmup: int, reduction: int) -> None:
        self.pruner = GainPruner(tolerance, warmup, reduction)
        self.study = optuna.create_study(direction="maximize", pruner=self.pruner)
        self.space = space(
            f"pruning={{tolerance = {tolerance}, warmup_steps = {warmup}, reduction = {reduction}}}"
        )

    def run(self, gains: Gains) -> int:
        """Train a candidate with these gains; the step at which it ends."""
        accuracies = [(step, PARENT + gain) for step, gain in gains]
        judged = that_count(self.study.get_trials(deepcopy=False))
        cutoffs = cutoffs_of(self.space, judged, PARENT, gains[-1][0])
        assert cutoffs is not None
        before, end = -1, gains[-1][0]
        for step, accuracy in accuracies:
            if cutoffs.end(accuracy, step, before):
                end = step
                break
            before = step
        assert end == self._by_the_oracle(accuracies)
        return end

    def _by_the_oracle(self, accuracies: Gains) -> int:
        trial = self.study.ask()
        for step, accuracy in accuracies:
            trial.report(accuracy - PARENT, step)
            if trial.should_prune():
                self.study.tell(trial, state=TrialState.PRUNED)
                return step
        self.study.tell(trial, accuracies[-1][1])
        return accuracies[-1][0]


def constant(gain: float, steps: Sequence[int] = (0, 10, 20, 40)) -> Gains:
    return [(step, gain) for step in steps]


# --- the same ends as with the pruner -------------------------------------------------------------

# Few values, so that many candidates are equal.
gains = st.sampled_from([-0.3, -0.1, -0.05, 0.0, 0.05, 0.1]) | st.floats(-0.4, 0.4)
curves = st.lists(
    st.tuples(st.integers(0, 40), gains), min_size=1, max_size=6, unique_by=lambda point: point[0]
).map(sorted)


@given(
    tolerance=st.sampled_from([0.0, 0.05, 0.2, 1.0]),
    warmup=st.integers(0, 12),
    reduction=st.integers(1, 4),
    candidates=st.lists(curves, min_size=1, max_size=8),
)
def test_the_same_trainings_end_at_the_same_steps(
    tolerance: float, warmup: int, reduction: int, candidates: list[Gains]
) -> None:
    """Whatever the curves: cutoffs drawn before a training decide as the pruner did within it."""
    search = Search(tolerance, warmup, reduction)
    for each in candidates:
        search.run(each)


# --- by the gain alone ----------------------------------------------------------------------------


def test_without_pruning_there_are_none() -> None:
    assert cutoffs_of(space(), [], PARENT, 100) is None


def test_what_lies_far_below_its_parent_is_given_up() -> None:
    """Below -tolerance, from the warm-up on; on it is not below it."""
    search = Search(0.125, 10, 1)
    assert search.run(constant(-0.5)) == 10
    assert search.run(constant(-0.125)) == 40
    assert search.run([(0, -0.4), (10, 0.0), (20, -0.2), (40, 0.0)]) == 20


def test_without_a_reduction_nothing_is_compared() -> None:
    """However many are better."""
    search = Search(0.5, 10, 1)
    assert [search.run(constant(0.1 - 0.01 * n)) for n in range(9)] == [40] * 9


@pytest.mark.parametrize("reduction", [1, 2])
def test_a_gain_that_is_no_number_is_given_up(reduction: int) -> None:
    search = Search(1.0, 10, reduction)
    assert search.run([(0, 0.0), (10, math.nan), (20, 0.0)]) == 10


# --- beside others --------------------------------------------------------------------------------


def test_the_best_go_on() -> None:
    """With a reduction of 2 the better half of all that came as far, the new one included."""
    search = Search(0.5, 10, 2)
    assert search.run(constant(0.5)) == 40  # the first has no other before it
    assert search.run(constant(0.4)) == 10  # of two, one goes on
    assert search.run(constant(0.3)) == 10  # of three, one
    assert search.run(constant(0.5)) == 40  # of four, two: as good as the best
    assert search.run(constant(0.45)) == 10  # of five, two
    assert search.run(constant(0.45)) == 20  # of six, three: beside the third; then of three, one
    assert search.run(constant(0.6)) == 40


def test_the_worst_of_four_with_a_reduction_of_four_ends() -> None:
    search = Search(1.0, 5, 4)
    assert [search.run(constant(gain, (0, 5, 20))) for gain in (0.1, 0.2, 0.3, 0.0)] == [
        *(20, 20, 20),  # each the best so far
        5,
    ]


def test_rungs_are_multiples_of_the_warm_up_by_the_reduction() -> None:
    """At 10, 20 and 40, whatever lies between; each compares what was measured there."""
    steps = (0, 5, 10, 15, 20, 30, 40, 50)
    search = Search(1.0, 10, 2)
    assert search.run(constant(0.2, steps)) == 50
    between = [(s, 0.0 if s in (0, 5, 15, 30, 50) else 0.3) for s in steps]
    assert search.run(between) == 50  # behind only where nothing is compared
    assert search.run([(s, 0.4 if s < 40 else 0.1) for s in steps]) == 40


def test_a_rung_between_two_points_is_judged_at_the_next() -> None:
    search = Search(1.0, 10, 2)
    assert search.run(constant(0.2, (0, 7, 14, 21))) == 21
    assert search.run([(0, 0.3), (7, 0.1), (14, 0.1), (21, 0.3)]) == 14


def test_before_the_warm_up_nothing_is_given_up() -> None:
    search = Search(1.0, 10, 2)
    search.run(constant(0.4))
    assert search.run([(0, 0.0), (5, -0.4), (10, 0.45)]) == 10
    assert search.study.trials[-1].state == TrialState.COMPLETE


@pytest.mark.parametrize("warmup", [0, 1])
def test_without_a_warm_up_the_first_rung_is_the_first_update(warmup: int) -> None:
    """At the start every candidate of a parent has the same gain, which says nothing."""
    search = Search(1.0, warmup, 2)
    assert search.run(constant(0.4, (0, 1, 2))) == 2
    assert search.run(constant(0.3, (0, 1, 2))) == 1


def test_interrupted_candidates_do_not_compete() -> None:
    """They are repeated: counted twice, they would make a resumed run another one."""
    found = [0.45, 0.3, 0.5, 0.48, 0.2, 0.49]
    whole = Search(1.0, 10, 2)
    expected = [whole.run(constant(gain)) for gain in found]
    resumed = Search(1.0, 10, 2)
    ends = []
    for place, gain in enumerate(found):
        for _ in range(2 * (place % 2)):
            lost = create_trial(
                state=TrialState.FAIL,
                intermediate_values=dict.fromkeys((0, 10), gain),
                user_attrs={FAILURE: INTERRUPTED},
            )
            resumed.study.add_trial(lost)
        ends.append(resumed.run(constant(gain)))
    assert ends == expected
    assert {10, 40} <= set(expected)


def test_rungs_beyond_the_training_are_left_out() -> None:
    """A job is small, however long the trainings of others were."""
    other = create_trial(value=0.5, intermediate_values=dict.fromkeys(range(0, 1000, 10), 0.1))
    asked = space("pruning={tolerance = 1.0, warmup_steps = 10, reduction = 2}")
    cutoffs = cutoffs_of(asked, [other], PARENT, 45)
    assert cutoffs is not None
    assert [rung for rung, _ in cutoffs.rungs] == [10, 20, 40]
