"""LiteRT files, .tflite: for phones, and in whole numbers for microcontrollers.

A file takes one image at a time: a fixed shape needs no operations that work shapes out, which the
interpreters of microcontrollers may lack.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.errors import ExportError
from growsearch.exports.content import LARGEST_PIXEL, Content
from growsearch.exports.formats.format import Format, Predict


def write(content: Content, path: Path) -> None:
    """Export the Keras model in float32, with LiteRT's own operations alone."""
    import tensorflow as tf

    content.model().export(
        str(path),
        format="litert",
        verbose=False,
        input_signature=content.signature(1),
        # Keras would allow TensorFlow's operations too, which LiteRT has not.
        target_spec={"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]},
    )


def write_int8(content: Content, path: Path) -> None:
    """Export the Keras model in whole numbers of 8 bits, scaled by calibration images.

    Bytes of pixels are the quantized input itself, of scale 1/255 and zero point 0: nothing is
    computed for them.
    """
    import tensorflow as tf

    assert content.calibration is not None
    images = np.array(content.calibration, np.float32)
    if content.pixels:
        images[0].flat[:2] = 0.0, 1.0  # the range of pixels, whatever these images hold

    def representative() -> Iterator[list[NDArray[np.float32]]]:
        for image in images:
            yield [image[None]]

    content.model(scaled=False).export(
        str(path),
        format="litert",
        verbose=False,
        input_signature=content.signature(1, dtype="float32"),
        target_spec={"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]},
        optimizations=[tf.lite.Optimize.DEFAULT],
        representative_dataset=representative,
        inference_input_type=tf.uint8 if content.pixels else tf.float32,
        inference_output_type=tf.int8,
    )


def load(path: Path, content: Content) -> Predict:
    """Read the file by the interpreter; outputs in whole numbers are scaled back."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero = given["quantization"]
    if content.pixels and scale and not (abs(scale * LARGEST_PIXEL - 1.0) < 1e-6 and zero == 0):
        raise ExportError(
            f"{path.name}: expected bytes of pixels as the input, of scale 1/{LARGEST_PIXEL} and "
            f"zero point 0, got {scale} and {zero}: export it with --input float32"
        )
    scale, zero = made["quantization"]

    def predict(inputs: NDArray[Any]) -> NDArray[np.float64]:
        outputs = []
        for each in inputs:
            interpreter.set_tensor(given["index"], each[None])
            interpreter.invoke()
            outputs.append(interpreter.get_tensor(made["index"])[0])
        found = np.asarray(outputs, np.float64)
        return (found - zero) * scale if scale else found

    return predict


FLOAT32 = Format(
    "tflite",
    suffixes=(".tflite",),
    runtime="LiteRT",
    packages=("tensorflow", "ai-edge-litert"),
    write=write,
    load=load,
    extra="litert",
    modules=("ai_edge_litert",),
    batch=1,
)
INT8 = Format(
    "tflite-int8",
    suffixes=(".tflite",),
    runtime="LiteRT",
    packages=("tensorflow", "ai-edge-litert"),
    write=write_int8,
    load=load,
    extra="litert",
    modules=("ai_edge_litert",),
    batch=1,
    tolerance=0.2,
    value_bytes=1,
    needs_images=True,
)
