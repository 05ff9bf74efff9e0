"""Keras' own files, .keras and .h5: to go on with, by fit or by another search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.exports.content import Content, on_processor
from growsearch.exports.formats.format import Format, Predict


def write(content: Content, path: Path) -> None:
    """Save the Keras model; the network alone keeps the precision that it was read with."""
    if content.pixels or content.softmax:
        model = content.model()
    else:
        model = content.network.to_keras(custom_objects=content.custom_objects)
    model.save(path)


def load(path: Path, content: Content) -> Predict:
    """Read the file in safe mode."""
    import keras

    with on_processor():
        model = keras.saving.load_model(
            path, custom_objects=dict(content.custom_objects or {}), compile=False, safe_mode=True
        )

    def predict(inputs: NDArray[Any]) -> NDArray[np.float64]:
        with on_processor():
            return np.asarray(model.predict_on_batch(inputs), np.float64)

    return predict


FORMAT = Format(
    "keras",
    suffixes=(".keras", ".h5"),
    runtime="Keras",
    packages=("tensorflow", "keras"),
    write=write,
    load=load,
    takes_pixels=False,
)
