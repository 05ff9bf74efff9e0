"""The search from Python: its arguments, its public names, images and trainers of one's own."""

from __future__ import annotations

import gzip
import importlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import growsearch as gs
from growsearch.datasets import Dataset, Split
from growsearch.driver.events import JobEnded, Started, TeacherReady, Training, TrialFinished
from growsearch.errors import DataError, InvalidInputError, SearchSpaceError
from growsearch.training import Evaluation, Point, TrainingResult
from tests import fake_trainer

Arrays = tuple[
    tuple[NDArray[np.uint8], NDArray[np.int64]], tuple[NDArray[np.uint8], NDArray[np.int64]]
]

TINY: dict[str, Any] = {
    "name": "tiny",
    "data": "mnist",
    "teacher": {
        "architecture": "3x3x4(conv1)-pool1-8(fc1)-10(fc2)",
        "input_shape": [28, 28, 1],
        "steps": 2,
    },
    "choices": {"operations": ["widen"]},
    "limits": {"width": 64, "width_multiple": 4},
    "training": {"steps": 2, "evaluate_every": 1},
}


@pytest.fixture
def space() -> gs.SearchSpace:
    return gs.SearchSpace.parse(TINY)


@pytest.fixture(scope="module")
def arrays() -> Arrays:
    """Sixty images of noise to train on, twenty to test, as Keras returns MNIST."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (80, 28, 28), dtype=np.uint8)
    labels = np.arange(80) % 10
    return (images[:60], labels[:60]), (images[60:], labels[60:])


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory in which nothing may appear."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


@dataclass(frozen=True)
class CountingTrainer:
    """Returns each network as it came; every training is a little better than the one before."""

    plans: list[Any] = field(default_factory=list)
    tested: list[int] = field(default_factory=list)

    def train(self, network, data, plan, *, evaluate_on, seed, on_evaluation=None):
        del data, evaluate_on, seed
        self.plans.append(plan)
        accuracy = 0.1 + 0.01 * len(self.plans)
        curve = (Point(0, accuracy, 2.0), Point(plan.steps, accuracy, 1.0))
        for point in curve:
            if on_evaluation is not None:
                on_evaluation(point)
        return TrainingResult(network, curve, 0.0, 0.0)

    def evaluate(self, network, data):
        del network
        self.tested.append(len(data))
        return Evaluation(0.5, 1.0)

    def logits(self, network, images):
        return network.forward(images)


# -- arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-1, True, False, 1.0, 1.5, "3", float("nan"), [3]])
@pytest.mark.parametrize("name", ["trials", "seed"])
def test_counts_are_whole_numbers(name: str, value: object, nowhere: Path) -> None:
    """Trials and seed are whole, from 0; anything else is named before anything is written."""
    del nowhere
    with pytest.raises(InvalidInputError, match=rf"^{name}: expected a whole number .* got"):
        gs.search("digits", **{name: value})


@pytest.mark.parametrize(
    "value", [0, 0.0, -1, float("-inf"), float("nan"), "soon", True, [1], np.array([1.0, 2.0])]
)
def test_a_time_budget_is_a_time(value: Any, nowhere: Path) -> None:
    """A budget is a number of seconds above 0."""
    del nowhere
    with pytest.raises(
        InvalidInputError, match=r"^time_budget: expected more than 0 seconds, got "
    ):
        gs.search("digits", time_budget=value)


def test_infinity_is_no_time_budget(tmp_path: Path) -> None:
    """It takes the place of the space's own, which is too short for a trial."""
    space = fake_trainer.space(search={"time_budget": 1e-6})
    options = {"data": fake_trainer.images(), "trainer": fake_trainer.FakeTrainer(), "trials": 1}
    assert gs.search(space, out=tmp_path / "own", **options).trials == ()
    result = gs.search(space, out=tmp_path / "none", time_budget=float("inf"), **options)
    assert len(result.trials) == 1


