"""Searches with two objectives: a front of accuracy and a demand, resumed, verified and shown."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import sqlite3
from collections import Counter
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.study import StudyDirection

import growsearch as gs
from growsearch.cli import main
from growsearch.driver.events import Event, FrontRead
from growsearch.errors import InvalidInputError, SearchSpaceError
from growsearch.networks import Architecture, Network
from growsearch.networks.memory import peak_activation_bytes, stored_bytes
from growsearch.space import SearchSpace
from growsearch.study.attributes import Candidate, TeacherAttribute
from growsearch.study.networks import DamagedNetworkWarning
from growsearch.study.result import SearchResult
from growsearch.training import Speed, TrainingPlan
from growsearch.trials.demands import DEMANDS
from growsearch.trials.front import Point, nondominated
from growsearch.upkeep.gc import collect
from growsearch.upkeep.verify import verify
from tests.fake_trainer import CountingTrainer, FakeTrainer, images, outcome, without_fsync
from tests.scoring_trainer import ScoringTrainer, unequal
from tests.slotted_trainer import SlottedTrainer
from tests.small_search import interrupt, search, studies

pytestmark = pytest.mark.usefixtures("quick_sqlite")

ROOMY = "teacher.architecture=3x3x8(conv1)-pool1-3x3x8(conv2)-pool2-16(fc1)-3(fc2)"
SPACE = (ROOMY, 'choices.operations=["widen", "narrow_all", "narrow", "deepen"]')


TRIALS = 10
ALONE = "controls.arms=[]"  # candidates without controls


class MeasuringTrainer(FakeTrainer):
    """The fake trainer, which measures a speed that follows from the FLOPs."""

    def speed_of(self, architecture: Architecture, plan: TrainingPlan) -> Speed:
        return Speed(plan.precision, 1e-9 * architecture.flops * plan.batch_size)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, quick_sqlite: None) -> SearchResult:
    """A finished search with parameters, in a folder that tests copy before they change it."""
    del quick_sqlite
    return searched(tmp_path_factory.mktemp("finished") / "run")


def searched(
    out: Path, *overrides: str, demand: str = "parameters", trials: int = TRIALS, **options: Any
) -> SearchResult:
    objective = f'search.objective=["accuracy", "{demand}"]'
    return search(out, *SPACE, objective, *overrides, trials=trials, **options)


def points(result: SearchResult) -> list[tuple[float, float]]:
    return [(each.accuracy, each.values[result.demand or ""]) for each in result.front]


@pytest.mark.parametrize("demand", DEMANDS)
def test_the_front_of_each_demand(tmp_path: Path, demand: str) -> None:
    """The study has both objectives; the front is what none of its networks dominates."""
    result = searched(tmp_path / "run", ALONE, demand=demand, trainer=MeasuringTrainer(), trials=7)
    study, controls = studies(tmp_path / "run")
    assert study.directions == [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
    assert study.metric_names == ["validation accuracy", DEMANDS[demand].words]  # type: ignore[index]
    assert controls.directions == [StudyDirection.MAXIMIZE]
    assert len(result.front) >= 2
    assert result.demand == demand
    assert points(result) == sorted(points(result))
    assert len({accuracy for accuracy, _ in points(result)}) == len(result.front)
    teacher = TeacherAttribute.read(study)
    assert teacher is not None
    assert teacher.demand is not None
    kept = [Point(None, result.teacher_accuracy, teacher.demand)]
    kept += [
        Point(each.number, each.values[0], each.values[1])
        for each in study.trials
        if each.values and Candidate.is_kept(each)
    ]
    expected = nondominated(kept)
    assert [each.trial_number for each in result.front] == [each.trial for each in expected]
    assert result.best.sha256 == result.front[-1].sha256
    assert result.best.validation_accuracy == max(accuracy for accuracy, _ in points(result))
    for member in result.front:
        architecture = member.network.architecture
        assert member.values["parameters"] == architecture.parameters
        assert member.values["flash_bytes"] == stored_bytes(architecture)
        assert member.values["arena_bytes"] == peak_activation_bytes(architecture)
        assert ("milliseconds" in member.values) == (demand == "milliseconds")
        assert gs.Network.load(member.path).sha256 == member.sha256
    assert verify(tmp_path / "run").is_good


def test_it_moves_along_the_front_in_both_directions(finished: SearchResult) -> None:
    """Parents are members of the front, of which several are tried; they grow and shrink."""
    result = finished
    parents = Counter(record.parent for record in result.trials)
    assert len(parents) >= 3
    joined = {None} | {record.number for record in result.trials if record.kept}
    assert set(parents) <= joined
    teacher = TeacherAttribute.read(result.study)
    assert teacher is not None
    sizes: dict[int | None, int] = {None: teacher.parameters}
    sizes |= {record.number: record.parameters for record in result.trials}
    changes = {record.parameters > sizes[record.parent] for record in result.trials}
    assert changes == {True, False}
    for record in result.trials:  # no growth of one network is tried twice
        assert (
            sum((e.parent, e.growth) == (record.parent, record.growth) for e in result.trials) == 1
        )


@pytest.mark.parametrize(
    ("window", "at"), [(1, ("trial 2", 2)), (1, ("trial 9", 4)), (3, ("trial 6 random", 2))]
)
def test_an_interrupted_search_gives_the_same_front(
    tmp_path: Path, finished: SearchResult, window: int, at: tuple[str, int]
) -> None:
    """The same command goes on: the same trials, the same front, and nothing trained twice."""
    options: dict[str, Any] = {"pending_trials": window}
    whole = finished if window == 1 else searched(tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path / "cut", on_event=interrupt(*at), **options)
    again = searched(tmp_path / "cut", **options)
    assert outcome(again) == outcome(whole)
    assert [e.sha256 for e in again.front] == [e.sha256 for e in whole.front]
    assert points(gs.load_result(tmp_path / "cut")) == points(whole)
    trainer = CountingTrainer()
    searched(tmp_path / "cut", trainer=trainer, **options)
    assert trainer.trained == 0


def die_at_a_tell(folder: str, call: int) -> None:
    """Search, and die without a farewell at the call that tells a trial of the study."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    event.listen(Engine, "connect", without_fsync)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    told, calls = RDBStorage.set_trial_state_values, count(1)

    def tell(*args: Any, **options: Any) -> Any:
        if next(calls) == call:
            os._exit(9)
        return told(*args, **options)

    RDBStorage.set_trial_state_values = tell  # type: ignore[method-assign]
    searched(Path(folder))


