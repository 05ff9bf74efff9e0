"""The first growth of a run by a trunk, which is compared with nothing."""

from __future__ import annotations

import math
from pathlib import Path

import optuna
import pytest

from growsearch.driver.events import Training
from growsearch.errors import DivergedError
from growsearch.study.attributes import Candidate, TeacherAttribute, Trunk
from growsearch.study.result import SearchResult
from growsearch.upkeep.verify import verify
from tests.averaging_trainer import AveragingTrainer
from tests.trunk_search import Memory, folder, interrupt, search

pytestmark = pytest.mark.usefixtures("quick_sqlite")


def told(result: SearchResult, number: int) -> Candidate:
    """Return what the study holds of a trial."""
    return Candidate.read(result.study.trials[number])


def trunk_after(result: SearchResult, number: int) -> Trunk:
    """Return the trunk that the last trial of a campaign carries."""
    trunk = told(result, number).trunk
    assert trunk is not None
    return trunk


def test_it_is_tried_alone_and_kept() -> None:
    """Its training is the trunk's own: nothing of it decides, and nothing trains beside it."""
    begun: list[str] = []

    def on_event(event: object) -> None:
        if isinstance(event, Training) and event.what not in begun:
            begun.append(event.what)

    with folder() as out:
        result = search(out, on_event=on_event)
        first, *others = result.trials
        trunk, teacher = trunk_after(result, 0), TeacherAttribute.read(result.study)
    assert begun[:3] == ["teacher", "trial 0", "trunk 1"]
    assert first.kept
    assert first.loss_gain is None
    assert first.reason.startswith("now: loss ")
    assert teacher is not None
    assert (trunk.trial, trunk.campaigns, trunk.deciding) == (0, 1, 0.0)
    assert trunk.trained > teacher.curve[-1][0]
    assert all(each.loss_gain is not None for each in others if each.state == "COMPLETE")
    assert {each.elapsed for each in others}.isdisjoint({first.elapsed})


def test_the_first_operation_of_the_space_begins() -> None:
    """Whatever the sampler draws."""
    for operation in ("widen", "deepen"):
        other = {"widen": "deepen", "deepen": "widen"}[operation]
        with folder() as out:
            result = search(out, f'choices.operations=["{operation}", "{other}"]', trials=1)
        assert result.trials[0].operation == operation


def test_a_first_growth_that_diverges_leaves_the_trunk_as_it_was() -> None:
    """The growths of the next campaign are compared with it."""

    class First(AveragingTrainer):
        grown = False

        def train(self, network, data, plan, **options):  # type: ignore[no-untyped-def]
            if plan.rewarm and not self.grown:
                self.grown = True
                raise DivergedError("the loss became nan")
            return super().train(network, data, plan, **options)

    with folder() as out:
        result = search(out, "training.rewarm=2", trainer=First())
        trunk, teacher = trunk_after(result, 0), TeacherAttribute.read(result.study)
    assert result.trials[0].state == "FAIL"
    assert "the loss became nan" in result.trials[0].reason
    assert teacher is not None
    assert (trunk.trial, trunk.trained) == (None, teacher.curve[-1][0])
    assert any(each.loss_gain is not None for each in result.trials)


def test_a_queued_trial_that_is_refused_does_not_take_its_place(tmp_path: Path) -> None:
    """It fails in its turn; another growth is tried with it, and compared with nothing."""
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, on_event=interrupt("teacher"))
    storage = f"sqlite:///{tmp_path}/study.db"
    optuna.load_study(study_name="digits", storage=storage).enqueue_trial({"op": "shrink"})
    result = search(tmp_path)
    assert verify(tmp_path).is_good
    refused, first = result.trials[:2]
    assert refused.state == "FAIL"
    assert refused.reason.startswith("enqueued with a value outside the space: ")
    assert first.kept
    assert first.loss_gain is None
    assert trunk_after(result, 1).campaigns == 1


def test_a_campaign_of_refused_trials_alone_leaves_the_trunk_its_averages() -> None:
    """It is trained on as without candidates."""
    memory, compared = Memory(), "trunk.untested=0"
    with folder(memory) as out:
        with pytest.raises(KeyboardInterrupt):
            search(out, compared, on_event=interrupt("teacher"))
        memory.study().enqueue_trial({"op": "shrink"})
        result = search(out, compared, trials=1)
    assert [each.state for each in result.trials] == ["FAIL"]
    trunk = trunk_after(result, 0)
    assert trunk.legs == trunk.campaigns == 1
    assert trunk.average != trunk.weights


@pytest.mark.parametrize("untested", [0.0, 1.0])
def test_a_space_decides_how_early_that_is(untested: float) -> None:
    """With 0 the first campaign compares as all others do."""
    with folder() as out:
        result = search(out, f"trunk.untested={untested}", trials=2)
    elapsed = {each.elapsed for each in result.trials}
    assert len(elapsed) == (1 if untested == 0.0 else 2)
    assert (result.trials[0].loss_gain is None) == (untested == 1.0)
    assert not math.isnan(result.best.validation_loss or 0.0)


def test_a_parent_has_one_accuracy(tmp_path: Path) -> None:
    """That of the trunk, whether or not the candidate was trained on after the comparison."""
    result = search(tmp_path / "run", trials=8)
    found: dict[str, set[float]] = {}
    for trial in result.study.trials:
        about = Candidate.read(trial)
        record = result.trials[trial.number]
        if record.parent_accuracy is not None:
            found.setdefault(about.start, set()).add(round(record.parent_accuracy, 6))
    assert any(record.judged_accuracy is not None for record in result.trials)
    assert all(len(each) == 1 for each in found.values()), found
