"""Which widths this machine computes fast: a short measurement at the start of a run."""

from __future__ import annotations

from dataclasses import replace

from growsearch.networks import Architecture
from growsearch.training import Augmentation, MeasuresSpeed, TrainingPlan

BASE = 32  # a width that is a multiple of all that are tried
MULTIPLES = (1, 2, 4, 8, 16)
TOLERANCE = 1.25  # how much longer an update may take than its work explains


def fast_multiple(trainer: MeasuresSpeed, plan: TrainingPlan) -> int:
    """The smallest multiple whose widths are as fast as their work is small.

    With bfloat16 it is 16, which its kernels take together. With float32 two convolutions are timed
    at 32 channels and at 32 plus each multiple: where an update takes much longer than its work
    explains, such widths are on slow kernels.

    Parameters
    ----------
    trainer : MeasuresSpeed
    plan : TrainingPlan
        Whose precision and batch size are measured: "auto" is what is faster at 32 channels.

    Returns
    -------
    int
        One of MULTIPLES; 16 where no smaller one is fast.
    """
    base = _probe(BASE)
    plan = replace(plan, augmentation=Augmentation())  # the probe's images are its own
    speed = trainer.speed_of(base, plan)
    if speed.precision == "bfloat16":
        return MULTIPLES[-1]
    plan = replace(plan, precision=speed.precision)
    for multiple in MULTIPLES[:-1]:
        wider = _probe(BASE + multiple)
        explained = speed.step_seconds * wider.flops / base.flops
        if trainer.speed_of(wider, plan).step_seconds <= TOLERANCE * explained:
            return multiple
    return MULTIPLES[-1]


def _probe(width: int) -> Architecture:
    """Two convolutions of a width, the second of which has it on both sides."""
    text = f"3x3x{width}(conv1)-pool1-3x3x{width}(conv2)-global_avg_pool(gap)-10(fc1)"
    return Architecture.parse(text, (28, 28, 1))
