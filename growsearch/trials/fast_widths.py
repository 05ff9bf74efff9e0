"""The probe of widths: a short measurement of the widths that a worker's machine computes fast."""

from __future__ import annotations

from dataclasses import dataclass, replace

from growsearch.networks import Architecture
from growsearch.training import Augmentation, MeasuresSpeed, TrainingPlan
from growsearch.trials.progress import OnPoint
from growsearch.trials.worker import WorkerContext

BASE = 32  # a width that is a multiple of all that are tried
MULTIPLES = (1, 2, 4, 8, 16)
TOLERANCE = 1.25  # of the time that an update's FLOPs explain


@dataclass(frozen=True)
class WidthProbeJob:
    """Measure which widths are fast by a plan; None with a trainer that does not measure."""

    plan: TrainingPlan
    name: str = "a probe of widths"

    def carry_out(self, context: WorkerContext, on_point: OnPoint) -> int | None:
        """Return one of ``MULTIPLES``."""
        del on_point
        trainer = context.trainer
        return fast_multiple(trainer, self.plan) if isinstance(trainer, MeasuresSpeed) else None


def fast_multiple(trainer: MeasuresSpeed, plan: TrainingPlan) -> int:
    """Return the smallest multiple whose widths this machine computes fast.

    With bfloat16 it is 16, since its kernels take 16 channels at a time. With float32 two
    convolutions are timed at 32 channels and at 32 plus each multiple. A multiple is fast if time
    grows by at most 1.25 times the factor by which the FLOPs of an update grow.

    Parameters
    ----------
    trainer : MeasuresSpeed
    plan : TrainingPlan
        Gives precision and batch size; "auto" is the precision that is faster at 32 channels.

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
