"""Keras models from files, which are untrusted."""

from __future__ import annotations

import numpy as np
import pytest

import growsearch as gs
from growsearch.errors import ArchitectureError
from growsearch.training.slim.backend import tf

keras = tf.keras
L = keras.layers


class Doubled(L.Layer):
    def call(self, x):
        return 2.0 * x


def model(*layers):
    return keras.Sequential([keras.Input((6, 6, 2)), *layers, L.Flatten(), L.Dense(3)])


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.filterwarnings("ignore:.*HDF5.*")
def test_a_file_is_read(tmp_path, ending):
    """Either format that Keras writes, as text or as a path."""
    saved = model(L.Conv2D(4, 3, activation="gelu", name="conv"), L.BatchNormalization())
    saved.save(tmp_path / f"model.{ending}")
    images = np.random.default_rng(0).random((3, 6, 6, 2)).astype("f4")
    for path in (tmp_path / f"model.{ending}", str(tmp_path / f"model.{ending}")):
        network = gs.from_keras(path)
        np.testing.assert_array_equal(saved(images), network.to_keras()(images))
        assert network.architecture["conv"].layer.activation == "gelu"


def test_a_files_own_classes_are_named_and_can_be_given(tmp_path):
    path = tmp_path / "model.keras"
    model(Doubled(name="mine")).save(path)
    with pytest.raises(ArchitectureError, match=r"Doubled.*from_keras custom_objects=\{'Doubled'"):
        gs.from_keras(path)
    network = gs.from_keras(path, custom_objects={"Doubled": Doubled})
    assert [node.name for node in network.architecture.opaque] == ["mine"]


@pytest.mark.filterwarnings("ignore:.*lambda.*")
def test_a_files_code_is_not_run(tmp_path):
    """Lambda layers are refused by name."""
    path = tmp_path / "model.keras"
    model(L.Lambda(lambda x: x + 1.0, name="code")).save(path)
    with pytest.raises(ArchitectureError, match="got Lambda layers: code"):
        gs.from_keras(path)


def tripled(x):
    return 3.0 * x


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_named_function_is_given(tmp_path, suffix):
    """A Lambda layer of a function with a name is read when the function is given."""
    path, images = tmp_path / f"model{suffix}", np.ones((2, 6, 6, 2))
    saved = model(L.Lambda(tripled, name="code"))
    saved.save(path)
    with pytest.raises(ArchitectureError, match=r"tripled: .*--custom-objects module:name"):
        gs.from_keras(path)
    network = gs.from_keras(path, custom_objects={"tripled": tripled})
    assert np.allclose(network.forward(images), saved(images), atol=1e-5)


@pytest.mark.parametrize(
    "data", [b"", b"PK\x05\x06" + b"\0" * 18, b"no model", b"\x89HDF\r\n\x1a\n"]
)
def test_other_files_are_refused_in_one_line(tmp_path, data):
    path = tmp_path / "model.keras"
    path.write_bytes(data)
    with pytest.raises(ArchitectureError, match="expected a Keras model saved as") as caught:
        gs.from_keras(path)
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(ArchitectureError, match="expected the file of a Keras model, found none"):
        gs.from_keras(tmp_path / "none.keras")
