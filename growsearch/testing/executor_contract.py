"""The contract of executors: subclass ``ExecutorContract`` and give it an executor.

.. code-block:: python

    class TestMyExecutor(ProcessExecutorContract):
        @staticmethod
        def make_executor():
            return MyExecutor()

``ExecutorContract`` has the laws of every executor, ``ProcessExecutorContract`` those of executors
whose workers are other processes, and ``StoppingExecutorContract`` those of executors that can kill
a call as well.
"""

from __future__ import annotations

import operator
import os
import pickle
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from growsearch.datasets import Split, StoredImages
from growsearch.errors import NetworkFileError, RunError
from growsearch.execution import Executor, Stops
from growsearch.growth import Deepen, Widen
from growsearch.networks import Architecture, Network
from growsearch.networks.store import NetworkStore
from growsearch.testing.drifting_trainer import TOO_FAST, DriftingTrainer
from growsearch.training import TrainingPlan
from growsearch.trials.arms import ARMS
from growsearch.trials.cutoffs import Cutoffs
from growsearch.trials.job import ALWAYS, First, TrialJob
from growsearch.trials.measurements import EvaluationJob, SpeedJob
from growsearch.trials.outcome import TrialOutcome
from growsearch.trials.progress import ProgressFolder
from growsearch.trials.worker import Crash, Job, WorkerContext, carry_out

DATA = "0" * 64  # the fingerprint of the contract's images
PLAN = TrainingPlan(4, batch_size=2, learning_rate=0.01, evaluate_every=2)
ARCHITECTURE = Architecture.parse("3x3x4(conv1)-pool1-6(fc1)-3(fc2)", (4, 4, 1))
SECONDS = 60.0  # for what takes less than a second, on a busy machine
JOB_BYTES = 60_000  # less than what a pipe takes; a job has under 2,000

Submit = Callable[[Job[Any]], Any]


