"""The dispatch of jobs: lost workers, limits in time, broken executors, faults in a worker.

The same faults with real processes are in ``tests/faults``; here each happens when it is asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from growsearch.datasets import Split
from growsearch.errors import NetworkFileError, RunError, UnavailableError
from growsearch.execution import WorkerLostError, dispatch
from growsearch.execution.dispatch import Dispatcher
from growsearch.execution.events import JobEnded, JobLost, NoWorker
from growsearch.execution.time_limit import TimeLimit
from growsearch.networks import Network
from growsearch.networks.store import NetworkStore
from growsearch.study.result import SearchResult
from growsearch.testing.executor_contract import ARCHITECTURE, DATA, ExecutorContract
from growsearch.trials.job import TrialJob
from growsearch.trials.measurements import EvaluationJob
from growsearch.trials.progress import ProgressFolder, Reporter, Silent
from growsearch.trials.worker import WorkerContext, WorkerTracebackError
from tests.fake_trainer import FakeTrainer, outcome
from tests.messages import one_line
from tests.small_search import search, studies
from tests.virtual_executor import VirtualExecutor, virtual

pytestmark = pytest.mark.usefixtures("quick_sqlite", "quick_looks")

DIED = "its worker died (signal 9, as the kernel does when memory runs out)"

Act = Callable[[WorkerContext], Any]  # raises, or returns the future's result; None is no end


class Scripted(Executor):
    """Carries out each call when it is submitted, but for jobs with acts: one for each time."""

    workers = 1
    shares_memory = True

    def __init__(self, workers: int = 1, **acts: Sequence[Act | None]) -> None:
        self.workers = workers
        self.acts = {name.replace("_", " "): [*each] for name, each in acts.items()}
        self.carried_out: list[str] = []

    def submit(self, function: Any, /, *args: Any, **_: Any) -> Future[Any]:
        """Act by the script, or carry out the call."""
        future: Future[Any] = Future()
        context, job = args
        self.carried_out.append(job.name)
        acts = self.acts.get(job.name)
        if not acts:
            future.set_result(function(*args))
            return future
        act = acts.pop(0)
        if act is None:
            future.set_running_or_notify_cancel()  # it hangs
            return future
        try:
            future.set_result(act(context))
        except Exception as error:
            future.set_exception(error)
        return future


class Stoppable(Scripted):
    """Can kill what carries out a call."""

    def __init__(self, *args: Any, **acts: Any) -> None:
        super().__init__(*args, **acts)
        self.stopped = 0

    def stop(self, future: Future[Any]) -> None:
        """End the future with an exception."""
        if not future.done():
            self.stopped += 1
            future.set_exception(WorkerLostError("its worker was stopped"))


class Lacking(Stoppable):
    """Says what its cluster lacks."""

    reason: str | None = "the cluster has 1 GPU, a worker asks for 2"

    def lacks(self) -> str | None:
        """Return the reason."""
        return self.reason


def dies(_: WorkerContext) -> None:
    raise WorkerLostError(DIED)


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_POLL", 0.01)


# --- jobs, without a search -----------------------------------------------------------------------


class Bench:
    """A dispatcher over a store with one network."""

    def __init__(
        self,
        folder: Path,
        executor: Any,
        *,
        limit: float | None = None,
        reporter: Reporter | None = None,
    ) -> None:
        rng = np.random.default_rng(0)
        images = {
            part: Split(rng.random((6, 4, 4, 1), np.float32), np.arange(6) % 3)
            for part in ("train", "selection", "test")
        }
        store = NetworkStore(folder / "weights")
        self.context = WorkerContext(FakeTrainer(), images, store, DATA, reporter or Silent())
        self.parent = store.put(Network.initial(ARCHITECTURE, rng=0))
        self.events: list[Any] = []
        self.dispatcher = Dispatcher(
            executor,
            self.context,
            workers=executor.workers,
            time_limit=TimeLimit(limit),
            on_event=self.events.append,
        )

    def job(self, name: str) -> TrialJob:
        return ExecutorContract.job(self.parent, name=name)

    def alone(self, name: str) -> Any:
        """The outcome of a job that nothing happens to."""
        return self.job(name).carry_out(self.context, lambda _: None)

    def run(self, *names: str) -> dict[str, Any]:
        """The outcomes of jobs that are sent together, by name."""
        for name in names:
            self.dispatcher.send(name, self.job(name))
        found: dict[str, Any] = {}
        while not self.dispatcher.is_idle:
            found |= dict(self.dispatcher.finished())
        return found


def test_a_lost_workers_job_is_sent_again(tmp_path: Path) -> None:
    """At most twice, with the same outcome; each loss is an event, and bystanders go on."""
    executor = Scripted(2, lost=[dies, dies])
    bench = Bench(tmp_path, executor)
    assert bench.run("lost", "other") == {name: bench.alone(name) for name in ("lost", "other")}
    assert executor.carried_out.count("lost") == 3
    assert executor.carried_out.count("other") == 1
    losses = [event for event in bench.events if isinstance(event, JobLost)]
    assert losses == [JobLost("lost", DIED, 1), JobLost("lost", DIED, 2)]
    assert [event.what for event in bench.events if isinstance(event, JobEnded)].count("lost") == 1


def test_a_job_that_is_lost_three_times_fails(tmp_path: Path) -> None:
    """With the reason in words; it is no exception, and bystanders are carried out once."""
    executor = Scripted(3, lost=[dies] * 3)
    bench = Bench(tmp_path, executor)
    found = bench.run("a", "lost", "b")
    assert found["lost"].failure.kind == "lost"
    assert found["lost"].failure.reason == f"{DIED}, 3 times"
    assert found["a"] == bench.alone("a")
    assert sorted(executor.carried_out) == ["a", "b", *["lost"] * 3]


def test_an_engines_error_without_a_text_is_named(tmp_path: Path) -> None:
    """Also one of several lines is one line."""

    def fails(_: WorkerContext) -> None:
        raise BrokenExecutor

    def speaks(_: WorkerContext) -> None:
        raise RuntimeError("the node\nis gone")

    bench = Bench(tmp_path, Scripted(lost=[fails, speaks]))
    bench.run("lost")
    reasons = [event.reason for event in bench.events if isinstance(event, JobLost)]
    assert reasons == ["its worker was lost (BrokenExecutor)", "the node is gone"]


def test_a_measurement_that_is_lost_three_times_ends_the_session(tmp_path: Path) -> None:
    """It belongs to no trial: one line, and the same command goes on."""
    bench = Bench(tmp_path, Scripted(an_evaluation=[dies] * 3))
    job = EvaluationJob("an evaluation", bench.parent, "test", DATA)
    with pytest.raises(
        UnavailableError, match=r"^an evaluation: its worker died .*, 3 times"
    ) as it:
        bench.dispatcher.execute(job, "")
    assert "run the same command again" in one_line(it)


def test_while_one_job_is_waited_for_others_end(tmp_path: Path) -> None:
    """Their outcomes wait to be taken, and their workers count as busy until then."""
    bench = Bench(tmp_path, Scripted(3))
    bench.dispatcher.send("other", bench.job("other"))
    found = bench.dispatcher.execute(bench.job("waited for"), "")
    assert found == bench.alone("waited for")
    assert not bench.dispatcher.is_idle
    assert bench.dispatcher.free == 2
    assert bench.dispatcher.finished() == [("other", bench.alone("other"))]
    assert bench.dispatcher.free == 3


# --- limits in time -------------------------------------------------------------------------------


def test_a_hanging_job_is_stopped_at_its_time_limit(tmp_path: Path) -> None:
    """It fails with the reason, is not sent again, and leaves its worker free."""
    executor = Stoppable(2, hangs=[None])
    bench = Bench(tmp_path, executor, limit=0.1)
    began = time.monotonic()
    found = bench.run("hangs", "other")
    assert 0.1 <= time.monotonic() - began < 5.0
    assert found["hangs"].failure.kind == "too long"
    assert found["hangs"].failure.reason == "took longer than 0.1 s, the time limit"
    assert found["other"] == bench.alone("other")
    assert executor.stopped == 1
    assert executor.carried_out.count("hangs") == 1
    assert bench.dispatcher.free == 2


def test_what_cannot_be_stopped_is_given_up_with_its_worker(tmp_path: Path) -> None:
    """The others go on with one worker less; without a worker the session ends in one line."""
    executor = Scripted(2, hangs=[None], too=[None])
    bench = Bench(tmp_path, executor, limit=0.1)
    found = bench.run("hangs", "other")
    assert found["hangs"].failure.kind == "too long"
    assert found["other"] == bench.alone("other")
    assert bench.dispatcher.free == 1
    with pytest.raises(UnavailableError, match="every worker is at a job that took longer") as it:
        bench.run("too")
    one_line(it)


def test_a_job_that_has_begun_is_not_cancelled(tmp_path: Path) -> None:
    """Dask's futures are never marked as running, and each says that it was cancelled."""

    class Like(Scripted):
        def submit(self, function: Any, /, *args: Any, **options: Any) -> Future[Any]:
            if args[1].name != "hangs":
                return super().submit(function, *args, **options)
            with args[0].reporter.reporting("hangs"):
                return Future()

    reporter = ProgressFolder(tmp_path / "running")
    bench = Bench(tmp_path, Like(2), limit=0.1, reporter=reporter)
    assert bench.run("hangs", "other")["hangs"].failure.kind == "too long"
    assert bench.dispatcher.free == 1


