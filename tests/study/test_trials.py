"""The trials of a run: begun and finished in few transactions, pending, interrupted, of any age."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.study import Study
from optuna.trial import TrialState
from sqlalchemy import event
from sqlalchemy.engine import Engine

import growsearch as gs
from growsearch.errors import RunError
from growsearch.growth import Widen
from growsearch.study import trials
from growsearch.study.attributes import Candidate
from growsearch.study.database import database_url, open_storage
from growsearch.study.open import create_or_load
from growsearch.study.read import record
from growsearch.training import Point
from growsearch.trials.outcome import TrialOutcome

pytestmark = pytest.mark.usefixtures("quick_sqlite")

SPACE = {"op": CategoricalDistribution(("widen", "deepen")), "rate": FloatDistribution(0.0, 1.0)}
PARAMS = {"op": "widen", "rate": 0.25}
BEFORE = gs.Architecture.parse("3x3x4(conv1)-pool1-8(fc1)-10(fc2)", (8, 8, 1))
ABOUT = Candidate.described(0, None, Widen("conv1", 6), BEFORE)
CURVE = tuple(Point(step, 0.5 + step / 100, 1.0) for step in (0, 2, 4))
OUTCOME = TrialOutcome(
    sha256="ab" * 32,
    curve=CURVE,
    seconds=1.5,
    images_per_second=40.0,
    training_flops=1e9,
    precision="float32",
)
JUDGED = Candidate.judged(OUTCOME, gain=0.04, kept=True, reason="better")
GAINS = {0: 0.0, 2: 0.02, 4: 0.04}


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return create_or_load(open_storage(database_url(tmp_path)), "run")[0]


def reopened(study: Study, tmp_path: Path) -> Study:
    """The study as another process sees it."""
    return optuna.load_study(study_name=study.study_name, storage=database_url(tmp_path))


@contextmanager
def commits() -> Iterator[list[str]]:
    """Collect the transactions of the block that wrote something."""
    written: list[str] = []
    dirty = set()

    def executed(connection: Any, _: Any, statement: str, *__: Any) -> None:
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            dirty.add(connection)

    def committed(connection: Any) -> None:
        if connection in dirty:
            dirty.remove(connection)
            written.append("commit")

    event.listen(Engine, "before_cursor_execute", executed)
    event.listen(Engine, "commit", committed)
    yield written
    event.remove(Engine, "before_cursor_execute", executed)
    event.remove(Engine, "commit", committed)


def test_a_trial_begins_in_one_transaction(study: Study, tmp_path: Path) -> None:
    """Running, with parameters and description, and seen like that by another process."""
    with commits() as written:
        trial = trials.begin(study, PARAMS, SPACE, ABOUT)
    assert len(written) == 1
    (seen,) = reopened(study, tmp_path).trials
    for each in (trial, seen):
        assert (each.number, each.state, each.params) == (0, TrialState.RUNNING, PARAMS)
        assert each.distributions == SPACE
        assert each.user_attrs == ABOUT.to_attributes()
        assert Candidate.read(each) == ABOUT
        assert trials.is_pending(each)
    assert trials.begin(study, PARAMS, SPACE, ABOUT).number == 1
    with pytest.raises(ValueError, match="rate"):
        trials.begin(study, PARAMS | {"rate": 2.0}, SPACE, ABOUT)
    assert len(trials.pending(study)) == 2


@pytest.mark.parametrize("value", [0.9, None])
def test_a_trial_costs_few_transactions(study: Study, tmp_path: Path, value: float | None) -> None:
    """Three, and one for each intermediate value."""
    with commits() as written:
        begun = trials.begin(study, PARAMS, SPACE, ABOUT)
        trials.finish(study, begun, JUDGED, value=value, gains=GAINS)
    assert len(written) <= 3 + len(GAINS)
    (trial,) = reopened(study, tmp_path).trials
    assert trial.state == (TrialState.PRUNED if value is None else TrialState.COMPLETE)
    assert trial.value == (0.04 if value is None else 0.9)
    assert trial.intermediate_values == GAINS
    about = Candidate.read(trial)
    assert about.curve == tuple((p.step, p.accuracy, p.loss) for p in CURVE)
    assert (about.growth, about.precision, about.sha256) == (ABOUT.growth, "float32", "ab" * 32)
    assert (about.gain, about.kept, about.reason) == (0.04, True, "better")
    assert set(trial.user_attrs) == {*ABOUT.to_attributes(), "outcome"}
    assert Candidate.is_kept(trial)
    assert Candidate.names(trial, "ab" * 32)
    assert not Candidate.names(trial, "cd" * 32)


def test_a_trial_that_is_finished_again_is_finished_once(study: Study, tmp_path: Path) -> None:
    """A process that died before the tell leaves a pending trial; the next one writes it anew."""
    begun = trials.begin(study, PARAMS, SPACE, ABOUT)
    lost = Candidate.judged(OUTCOME, gain=0.5, kept=False, reason="never told")
    for name, value in lost.to_attributes().items():
        optuna.trial.Trial(study, begun._trial_id).set_user_attr(name, value)
    optuna.trial.Trial(study, begun._trial_id).report(0.5, 2)
    again = reopened(study, tmp_path)
    trials.fail_interrupted(again)
    (trial,) = trials.pending(again)
    trials.finish(again, trial, JUDGED, value=0.9, gains=GAINS)
    (trial,) = reopened(study, tmp_path).trials
    assert Candidate.read(trial).reason == "better"
    assert trial.intermediate_values == GAINS


def test_a_reason_that_was_not_told_does_not_outlive_the_repetition(study: Study) -> None:
    """A process died between the reason of a failure and the end of its trial."""
    begun = trials.begin(study, PARAMS, SPACE, ABOUT)
    optuna.trial.Trial(study, begun._trial_id).set_user_attr("failure", "out of memory")
    trials.finish(study, begun, JUDGED, value=0.9, gains=GAINS)
    assert Candidate.read(study.trials[0]).failure is None
    assert record(study.trials[0], {}).arms["net2net"].failure is None


def test_pending_trials_stay_and_others_end(study: Study, tmp_path: Path) -> None:
    """Only a trial without its whole description is failed; a failed one is no pending one."""
    trials.begin(study, PARAMS, SPACE, ABOUT)
    asked = study.ask(SPACE)
    for name, value in [*ABOUT.to_attributes().items()][:-1]:
        asked.set_user_attr(name, value)
    failed = trials.begin(study, PARAMS, SPACE, ABOUT)
    trials.fail(study, failed, "diverged")
    again = reopened(study, tmp_path)
    trials.fail_interrupted(again)
    states = [trial.state.name for trial in again.trials]
    assert states == ["RUNNING", "FAIL", "FAIL"]
    assert [trials.is_interrupted(trial) for trial in again.trials] == [False, True, False]
    assert [trial.number for trial in trials.that_count(again.trials)] == [2]
    assert [trials.index_of(again.trials, number) for number in (0, 1, 2, 3)] == [0, 1, 1, 2]
    assert [trial.number for trial in trials.pending(again)] == [0]


def test_a_described_trial_is_pending(study: Study) -> None:
    """One that Optuna made is pending once its last attribute is written: its parent."""
    trial = study.ask(SPACE)
    assert [*ABOUT.to_attributes()][-1] == "parent"
    trials.described(study, trial, ABOUT)
    assert trials.is_pending(study.trials[0])
    assert study.trials[0].user_attrs == ABOUT.to_attributes()


@pytest.mark.parametrize("attributes", [0, 5])
def test_a_queued_trial_that_was_interrupted_is_queued_again(
    study: Study, tmp_path: Path, attributes: int
) -> None:
    """As the same trial, before those queued after it, with its parameters and attributes."""
    for rate in (0.25, 0.5):
        study.enqueue_trial({"op": "deepen", "rate": rate}, user_attrs={"why": "mine"})
    asked = study.ask(SPACE)
    assert asked.params == {"op": "deepen", "rate": 0.25}
    for name, value in [*ABOUT.to_attributes().items()][:attributes]:
        asked.set_user_attr(name, value)
    for _ in range(2):  # also by a session that is killed there
        again = reopened(study, tmp_path)
        trials.fail_interrupted(again)
        assert [trial.state.name for trial in again.trials] == ["WAITING", "WAITING"]
    for number, rate in enumerate((0.25, 0.5)):
        trial = again.ask(SPACE)
        assert (trial.number, trial.params) == (number, {"op": "deepen", "rate": rate})
        assert trial.user_attrs["why"] == "mine"
        trials.described(again, trial, ABOUT)
        trials.finish(again, trial, JUDGED, value=0.9, gains=GAINS)
    assert {trial.state.name for trial in reopened(study, tmp_path).trials} == {"COMPLETE"}


def test_a_queued_trial_killed_while_it_was_asked_is_queued_again(
    study: Study, tmp_path: Path
) -> None:
    """With some of its parameters written."""
    study.enqueue_trial(PARAMS)
    study.ask({"op": SPACE["op"]})
    again = reopened(study, tmp_path)
    trials.fail_interrupted(again)
    assert again.ask(SPACE).params == PARAMS
    assert again.trials[0].params == PARAMS


def flat(judged: Candidate) -> dict[str, Any]:
    """The attributes of a candidate as earlier versions wrote them."""
    return judged.model_dump(mode="json", exclude_unset=True)


def test_a_trial_of_an_earlier_version_is_read(study: Study) -> None:
    """Its outcome stands in attributes of its own."""
    trial = study.ask(SPACE)
    for name, value in (flat(ABOUT) | flat(JUDGED)).items():
        trial.set_user_attr(name, value)
    study.tell(trial, 0.9)
    new = trials.begin(study, PARAMS, SPACE, ABOUT)
    trials.finish(study, new, JUDGED, value=0.9, gains=GAINS)
    old, new = study.trials
    assert "outcome" not in old.user_attrs
    assert Candidate.read(old) == Candidate.read(new)
    assert Candidate.is_kept(old)
    assert Candidate.names(old, "ab" * 32)


def test_the_outcome_is_one_attribute(study: Study) -> None:
    """Beside it, flat attributes of its names are ignored, and one that is no table is refused."""
    trial = trials.begin(study, PARAMS, SPACE, ABOUT)
    optuna.trial.Trial(study, trial._trial_id).set_user_attr("kept", True)
    judged = Candidate.judged(OUTCOME, gain=0.0, kept=False, reason="no")
    trials.finish(study, trial, judged, value=0.9, gains={})
    assert not Candidate.is_kept(study.trials[0])
    assert not Candidate.read(study.trials[0]).kept
    for value in ("text", [1], 3, None):
        begun = trials.begin(study, PARAMS, SPACE, ABOUT)
        optuna.trial.Trial(study, begun._trial_id).set_user_attr("outcome", value)
        (damaged,) = [each for each in study.trials if each.number == begun.number]
        assert not Candidate.is_kept(damaged)
        assert not Candidate.names(damaged, "ab" * 32)
        with pytest.raises(RunError, match="expected what growsearch wrote"):
            Candidate.read(damaged)
