"""A model of the user's own on the command line: run from it, go on, and hand it back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from growsearch.cli import main
from growsearch.interop.models import starting_network
from growsearch.networks import Network
from growsearch.study.result import load_result
from tests.command_line import IN_PROCESS, refused
from tests.keras_files import keras, model, saved

pytestmark = pytest.mark.usefixtures("own_machine")

SMALL = (
    *("--set", "training.steps=4", "--set", "training.batch_size=8"),
    *("--set", "teacher.batch_size=8", "--set", "polish.batch_size=8"),
    *("--time-budget", "none", *IN_PROCESS),
)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An .npz of small images in three classes."""
    rng, path = np.random.default_rng(0), tmp_path_factory.mktemp("images") / "images.npz"
    counts = {"train": 60, "validation": 30, "test": 12}
    pixels = {f"x_{part}": rng.random((n, 8, 8, 1), np.float32) for part, n in counts.items()}
    labels = {f"y_{part}": np.arange(n) % 3 for part, n in counts.items()}
    np.savez(path, allow_pickle=False, **pixels, **labels)
    return path


def test_from_a_keras_file_to_a_keras_file(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run in TensorFlow starts from the model, goes on with new images, and is exported."""
    path, run = saved(model(), tmp_path / "mine.keras"), tmp_path / "run"
    command = ["run", "--model", str(path), "--data", str(images), "--out", str(run), *SMALL]
    assert main([*command, "--trials", "1"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert f"Teacher {starting_network(path).network.architecture}: " in out
    assert f", from {path}\n" in out
    assert f"\nstarted from        {path}\n" in out
    assert main([*command, "--trials", "1"]) == 0
    assert "by earlier sessions" in capsys.readouterr().out
    more = ["--data", str(images), "--data", str(images), *IN_PROCESS, "--trials", "1"]
    assert main(["continue", str(run), *more, "--time-budget", "none"]) == 0
    assert f"\nstarted from        {run}, " in capsys.readouterr().out
    best = load_result(tmp_path / "run-2").best
    for suffix in (".keras", ".safetensors"):
        assert main(["export", str(tmp_path / "run-2"), "-o", str(tmp_path / f"best{suffix}")]) == 0
        assert f"best{suffix}: {best.network.parameters:,} parameters" in capsys.readouterr().out
    assert Network.load(tmp_path / "best.safetensors").sha256 == best.sha256
    pixels = np.random.default_rng(1).random((5, 8, 8, 1), np.float32)
    found = keras.models.load_model(tmp_path / "best.keras")(pixels)
    assert float(np.abs(np.asarray(found) - best.network.forward(pixels)).max()) < 1e-5


def test_what_is_missing_is_one_line(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model without images, images without a model, and a run that is not there."""
    path = str(Network.save(starting_network(model()).network, tmp_path / "mine.safetensors"))
    out = ("--out", str(tmp_path / "run"), *IN_PROCESS)
    assert "data: expected your images" in refused(capsys, "run", "--model", path, *out)
    assert "--model PATH" in refused(capsys, "run", "auto", "--data", str(images), *out)
    missing = refused(capsys, "continue", str(tmp_path / "none"), "--data", str(images))
    assert "expected the folder of a run" in missing
    assert "ends in" in refused(capsys, "export", str(tmp_path), "-o", "best.pkl")
