"""OpenVINO's files, .xml with a .bin: for processors, graphics and accelerators of Intel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.exports.content import Content
from growsearch.exports.formats.format import Format, Predict


def write(content: Content, path: Path) -> None:
    """Export the Keras model; weights stay float32."""
    signature = content.signature()
    content.model().export(str(path), format="openvino", verbose=False, input_signature=signature)


def load(path: Path, content: Content) -> Predict:
    """Read the files by OpenVINO, which computes in float32: some processors take bfloat16 else."""
    del content
    import openvino

    precision = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(str(path), "CPU", precision)

    def predict(inputs: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(compiled(inputs)[0], np.float64)

    return predict


FORMAT = Format(
    "openvino",
    suffixes=(".xml",),
    runtime="OpenVINO",
    packages=("openvino",),
    write=write,
    load=load,
    extra="openvino",
    modules=("openvino",),
    beside=(".bin",),
)