def test_without_a_worker_no_time_is_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One event says what is lacking, after a while; the job ends when a worker comes."""
    monkeypatch.setattr(dispatch, "_NO_WORKER", 0.1)
    executor = Lacking(waits=[None])
    reporter = ProgressFolder(tmp_path / "running")
    bench = Bench(tmp_path, executor, limit=0.05, reporter=reporter)
    bench.dispatcher.send("waits", bench.job("waits"))
    (sent,) = bench.dispatcher._running.values()
    until = time.monotonic() + 0.4
    while time.monotonic() < until:
        bench.dispatcher._look()
    warnings = [event for event in bench.events if isinstance(event, NoWorker)]
    assert [event.lacks for event in warnings] == [Lacking.reason]
    assert 0.1 <= warnings[0].seconds < 0.4
    assert executor.stopped == 0
    with reporter.reporting("waits"):  # a worker has come
        sent.future.set_result(bench.alone("waits"))
    assert bench.dispatcher.finished() == [("waits", bench.alone("waits"))]


@pytest.mark.parametrize("begins", [False, True])
def test_what_a_frozen_worker_holds_is_stopped(tmp_path: Path, begins: bool) -> None:
    """The limit counts if the cluster lacks nothing, whether or not the job has begun."""
    executor = Lacking(hangs=[None])
    executor.reason = None
    reporter = ProgressFolder(tmp_path / "running")
    bench = Bench(tmp_path, executor, limit=0.1, reporter=reporter)
    bench.dispatcher.send("hangs", bench.job("hangs"))
    if begins:
        with reporter.reporting("hangs"):
            pass
    ((_, found),) = bench.dispatcher.finished()
    assert found.failure.kind == "too long"
    assert executor.stopped == 1


# --- progress and last words ----------------------------------------------------------------------


def test_last_words_about_memory_are_the_reason(tmp_path: Path) -> None:
    """The job would take as much again: it is not sent again. Both figures are said."""

    def grows(context: WorkerContext) -> None:
        with context.reporter.reporting("grows"):
            context.reporter.out_of_memory("grows", 3_400_000_000, 2_000_000_000)
        raise WorkerLostError("its worker ended (status 77)")

    executor = Scripted(grows=[grows])
    bench = Bench(tmp_path, executor, reporter=ProgressFolder(tmp_path / "running"))
    failure = bench.run("grows")["grows"].failure
    assert failure.kind == "out of memory"
    assert failure.reason.startswith("took 3.4 GB, over the 2.0 GB that each worker may take")
    assert executor.carried_out == ["grows"]
    assert not any((tmp_path / "running").iterdir())


def test_the_progress_of_a_killed_session_is_not_a_jobs_own(tmp_path: Path) -> None:
    """A file that a killed driver left behind is neither a beginning nor last words."""
    reporter = ProgressFolder(tmp_path / "running")
    with reporter.reporting("lost"):
        reporter.out_of_memory("lost", 2, 1)
    bench = Bench(tmp_path, Scripted(lost=[dies]), reporter=reporter)
    assert bench.run("lost") == {"lost": bench.alone("lost")}


# --- executors that are broken, faults in a worker ------------------------------------------------


def test_a_broken_executor_is_one_line(tmp_path: Path) -> None:
    """When a job is sent, and when it is sent again."""

    class Broken(Scripted):
        def submit(self, function: Any, /, *args: Any, **options: Any) -> Future[Any]:
            if self.carried_out:
                raise BrokenExecutor("a child process\nterminated abruptly")
            return super().submit(function, *args, **options)

    bench = Bench(tmp_path, Broken(lost=[dies]))
    with pytest.raises(UnavailableError, match="a child process terminated abruptly") as it:
        bench.run("lost")
    assert "run the same command again" in one_line(it)
    with pytest.raises(UnavailableError):
        bench.dispatcher.execute(bench.job("next"), "")


class Raises(FakeTrainer):
    """Raises an error in one training; the teacher's is 0, then each candidate's."""

    def __init__(self, error: Exception, training: int) -> None:
        super().__init__()
        self.error, self.training, self.begun = error, training, -1

    def train(self, *args: Any, **options: Any) -> Any:
        """Raise the error in its turn."""
        self.begun += 1
        if self.begun == self.training:
            raise self.error
        return super().train(*args, **options)


def run(folder: Path, executor: Any = None, **options: Any) -> SearchResult:
    return search(folder, "controls.arms=[]", trials=4, executor=executor, **options)


def states(folder: Path) -> list[str]:
    return [trial.state.name for trial in studies(folder)[0].trials]


def test_a_search_outlives_a_candidate_that_kills_its_workers(tmp_path: Path) -> None:
    """Its trial fails with the reason, once and for all; the others are trained."""
    executor = Scripted(trial_1=[dies] * 3)
    result = run(tmp_path, executor)
    assert [trial.state for trial in result.trials] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert result.trials[1].reason == f"{DIED}, 3 times"
    again = run(tmp_path, Scripted())
    assert outcome(again) == outcome(result)


def test_a_bug_fails_its_trial_and_ends_the_session(tmp_path: Path) -> None:
    """With the worker's traceback as the cause; the next session goes on with the next trial."""
    with (
        pytest.raises(ZeroDivisionError, match="a bug") as caught,
        virtual(VirtualExecutor(pickled=True)) as executor,
    ):
        run(tmp_path, executor, trainer=Raises(ZeroDivisionError("a bug"), 2))
    assert isinstance(caught.value.__cause__, WorkerTracebackError)
    assert "in train\n" in str(caught.value.__cause__)
    assert states(tmp_path) == ["COMPLETE", "FAIL"]
    result = run(tmp_path)
    assert result.trials[1].reason == "ZeroDivisionError: a bug"
    assert len(result.trials) == 4


