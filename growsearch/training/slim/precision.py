"""Precision of updates on this machine: native bfloat16, and seconds a step at each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from growsearch.machine import processor_has_bfloat16
from growsearch.quiet import quiet
from growsearch.training.slim.backend import tf

GPU_CAPABILITY = (8, 0)  # Ampere, the first with bfloat16

ROUNDS = 3
SECONDS = 0.15  # least time of a measurement: a step of a small network is shorter than the noise


@cache
def has_native_bfloat16() -> bool:
    """Return True if the device that trains here computes bfloat16 natively; emulation is slow."""
    with quiet():  # looks for GPUs
        gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return bool(details.get("compute_capability", (0, 0)) >= GPU_CAPABILITY)
    return processor_has_bfloat16()


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