@pytest.mark.parametrize("space", ["nonsense", "nonsense.toml", Path("nonsense.toml"), ""])
def test_an_unknown_space_is_an_error(space: Any, nowhere: Path) -> None:
    """A space is a shipped name or a file; the error lists the names."""
    del nowhere
    with pytest.raises(SearchSpaceError, match=r"expected one of cifar10, digits, .*net2net"):
        gs.search(space)


@pytest.mark.parametrize(
    "data",
    ["nowhere", Path("nowhere"), 3, ((1, 2), (3,)), object()],
    ids=["text", "path", "number", "ragged", "object"],
)
def test_unusable_data_are_an_error(data: Any, space: gs.SearchSpace, nowhere: Path) -> None:
    """Data that cannot be read end the call before a run folder is made."""
    del nowhere
    with pytest.raises(DataError):
        gs.search(space, data=data)


def test_images_must_fit_a_space_of_ones_own(
    arrays: Arrays, space: gs.SearchSpace, nowhere: Path
) -> None:
    """A data set of another shape than the space's is refused, with both shapes."""
    del nowhere
    images, labels = arrays[0][0][:, :8, :8, None], arrays[0][1]
    split = Split(images, labels)
    small = Dataset("small", split, split, split, source="made up")
    with pytest.raises(InvalidInputError, match=r"\(28, 28, 1\).*\(8, 8, 1\)"):
        gs.search(space, data=small)


# -- images of one's own -------------------------------------------------------------------------


def test_arrays_are_searched(space: gs.SearchSpace, arrays: Arrays, tmp_path: Path) -> None:
    """Arrays of Keras can be handed over as they are; a sixth of them becomes validation."""
    trainer = CountingTrainer()
    result = gs.search(space, trials=1, data=arrays, out=tmp_path / "run", trainer=trainer)
    assert result.data_source == "arrays in memory"
    assert not result.stand_in
    assert 20 in trainer.tested