class ExecutorContract:
    """The laws of every executor, as tests; a subclass names the executor."""

    @staticmethod
    def make_executor() -> Executor:
        """Return the executor to test, new or at least not shut down."""
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
        stored = StoredImages.write(tmp_path / "data", images)
        networks, progress = NetworkStore(tmp_path / "weights"), ProgressFolder(tmp_path / "jobs")
        return WorkerContext(DriftingTrainer(), stored, networks, DATA, progress)

    @pytest.fixture
    def executor(self) -> Iterator[Executor]:
        """Yield the executor to test; a subclass may share one among tests.

        Tests that end their executor make one of their own.
        """
        executor = self.make_executor()
        yield executor
        executor.shutdown()

    @pytest.fixture
    def carried_out(self, executor: Executor, context: WorkerContext) -> Submit:
        """Return a function that carries out a job by the executor, and returns its outcome."""
        return lambda job: executor.submit(carry_out, context, job).result(SECONDS)

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

    # --- calls ------------------------------------------------------------------------------------

    def test_a_result_is_that_of_the_function(self, executor: Executor) -> None:
        """Many calls give each its own result, in whatever order they end."""
        futures = [executor.submit(operator.mul, number, number) for number in range(20)]
        assert [future.result(SECONDS) for future in futures] == [n * n for n in range(20)]

    def test_an_exception_is_that_of_the_future(self, executor: Executor) -> None:
        """``submit`` does not raise what the function raises, and the next call runs."""
        future = executor.submit(operator.truediv, 1, 0)
        assert isinstance(future.exception(SECONDS), ZeroDivisionError)
        assert executor.submit(operator.truediv, 1, 2).result(SECONDS) == 0.5

    def test_after_its_shutdown_it_takes_no_call(self) -> None:
        """After ``shutdown``, ``submit`` raises RuntimeError; so after a second ``shutdown``."""
        executor = self.make_executor()
        executor.submit(operator.not_, 0).result(SECONDS)
        for waits in (True, False):
            executor.shutdown(waits)
            with pytest.raises(RuntimeError):
                executor.submit(operator.not_, 0)

    # --- outcomes of jobs -------------------------------------------------------------------------

    @pytest.mark.parametrize("arm", ARMS)
    def test_an_outcome_is_that_of_the_job_itself(
        self, carried_out: Submit, context: WorkerContext, parent: str, arm: str
    ) -> None:
        """The place of a job changes nothing: curve, network and FLOPs follow from its values."""
        job = self.job(parent, arm=arm)
        outcome = carried_out(job)
        assert outcome == job.carry_out(context, lambda _: None)
        assert outcome.failure is None
        assert [point.step for point in outcome.curve] == [0, 2, 4]

    def test_a_job_twice_is_one_outcome(
        self, executor: Executor, context: WorkerContext, parent: str
    ) -> None:
        """A job is a pure function of its values: a lost worker's job may be sent again."""
        futures = [executor.submit(carry_out, context, self.job(parent)) for _ in range(2)]
        first, second = (outcome_of(future.result(SECONDS)) for future in futures)
        assert first == second
        np.testing.assert_array_equal(first.losses, second.losses)

    def test_jobs_do_not_disturb_each_other(
        self, executor: Executor, context: WorkerContext, parent: str
    ) -> None:
        """Jobs that are submitted together give the outcomes that each gives alone."""
        growths = (Widen("conv1", 6), Deepen("conv1"), Widen("fc1", 9), Deepen("fc1"))
        jobs = [self.job(parent, name=str(growth), growth=growth) for growth in growths]
        futures = [executor.submit(carry_out, context, job) for job in jobs]
        for job, future in zip(jobs, futures, strict=True):
            assert future.result(SECONDS) == job.carry_out(context, lambda _: None)

    def test_a_first_network_needs_no_parent(
        self, carried_out: Submit, context: WorkerContext
    ) -> None:
        """The teacher is a job like any other."""
        first = First(ARCHITECTURE, "he_normal")
        outcome = carried_out(self.job(first, growth=None, arm="continued"))
        assert outcome.sha256 is not None
        assert context.networks.get(outcome.sha256).architecture == ARCHITECTURE

    def test_a_network_is_stored_before_its_outcome_comes(
        self, carried_out: Submit, context: WorkerContext, parent: str
    ) -> None:
        """A stored network verifies; one that is not better than ``keep_above`` is not stored."""
        kept = carried_out(self.job(parent))
        assert kept.sha256 is not None
        assert context.networks.get(kept.sha256).sha256 == kept.sha256
        assert context.networks.get(kept.sha256).architecture["conv1"].layer.width == 6
        for above in (1.0, kept.final.accuracy):
            assert carried_out(self.job(parent, keep_above=above)).sha256 is None

    def test_outcomes_can_be_pickled(self, carried_out: Submit, parent: str) -> None:
        """Jobs too: they are plain values, whichever executor carries them out."""
        job = self.job(parent)
        outcome = carried_out(job)
        assert pickle.loads(pickle.dumps(job)) == job
        assert pickle.loads(pickle.dumps(outcome)) == outcome

    def test_a_tuned_control_is_the_best_of_its_rates(
        self, carried_out: Submit, parent: str
    ) -> None:
        """Every rate is tried, and one that diverges is no obstacle."""
        rates = (0.01, 2.0 * TOO_FAST, 0.02)
        job = self.job(parent, arm="random", learning_rates=rates)
        outcome = carried_out(job)
        accuracies = dict(outcome.tried)
        assert tuple(accuracies) == rates
        assert accuracies[rates[1]] is None
        assert outcome.accuracy == max(a for a in accuracies.values() if a is not None)
        assert accuracies[outcome.learning_rate] == outcome.accuracy

    def test_other_jobs_are_carried_out_too(
        self, carried_out: Submit, context: WorkerContext, parent: str
    ) -> None:
        """An executor carries out jobs of any class, such as evaluations and measurements."""
        network = context.networks.get(parent)
        evaluated = carried_out(EvaluationJob("test", parent, "test", DATA))
        assert (
            evaluated.accuracy == context.trainer.evaluate(network, context.images["test"]).accuracy
        )
        assert carried_out(SpeedJob("speed", parent, PLAN)) is None

    # --- what goes wrong --------------------------------------------------------------------------

    def test_a_training_that_cannot_end_is_a_value(self, carried_out: Submit, parent: str) -> None:
        """A failure that the candidate causes is an outcome with its reason, not an exception."""
        plan = replace(PLAN, learning_rate=2.0 * TOO_FAST)
        outcome: TrialOutcome = carried_out(self.job(parent, plan=plan))
        assert outcome.failure is not None
        assert outcome.failure.kind == "diverged"
        assert outcome.failure.reason.startswith("the loss became nan")
        assert outcome.accuracy is None
        assert outcome.sha256 is None

    def test_a_fault_is_a_value(self, carried_out: Submit) -> None:
        """A missing parent is no candidate's fault: it comes back with the worker's traceback."""
        crash = carried_out(self.job("f" * 64))
        assert isinstance(crash, Crash)
        assert isinstance(crash.error, NetworkFileError)
        assert "carry_out" in crash.traceback

    def test_a_job_about_other_images_is_refused(self, carried_out: Submit, parent: str) -> None:
        """A worker that opened other data trains nothing on it."""
        crash = carried_out(self.job(parent, data="1" * 64))
        assert isinstance(crash, Crash)
        assert isinstance(crash.error, RunError)

    def test_a_fault_ends_its_own_job_only(self, carried_out: Submit, parent: str) -> None:
        """The job after a fault has the same outcome as the job before it."""
        before = carried_out(self.job(parent))
        assert isinstance(carried_out(self.job("f" * 64)), Crash)
        assert carried_out(self.job(parent)) == before

    # --- points on the way ------------------------------------------------------------------------

    def test_every_point_is_told(
        self, carried_out: Submit, context: WorkerContext, parent: str
    ) -> None:
        """Points are in the job's file in the order of the curve, before the outcome comes."""
        outcome = carried_out(self.job(parent))
        assert isinstance(context.reporter, ProgressFolder)
        told = context.reporter.read("widened")
        assert told is not None
        assert told.curve == outcome.curve

    def test_a_cutoff_ends_a_training(self, carried_out: Submit, parent: str) -> None:
        """A training ends at the first point below its cutoffs, and is not stored."""
        cutoffs = Cutoffs(1.0, rungs=((2, 1.0),))
        outcome = carried_out(self.job(parent, keep_above=ALWAYS, cutoffs=cutoffs))
        assert outcome.ended_early
        assert outcome.final.step == 2
        assert outcome.sha256 is None


