"""The pruner: by the gain alone, or beside the gains of other candidates."""

from __future__ import annotations

from collections.abc import Sequence

import optuna
import pytest
from optuna.pruners import BasePruner
from optuna.trial import TrialState

from growsearch.driver.pruner import GainPruner
from growsearch.study.attributes import FAILURE, INTERRUPTED

Gains = Sequence[tuple[int, float]]


def run(study: optuna.Study, gains: Gains) -> int:
    """A candidate that reports these gains; the step at which it ended."""
    trial = study.ask()
    for step, gain in gains:
        trial.report(gain, step)
        if trial.should_prune():
            study.tell(trial, state=TrialState.PRUNED)
            return step
    study.tell(trial, gains[-1][1])
    return gains[-1][0]


def new_study(pruner: BasePruner) -> optuna.Study:
    return optuna.create_study(direction="maximize", pruner=pruner)


def constant(gain: float, steps: Sequence[int] = (0, 10, 20, 40)) -> Gains:
    return [(step, gain) for step in steps]


def test_what_lies_far_below_its_parent_is_given_up() -> None:
    """Below -tolerance, from the warm-up on; on it is not below it."""
    study = new_study(GainPruner(0.1, 10, 1))
    assert run(study, constant(-0.5)) == 10
    assert run(study, constant(-0.1)) == 40
    assert run(study, [(0, -0.9), (10, 0.0), (20, -0.2), (40, 0.0)]) == 20


def test_without_a_reduction_nothing_is_compared() -> None:
    """However many are better."""
    study = new_study(GainPruner(0.5, 10, 1))
    assert [run(study, constant(0.1 - 0.01 * n)) for n in range(9)] == [40] * 9


def test_the_best_go_on() -> None:
    """With a reduction of 2 the better half of all that came as far, the new one included."""
    study = new_study(GainPruner(0.5, 10, 2))
    assert run(study, constant(0.5)) == 40  # the first has nobody before it
    assert run(study, constant(0.4)) == 10  # of two, one goes on
    assert run(study, constant(0.3)) == 10  # of three, one
    assert run(study, constant(0.5)) == 40  # of four, two: as good as the best
    assert run(study, constant(0.45)) == 10  # of five, two
    assert run(study, constant(0.45)) == 20  # of six, three: beside the third; then of three, one
    assert run(study, constant(0.6)) == 40


def test_the_worst_of_four_with_a_reduction_of_four_ends() -> None:
    study = new_study(GainPruner(1.0, 5, 4))
    assert [run(study, constant(gain, (0, 5, 20))) for gain in (0.1, 0.2, 0.3, 0.0)] == [
        *(20, 20, 20),  # each the best so far
        5,
    ]


def test_rungs_are_multiples_of_the_warm_up_by_the_reduction() -> None:
    """At 10, 20 and 40, whatever lies between; each compares what was reported there."""
    steps = (0, 5, 10, 15, 20, 30, 40, 50)
    study = new_study(GainPruner(1.0, 10, 2))
    assert run(study, constant(0.2, steps)) == 50
    between = [(s, 0.0 if s in (0, 5, 15, 30, 50) else 0.3) for s in steps]
    assert run(study, between) == 50  # behind only where nothing is compared
    assert run(study, [(s, 0.4 if s < 40 else 0.1) for s in steps]) == 40


def test_a_rung_between_two_reports_is_judged_at_the_next() -> None:
    study = new_study(GainPruner(1.0, 10, 2))
    assert run(study, constant(0.2, (0, 7, 14, 21))) == 21
    assert run(study, [(0, 0.3), (7, 0.1), (14, 0.1), (21, 0.3)]) == 14


def test_before_the_warm_up_nothing_is_given_up() -> None:
    study = new_study(GainPruner(1.0, 10, 2))
    run(study, constant(0.5))
    assert run(study, [(0, 0.0), (5, -0.9), (10, 0.6)]) == 10
    assert study.trials[-1].state == TrialState.COMPLETE


@pytest.mark.parametrize("warmup", [0, 1])
def test_without_a_warm_up_the_first_rung_is_the_first_update(warmup: int) -> None:
    """At the start every candidate of a parent has the same gain, which says nothing."""
    study = new_study(GainPruner(1.0, warmup, 2))
    assert run(study, constant(0.5, (0, 1, 2))) == 2
    assert run(study, constant(0.4, (0, 1, 2))) == 1


def test_interrupted_candidates_do_not_compete() -> None:
    """They are repeated: counted twice, they would make a resumed run another one."""
    gains = [0.5, 0.3, 0.6, 0.55, 0.2, 0.58]
    whole = new_study(GainPruner(1.0, 10, 2))
    expected = [run(whole, constant(gain)) for gain in gains]
    resumed, found = new_study(GainPruner(1.0, 10, 2)), []
    for place, gain in enumerate(gains):
        for _ in range(2 * (place % 2)):
            lost = resumed.ask()
            for step in (0, 10):
                lost.report(gain, step)
                lost.should_prune()
            lost.set_user_attr(FAILURE, INTERRUPTED)
            resumed.tell(lost, state=TrialState.FAIL)
        found.append(run(resumed, constant(gain)))
    assert found == expected
    assert {10, 40} <= set(expected)


def test_the_pruner_writes_nothing() -> None:
    """The pruner reads the reports alone; it leaves no attribute in the database."""
    study = new_study(GainPruner(1.0, 10, 2))
    for gain in (0.1, 0.2, 0.0):
        run(study, constant(gain))
    assert not any(trial.system_attrs for trial in study.trials)


def test_a_gain_that_is_no_number_is_given_up() -> None:
    study = new_study(GainPruner(1.0, 10, 2))
    assert run(study, [(0, 0.0), (10, float("nan")), (20, 0.0)]) == 10
