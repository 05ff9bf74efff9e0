"""Models that take pixels as bytes, in a search whose pixels are from 0 to 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from growsearch.interop.keras import from_keras
from growsearch.interop.models import network_to_search_from, starting_network
from tests.keras_files import L, keras

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


def test_other_models_stay_as_they_are() -> None:
    """Fractions, statistics of fractions, no such layer; and surgery, which changes no pixels."""
    for first in ([], [L.Rescaling(2.0, -1.0)], [L.Normalization(mean=0.4, variance=0.1)]):
        model = built(*first)
        found = network_to_search_from(model)
        assert (found.network.sha256, found.notes) == (from_keras(model).sha256, ())
    model = built(L.Rescaling(1.0 / 255.0))
    assert starting_network(model).network.sha256 == from_keras(model).sha256
