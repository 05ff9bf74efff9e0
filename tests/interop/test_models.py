"""Files of models: read and written by their suffix, and never trusted."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from growsearch.errors import (
    ArchitectureError,
    GrowsearchError,
    InvalidInputError,
)
from growsearch.interop.keras import from_keras
from growsearch.interop.models import SUFFIXES, starting_network, write_model
from growsearch.networks import Network
from tests.keras_files import Doubled, L, model, saved, with_code
from tests.messages import one_line


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_written_is_read_again(suffix: str, tmp_path: Path) -> None:
    """Outputs and weights are the same; the SHA-256 is that of the file's bytes."""
    network = from_keras(model())
    path = write_model(network, tmp_path / "new" / f"model{suffix}")
    found = starting_network(path)
    assert found.source == str(path)
    assert found.file_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.network.sha256 == network.sha256
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_network_and_a_keras_model_need_no_file() -> None:
    """They are taken as they are, and so is what was read already."""
    own = model()
    found = starting_network(own)
    assert (found.file_sha256, starting_network(found)) == ("", found)
    assert found.network.sha256 == starting_network(found.network).network.sha256


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize(
    "layer", [lambda: L.Lambda(lambda x: 2.0 * x), Doubled], ids=["lambda", "own class"]
)
def test_code_of_a_file_never_runs(suffix: str, layer: Any, tmp_path: Path) -> None:
    """The message says how to name a class or function that is trusted."""
    path = saved(with_code(layer()), tmp_path / f"model{suffix}")
    with pytest.raises(ArchitectureError) as refusal:
        starting_network(path)
    assert "--custom-objects module:name" in one_line(refusal)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("damage", ["empty", "cut", "text"])
def test_damaged_files_are_one_line(suffix: str, damage: str, tmp_path: Path) -> None:
    """Names the file."""
    path = write_model(from_keras(model()), tmp_path / f"model{suffix}")
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "text": b"hello"}[damage])
    with pytest.raises(GrowsearchError) as refusal:
        starting_network(path)
    assert str(path) in one_line(refusal)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("model.pkl", "ends in .keras, .h5 or .safetensors, got model.pkl"),
        ("none.keras", "none.keras: cannot be read: No such file"),
        (np.zeros(3), "got ndarray"),
        (5, "got int"),
    ],
    ids=["suffix", "missing", "array", "number"],
)
def test_other_things_are_no_models(value: Any, said: str) -> None:
    """The message says what is one."""
    with pytest.raises(InvalidInputError) as refusal:
        starting_network(value)
    assert said in one_line(refusal)


def test_a_place_that_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    """A file in the way of a folder, and a folder in the way of a file."""
    network = Network.initial(from_keras(model()).architecture, rng=0)
    (tmp_path / "file").touch()
    (tmp_path / "folder.keras").mkdir()
    for path in (tmp_path / "file" / "model.keras", tmp_path / "folder.keras"):
        with pytest.raises(GrowsearchError) as refusal:
            write_model(network, path)
        assert str(path) in one_line(refusal)