@pytest.mark.parametrize("error", [OSError("the disk is gone"), NetworkFileError("damaged")])
def test_a_fault_of_the_machine_leaves_its_trial_pending(tmp_path: Path, error: Exception) -> None:
    """The session ends; the next one is as if nothing had been."""
    expected = outcome(run(tmp_path / "undisturbed"))
    with pytest.raises(type(error), match=str(error)):
        run(tmp_path / "run", trainer=Raises(error, 2))
    assert states(tmp_path / "run") == ["COMPLETE", "RUNNING"]
    assert outcome(run(tmp_path / "run")) == expected


def test_an_executor_that_breaks_leaves_trials_pending(tmp_path: Path) -> None:
    """The next session sends them again, with another executor."""

    class Breaks(Scripted):
        def submit(self, function: Any, /, *args: Any, **options: Any) -> Future[Any]:
            if len(self.carried_out) == 3:
                raise RuntimeError("cannot schedule new futures after shutdown")
            return super().submit(function, *args, **options)

    expected = outcome(run(tmp_path / "undisturbed"))
    with pytest.raises(RunError, match="takes no more jobs"):
        run(tmp_path / "run", Breaks())
    assert "RUNNING" in states(tmp_path / "run")
    assert outcome(run(tmp_path / "run")) == expected
