"""The export on the command line: options, the lines that are printed, and JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from growsearch.cli import main
from growsearch.cli.export import export
from growsearch.exports import FORMATS
from growsearch.exports.run import INPUTS
from tests.command_line import refused
from tests.exports.networks import CLASSES, NETWORKS, SHAPE

pytestmark = pytest.mark.usefixtures("own_machine")


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """The file of a network with names of its classes."""
    return NETWORKS["depthwise"]().save(tmp_path / "net.safetensors")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """An .npz of small images in three classes."""
    rng, path = np.random.default_rng(0), tmp_path / "images.npz"
    counts = {"train": 60, "validation": 30, "test": 12}
    pixels = {
        f"x_{part}": rng.integers(0, 256, (n, *SHAPE), np.uint8) for part, n in counts.items()
    }
    labels = {f"y_{part}": np.arange(n) % 3 for part, n in counts.items()}
    np.savez(path, allow_pickle=False, **pixels, **labels)
    return path


def test_a_file_for_another_runtime(
    network: Path, images: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The figures are printed, nothing of the converters is, and the class names lie beside."""
    out = tmp_path / "net.tflite"
    command = ["export", str(network), "--format", "tflite-int8", "-o", str(out)]
    assert main([*command, "--softmax", "--data", str(images)]) == 0
    printed, err = capfd.readouterr()
    assert err == ""
    lines = printed.splitlines()
    assert re.fullmatch(rf"{re.escape(str(out))}: [\d,]+ parameters", lines[0])
    names = ["network", "input", "output", "max |Δ|", "accuracy", "size", "memory", "time"]
    assert [line[:14].strip() for line in lines[1:]] == [*names, "beside it"]
    assert "input         uint8 (1, 12, 10, 2), pixels from 0 to 255" in lines
    assert "output        int8 (1, 3), probabilities" in lines
    assert re.search(r"by LiteRT [\d.]+ on 30 validation images$", lines[4])
    assert lines[5].endswith(", on 30 validation images")
    assert (tmp_path / "net.tflite.labels.txt").read_text().split() == list(CLASSES)


def test_the_export_as_json(
    network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The record, with the files; the command in it writes the same file again."""
    out = tmp_path / "net.npz"
    assert main(["export", str(network), "-o", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["path"] == str(out)
    assert found["agreement"]["largest"] == 0.0
    assert found["notes"] == ["compared on random inputs: no images were named"]
    before = out.read_bytes()
    out.unlink()
    assert main(found["command"].split()[1:]) == 0
    assert out.read_bytes() == before


def test_every_format_stands_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The names in the help are those of the table, which is not loaded for it."""
    assert main(["export", "--help"]) == 0
    told = capsys.readouterr().out
    (option,) = [each for each in export.params if each.name == "file_format"]
    names = re.split(r", | or ", option.help.partition(";")[0])  # type: ignore[attr-defined]
    assert names == list(FORMATS)
    assert "[uint8|float32]" in told
    assert INPUTS == ("uint8", "float32")


def test_what_cannot_be_exported_is_one_line(
    network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2 and the reason."""
    assert "expected a format" in refused(capsys, "export", str(network))
    assert "expected the folder of a run" in refused(
        capsys, "export", str(tmp_path / "none"), "-o", "best.onnx"
    )
    assert "no run" in refused(capsys, "export", str(network), "-o", "a.npz", "--trial", "1")
    assert "name them by --data" in refused(
        capsys, "export", str(network), "--format", "tflite-int8"
    )
