"""Jobs and outcomes: small values that can be sent anywhere."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from growsearch.driver.loop import search
from growsearch.driver.opening import Session
from growsearch.errors import DivergedError, OutOfMemoryError, TrainingFailedError
from growsearch.execution import InProcessExecutor
from growsearch.growth import GROWTHS, Limits
from growsearch.networks import Architecture
from growsearch.training import Augmentation, Point, TrainingPlan
from growsearch.trials.arms import ARMS, steps_of, training_flops
from growsearch.trials.job import ALWAYS, First, TrialJob
from growsearch.trials.outcome import Failure, TrialOutcome
from growsearch.trials.progress import OnPoint
from growsearch.trials.worker import WorkerContext
from tests.fake_trainer import FakeTrainer, images, space

ARCHITECTURE = Architecture.parse("3x3x4(conv1)-pool1-3x3x4(conv2)-pool2-6(fc1)-3(fc2)", (8, 8, 1))
LARGEST = 2000  # bytes of a pickled job: far below the 64 KiB of a pipe, so that no send can block
PLAN = TrainingPlan(
    60, learning_rate=0.01, optimizer="momentum", augmentation=Augmentation(shift=1)
)


def job(**changed: Any) -> TrialJob:
    return replace(TrialJob("trial 7 random/1", "a" * 64, PLAN, "b" * 64, 1, 2), **changed)


@pytest.mark.parametrize("operation", GROWTHS)
def test_a_job_is_a_small_value(operation: str) -> None:
    """Of every growth and arm: pickled, equal, hashable, and below 2 kB."""
    growth = GROWTHS[operation].sites(ARCHITECTURE, Limits())[0]
    for arm in ARMS:
        sent = job(growth=growth, arm=arm, learning_rates=(0.1, 0.2), keep_above=0.5)
        data = pickle.dumps(sent)
        assert len(data) < LARGEST
        assert pickle.loads(data) == sent
        assert hash(pickle.loads(data)) == hash(sent)


def test_a_job_of_a_first_network_is_a_value_too() -> None:
    first = job(parent=First(ARCHITECTURE, "he_normal"), arm="continued", keep_above=ALWAYS)
    assert pickle.loads(pickle.dumps(first)) == first


def test_jobs_and_outcomes_are_frozen() -> None:
    for value in (job(), TrialOutcome()):
        with pytest.raises(FrozenInstanceError):
            value.name = "another"  # type: ignore[misc, union-attr]


def test_an_outcome_is_small() -> None:
    """With the losses of 2,500 images 10 kB, and no network in it."""
    curve = tuple(Point(step, 0.9, 0.1) for step in range(0, 100, 10))
    outcome = TrialOutcome("c" * 64, curve, np.zeros(2500, np.float32), 1.0, 100.0)
    assert len(pickle.dumps(outcome)) < 12_000


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DivergedError("nan\nat step 3"), "diverged"),
        (OutOfMemoryError("no room"), "out of memory"),
        (MemoryError(), "out of memory"),
        (TrainingFailedError("a reason"), "failed"),
    ],
)
def test_a_failure_is_its_error_in_one_line(error: Exception, kind: str) -> None:
    """And becomes an error of the same class again, where a run cannot go on without it."""
    failure = Failure.of(error)
    assert failure.kind == kind
    assert "\n" not in failure.reason
    again = failure.error("teacher")
    assert isinstance(again, type(error))
    assert str(again) == f"teacher: {failure.reason}"


@pytest.mark.parametrize(
    ("arm", "expected"),
    [*((arm, {"scratch_compute": 70}.get(arm, 60)) for arm in ARMS if ARMS[arm].grows)],
)
def test_an_arm_of_equal_compute_is_paid_for_its_ancestors(arm: str, expected: int) -> None:
    """As many more updates as the ancestors' FLOPs buy it, rounded up; other arms get none."""
    ancestry = 9.5 * training_flops(1_000, 1, 50)
    steps = steps_of(arm, 60, flops=1_000, candidate=1_000, batch_size=50, ancestry=ancestry)
    assert steps == expected


@pytest.mark.parametrize(("candidate", "expected"), [(1_000, 60), (2_500, 150), (1_001, 61)])
def test_the_parent_trains_on_for_the_candidates_flops(candidate: int, expected: int) -> None:
    """Equal additional compute: at least the FLOPs of the candidate's own training, no ancestry."""
    sizes = {"flops": 1_000, "candidate": candidate, "batch_size": 50}
    assert steps_of("continued_compute", 60, **sizes, ancestry=1e12) == expected
    assert steps_of("continued", 60, **sizes, ancestry=1e12) == 60
    own = training_flops(candidate, 60, 50)
    assert training_flops(1_000, expected, 50) >= own > training_flops(1_000, expected - 1, 50)


@pytest.mark.usefixtures("quick_sqlite")
def test_an_arm_differs_from_its_candidate_in_few_fields(tmp_path: Path) -> None:
    """The same parent, growth, plan and order of images: arm, name and start seed differ."""
    jobs: list[TrialJob] = []

    class Recording(InProcessExecutor):
        def submit(self, fn: Any, /, *args: Any, **options: Any) -> Any:
            if isinstance(args[-1], TrialJob):
                jobs.append(args[-1])
            return super().submit(fn, *args, **options)

    arms = space("controls.arms=['random', 'continued']")
    search(Session(arms, images(), FakeTrainer(), tmp_path, trials=3, executor=Recording()))
    teacher, *rest = jobs
    assert isinstance(teacher.parent, First)
    assert len(rest) == 9
    for candidate, *controls in (rest[place : place + 3] for place in (0, 3, 6)):
        for control in controls:
            same = replace(
                control,
                name=candidate.name,
                arm=candidate.arm,
                start_seed=candidate.start_seed,
                keep_above=candidate.keep_above,
            )
            assert same == candidate


def test_a_bench_names_its_images() -> None:
    """A job about other images is a fault of the set-up, and never trained."""

    def carry_out(context: WorkerContext, on_point: OnPoint) -> Any:
        return job(data="c" * 64).carry_out(context, on_point)

    context = WorkerContext(FakeTrainer(), {}, None, "d" * 64)  # type: ignore[arg-type]
    with pytest.raises(Exception, match=r"expected the images with fingerprint cccccccccccc"):
        carry_out(context, lambda *_: False)
