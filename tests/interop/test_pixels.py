"""Models that take pixels as bytes, in a search whose pixels are from 0 to 1."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from growsearch.errors import InvalidInputError
from growsearch.exports.subject import subject_of
from growsearch.growth import Widen, grow
from growsearch.interop.keras import from_keras
from growsearch.interop.models import network_to_search_from, starting_network, write_model
from growsearch.interop.pixels import as_taken, for_unit_pixels, takes_bytes
from growsearch.networks import Network
from tests.keras_files import L, keras
from tests.messages import one_line

FIRST: dict[str, Callable[[], Any]] = {
    "rescaling": lambda: L.Rescaling(1.0 / 255.0),
    "to -1 to 1": lambda: L.Rescaling(1.0 / 127.5, offset=-1.0),
    "normalization": lambda: L.Normalization(mean=[110.0, 120.0], variance=[900.0, 1600.0]),
    "a byte's range": lambda: L.Normalization(mean=0.0, variance=255.0**2),
    "channels": lambda: L.Rescaling([0.02, 0.01], offset=[-2.0, -1.0]),
    "inverted": lambda: L.Rescaling(-1.0 / 255.0, offset=1.0),
    "less the mean": lambda: L.Rescaling(1.0, offset=[-103.9, -116.8]),
    "operators": lambda: lambda x: (x - 127.5) / 127.5,
    "resized": lambda: lambda x: L.Rescaling(1.0 / 255.0)(L.Resizing(5, 5)(x)),
    "two layers": lambda: (
        lambda x: L.Normalization(mean=0.13, variance=0.01)(L.Rescaling(1.0 / 255.0)(x))
    ),
}
FRACTIONS: dict[str, Callable[[], list[Any]]] = {
    "no such layer": list,
    "to -1 to 1": lambda: [L.Rescaling(2.0, -1.0)],
    "inverted": lambda: [L.Rescaling(-1.0, 1.0)],
    "channels": lambda: [L.Rescaling([2.0, 1.0], [-1.0, 0.0])],
    "statistics of fractions": lambda: [L.Normalization(mean=0.4, variance=0.1)],
    "made bytes": lambda: [L.Rescaling(255.0), L.Normalization(mean=110.0, variance=900.0)],
}


def built(*first: Any) -> Any:
    """A small model of two channels behind the first layers."""
    keras.utils.set_random_seed(0)
    inputs = x = keras.Input((6, 6, 2))
    tail = [L.Conv2D(3, 3, activation="relu"), L.GlobalAveragePooling2D(), L.Dense(2)]
    for layer in (*first, *tail):
        x = layer(x)
    return keras.Model(inputs, x)


def test_inputs_that_are_no_images_stay() -> None:
    """Features have means of any size: nothing says that they were bytes."""
    first = L.Normalization(mean=[40.0, 60.0, 5.0], variance=[100.0, 50.0, 4.0])
    model = keras.Sequential([keras.Input((3,)), first, L.Dense(2)])
    network = from_keras(model)
    assert for_unit_pixels(network) == (network, "")
    x = np.array([[45.0, 58.0, 6.0]])
    assert np.allclose(subject_of(model).network.forward(x), np.asarray(model(x)), atol=1e-5)


@pytest.mark.parametrize("kind", FIRST)
def test_bytes_become_pixels_from_0_to_1(kind: str) -> None:
    """Outputs for a 255th of the pixels are those for the bytes; one layer changes; it is said."""
    model = built(L.RandomFlip(), FIRST[kind]())
    before = from_keras(model)
    found = network_to_search_from(before)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 2)).astype(np.float64)
    expected = np.asarray(model(pixels, training=False))
    assert np.allclose(found.network.forward(pixels / 255.0), expected, atol=1e-5)
    (note,) = found.notes
    (name,) = changed_in(before, found.network)
    assert f"its layer {name} scales pixels from 0 to 255" in note
    assert network_to_search_from(found.network).notes == ()
    exported = subject_of(before)
    assert (exported.network.sha256, exported.notes) == (found.network.sha256, found.notes)
    unit = (pixels / 255.0).astype(np.float32)
    assert np.array_equal(as_taken(before, unit), pixels)
    assert as_taken(found.network, unit) is unit


def changed_in(before: Network, after: Network) -> list[str]:
    """The layers of a graph whose options or arrays are others."""
    pairs = zip(before.architecture.nodes, after.architecture.nodes, strict=True)
    return [
        old.name
        for old, new in pairs
        if old != new
        or any(
            not np.array_equal(array, after.weights[old.name][name])
            for name, array in before.weights.get(old.name, {}).items()
        )
    ]


def test_each_input_is_judged_by_itself() -> None:
    """Of two images one may be in bytes."""
    one, other = keras.Input((6, 6, 2)), keras.Input((6, 6, 2))
    x = L.GlobalAveragePooling2D()(L.Rescaling(1.0 / 255.0)(other))
    both = L.Concatenate()([x, L.Flatten()(one)])
    network = from_keras(keras.Model([one, other], L.Dense(2)(both)))
    assert takes_bytes(network)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 2))
    unit = (pixels / 255.0).astype(np.float32)
    found = as_taken(network, [unit, unit])
    assert np.array_equal(found[0], unit)
    assert np.array_equal(found[1], pixels)


def test_an_input_of_bytes_takes_bytes() -> None:
    """Its type says so, whatever layer comes first; a vector of bytes is no image."""
    inputs = keras.Input((6, 6, 2), dtype="uint8")
    x = L.GlobalAveragePooling2D()(keras.ops.cast(inputs, "float32"))
    assert takes_bytes(from_keras(keras.Model(inputs, L.Dense(2)(x))))
    words = keras.Input((5,), dtype="uint8")
    x = L.GlobalAveragePooling1D()(L.Embedding(9, 4)(words))
    network = from_keras(keras.Model(words, L.Dense(2)(x)))
    assert not takes_bytes(network)
    assert as_taken(network, [[1, 2]]) == [[1, 2]]


def test_one_end_with_a_name_or_a_type_is_an_end() -> None:
    """A search takes a network whose one input is of bytes, or whose output has a name."""
    inputs = keras.Input((6, 6, 2), dtype="uint8", name="image")
    logits = L.Dense(2)(L.GlobalAveragePooling2D()(L.Rescaling(1.0 / 255.0)(inputs)))
    model = keras.Model({"image": inputs}, {"label": logits})
    found = network_to_search_from(model)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 2))
    expected = np.asarray(model({"image": pixels.astype("uint8")})["label"])
    assert np.allclose(found.network.forward(pixels / 255.0), expected, atol=1e-5)
    assert "one array" in found.notes[0]


BYTE_LAYERS: dict[str, Callable[[Any], Any]] = {
    "rescaling": L.Rescaling(1.0 / 255.0),
    "normalization": L.Normalization(mean=[110.0, 120.0], variance=[900.0, 1600.0]),
    "flip": lambda x: L.Rescaling(1.0 / 255.0)(L.RandomFlip()(x)),
    "cast": lambda x: keras.ops.cast(x, "float32") / 255.0,
}


@pytest.mark.parametrize("kind", BYTE_LAYERS)
def test_a_file_that_takes_bytes_stays_one_to_search_from(kind: str, tmp_path: Path) -> None:
    """A grown file of an input of uint8 is grown and searched from again, without further nodes."""
    inputs = keras.Input((6, 6, 2), dtype="uint8")
    x = L.Conv2D(3, 3, activation="relu", name="conv1")(BYTE_LAYERS[kind](inputs))
    model = keras.Model(inputs, L.Dense(2)(L.GlobalAveragePooling2D()(x)))
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 2)).astype("uint8")
    expected = np.asarray(model(pixels, training=False))
    network, counts = from_keras(model), []
    for width in (4, 5):
        network = grow(network, Widen("conv1", width), rng=0)
        path = write_model(network, tmp_path / f"{width}.keras")
        again = keras.models.load_model(path)
        assert again.inputs[0].dtype == "uint8"
        assert np.allclose(np.asarray(again(pixels, training=False)), expected, atol=1e-5)
        found = network_to_search_from(path)
        assert "scales pixels from 0 to 255" in found.notes[-1]
        assert np.allclose(found.network.forward(pixels / 255.0), expected, atol=1e-5)
        network = starting_network(path).network
        counts.append(len(network.architecture.nodes))
    assert counts[0] == counts[1]


def test_what_no_search_takes_is_said(tmp_path: Path) -> None:
    """Several inputs or outputs, layers of Keras, vectors, sizes that are not known."""
    inputs, other = keras.Input((6, 6, 2)), keras.Input((3,), name="meta")
    x = L.GlobalAveragePooling2D()(inputs)
    both = L.Concatenate()([x, other])
    cases = [
        (keras.Model([inputs, other], L.Dense(2)(both)), "one input, got 2: input, meta"),
        (keras.Model(inputs, [L.Dense(2, name="a")(x), L.Dense(2, name="b")(x)]), "2: a, b"),
        (keras.Sequential([keras.Input((4,)), L.Dense(2)]), "images, got (4,): put"),
        (keras.Sequential([keras.Input((4, 8)), L.LSTM(3)]), "growsearch grow"),
        (keras.Sequential([keras.Input((None, None, 3)), L.Conv2D(2, 3)]), "of known size"),
    ]
    for model, said in cases:
        path = tmp_path / "mine.keras"
        model.save(path)
        with pytest.raises(InvalidInputError) as caught:
            network_to_search_from(path)
        assert said in one_line(caught)
        assert one_line(caught).startswith(f"{path}: ")


@pytest.mark.parametrize("kind", FRACTIONS)
def test_other_models_stay_as_they_are(kind: str) -> None:
    """Those that take numbers from 0 to 1: their images too."""
    model = built(*FRACTIONS[kind]())
    found = network_to_search_from(model)
    assert (found.network.sha256, found.notes) == (from_keras(model).sha256, ())
    assert not takes_bytes(found.network)
    images = np.ones((1, 6, 6, 2))
    assert as_taken(found.network, images) is images


def test_surgery_changes_no_pixels() -> None:
    """A model of bytes that is read to be grown takes bytes."""
    model = built(L.Rescaling(1.0 / 255.0))
    assert starting_network(model).network.sha256 == from_keras(model).sha256