def _as_npz(path: Path, arrays: Arrays) -> Path:
    (x_train, y_train), (x_test, y_test) = arrays
    np.savez(path / "mnist.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return path / "mnist.npz"


def _as_folder(path: Path, arrays: Arrays) -> Path:
    for stem, (images, labels) in zip(("train", "t10k"), arrays, strict=True):
        header = struct.pack(">4B3I", 0, 0, 8, 3, *images.shape)
        (path / f"{stem}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        header = struct.pack(">4BI", 0, 0, 8, 1, len(labels))
        packed = gzip.compress(header + labels.astype(np.uint8).tobytes())
        (path / f"{stem}-labels-idx1-ubyte.gz").write_bytes(packed)
    return path


@pytest.mark.parametrize("write", [_as_npz, _as_folder])
@pytest.mark.parametrize("kind", [str, Path])
def test_files_are_searched(
    write, kind, space: gs.SearchSpace, arrays: Arrays, tmp_path: Path
) -> None:
    """An .npz file and a folder of IDX files hold the same images as the arrays do."""
    out, data = tmp_path / "run", tmp_path / "data"
    data.mkdir()
    path = write(data, arrays)
    found = gs.search(space, trials=0, data=kind(path), out=out, trainer=CountingTrainer())
    assert found.data_source == str(path)
    # The same images from elsewhere go on with the same run.
    again = gs.search(space, trials=1, data=arrays, out=out, trainer=CountingTrainer())
    assert len(again.trials) == 1


def test_other_images_are_another_run(
    space: gs.SearchSpace, arrays: Arrays, tmp_path: Path
) -> None:
    """A run goes on with the images it began with, or not at all."""
    gs.search(space, trials=0, data=arrays, out=tmp_path, trainer=CountingTrainer())
    train, test = arrays
    others = (train[0][::-1], train[1]), test
    with pytest.raises(gs.GrowsearchError, match="other images"):
        gs.search(space, trials=0, data=others, out=tmp_path, trainer=CountingTrainer())


# -- a trainer of one's own ----------------------------------------------------------------------


def test_a_trainer_is_all_that_trains(
    space: gs.SearchSpace, arrays: Arrays, tmp_path: Path
) -> None:
    """Teacher, candidates and controls go through the trainer that was handed over."""
    trainer = CountingTrainer()
    result = gs.search(space, trials=2, data=arrays, out=tmp_path, trainer=trainer)
    # Teacher; then twice a candidate and its control.
    assert [plan.steps for plan in trainer.plans] == [2, 2, 2, 2, 2]
    assert trainer.plans[0] == space.teacher.plan
    assert result.teacher_accuracy == pytest.approx(0.11)
    assert [record.validation_accuracy for record in result.trials] == pytest.approx([0.12, 0.14])
    assert [record.arms["random"].accuracy for record in result.trials] == pytest.approx(
        [0.13, 0.15]
    )
    # Only the candidate can become best, though the control ended higher.
    assert result.best.trial_number == 1
    assert result.best.validation_accuracy == pytest.approx(0.14)


def test_test_images_are_looked_at_once(
    space: gs.SearchSpace, arrays: Arrays, tmp_path: Path
) -> None:
    """Best network and teacher are tested at the end; a second call tests nothing again."""
    trainer = CountingTrainer()
    result = gs.search(space, trials=1, data=arrays, out=tmp_path, trainer=trainer)
    assert [count for count in trainer.tested if count == 20] == [20, 20]
    assert (result.test_accuracy, result.teacher_test_accuracy) == (0.5, 0.5)
    gs.search(space, trials=1, data=arrays, out=tmp_path, trainer=trainer)
    assert [count for count in trainer.tested if count == 20] == [20, 20]


def test_listeners_hear_everything(space: gs.SearchSpace, arrays: Arrays, tmp_path: Path) -> None:
    """Events tell the run from its start; callbacks are Optuna's, one a finished trial."""
    events: list[Any] = []
    called: list[tuple[str, int]] = []
    gs.search(
        space,
        trials=2,
        data=arrays,
        out=tmp_path,
        trainer=CountingTrainer(),
        on_event=events.append,
        callbacks=[lambda study, trial: called.append((study.study_name, trial.number))],
    )
    kinds = [type(event) for event in events if not isinstance(event, Training | JobEnded)]
    assert kinds == [Started, TeacherReady, TrialFinished, TrialFinished]
    assert [event.record.number for event in events if isinstance(event, TrialFinished)] == [0, 1]
    assert called == [("tiny", 0), ("tiny", 1)]
    named = dict.fromkeys(event.what for event in events if isinstance(event, Training))
    assert list(named) == ["teacher", "trial 0", "trial 0 random", "trial 1", "trial 1 random"]


def test_the_folder_is_the_spaces_by_default(
    space: gs.SearchSpace, arrays: Arrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without ``out`` a run lies in runs/NAME; load_result reads it from there."""
    monkeypatch.chdir(tmp_path)
    result = gs.search(space, trials=1, data=arrays, trainer=CountingTrainer())
    assert result.folder == Path("runs/tiny")
    assert gs.load_result("runs/tiny").trials == result.trials
    assert gs.load_result("runs/tiny").best.path == result.best.path


# -- public names --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", gs.__all__)
def test_a_public_name_is_there(name: str) -> None:
    """Each public name can be had, is listed by dir(), and has documentation."""
    value = getattr(gs, name)
    assert name in dir(gs)
    assert value.__doc__


@pytest.mark.parametrize("name", sorted(gs._HOME))
def test_a_name_is_the_one_of_its_module(name: str) -> None:
    """The short name and the name in the module are one object."""
    module = importlib.import_module(gs._HOME[name])
    assert getattr(gs, name) is getattr(module, gs._ALIAS.get(name, name))


def test_all_public_names_have_a_home() -> None:
    """``__all__``, dir() and the table of homes name the same, in order."""
    assert gs.__all__ == sorted(gs.__all__, key=lambda name: (name[0].islower(), name))
    assert set(gs.__all__) == {*gs._HOME, "net2net"}
    assert dir(gs) == sorted(gs.__all__)


def test_other_names_are_attribute_errors() -> None:
    """A name that is not there is said not to be there."""
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = gs.nonsense
    with pytest.raises(ImportError):
        importlib.import_module("growsearch.nonsense")
