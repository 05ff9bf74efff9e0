"""A search on a user's own images: the ends of a shipped space follow them, and names travel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import growsearch as gs
from growsearch.cli import main
from growsearch.datasets import load_images
from growsearch.driver.events import Started
from growsearch.errors import DataError, InvalidInputError, RunError
from growsearch.networks import Architecture, Network
from growsearch.space import SearchSpace
from growsearch.space.ends import fitted, with_ends
from growsearch.space.section import LARGEST_COUNT
from tests.averaging_trainer import AveragingTrainer
from tests.command_line import refused
from tests.fake_trainer import FakeTrainer, space
from tests.mnist_files import small_mnist, write_folder
from tests.pictures import write_classes
from tests.trunk_search import TRUNK

pytestmark = pytest.mark.usefixtures("own_cache", "quick_sqlite")

NAMES = ("ant", "bee", "cat", "dog", "emu", "fox", "gnu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seven classes, 40 images of 20x12 each."""
    return write_classes(tmp_path / "my images", dict.fromkeys(NAMES, 12), size=(12, 20))


@pytest.mark.parametrize("name", SearchSpace.shipped())
def test_every_shipped_space_fits(name: str, folder: Path) -> None:
    """Input shape, classes, limits and batches follow the images; the rest stays."""
    before, data = SearchSpace.load(name), load_images(folder, image_size=24)
    after, notes = fitted(before, data)
    assert after.name == "my_images"
    assert after.teacher.input_shape == (24, 24, 3)
    assert after.architecture.shapes[after.architecture.output.name] == (7,)
    assert [n.name for n in after.architecture.nodes] == [n.name for n in before.architecture.nodes]
    assert after.growth_limits.allow(after.architecture)
    assert after.teacher.batch_size <= len(data.train)
    assert after.training.batch_size <= len(data.train)
    assert notes[0].startswith(f"search space {name}: its first network takes 24x24x3 images and")
    changed = {"name", "teacher", "limits", "training", "polish"}
    assert after.model_dump(exclude=changed) == before.model_dump(exclude=changed)
    assert fitted(after, data) == (after, ())


def test_a_dearer_first_network_gets_fewer_updates(folder: Path) -> None:
    """Before a trunk its training takes no longer than with the space's own images."""
    before, data = SearchSpace.load("mnist"), load_images(folder, image_size=64)
    after, notes = fitted(before, data)
    dearer = after.architecture.flops / before.architecture.flops
    assert dearer > 5
    assert after.teacher.steps == round(before.teacher.steps / dearer)
    assert after.teacher.evaluate_every == after.teacher.steps
    assert any(note.startswith(f"teacher.steps = {after.teacher.steps}, as ") for note in notes)
    assert after.limits.flops == LARGEST_COUNT < before.limits.flops * dearer  # type: ignore[operator]
    cheaper = fitted(before, load_images(folder, image_size=8))[0]
    assert cheaper.teacher.steps == before.teacher.steps


def test_a_space_of_its_own_data_stays(tmp_path: Path) -> None:
    """Neither published images, nor a user's own space, nor one with another first network."""
    mnist = gs.load_data("mnist", write_folder(tmp_path / "m", small_mnist()))
    shipped = SearchSpace.load("mnist")
    assert fitted(shipped, mnist) == (shipped, ())
    own = gs.Dataset("own", mnist.train, mnist.validation, mnist.test, source="s", classes=10)
    changed = SearchSpace.load("mnist", "teacher.architecture=8(fc1)-10(fc2)")
    assert fitted(changed, own) == (changed, ())
    assert fitted(shipped, own)[0].name == "own"


@pytest.mark.parametrize("called", ["digits", "digits-control"])
def test_own_images_may_have_any_name(tmp_path: Path, called: str) -> None:
    """That of the space's own data set, or one that ends as the studies of controls do."""
    photos = write_classes(tmp_path / called, {"cat": 12, "dog": 12})
    small = SearchSpace.load("digits", "training.steps=4")
    small = small.replace(controls={"arms": {}}, teacher={"steps": 4, "evaluate_every": 4})
    options: dict[str, Any] = {"data": photos, "out": tmp_path / "run", "trainer": FakeTrainer()}
    for trials in (1, 2):
        result = gs.search(small, trials=trials, **options)
        assert len(result.trials) == trials
    assert result.class_names == ("cat", "dog")
    assert gs.load_result(tmp_path / "run").best.network.architecture.input_shape == (6, 8, 3)


