"""The progress of trainings beside each other, in FLOPs."""

from __future__ import annotations

import pytest

from growsearch.execution.events import JobEnded, JobLost, NoWorker, Training
from growsearch.networks import Architecture
from growsearch.reproduction.experiments import BY_NAME
from growsearch.reproduction.job import Trained
from growsearch.reproduction.progress import FlopsProgress, ReproductionProgress
from growsearch.reproduction.result import AccuracyCurve

TEACHER = Architecture.parse("5x5x32(conv1)-pool1-5x5x4(conv2)-pool2-10(fc2)", (8, 8, 1))
STEPS = (0, 10, 20)


def test_trainings_beside_each_other_are_counted_each() -> None:
    """A training counts for the FLOPs of its network, whatever others do meanwhile."""
    heard: list[ReproductionProgress] = []
    wide, teacher = BY_NAME["wider"], BY_NAME["teacher"]
    missing = [(0, wide, "reset"), (1, teacher, "reset")]
    progress = FlopsProgress(missing, TEACHER, STEPS, heard.append)  # type: ignore[arg-type]
    assert wide.growth is not None
    costs = wide.growth.grown(TEACHER).flops, TEACHER.flops

    def share(one: int, other: int) -> float:
        return pytest.approx((costs[0] * one + costs[1] * other) / 3)  # type: ignore[return-value]

    def evaluated(name: str, step: int) -> None:
        progress.heard(Training(name, step, 20, 0.5))

    progress.images("somewhere")
    assert (heard[-1].done, heard[-1].total) == (0.0, share(3, 3))
    evaluated("seed 0: wider", 0)
    evaluated("seed 1: teacher", 0)
    assert heard[-1].done == share(1, 1)
    assert heard[-1].label == "seed 1: teacher, 0: 0.5000"
    evaluated("seed 1: teacher", 10)
    assert heard[-1].done == share(1, 2)
    progress.heard(JobLost("seed 1: teacher", "its worker died (signal 9)", 1))
    assert heard[-1].done == share(1, 0)
    assert heard[-1].label == "seed 1: teacher: its worker died (signal 9); it begins again"
    assert heard[-1].milestone
    for step in (0, 10):
        evaluated("seed 1: teacher", step)
    assert heard[-1].done == share(1, 2)
    count = len(heard)
    evaluated("seed 1: teacher", 20)  # told when it is stored
    progress.heard(JobEnded("seed 1: teacher"))
    assert len(heard) == count
    curve = AccuracyCurve("teacher", "reset", (0.1, 0.2, 0.75))
    progress.stored(Trained(1, curve, 1.0, "a machine", "a" * 64))
    assert heard[-1].done == share(1, 3)
    assert heard[-1].label == "seed 1: teacher, 20: 0.7500"
    assert [event.label for event in heard if event.milestone] == [
        "images: somewhere",
        "seed 1: teacher: its worker died (signal 9); it begins again",
        "seed 1: teacher, 20: 0.7500",
    ]
    # Points that no file brought, as on a full disk, are counted at the end.
    progress.stored(Trained(0, AccuracyCurve("wider", "reset", (0.1, 0.2, 0.3)), 1.0, "", "a" * 64))
    assert heard[-1].done == heard[-1].total == share(3, 3)


def test_a_worker_that_does_not_come_is_told() -> None:
    """With what the cluster lacks."""
    heard: list[ReproductionProgress] = []
    missing = [(0, BY_NAME["teacher"], "reset")]
    progress = FlopsProgress(missing, TEACHER, STEPS, heard.append)  # type: ignore[arg-type]
    progress.heard(NoWorker("seed 0: teacher", 61.2, "no GPU"))
    assert heard[-1].label == "seed 0: teacher: no worker for 61 s: no GPU"
    assert heard[-1].milestone
