"""The figures of a file: accuracy on images with labels, milliseconds an image, bytes."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from growsearch.datasets import Split
from growsearch.exports.agreement import in_batches
from growsearch.exports.content import Content
from growsearch.exports.formats.format import Predict

_WARM_UP, _FEWEST, _MOST, _SECONDS = 3, 5, 200, 1.0


def accuracy(predict: Predict, content: Content, split: Split) -> float:
    """Return the fraction of the images whose largest output is that of their class."""
    outputs = in_batches(predict, content.inputs_of(split.images))
    return float((outputs.argmax(axis=-1) == split.labels).mean())


def milliseconds(predict: Predict, inputs: NDArray[Any]) -> tuple[float, int]:
    """Return the median time of one image, in milliseconds, and the number of calls.

    Each call has one image. Three calls before are not counted; then there are calls for one
    second, at most 200 and at least 5.
    """
    for place in range(_WARM_UP):
        predict(inputs[place % len(inputs)][None])
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < _FEWEST or (len(times) < _MOST and time.perf_counter() - began < _SECONDS):
        image = inputs[len(times) % len(inputs)][None]
        start = time.perf_counter()
        predict(image)
        times.append(time.perf_counter() - start)
    return 1000.0 * statistics.median(times), len(times)


def size_of(*paths: Path) -> int:
    """Return the bytes of files, and of all files in folders."""
    every = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])]
    return sum(file.stat().st_size for file in every if file.is_file())
