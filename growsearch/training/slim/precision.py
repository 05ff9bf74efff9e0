"""Precision of updates on this machine: native bfloat16, and seconds a step at each."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from growsearch.machine import processor_has_bfloat16
from growsearch.networks import Architecture
from growsearch.networks.layers import BatchNorm, Conv, Dense
from growsearch.quiet import quiet
from growsearch.training.slim.backend import tf

GPU_CAPABILITY = (8, 0)  # Ampere, the first with bfloat16

CHANNELS = 16  # that a convolution of oneDNN in bfloat16 computes at a time
LEAST_BATCH = 32  # images, from which on the convolutions take most of an update

ROUNDS = 3
SECONDS = 0.15  # least time of a measurement: a step of a small network is shorter than the noise


@cache
def has_native_bfloat16() -> bool:
    """Return True if the device that trains here computes bfloat16 natively; emulation is slow."""
    if gpus := _gpus():
        details = tf.config.experimental.get_device_details(gpus[0])
        return bool(details.get("compute_capability", (0, 0)) >= GPU_CAPABILITY)
    return processor_has_bfloat16()


def candidates(architecture: Architecture, batch_size: int) -> tuple[str, ...]:
    """Return the precisions that may be the faster one here; a single one needs no measurement.

    On processors with native bfloat16 it never was the slower one for convolutions that fill
    oneDNN's vectors (``benchmarks/precision.py``).
    """
    if not has_native_bfloat16():
        return ("float32",)
    is_of_onednn = not _gpus() and os.environ.get("TF_ENABLE_ONEDNN_OPTS") != "0"
    if is_of_onednn and batch_size >= LEAST_BATCH and _fills_vectors(architecture):
        return ("bfloat16",)
    return "float32", "bfloat16"


def _fills_vectors(architecture: Architecture) -> bool:
    """Return whether all but dense layers are convolutions of whole vectors, with batch norm."""
    weighted = [
        architecture[name].layer for name, weights in architecture.weights.items() if weights
    ]
    convolutions = [each for each in weighted if isinstance(each, Conv)]
    return (
        bool(convolutions)
        and all(isinstance(each, Conv | BatchNorm | Dense) for each in weighted)
        and all(each.groups == 1 and each.filters % CHANNELS == 0 for each in convolutions)
    )


def _gpus() -> list[Any]:
    with quiet():  # looks for GPUs
        return list(tf.config.list_physical_devices("GPU"))


def step_seconds(timers: Mapping[str, Callable[[int], float]]) -> dict[str, float]:
    """Return the seconds of a step, by name.

    The candidates take turns, and the best turn of each counts, so that other load on the machine
    slows all alike. The first steps of each are not counted.

    Parameters
    ----------
    timers : mapping of name to function
        A function takes a number of steps and returns their seconds.
    """
    steps = {}
    for name, timer in timers.items():
        timer(1)
        steps[name] = min(max(2, round(SECONDS / max(timer(1), 1e-6))), 50)
    best = dict.fromkeys(timers, float("inf"))
    for _ in range(ROUNDS):
        for name, timer in timers.items():
            best[name] = min(best[name], timer(steps[name]) / steps[name])
    return best
