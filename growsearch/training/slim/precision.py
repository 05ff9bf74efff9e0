"""Whether the machine computes bfloat16, and how fast it updates a network at a precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from growsearch.machine import processor_has_bfloat16
from growsearch.training.slim.backend import tf
from growsearch.training.slim.quiet import quiet

GPU_CAPABILITY = (8, 0)  # Ampere, the first with bfloat16

ROUNDS = 3
SECONDS = 0.15  # a measurement's least time: a step of a small network is shorter than the noise


@cache
def has_native_bfloat16() -> bool:
    """Whether the device that trains here computes bfloat16 itself; emulated it is slow."""
    with quiet():  # looks for GPUs
        gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return bool(details.get("compute_capability", (0, 0)) >= GPU_CAPABILITY)
    return processor_has_bfloat16()


def step_seconds(timers: Mapping[str, Callable[[int], float]]) -> dict[str, float]:
    """Seconds a step, by name.

    Parameters
    ----------
    timers : mapping of name to function
        A function takes some steps and returns their seconds.

    The candidates take turns, and the best turn of each counts: whatever else the machine does then
    slows all alike, or none. The first steps of each are not counted.
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