class ProcessExecutorContract(ExecutorContract):
    """The laws of executors whose workers are other processes, which may die.

    Attributes
    ----------
    loses_bystanders : bool
        The death of a worker takes the calls beside it along, and the executor: another is made.
    repeats : bool
        The executor carries out a call again by itself whose worker died.
    owns_workers : bool
        Its workers end with ``shutdown``; False for a cluster that others use too.
    """

    loses_bystanders = False
    repeats = False
    owns_workers = True

    def test_calls_run_in_other_processes(self, executor: Executor) -> None:
        """The driver's process carries out nothing."""
        assert executor.submit(os.getpid).result(SECONDS) != os.getpid()

    def test_a_worker_that_dies_is_an_exception_of_its_future(self, tmp_path: Path) -> None:
        """A call beside it goes on, the call is not repeated, and the next call runs."""
        executor = self.make_executor()
        bystander = executor.submit(sleeping, 1.0, tmp_path / "bystander")
        assert appears(tmp_path / "bystander")
        victim = executor.submit(dying, tmp_path / "victim")
        assert victim.exception(SECONDS) is not None
        times = len((tmp_path / "victim").read_text())
        assert times > 1 if self.repeats else times == 1
        if self.loses_bystanders:
            assert bystander in wait([bystander], SECONDS).done
            executor = self.make_executor()
        else:
            assert bystander.result(SECONDS) == "slept"
        assert next_result(executor) == 42
        executor.shutdown()

    def test_submit_never_blocks(self, executor: Executor, tmp_path: Path) -> None:
        """Calls with the arguments of a job wait in the executor while its workers are busy."""
        busy = [
            executor.submit(sleeping, 1.0, tmp_path / str(n)) for n in range(workers_of(executor))
        ]
        began = time.perf_counter()
        waiting = [executor.submit(len, bytes(JOB_BYTES)) for _ in range(20)]
        assert time.perf_counter() - began < 0.9
        assert {future.result(SECONDS) for future in waiting} == {JOB_BYTES}
        assert {future.result(SECONDS) for future in busy} == {"slept"}

    def test_a_shutdown_ends_its_own_workers(self) -> None:
        """No process is left of an executor with workers of its own; a cluster is left as it is."""
        before = children()
        executor = self.make_executor()
        pid = executor.submit(os.getpid).result(SECONDS)
        executor.shutdown()
        if self.owns_workers:
            until = time.monotonic() + SECONDS
            while children() - before and time.monotonic() < until:
                time.sleep(0.02)
            assert children() - before == set()
        else:
            assert psutil.pid_exists(pid)
            again = self.make_executor()
            assert next_result(again) == 42
            again.shutdown()


