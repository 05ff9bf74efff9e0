"""TensorFlow's SavedModel, a folder: for TensorFlow Serving, and as a source of converters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.exports.content import Content
from growsearch.exports.formats.format import Format, Predict


def write(content: Content, path: Path) -> None:
    """Export the Keras model; its forward pass is the signature "serving_default"."""
    signature = content.signature()
    content.model().export(
        str(path), format="tf_saved_model", verbose=False, input_signature=signature
    )


def load(path: Path, content: Content) -> Predict:
    """Read the folder by TensorFlow alone, without Keras."""
    del content
    import tensorflow as tf

    processor = "CPU:0"  # a GPU rounds convolutions more
    with tf.device(processor):
        loaded = tf.saved_model.load(str(path))
    (name,) = loaded.signatures["serving_default"].structured_input_signature[1]

    def predict(inputs: NDArray[Any]) -> NDArray[np.float64]:
        # The signature does not keep the variables alive, but the loaded object does.
        serve = loaded.signatures["serving_default"]
        with tf.device(processor):
            (outputs,) = serve(**{name: tf.constant(inputs)}).values()
        return np.asarray(outputs, np.float64)

    return predict


FORMAT = Format(
    "savedmodel",
    suffixes=(),
    runtime="TensorFlow",
    packages=("keras", "tensorflow"),
    write=write,
    load=load,
)
