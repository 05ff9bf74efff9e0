"""A search that starts from a network that is given: measured, to be beaten, never forgotten."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import growsearch as gs
from growsearch import datasets
from growsearch.datasets import Dataset, Split
from growsearch.driver.events import TeacherReady
from growsearch.driver.holdout import hold_out
from growsearch.errors import GrowsearchError, InvalidInputError, RunError
from growsearch.networks import Architecture, Network
from growsearch.networks.store import NetworkStore
from growsearch.space import AUTO, SearchSpace
from growsearch.study.attributes import StartAttribute, TeacherAttribute
from growsearch.study.result import SearchResult, load_result
from growsearch.study.trunk import trunk_of
from growsearch.training import Speed, TrainingPlan
from growsearch.upkeep.gc import collect
from growsearch.upkeep.verify import verify
from tests.averaging_trainer import AveragingTrainer
from tests.fake_trainer import CountingTrainer, FakeTrainer, images, outcome
from tests.messages import one_line
from tests.small_search import interrupt, search
from tests.trunk_search import TRUNK

pytestmark = pytest.mark.usefixtures("quick_sqlite")

GIVEN = Network.initial(Architecture.parse("3x3x4(conv1)-pool1-6(fc1)-3(fc2)", (4, 4, 1)), rng=0)
SHORT = (
    "training.steps=4",
    "training.batch_size=8",
    "teacher.batch_size=8",
    "controls.arms={continued = 1.0}",
    "search.startup_trials=2",
)
POLISH = ("polish.batch_size=8", "polish.steps=4")
TRIALS = 4


def start(out: Path, *overrides: str, network: Any = GIVEN, **options: Any) -> SearchResult:
    """A short search in the space auto."""
    ended = () if any(each.startswith("trunk") for each in overrides) else POLISH
    changes = [*SHORT, *ended, *overrides]
    space = SearchSpace.load(AUTO, changes, first=GIVEN.architecture)
    options = {"trials": TRIALS, "time_budget": float("inf"), **options}
    return search(out, space=space, network=network, **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, quick_sqlite: None) -> SearchResult:
    """A run that nothing interrupted; to be copied, not changed."""
    del quick_sqlite
    path = GIVEN.save(tmp_path_factory.mktemp("whole") / "mine.safetensors")
    return start(path.parent / "run", network=path)


class DearTrainer(CountingTrainer):
    """A trainer of which an update takes long, as it says."""

    def speed_of(self, architecture: Architecture, plan: TrainingPlan) -> Speed:
        del architecture, plan
        return Speed("float32", 1.5)


def test_a_first_trial_that_cannot_fit_is_not_begun(tmp_path: Path) -> None:
    """Updates that may be dear are measured: before, the first trial took whatever it took."""
    trainer = DearTrainer()
    many = ("training.steps=100000000", "training.evaluate_every=100000000")
    result = start(tmp_path / "run", *many, trainer=trainer, time_budget=20.0)
    assert not result.trials
    assert "no room for a trial, whose 100000000 updates, with its controls, take" in result.ended
    assert "fewer training.steps" in result.ended
    teacher = TeacherAttribute.read(result.study)
    assert teacher is not None
    assert teacher.step_seconds == 1.5


def test_what_fits_on_any_machine_is_not_measured(tmp_path: Path) -> None:
    result = start(tmp_path / "run", trials=1, trainer=DearTrainer(), time_budget=1e6)
    assert len(result.trials) == 1
    teacher = TeacherAttribute.read(result.study)
    assert teacher is not None
    assert teacher.step_seconds == 0.0


def test_the_network_is_taken_as_it_is_and_is_the_first_to_beat(
    whole: SearchResult, tmp_path: Path
) -> None:
    """Nothing is trained before the trials; a kept network is better by validation accuracy."""
    trainer, told = CountingTrainer(), list[Any]()
    result = start(tmp_path / "run", trials=0, trainer=trainer, on_event=told.append)
    assert trainer.trained <= 2  # parts of the polish
    (ready,) = (event for event in told if isinstance(event, TeacherReady))
    teacher = TeacherAttribute.read(result.study)
    assert teacher is not None
    assert (teacher.sha256, ready.seconds) == (GIVEN.sha256, 0.0)
    assert ready.start == "a network in memory"
    kept = [record for record in whole.trials if record.kept]
    assert kept
    assert kept[0].parent is None
    assert all(record.gain is not None and record.gain > 0.0 for record in kept)
    assert {arm for record in whole.trials for arm in record.arms} == {"net2net", "continued"}


def test_the_run_knows_where_its_network_came_from(whole: SearchResult) -> None:
    """Path and hash of the file, and the network itself, also for those who read the run."""
    found = load_result(whole.folder).start
    assert found is not None
    path = Path(found.source)
    assert found.sha256 == found.file_sha256 == GIVEN.sha256 == whole.start.sha256  # type: ignore[union-attr]
    assert Network.load(path).sha256 == GIVEN.sha256
    assert whole.to_json()["start"]["source"] == str(path)
    assert (whole.folder / "weights" / f"{GIVEN.sha256}.safetensors").is_file()


@pytest.mark.parametrize("at", ["trial 1", "trial 2 continued"])
def test_it_is_interrupted_and_goes_on(whole: SearchResult, at: str, tmp_path: Path) -> None:
    """The same command, with the network or its file, gives the trials of one session."""
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path / "run", on_event=interrupt(at, 4))
    result = start(tmp_path / "run", network=whole.start.source)  # type: ignore[union-attr]
    assert outcome(result) == outcome(whole)
    assert verify(tmp_path / "run").is_good


def test_its_promises_are_checked_and_nothing_of_it_is_freed(
    whole: SearchResult, tmp_path: Path
) -> None:
    """Verify finds nothing wrong, after what the run does not need is gone; then its loss."""
    run = Path(shutil.copytree(whole.folder, tmp_path / "run"))
    collect(run)
    assert verify(run).is_good
    (run / "weights" / f"{GIVEN.sha256}.safetensors").unlink()
    assert not verify(run).is_good


@pytest.mark.parametrize("other", [None, Network.initial(GIVEN.architecture, rng=6)])
def test_another_network_is_another_run(
    whole: SearchResult, other: Network | None, tmp_path: Path
) -> None:
    """Also none at all."""
    run = Path(shutil.copytree(whole.folder, tmp_path / "run"))
    with pytest.raises(RunError) as refused:
        start(run, "teacher.steps=1", network=other)
    assert "this run was started with " in one_line(refused)
    assert "mine.safetensors, not with a network " in one_line(refused)


def test_it_may_be_trained_on_first(tmp_path: Path) -> None:
    """By teacher.steps; what candidates must beat is the network after it."""
    result = start(tmp_path / "run", "teacher.steps=6", trials=1)
    teacher = TeacherAttribute.read(result.study)
    assert teacher is not None
    assert [point[0] for point in teacher.curve] == [0, 6]
    assert teacher.sha256 != GIVEN.sha256
    assert teacher.curve[0][1] == FakeTrainer().evaluate(GIVEN, _selection()).accuracy
    assert result.teacher_accuracy == teacher.curve[-1][1]
    collect(tmp_path / "run")
    assert verify(tmp_path / "run").is_good


def test_a_trunk_begins_with_it(tmp_path: Path) -> None:
    """Its updates are counted from 0, and its first averages are the network itself."""
    overrides = (*TRUNK[:1], *TRUNK[3:])
    told: list[Any] = []
    result = start(
        tmp_path / "run",
        *overrides,
        trials=1000,
        trainer=AveragingTrainer(),
        on_event=told.append,
    )
    trunk = trunk_of(result.study, result.study.get_trials(deepcopy=False))
    assert trunk is not None
    assert trunk.updates > 0
    assert trunk.trained > 0.0
    tried = [each for each in result.trials if each.state == "COMPLETE"]
    assert tried
    assert all(each.loss_gain is not None for each in tried)  # it is no beginner: all are compared
    assert result.teacher_accuracy == AveragingTrainer().evaluate(GIVEN, _selection()).accuracy
    assert result.trials
    assert verify(tmp_path / "run").is_good
    again = start(tmp_path / "other", *overrides, trials=1000, trainer=AveragingTrainer())
    assert outcome(again) == outcome(result)


def test_a_space_of_ones_own_takes_it_as_first_network(tmp_path: Path) -> None:
    """By its name or as a value; its teacher.steps say for how long it is trained on."""
    space = SearchSpace.load("digits", ["teacher.steps=3", *SHORT[:2]])
    result = search(tmp_path / "run", space=space, network=GIVEN, trials=1)
    teacher = TeacherAttribute.read(result.study)
    assert teacher is not None
    assert teacher.curve[-1][0] == 3
    assert StartAttribute.read(result.study) == result.start


def test_a_network_without_names_takes_those_of_the_images(tmp_path: Path) -> None:
    """In the run's first network and in those that grow from it; a network's own names stay."""
    names = ("ant", "bee", "cat")
    for given, found in ((GIVEN, names), (GIVEN.named(names[::-1]), names[::-1])):
        data = replace(images(), class_names=names)
        result = start(tmp_path / found[0], network=given, data=data, trials=1)
        assert result.class_names == result.best.network.class_names == found
        store = NetworkStore(result.folder / "weights")
        assert {store.get(each.stem).class_names for each in store.folder.iterdir()} == {found}


def test_a_search_that_cannot_start_says_why(tmp_path: Path) -> None:
    """Images of another shape, other classes, no images, a network that computes NaN."""
    wide = Network.initial(Architecture.parse("3x3x4(c)-pool1-3(o)", (6, 6, 1)), rng=0)
    many, few, one = (
        Network.initial(Architecture.parse(f"3x3x4(c)-pool1-{outputs}(o)", (4, 4, 1)), rng=0)
        for outputs in (5, 2, 1)
    )
    two = Dataset("two", *[Split(images().test.images[:8], np.arange(8) % 2)] * 3, source="made")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"network": wide}, "data: expected images of shape (6, 6, 1), the input shape of a netw"),
        ({"network": many}, "a network in memory: expected 3 outputs, one a class of the data"),
        ({"network": many}, "got (5,): for images of some of its classes name them all, gs.from_"),
        ({"network": few}, "got (2,): growsearch grow MODEL --add-classes 1 gives"),
        ({"network": one, "data": two}, "got (1,): two units with a softmax compute the same"),
        ({"network": GIVEN, "data": None}, "data: expected your images, by --data PATH or data="),
        ({"network": 5}, "model: expected a growsearch Network, a Keras model, or the path"),
        ({"space": AUTO, "network": None}, "search space auto: expected a network to start from"),
    ]
    for options, said in cases:
        with pytest.raises(GrowsearchError) as refused:
            gs.search(**{"data": images(), "out": tmp_path / "run", "trials": 0} | options)
        assert said in one_line(refused)
    with pytest.raises(InvalidInputError) as refused:
        search(tmp_path / "run", "teacher.steps=0")
    assert "teacher.steps: expected at least 1, as no network is given" in one_line(refused)


def _selection() -> Split:
    held_out = SearchSpace.load(AUTO, first=GIVEN.architecture).judge.held_out
    return hold_out(images().validation, held_out)[0]


def _noise(seed: int, shape: tuple[int, int, int] = (4, 4, 1)) -> Dataset:
    rng = np.random.default_rng(seed)
    splits = (
        Split(rng.random((count, *shape), np.float32), np.arange(count) % 3)
        for count in (60, 12, 12)
    )
    return Dataset("noise", *splits, source=f"camera {seed}", classes=3)


def test_a_run_goes_on_with_new_images(whole: SearchResult, tmp_path: Path) -> None:
    """Its best network is the first one; controls are trained on all images; it resumes."""
    options: dict[str, Any] = {
        "data": [images(), _noise(1)],
        "out": tmp_path / "next",
        "trials": 2,
        "trainer": FakeTrainer(),
        "overrides": "controls.arms={continued = 1.0, scratch_compute = 1.0}",
        "time_budget": float("inf"),
    }
    result = gs.continue_search(whole.folder, **options)
    assert result.start is not None
    assert result.start.sha256 == whole.best.sha256
    assert result.start.source.startswith(f"{whole.folder}, trial ")
    assert result.start.training_flops > 0.0
    assert result.data_source == "a test and camera 1"
    arms = result.trials[0].arms
    assert set(arms) == {"net2net", "continued", "scratch_compute"}
    assert arms["scratch_compute"].curve[-1][0] > arms["net2net"].curve[-1][0]
    assert verify(tmp_path / "next").is_good
    again = gs.continue_search(whole.folder, **options)
    assert outcome(again) == outcome(result)
    assert "by earlier sessions" in again.ended
    assert load_result(whole.folder).best.sha256 == whole.best.sha256


def test_the_next_run_lies_beside_the_first(whole: SearchResult, tmp_path: Path) -> None:
    """In the first folder that is free or begun with the same network."""
    run = Path(shutil.copytree(whole.folder, tmp_path / "run"))
    (tmp_path / "run-2").mkdir()
    options: dict[str, Any] = {"trials": 0, "trainer": FakeTrainer(), "data": images()}
    options["time_budget"] = float("inf")
    found = [gs.continue_search(run, **options) for _ in range(2)]
    assert [each.folder.name for each in found] == ["run-3", "run-3"]


@pytest.mark.parametrize("class_names", [None, ("a", "b", "c")])
def test_the_next_run_is_found_again(
    whole: SearchResult, tmp_path: Path, class_names: tuple[str, ...] | None
) -> None:
    """Also where its first file is gone, and its network got the names of the new classes."""
    run = Path(shutil.copytree(whole.folder, tmp_path / "run"))
    data = replace(images(), class_names=class_names)
    options: dict[str, Any] = {"trials": 0, "trainer": FakeTrainer(), "data": data}
    options["time_budget"] = float("inf")
    first = gs.continue_search(run, **options)
    assert first.start is not None
    for is_there in (True, False):
        if not is_there:
            NetworkStore(first.folder / "weights").path(first.start.sha256).unlink()
        assert gs.continue_search(run, **options).folder == first.folder
    assert sorted(each.name for each in tmp_path.iterdir()) == ["run", "run-2"]


def test_the_time_of_a_run_that_goes_on_includes_the_loading_of_its_images(
    whole: SearchResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time budget counts from the call on."""
    took, load = 0.5, datasets.load

    def slow(*given: Any, **options: Any) -> Dataset:
        time.sleep(took)
        return load(*given, **options)

    monkeypatch.setattr("growsearch.continuation.datasets.load", slow)
    options: dict[str, Any] = {"out": tmp_path / "next", "trainer": FakeTrainer(), "trials": 0}
    result = gs.continue_search(whole.folder, data=images(), time_budget=60.0, **options)
    assert result.spent["other"] > took


def test_images_of_two_shapes_are_not_joined(whole: SearchResult, tmp_path: Path) -> None:
    """Names the source of those that differ; an empty list is refused too."""
    for data, said in (
        ([images(), _noise(1, (5, 4, 1))], "camera 1: expected images of shape (4, 4, 1)"),
        ([], "data: expected the images of the new run, got none"),
    ):
        with pytest.raises(InvalidInputError) as refused:
            gs.continue_search(whole.folder, data=data, out=tmp_path / "next")
        assert said in one_line(refused)


def test_a_run_with_a_warm_up_can_be_continued(tmp_path: Path) -> None:
    """The teacher of the new run is not trained."""
    overrides = ("teacher.steps=20", "teacher.schedule=cosine", "teacher.warmup=5")
    search(tmp_path / "run", *overrides, trials=0)
    found = gs.continue_search(
        tmp_path / "run", data=images(1), trainer=CountingTrainer(), trials=1
    )
    assert len(found.trials) == 1
