"""The contract of executors: subclass ``ExecutorContract`` and give it an executor.

.. code-block:: python

    class TestMyExecutor(ExecutorContract):
        @staticmethod
        def make_executor(context, on_point):
            return MyExecutor(context, on_point)
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from growsearch.datasets import Split
from growsearch.errors import NetworkFileError, RunError
from growsearch.execution import Executor
from growsearch.growth import Deepen, Widen
from growsearch.networks import Architecture, Network
from growsearch.networks.store import NetworkStore
from growsearch.testing.drifting_trainer import TOO_FAST, DriftingTrainer
from growsearch.training import Point, TrainingPlan
from growsearch.trials.arms import ARMS
from growsearch.trials.job import ALWAYS, First, TrialJob
from growsearch.trials.measurements import EvaluationJob, SpeedJob
from growsearch.trials.outcome import TrialOutcome
from growsearch.trials.worker import OnPoint, WorkerContext

DATA = "0" * 64  # the fingerprint of the contract's images
PLAN = TrainingPlan(4, batch_size=2, learning_rate=0.01, evaluate_every=2)
ARCHITECTURE = Architecture.parse("3x3x4(conv1)-pool1-6(fc1)-3(fc2)", (4, 4, 1))


class ExecutorContract:
    """The laws of every executor, as tests; a subclass names the executor."""

    @staticmethod
    def make_executor(context: WorkerContext, on_point: OnPoint) -> Executor:
        """Return the executor to test; ``DriftingTrainer`` trains on the context."""
        raise NotImplementedError("expected a subclass that makes its executor")

    # --- what the tests work with -----------------------------------------------------------------

    @pytest.fixture
    def context(self, tmp_path: Path) -> WorkerContext:
        """Return a context with small random images, and a folder for networks."""
        rng = np.random.default_rng(0)
        images = {
            part: Split(rng.random((count, 4, 4, 1), np.float32), np.arange(count) % 3)
            for part, count in (("train", 12), ("selection", 6), ("held_out", 6), ("test", 6))
        }
        return WorkerContext(DriftingTrainer(), images, NetworkStore(tmp_path / "weights"), DATA)

    @pytest.fixture
    def heard(self) -> list[tuple[str, int]]:
        """Return a list that takes job name and step of every point that the executor tells."""
        return []

    @pytest.fixture
    def executor(self, context: WorkerContext, heard: list[tuple[str, int]]) -> Iterator[Executor]:
        """Yield the executor to test, which ends a training named "stops" at its step 2."""

        def on_point(job: Any, point: Point) -> bool:
            if job.name == "breaks":
                raise ZeroDivisionError("a callback's fault")
            heard.append((job.name, point.step))
            return bool(job.name == "stops" and point.step == 2)

        executor = self.make_executor(context, on_point)
        yield executor
        executor.shutdown()

    @pytest.fixture
    def parent(self, context: WorkerContext) -> str:
        """Return the SHA-256 of a stored network."""
        return context.networks.put(Network.initial(ARCHITECTURE, rng=0))

    @staticmethod
    def job(parent: str | First, **changed: Any) -> TrialJob:
        """Return a job that trains the parent, widened, and stores the result."""
        job = TrialJob(
            name="widened",
            parent=parent,
            growth=Widen("conv1", 6),
            plan=PLAN,
            data=DATA,
            start_seed=1,
            order_seed=2,
            keep_above=ALWAYS,
        )
        return replace(job, **changed)

    # --- outcomes ---------------------------------------------------------------------------------

    @pytest.mark.parametrize("arm", ARMS)
    def test_an_outcome_is_that_of_the_job_itself(
        self, executor: Executor, context: WorkerContext, parent: str, arm: str
    ) -> None:
        """The place of a job changes nothing: curve, network and FLOPs follow from its values."""
        job = self.job(parent, arm=arm)
        outcome = executor.submit(job).result()
        assert outcome == job.carry_out(context, lambda *_: False)
        assert outcome.failure is None
        assert [point.step for point in outcome.curve] == [0, 2, 4]

    def test_a_job_twice_is_one_outcome(self, executor: Executor, parent: str) -> None:
        """A job is a pure function of its values: a lost worker's job may be sent again."""
        futures = [executor.submit(self.job(parent)) for _ in range(2)]
        first, second = (future.result() for future in futures)
        assert first == second
        np.testing.assert_array_equal(first.losses, second.losses)

    def test_jobs_do_not_disturb_each_other(
        self, executor: Executor, context: WorkerContext, parent: str
    ) -> None:
        """Jobs that are submitted together give the outcomes that each gives alone."""
        growths = (Widen("conv1", 6), Deepen("conv1"), Widen("fc1", 9), Deepen("fc1"))
        jobs = [self.job(parent, name=str(growth), growth=growth) for growth in growths]
        futures = [executor.submit(job) for job in jobs]
        for job, future in zip(jobs, futures, strict=True):
            assert future.result() == job.carry_out(context, lambda *_: False)

    def test_a_first_network_needs_no_parent(
        self, executor: Executor, context: WorkerContext
    ) -> None:
        """The teacher is a job like any other."""
        first = First(ARCHITECTURE, "he_normal")
        outcome = executor.submit(self.job(first, growth=None, arm="continued")).result()
        assert outcome.sha256 is not None
        assert context.networks.get(outcome.sha256).architecture == ARCHITECTURE

    def test_a_network_is_stored_before_its_outcome_comes(
        self, executor: Executor, context: WorkerContext, parent: str
    ) -> None:
        """A stored network verifies; one that is not better than ``keep_above`` is not stored."""
        kept = executor.submit(self.job(parent)).result()
        assert kept.sha256 is not None
        assert context.networks.get(kept.sha256).sha256 == kept.sha256
        assert context.networks.get(kept.sha256).architecture["conv1"].layer.width == 6
        for above in (1.0, kept.final.accuracy):
            assert executor.submit(self.job(parent, keep_above=above)).result().sha256 is None

    def test_outcomes_can_be_pickled(self, executor: Executor, parent: str) -> None:
        """Jobs too: they are plain values, whichever executor carries them out."""
        job = self.job(parent)
        outcome = executor.submit(job).result()
        assert pickle.loads(pickle.dumps(job)) == job
        assert pickle.loads(pickle.dumps(outcome)) == outcome

    def test_a_tuned_control_is_the_best_of_its_rates(
        self, executor: Executor, parent: str
    ) -> None:
        """Every rate is tried, and one that diverges is no obstacle."""
        rates = (0.01, 2.0 * TOO_FAST, 0.02)
        job = self.job(parent, arm="random", learning_rates=rates)
        outcome = executor.submit(job).result()
        accuracies = dict(outcome.tried)
        assert tuple(accuracies) == rates
        assert accuracies[rates[1]] is None
        assert outcome.accuracy == max(a for a in accuracies.values() if a is not None)
        assert accuracies[outcome.learning_rate] == outcome.accuracy

    def test_other_jobs_are_carried_out_too(
        self, executor: Executor, context: WorkerContext, parent: str
    ) -> None:
        """An executor carries out jobs of any class, such as evaluations and measurements."""
        network = context.networks.get(parent)
        evaluated = executor.submit(EvaluationJob("test", parent, "test", DATA)).result()
        assert (
            evaluated.accuracy == context.trainer.evaluate(network, context.images["test"]).accuracy
        )
        assert executor.submit(SpeedJob("speed", parent, PLAN)).result() is None

    # --- points on the way ------------------------------------------------------------------------

    def test_every_point_is_heard(
        self, executor: Executor, heard: list[tuple[str, int]], parent: str
    ) -> None:
        """Points are reported in the order of the curve, and before the outcome."""
        executor.submit(self.job(parent)).result()
        assert heard == [("widened", step) for step in (0, 2, 4)]

    def test_a_true_answer_ends_the_training(
        self, executor: Executor, heard: list[tuple[str, int]], parent: str
    ) -> None:
        """A true result ends the training at that point, and its network is not stored."""
        job = self.job(parent, name="stops", keep_above=-1.0)
        outcome = executor.submit(job).result()
        assert heard == [("stops", 0), ("stops", 2)]
        assert outcome.ended_early
        assert outcome.final.step == 2
        assert outcome.sha256 is None

    # --- what goes wrong --------------------------------------------------------------------------

    def test_a_training_that_cannot_end_is_a_value(self, executor: Executor, parent: str) -> None:
        """A failure that the candidate causes is an outcome with its reason, not an exception."""
        plan = replace(PLAN, learning_rate=2.0 * TOO_FAST)
        outcome: TrialOutcome = executor.submit(self.job(parent, plan=plan)).result()
        assert outcome.failure is not None
        assert outcome.failure.kind == "diverged"
        assert outcome.failure.reason.startswith("the loss became nan")
        assert outcome.accuracy is None
        assert outcome.sha256 is None

    def test_a_fault_is_the_exception_of_the_future(self, executor: Executor) -> None:
        """A missing parent is no candidate's fault; ``submit`` itself does not raise."""
        future = executor.submit(self.job("f" * 64))
        assert isinstance(future.exception(), NetworkFileError)

    def test_a_job_about_other_images_is_refused(self, executor: Executor, parent: str) -> None:
        """A worker that opened other data trains nothing on it."""
        future = executor.submit(self.job(parent, data="1" * 64))
        assert isinstance(future.exception(), RunError)

    def test_an_error_of_the_callback_is_the_exception_of_the_future(
        self, executor: Executor, parent: str
    ) -> None:
        """An exception of the callback is that of the future, and no failure of the candidate."""
        future = executor.submit(self.job(parent, name="breaks"))
        assert isinstance(future.exception(), ZeroDivisionError)

    def test_a_fault_ends_its_own_job_only(self, executor: Executor, parent: str) -> None:
        """The job after a fault has the same outcome as the job before it."""
        before = executor.submit(self.job(parent)).result()
        for fault in (self.job("f" * 64), self.job(parent, name="breaks")):
            assert executor.submit(fault).exception() is not None
            assert executor.submit(self.job(parent)).result() == before

    def test_after_its_shutdown_it_takes_no_job(self, executor: Executor, parent: str) -> None:
        """After ``shutdown``, ``submit`` raises RuntimeError; so after a second ``shutdown``."""
        executor.submit(self.job(parent)).result()
        for wait in (True, False):
            executor.shutdown(wait, cancel_futures=not wait)
            with pytest.raises(RuntimeError):
                executor.submit(self.job(parent))

    def test_it_says_how_many_jobs_run_at_once(self, executor: Executor) -> None:
        """``workers``, the number of jobs that run at once, is at least 1."""
        assert executor.workers >= 1