def test_a_size_is_asked_for_files_alone(tmp_path: Path) -> None:
    """Arrays keep theirs; that is said instead of passed over."""
    x, y = np.zeros((20, 6, 6, 3), np.uint8), np.arange(20) % 2
    np.savez(tmp_path / "c.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    options: dict[str, Any] = {"image_size": 4, "out": tmp_path / "run", "trainer": FakeTrainer()}
    for data in (tmp_path / "c.npz", ((x, y), (x, y))):
        with pytest.raises(InvalidInputError, match="image_size: expected images that are files"):
            gs.search("digits", data=data, **options)
    with pytest.raises(DataError, match="nothing there"):
        gs.search("digits", data=tmp_path / "none", **options)


def test_a_run_on_own_images_goes_on_as_long_as_its_space_says(tmp_path: Path) -> None:
    """Its name is that of the images, and its trials and time are those of the space."""
    photos = write_classes(tmp_path / "may", {"cat": 12, "dog": 12})
    small = SearchSpace.load("digits").replace(
        controls={"arms": {}},
        teacher={"steps": 4, "evaluate_every": 4},
        training={"steps": 4, "evaluate_every": 4},
        search={"trials": 3, "time_budget": 600.0},
    )
    options: dict[str, Any] = {"data": photos, "trainer": FakeTrainer()}
    result = gs.search(small, trials=1, out=tmp_path / "run", **options)
    events: list[Any] = []
    later = gs.continue_search(result.folder, on_event=events.append, **options)
    (started,) = (each for each in events if isinstance(each, Started))
    assert (started.trials, started.time_budget) == (3, 600.0)
    assert len(later.trials) == 3


def test_the_layer_that_decides_the_classes_is_found() -> None:
    """Behind pooling and activations; where there is no one layer, that is said."""
    before = Architecture.parse("3x3x4(conv1)-1x1x10(conv2)-global_avg_pool(gap)", (8, 8, 1))
    after = with_ends(before, (6, 9, 3), 4)
    assert after.shapes[after.output.name] == (4,)
    assert after.input_shape == (6, 9, 3)
    assert after["conv1"] == before["conv1"]
    with pytest.raises(InvalidInputError, match="expects one layer that decides the classes"):
        with_ends(Architecture.parse("global_avg_pool(gap)", (8, 8, 1)), (8, 8, 1), 3)


def test_a_search_on_a_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a folder a network that knows its classes; files are recorded; it goes on."""
    monkeypatch.chdir(tmp_path)
    events: list[Any] = []
    options: dict[str, Any] = {
        "space": SearchSpace.load("digits").replace(controls={"arms": {}}),
        "data": folder,
        "trainer": FakeTrainer(),
        "on_event": events.append,
    }
    result = gs.search(trials=2, **options)
    assert result.folder == Path("runs/my_images")
    assert result.class_names == NAMES
    assert result.best.network.class_names == NAMES
    assert Network.load(result.best.path).class_names == NAMES
    assert result.to_json()["class_names"] == list(NAMES)
    assert result.best.network.architecture.input_shape == (20, 12, 3)
    (started,) = (each for each in events if isinstance(each, Started))
    assert started.notes[0].startswith("search space digits: its first network takes 20x12x3")
    table = (result.folder / "images.csv").read_text().splitlines()
    assert table[0] == "split,class,file,sha256"
    assert len(table) == 1 + 84
    assert len(gs.search(trials=3, **options).trials) == 3
    assert gs.load_result(result.folder).class_names == NAMES
    (folder / "ant" / "000.png").unlink()
    with pytest.raises(RunError, match="other images"):
        gs.search(trials=3, **options)


def test_a_search_by_a_trunk_on_a_folder(folder: Path, tmp_path: Path) -> None:
    """A shipped space with a trunk; the averages of its commits know their classes too."""
    changes = [each for each in TRUNK if not each.startswith("limits")]
    small = SearchSpace.load("digits", changes)
    trainer = AveragingTrainer()
    result = gs.search(small, data=folder, out=tmp_path / "run", trainer=trainer, trials=2)
    assert result.best.network.class_names == NAMES
    assert result.anytime is not None
    architecture = result.best.network.architecture
    assert architecture.shapes[architecture.output.name] == (7,)


def test_the_shape_of_a_users_space_is_that_of_the_pictures(folder: Path, tmp_path: Path) -> None:
    """Images are resized, and made grey, to what its first network takes."""
    teacher = {"architecture": "3x3x2(conv1)-pool1-4(fc1)-7(fc2)", "batch_size": 8}
    own = space(teacher=teacher, training={"batch_size": 8}, name="own")
    result = gs.search(own, data=folder, out=tmp_path / "run", trainer=FakeTrainer(), trials=1)
    assert result.best.network.architecture.input_shape == (4, 4, 1)
    with pytest.raises(InvalidInputError, match="expected 7 outputs"):
        gs.search(space(name="own"), data=folder, out=tmp_path / "other", trainer=FakeTrainer())


def test_arrays_of_any_shape_and_number_of_classes(tmp_path: Path) -> None:
    """An .npz of 47 classes of 9x8x3; class names in it travel."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (300, 9, 8, 3), np.uint8), np.arange(300) % 47
    arrays = {"x_train": x, "y_train": y, "x_test": x[:94], "y_test": y[:94]}
    np.savez(tmp_path / "signs.npz", **arrays)
    data = gs.load_data("mnist", tmp_path / "signs.npz")
    assert (data.name, data.classes, data.image_shape) == ("signs", 47, (9, 8, 3))
    assert data.class_names is None
    named = np.array([f"sign {number}" for number in range(47)])
    np.savez(tmp_path / "named.npz", class_names=named, **arrays)
    assert gs.load_data("mnist", tmp_path / "named.npz").class_names == tuple(named)
    pairs = gs.load_data("cifar10", ((x, y), (x[:94], y[:94])))
    assert (pairs.name, pairs.fingerprint) == ("images", data.fingerprint)
    med = {
        f"{part}_{what}": each
        for part in ("train", "val", "test")
        for what, each in {"images": x[:94], "labels": y[:94]}.items()
    }
    np.savez(tmp_path / "med.npz", **med)
    assert len(gs.load_data("mnist", tmp_path / "med.npz").validation) == 94


def test_the_command_takes_a_folder(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`growsearch run digits --data FOLDER`: trained for real, said, shown with its classes."""
    monkeypatch.chdir(tmp_path)
    (folder / "ant" / "000.png").write_bytes(b"?")
    asked = ["run", "digits", "--data", str(folder), "--image-size", "14x12", "--arms", "none"]
    asked += ["--trials", "1", "--workers", "0", "--set", "training.steps=4"]
    asked += ["--set", "teacher.steps=4", "--set", "training.evaluate_every=4"]
    line = refused(capsys, *asked)
    assert "ant/000.png: expected a readable image, got: no JPEG, PNG, BMP, GIF or WebP" in line
    assert main([*asked, "--skip-unreadable"]) == 0
    out = capsys.readouterr().out
    assert "skipped 1 files that cannot be read: ant/000.png" in out
    assert "its first network takes 14x12x3 images and has 7 outputs" in out
    assert main(["show", "runs/my_images"]) == 0
    assert "classes             ant, bee, cat, dog, emu, fox, gnu" in capsys.readouterr().out
    assert main(["verify", "runs/my_images"]) == 0
    capsys.readouterr()
    for size in ("0", "64x", "axb", "99999"):
        assert "--image-size" in refused(capsys, "run", "--image-size", size)


def test_reproduce_refuses_other_images(folder: Path, tmp_path: Path) -> None:
    """The original's networks take images of 28x28x1 in ten classes."""
    with pytest.raises(DataError, match="expected 28x28x1 images of 10 classes, got 20x12x3 of 7"):
        gs.reproduce(data=folder, out=tmp_path / "out", seeds=1, iterations=1)


@pytest.mark.parametrize("labels", [np.zeros(30, int), np.where(np.arange(30) % 2, 10**6, 0)])
def test_labels_that_number_no_classes_are_told(labels: np.ndarray) -> None:
    """One class alone, and a gap of a million: no first network is made for them."""
    split = gs.Split(np.full((30, 8, 8, 1), 0.5), labels)
    data = gs.Dataset("odd", split, split, split, source="made")
    with pytest.raises(DataError, match="expected labels of at least 2 classes, numbered 0, 1"):
        fitted(gs.SearchSpace.load("mnist"), data)
