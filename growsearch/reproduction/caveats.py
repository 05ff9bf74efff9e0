"""Caveats: differences from the original's MNIST and training that forbid comparing figures."""

from __future__ import annotations

import hashlib
import struct

import numpy as np

from growsearch.datasets import Dataset
from growsearch.reproduction.experiments import EXPERIMENTS

# The SHA-256 of t10k-images-idx3-ubyte, and the number of training images that TensorFlow's
# reader gave the original.
_TEST_IMAGES = "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
_TRAINING_IMAGES = 55_000


def caveats_of(data: Dataset, steps: tuple[int, ...]) -> tuple[str, ...]:
    """Return the reasons why published figures are no measure; empty if they are one.

    Parameters
    ----------
    data : Dataset
    steps : tuple of int
        Updates after which every network is evaluated.
    """
    caveats = []
    pixels = np.rint(np.asarray(data.test.images) * 255).astype(np.uint8)
    header = struct.pack(">4I", 0x803, *pixels.shape[:3])
    if data.stand_in:
        caveats.append(f"the images stand in for MNIST: {data.source}")
    elif hashlib.sha256(header + pixels.tobytes()).hexdigest() != _TEST_IMAGES:
        caveats.append(f"the test images are not MNIST's: {data.source}")
    elif len(data.train) != _TRAINING_IMAGES:
        caveats.append(
            f"trained on {len(data.train):,} images, the original on {_TRAINING_IMAGES:,}"
        )
    last = max(EXPERIMENTS[0].published)
    if steps[-1] != last:
        caveats.append(
            f"the students' teacher has had {steps[-1]:,} updates, the original's {last:,}"
        )
    return tuple(caveats)
