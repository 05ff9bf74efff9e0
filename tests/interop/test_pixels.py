"""Models that take pixels as bytes, in a search whose pixels are from 0 to 1."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from growsearch.errors import InvalidInputError
from growsearch.exports.subject import subject_of
from growsearch.interop.keras import from_keras
from growsearch.interop.models import network_to_search_from, starting_network
from growsearch.interop.pixels import for_unit_pixels
from tests.keras_files import L, keras
from tests.messages import one_line

FIRST: dict[str, Callable[[], Any]] = {
    "rescaling": lambda: L.Rescaling(1.0 / 255.0),
    "to -1 to 1": lambda: L.Rescaling(1.0 / 127.5, offset=-1.0),
    "normalization": lambda: L.Normalization(mean=[110.0, 120.0], variance=[900.0, 1600.0]),
}


def built(*first: Any) -> Any:
    """A small model of two channels behind the first layers."""
    keras.utils.set_random_seed(0)
    tail = [L.Conv2D(3, 3, activation="relu"), L.GlobalAveragePooling2D(), L.Dense(2)]
    return keras.Sequential([keras.Input((6, 6, 2)), *first, *tail])


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
    """The outputs for a 255th of the pixels are those of the model for the bytes; it is said."""
    model = built(L.RandomFlip(), FIRST[kind]())
    found = network_to_search_from(model)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 2)).astype(np.float64)
    expected = np.asarray(model(pixels, training=False))
    assert np.allclose(found.network.forward(pixels / 255.0), expected, atol=1e-5)
    (note,) = found.notes
    assert "scales pixels from 0 to 255" in note
    assert network_to_search_from(found.network).notes == ()


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


def test_other_models_stay_as_they_are() -> None:
    """Fractions, statistics of fractions, no such layer; and surgery, which changes no pixels."""
    for first in ([], [L.Rescaling(2.0, -1.0)], [L.Normalization(mean=0.4, variance=0.1)]):
        model = built(*first)
        found = network_to_search_from(model)
        assert (found.network.sha256, found.notes) == (from_keras(model).sha256, ())
    model = built(L.Rescaling(1.0 / 255.0))
    assert starting_network(model).network.sha256 == from_keras(model).sha256
