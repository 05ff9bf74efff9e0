"""ONNX files: for ONNX Runtime on servers, in browsers and on phones, and for other converters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.exports.content import Content
from growsearch.exports.formats.format import Format, Predict


def write(content: Content, path: Path) -> None:
    """Export the Keras model by tf2onnx; the input stays in the order NHWC, of any number.

    The output is called what it is, "logits" or "probabilities", and the first axis "batch".
    """
    import onnx

    signature = content.signature()
    content.model().export(str(path), format="onnx", verbose=False, input_signature=signature)
    model = onnx.load(path)
    (output,) = model.graph.output
    before, output.name = output.name, content.gives
    for node in model.graph.node:
        node.output[:] = [content.gives if name == before else name for name in node.output]
        node.input[:] = [content.gives if name == before else name for name in node.input]
    for end in (*model.graph.input, output):
        end.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def load(path: Path, content: Content) -> Predict:
    """Read the file by ONNX Runtime, on the processor."""
    del content
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()

    def predict(inputs: NDArray[Any]) -> NDArray[np.float64]:
        (outputs,) = session.run(None, {given.name: inputs})
        return np.asarray(outputs, np.float64)

    return predict


FORMAT = Format(
    "onnx",
    suffixes=(".onnx",),
    runtime="ONNX Runtime",
    packages=("tf2onnx", "onnx", "onnxruntime"),
    write=write,
    load=load,
    extra="onnx",
    modules=("tf2onnx", "onnx", "onnxruntime"),
)
