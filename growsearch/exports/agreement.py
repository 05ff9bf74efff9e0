"""The comparison of a file's outputs, by its runtime, with those of the searched network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.errors import ExportError
from growsearch.exports.content import Content, on_processor
from growsearch.exports.formats.format import Format, Predict

BATCH = 32
_FLOAT32 = 1e-3  # the most that rounding alone may explain
_TIMES = 4.0  # another order of sums rounds otherwise


@dataclass(frozen=True)
class Agreement:
    """The distance of a file from its network.

    Parameters
    ----------
    images : int
    kind : str
        What the images are.
    largest : float
        max |Δ| of an output, against the reference in float64.
    relative : float
        The same as a fraction of the largest output.
    tolerance : float
        The largest fraction that is allowed.
    same_class : float
        The fraction of the images whose largest output is the same.
    """

    images: int
    kind: str
    largest: float
    relative: float
    tolerance: float
    same_class: float


def compare(
    predict: Predict, content: Content, chosen: Format, inputs: NDArray[Any], kind: str
) -> Agreement:
    """Compare the outputs of a file with those of the network, on the same inputs.

    Parameters
    ----------
    predict : callable
        The file, by its runtime.
    content : Content
    chosen : Format
    inputs : array
        As the file takes them.
    kind : str
        What they are.

    Raises
    ------
    ExportError
        When they differ by more than the format's tolerance. A deep network may be rounded by more
        in float32: then by more than four times what Keras' float32 differs from float64.
    """
    expected = content.expected(inputs)
    found = in_batches(predict, inputs)
    if found.shape != expected.shape:
        raise ExportError(
            f"{chosen.name}: expected outputs of shape {expected.shape}, got {found.shape}"
        )
    size = float(np.abs(expected).max()) or 1.0
    largest = float(np.abs(found - expected).max())
    tolerance = chosen.tolerance
    if largest > tolerance * size and chosen.value_bytes > 1 and chosen.holds_ends:
        with on_processor():
            by_keras = in_batches(content.model().predict_on_batch, inputs)
        rounding = float(np.abs(by_keras - expected).max()) / size
        tolerance = max(tolerance, min(_TIMES * rounding, _FLOAT32))
    same = float((found.argmax(axis=-1) == expected.argmax(axis=-1)).mean())
    if not largest <= tolerance * size:  # NaN is no agreement
        raise ExportError(
            f"{chosen.name}: expected outputs within {tolerance:.2g} of the largest one, got "
            f"{largest / size:.2g} on {len(inputs)} {kind} ({same:.0%} of the classes are the "
            f"same): nothing was written"
        )
    return Agreement(len(inputs), kind, largest, largest / size, tolerance, same)


def in_batches(predict: Predict, inputs: NDArray[Any]) -> NDArray[np.float64]:
    """Return the outputs of many inputs, some at a time."""
    parts = [predict(inputs[first : first + BATCH]) for first in range(0, len(inputs), BATCH)]
    return np.concatenate([np.asarray(part, np.float64) for part in parts])