class StoppingExecutorContract(ProcessExecutorContract):
    """The laws of executors that can kill what carries out a call."""

    def test_a_hanging_call_is_stopped(self, executor: Executor, tmp_path: Path) -> None:
        """Its future ends with an exception, calls beside it go on, and the next call runs."""
        assert isinstance(executor, Stops)
        bystander = executor.submit(sleeping, 2.0, tmp_path / "bystander")
        hanging = executor.submit(sleeping, 1000.0, tmp_path / "hanging")
        assert appears(tmp_path / "bystander")
        assert appears(tmp_path / "hanging")
        executor.stop(hanging)
        assert hanging.exception(SECONDS) is not None
        assert bystander.result(SECONDS) == "slept"
        assert next_result(executor) == 42

    def test_a_call_that_ended_cannot_be_stopped(self, executor: Executor) -> None:
        """Its result stays, and no other call is touched."""
        assert isinstance(executor, Stops)
        future = executor.submit(operator.mul, 6, 7)
        assert future.result(SECONDS) == 42
        executor.stop(future)
        assert future.result(SECONDS) == 42
        assert next_result(executor) == 42


def sleeping(seconds: float, begun: Path) -> str:
    """Sleep for some seconds, having created a file."""
    begun.touch()
    time.sleep(seconds)
    return "slept"


def dying(path: Path) -> None:
    """Append to a file and die, as by the kernel."""
    with path.open("a") as file:
        file.write("x")
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def appears(path: Path) -> bool:
    """Wait for a file; False when it does not come."""
    until = time.monotonic() + SECONDS
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.01)
    return path.exists()


def next_result(executor: Executor) -> int:
    """Return the result of a call after a worker's death."""
    return executor.submit(int, "42").result(SECONDS)


def workers_of(executor: Executor) -> int:
    """Return how many calls run at once."""
    return int(getattr(executor, "workers", None) or getattr(executor, "_max_workers", None) or 2)


def children() -> set[int]:
    """Return the processes below this one, but for multiprocessing's own that counts semaphores."""
    found = set()
    for child in psutil.Process().children(recursive=True):
        try:
            is_worker = "resource_tracker" not in " ".join(child.cmdline())
            if is_worker and child.status() != psutil.STATUS_ZOMBIE:
                found.add(child.pid)
        except psutil.NoSuchProcess:
            pass
    return found


def outcome_of(outcome: TrialOutcome | Crash) -> TrialOutcome:
    """Return a job's outcome; raise the error of a crash."""
    if isinstance(outcome, Crash):
        raise outcome.raised()
    return outcome