def test_a_killed_search_gives_the_same_front(tmp_path: Path, finished: SearchResult) -> None:
    """A process that dies at a tell loses that trial alone: the next one repeats it."""
    joined = [record.number for record in finished.trials if record.kept]
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=die_at_a_tell, args=(str(tmp_path / "cut"), joined[-1] + 1))
    process.start()
    process.join(120)
    assert process.exitcode == 9
    assert len(gs.load_result(tmp_path / "cut").trials) == joined[-1]
    again = searched(tmp_path / "cut")
    assert outcome(again) == outcome(finished)
    assert [e.sha256 for e in again.front] == [e.sha256 for e in finished.front]


def test_events_tell_the_front(tmp_path: Path) -> None:
    """One event whenever a network joined, with the members of then."""
    told: list[Event] = []
    result = searched(tmp_path / "run", ALONE, trials=7, on_event=told.append)
    events = [event for event in told if isinstance(event, FrontRead)]
    assert len(events) == sum(record.kept for record in result.trials)
    assert [(accuracy, demand) for _, accuracy, demand in events[-1].members] == points(result)
    assert {event.demand for event in events} == {"parameters"}


def test_commands_understand_it(
    tmp_path: Path, finished: SearchResult, capsys: pytest.CaptureFixture[str]
) -> None:
    """``show`` prints the front as a table and in JSON; ``compare``, ``gc`` and ``verify`` work."""
    result, out = finished, Path(shutil.copytree(finished.folder, tmp_path / "run"))
    assert main(["show", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "Front of validation accuracy and parameters" in shown
    assert f"\nfront               {len(result.front)} networks, " in shown
    for member in result.front:
        figures = (member.accuracy, member.held_out_accuracy, member.test_accuracy)
        cells = [f"{value:.4f}" for value in figures if value is not None]
        assert [*cells, f"{member.network.parameters:,}"] in [
            line.split()[1:5] for line in shown.splitlines()
        ]
    assert main(["show", "--json", str(out)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["demand"] == "parameters"
    assert [each["sha256"] for each in found["front"]] == [each.sha256 for each in result.front]
    assert found["front"][0]["flash_bytes"] == result.front[0].values["flash_bytes"]
    assert [each["demand"] for each in found["trials"]] == [
        record.parameters for record in result.trials
    ]
    assert main(["compare", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["overall"]
    collect(out)
    assert main(["verify", str(out)]) == 0
    assert [each.sha256 for each in gs.load_result(out).front] == [
        each.sha256 for each in result.front
    ]
    longer = searched(out, trials=TRIALS + 2)  # from members whose slots are there
    assert len(longer.trials) == TRIALS + 2


def test_freed_space_changes_no_later_trial(tmp_path: Path) -> None:
    """``gc`` leaves the slots of all members: trials after it are those of a run without it."""
    options: dict[str, Any] = {"trainer": SlottedTrainer()}
    whole = searched(tmp_path / "whole", ALONE, trials=9, **options)
    first = searched(tmp_path / "freed", ALONE, trials=6, **options)
    assert len(first.front) > 1
    collect(tmp_path / "freed")
    for member in gs.load_result(tmp_path / "freed").front:
        assert member.network.slots is not None
    freed = searched(tmp_path / "freed", ALONE, trials=9, **options)
    assert [(e.growth, e.gain, e.reason) for e in freed.trials] == [
        (e.growth, e.gain, e.reason) for e in whole.trials
    ]
    assert points(freed) == points(whole)


def test_no_growth_of_a_member_is_tried_twice(tmp_path: Path) -> None:
    """While there is another one: so each of three layers is deepened behind once."""
    result = searched(tmp_path / "run", ALONE, 'choices.operations=["deepen"]', trials=3)
    tried = [(record.parent, record.growth) for record in result.trials]
    assert len(set(tried)) == 3


def test_the_front_of_another_metric(tmp_path: Path) -> None:
    """Its values take the place of accuracies, and its own errors decide."""
    options: dict[str, Any] = {"data": unequal(), "trainer": ScoringTrainer()}
    result = searched(tmp_path / "run", ALONE, "judge.metric=balanced_accuracy", **options)
    assert len(result.front) > 1
    assert result.best.validation_accuracy == result.front[-1].accuracy
    assert not any("loss" in record.reason for record in result.trials)
    assert "validation_balanced_accuracy" in result.to_json()["front"][0]
    assert verify(tmp_path / "run").is_good


def test_each_member_is_measured_once_at_the_end(tmp_path: Path, finished: SearchResult) -> None:
    """On held-out and test images; the best one's figures are the run's, and a resumption adds."""
    for member in finished.front:
        assert member.test_accuracy is not None
        assert member.held_out_accuracy is not None
    best = finished.front[-1]
    assert (best.held_out_accuracy, best.test_accuracy) == (
        finished.held_out_accuracy,
        finished.test_accuracy,
    )
    trainer = FakeTrainer()
    evaluated = trainer.evaluate(best.network, images().test)
    assert best.test_accuracy == evaluated.accuracy
    again = searched(Path(shutil.copytree(finished.folder, tmp_path / "run")), trainer=trainer)
    assert points(again) == points(finished)
    assert len(trainer.evaluated) == 1  # nothing was measured again


def test_a_damaged_member_is_passed_over(tmp_path: Path, finished: SearchResult) -> None:
    """The members that it would dominate stand on the front again, with a warning."""
    result, out = finished, Path(shutil.copytree(finished.folder, tmp_path / "run"))
    damaged = result.front[0]
    assert damaged.trial_number is not None
    path = out / "weights" / damaged.path.name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.warns(DamagedNetworkWarning, match=f"trial {damaged.trial_number}: its network"):
        found = gs.load_result(out)
    assert damaged.trial_number not in [each.trial_number for each in found.front]
    assert [each.sha256 for each in result.front[1:]] == [
        each.sha256 for each in found.front if each.accuracy >= result.front[1].accuracy
    ]
    assert not verify(out).is_good


def test_a_changed_demand_is_found(tmp_path: Path, finished: SearchResult) -> None:
    """``verify`` compares the second value of each trial with its architecture."""
    out = Path(shutil.copytree(finished.folder, tmp_path / "run"))
    with sqlite3.connect(out / "study.db") as database:
        database.execute("UPDATE trial_values SET value = 1 WHERE objective = 1 AND trial_id = 1")
    faults = [fault for promise in verify(out).promises for fault in promise.faults]
    expected = finished.trials[0].parameters
    assert faults == [f"trial 0: expected {expected:,} parameters, got 1.0"]


def test_pick_takes_the_most_accurate_within_limits(finished: SearchResult) -> None:
    """Limits on any demand that is known; without any, the most accurate of all."""
    front = finished.front
    assert gs.pick(front, {}) is front[-1]
    for member in front:
        for name in ("parameters", "flash_bytes"):
            assert gs.pick(front, {name: member.values[name]}).accuracy == member.accuracy
        found = finished.within({"parameters": member.values["parameters"]})
        assert found.best.sha256 == member.sha256
        assert found.test_accuracy == member.test_accuracy
        assert found.held_out_accuracy == member.held_out_accuracy
    smallest = front[0]
    assert smallest.sha256 != finished.best.sha256
    by_auc = replace(finished, metric="auc", scores={"test": 0.0, "teacher_test": 0.5})
    found = by_auc.within({"parameters": smallest.values["parameters"]})
    assert (found.test_accuracy, found.held_out_accuracy) == (None, None)
    assert found.test_score == smallest.test_accuracy
    assert found.held_out_score == smallest.held_out_accuracy
    assert found.teacher_test_score == 0.5
    with pytest.raises(InvalidInputError, match="expected limits that a member of the front keeps"):
        gs.pick(front, {"parameters": 1})
    with pytest.raises(InvalidInputError, match="expected demands among parameters, flash_bytes"):
        gs.pick(front, {"milliseconds": 2})
    with pytest.raises(InvalidInputError, match="parameters: expected a number, got 'few'"):
        gs.pick(front, {"parameters": "few"})  # type: ignore[dict-item]
    with pytest.raises(InvalidInputError, match="expected a run with a front"):
        gs.pick((), {"parameters": 1})


def test_a_pruned_candidate_is_not_on_the_front(tmp_path: Path) -> None:
    """One too far below its parent is refused, however little it demands."""
    result = searched(tmp_path / "run", ALONE, "pruning={tolerance=0.02}")
    pruned = [record for record in result.trials if record.state == "PRUNED"]
    assert pruned
    assert not any(record.kept for record in pruned)
    assert all(
        Candidate.read(result.study.trials[r.number]).demand_gain is not None for r in pruned
    )
    assert verify(tmp_path / "run").is_good


def test_a_queued_trial_grows_a_member(tmp_path: Path) -> None:
    """A trial that was queued in Optuna is judged like others."""
    searched(tmp_path / "run", trials=3)
    study, _ = studies(tmp_path / "run")
    drawn = {"op": "narrow", "position": 0.9, "log2_factor": 1.0, "learning_rate": 1e-3}
    study.enqueue_trial(drawn)
    result = searched(tmp_path / "run", trials=4)
    assert result.trials[-1].operation == "narrow"
    assert result.trials[-1].demand == result.trials[-1].parameters


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("digits", ["judge.rule=not_inferior"], "judge.rule: expected superior beside two"),
        ("digits", ["polish.steps=10"], "polish: expected none beside two objectives"),
        ("mnist", [], 'search.objective: expected one objective, such as "loss_gain", beside'),
    ],
)
def test_what_keeps_one_network_is_refused(name: str, changes: list[str], message: str) -> None:
    """A trunk, a polish and another rule of the judge, in one line."""
    objective = 'search.objective=["accuracy", "parameters"]'
    with pytest.raises(SearchSpaceError, match=message) as error:
        SearchSpace.load(name, [objective, *changes])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "objective",
    ["gains", '["accuracy"]', '["accuracy", "flops"]', '["parameters", "accuracy"]', "3"],
)
def test_unknown_objectives_are_refused(objective: str) -> None:
    """The message lists those that there are."""
    with pytest.raises(SearchSpaceError, match='or a list of "accuracy" and one of parameters'):
        SearchSpace.load("digits", f"search.objective={objective}")


def test_a_trunk_is_refused_by_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """One line, exit status 2."""
    objective = 'search.objective=["accuracy", "parameters"]'
    assert main(["run", "fashion_mnist", "--set", objective]) == 2
    told = capsys.readouterr().err
    assert "beside [trunk], which trains one network throughout" in told
    assert told.count("\n") == 1


def test_a_trainer_without_a_speed_cannot_serve(tmp_path: Path) -> None:
    """Milliseconds need a speed: this is told before the first training."""
    with pytest.raises(InvalidInputError, match="milliseconds: expected a trainer that measures"):
        searched(tmp_path / "run", demand="milliseconds")


def test_objectives_of_a_run_do_not_change(tmp_path: Path) -> None:
    """The same folder with other objectives is refused, with both."""
    searched(tmp_path / "run", trials=1)
    with pytest.raises(gs.GrowsearchError, match=r"search\.objective"):
        searched(tmp_path / "run", demand="flash_bytes", trials=1)
    with pytest.raises(gs.GrowsearchError, match=r"search\.objective"):
        search(tmp_path / "run", *SPACE, trials=1)


def test_the_space_around_a_model_has_no_polish_then() -> None:
    """Two objectives that are asked for take the place of the polish of ``auto``."""
    first = Architecture.parse("3x3x8(a)-pool1-10(b)", (8, 8, 1))
    objective = 'search.objective=["accuracy", "flash_bytes"]'
    assert SearchSpace.load("auto", objective, first=first).polish is None
    assert SearchSpace.load("auto", first=first).polish is not None


def test_an_export_picks_from_it(
    finished: SearchResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file holds the most accurate network within limits; the card has the command."""
    member = finished.front[0]
    limit = f"{finished.demand}={member.values[str(finished.demand)]:g}"
    out = tmp_path / "small.safetensors"
    command = ["export", str(finished.folder), "--out", str(out)]
    assert main([*command, "--within", limit]) == 0
    assert Network.load(out).architecture == member.network.architecture
    card = out.with_name("small.safetensors.card.md").read_text()
    assert f"--within {limit}" in card
    assert f"the most accurate network within {limit} of " in card
    capsys.readouterr()
    for options, said in (
        (("--within", "parameters=1"), "within: expected limits that a member of the front keeps"),
        (("--within", "parameters"), "expected DEMAND=LIMIT, such as milliseconds=2"),
        (("--within", limit, "--trial", "0"), "within: expected none beside a trial"),
    ):
        assert main([*command, *options]) == 2
        assert said in capsys.readouterr().err
    assert main(["export", str(out), "--out", str(tmp_path / "x.npz"), "--within", limit]) == 2
    assert "within: expected none for a model that is no run" in capsys.readouterr().err
