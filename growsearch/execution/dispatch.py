"""The dispatch of jobs: sent to the executor, repeated when a worker is lost, limited in time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from growsearch.errors import GrowsearchError, UnavailableError
from growsearch.execution.events import JobEnded, JobLost, NoWorker, OnJobEvent, Training
from growsearch.execution.executor import Executor, NamesWhatLacks, Stops
from growsearch.execution.in_process import InProcessExecutor
from growsearch.execution.time_limit import TimeLimit
from growsearch.training import Point
from growsearch.trials.job import TrialJob
from growsearch.trials.outcome import Failure, TrialOutcome
from growsearch.trials.progress import Direct, JobProgress, ProgressFolder
from growsearch.trials.worker import Crash, Job, WorkerContext, carry_out, warm_up

T = TypeVar("T")

RETRIES = 2  # of a job whose worker was lost
_POLL = 0.25  # seconds between two looks at progress and time limits
_STOP = 10.0  # seconds for a stopped job to end; on a node that is frozen it does not
_START = 600.0  # seconds for a worker to load its libraries and begin
_NO_WORKER = 60.0  # seconds until the caller is told that no worker came


@dataclass
class _Sent:
    """A job in the executor."""

    key: Any
    job: Job[Any]
    phase: str
    future: Future[Any] = field(default_factory=Future)
    sent: float = 0.0  # by time.monotonic, as the next
    began: float | None = None
    worker: str = ""
    told: int = 0  # points of the curve
    losses: int = 0
    is_late: bool = False  # stopped at its time limit
    limit: float = 0.0  # that it was stopped at
    stopped: float = 0.0
    is_warned_of: bool = False
    is_alone: bool = False  # sent again to a worker without earlier jobs


class Dispatcher:
    """Sends jobs to an executor, at most one a worker, and gives their outcomes back.

    The executor's own queue stays empty, so that the order of jobs is the caller's. A job whose
    worker is lost is sent again, at most twice; a job that takes too long is stopped. Of either the
    outcome is a failure in words.

    Parameters
    ----------
    executor : Executor
    context : WorkerContext
    workers : int
        Jobs in the executor at once.
    time_limit : TimeLimit
    on_event : callable
        Called with each of the values of ``growsearch.execution.events``.
    counted : callable
        Given the phases of the jobs that run, return a context: the time of a wait is spent in it.
    on_work : callable
        Called before the first job is sent.
    """

    def __init__(
        self,
        executor: Executor,
        context: WorkerContext,
        *,
        workers: int,
        time_limit: TimeLimit,
        on_event: OnJobEvent,
        counted: Callable[..., AbstractContextManager[None]] = lambda *_: nullcontext(),
        on_work: Callable[[], None] = lambda: None,
    ) -> None:
        self._executor = executor
        self._context = context
        self._time_limit = time_limit
        self._on_event = on_event
        self._counted = counted
        self._on_work: Callable[[], None] | None = on_work
        self._running: dict[str, _Sent] = {}  # by the job's name
        self._done: list[tuple[Any, Any]] = []
        self._heard = 0.0  # when the progress of all jobs was read
        self._display_error: Exception | None = None
        self._given_up: list[Future[Any]] = []  # of jobs that could not be stopped
        self._hung = 0  # workers behind jobs whose futures tell nothing any more
        self._warming: list[Future[None]] = []
        self._warm_until = 0.0
        self.workers = workers
        self.busy_seconds = 0.0
        if isinstance(context.reporter, Direct):
            context.reporter.on_point = self._tell

    @property
    def free(self) -> int:
        """The number of workers without a job; one has its job until the outcome is taken."""
        return self.workers - self._stuck - len(self._running) - len(self._done)

    @property
    def _stuck(self) -> int:
        """The number of workers behind jobs that could not be stopped, and have not ended."""
        return self._hung + sum(not future.done() for future in self._given_up)

    @property
    def is_in_process(self) -> bool:
        """True if jobs run in the driver's own process."""
        return isinstance(self._executor, InProcessExecutor)

    @property
    def is_idle(self) -> bool:
        """True if no job runs and no outcome waits to be taken."""
        return not self._running and not self._done

    def send(self, key: Any, job: Job[Any], phase: str = "") -> None:
        """Send a job; ``finished`` gives its key back, with the outcome.

        With the first, which is the teacher's, the other processes of this machine load what they
        need.

        Raises
        ------
        UnavailableError
            When the executor takes no jobs any more.
        """
        first, self._on_work = self._on_work, None
        if first is not None:
            first()
        sent = _Sent(key, job, phase)
        self._running[job.name] = sent
        self._submit(sent)
        if first is not None and getattr(self._executor, "is_local", False):
            self._warm_until = time.monotonic() + _START
            self._warming = [
                self._executor.submit(warm_up, self._context) for _ in range(self.workers - 1)
            ]

    def finished(self) -> list[tuple[Any, Any]]:
        """Wait until a job is finished; return the key and the outcome of each that is.

        An outcome may be a ``Crash``. Without running jobs the list may be empty.
        """
        while not self._done and self._running:
            self._look()
        done, self._done = self._done, []
        return done

    def execute(self, job: Job[T], phase: str) -> T:
        """Carry out one job and wait for its outcome; others go on meanwhile.

        Raises
        ------
        UnavailableError
            When the worker of a measurement is lost three times, or the executor is broken.
        Exception
            The worker's own, with its traceback as the cause.
        """
        key = object()
        self.send(key, job, phase)
        while not any(found is key for found, _ in self._done):
            self._look()
        place = next(i for i, (found, _) in enumerate(self._done) if found is key)
        outcome = self._done.pop(place)[1]
        if isinstance(outcome, Crash):
            raise outcome.raised()
        return cast(T, outcome)

    @contextmanager
    def working(self, *, shuts_down: bool) -> Iterator[Dispatcher]:
        """Be there for a block; an error that leaves it does not wait for the jobs that run.

        Parameters
        ----------
        shuts_down : bool
            Shut the executor down at the end; a caller's own goes on.
        """
        try:
            yield self
        except BaseException:
            self.cancel()
            if shuts_down:
                self._executor.shutdown(wait=False, cancel_futures=True)
            raise
        if shuts_down:  # nothing runs, and a worker takes seconds to unload its libraries
            self._executor.shutdown(wait=False, cancel_futures=True)

    def cancel(self) -> None:
        """Cancel and stop the jobs that run: their outcomes are not wanted."""
        for sent in self._running.values():
            sent.future.cancel()
            if isinstance(self._executor, Stops):
                with suppress(Exception):
                    self._executor.stop(sent.future)
            self._forget(sent)
        self._running.clear()

    # --- one look ---------------------------------------------------------------------------------

    def _submit(self, sent: _Sent) -> None:
        self._forget(sent)  # what a driver that was killed left there
        sent.sent, sent.began, sent.told = time.monotonic(), None, 0
        try:
            with self._counted(*self._phases()):  # an executor of this process works here
                sent.future = self._executor.submit(carry_out, self._context, sent.job)
        except RuntimeError as error:  # BrokenExecutor is one
            raise UnavailableError(
                f"the executor takes no more jobs ({_in_words(error)}); everything finished is "
                "stored: run the same command again to continue"
            ) from error

    def _phases(self) -> tuple[str, ...]:
        return tuple(sent.phase for sent in self._running.values())

    def _look(self) -> None:
        """Wait a moment for a job to finish; tell progress, and stop what takes too long."""
        waiting = {sent.future for sent in self._running.values()}
        with self._counted(*self._phases()):
            done, _ = wait(waiting, timeout=_POLL, return_when=FIRST_COMPLETED)
        now = time.monotonic()
        is_due = now - self._heard >= _POLL
        self._heard = now if is_due else self._heard
        for sent in list(self._running.values()):
            if is_due or sent.future in done:
                self._hear(sent)
            if self._display_error is not None:
                raise self._display_error
            if sent.future in done:
                self._end(sent)
            elif not sent.is_late:
                self._limit(sent)
            elif time.monotonic() - sent.stopped > _STOP:
                self._give_up(sent)
        if self._warming and time.monotonic() > self._warm_until:
            for future in self._warming:
                if isinstance(self._executor, Stops) and not future.done():
                    self._executor.stop(future)  # its worker hangs, and the next is a new one
            self._warming = []

    def _hear(self, sent: _Sent) -> None:
        """Tell the points that a worker in another process has written since the last look."""
        reporter = self._context.reporter
        if not isinstance(reporter, ProgressFolder):
            sent.began = sent.sent
            return
        found = reporter.read(sent.job.name)
        if found is None:
            return
        if sent.began is None:
            sent.began = time.monotonic()
        sent.worker = found.worker
        for point in found.curve[sent.told :]:
            self._tell(sent.job.name, point)
        sent.told = len(found.curve)

    def _tell(self, name: str, point: Point) -> None:
        sent = self._running.get(name)
        if sent is None:
            return
        job = sent.job
        steps = job.plan.steps if isinstance(job, TrialJob) else point.step
        seconds = time.monotonic() - (sent.began or sent.sent)
        event = Training(name, point.step, steps, point.accuracy, sent.worker, round(seconds, 3))
        try:
            self._on_event(event)
        except Exception as error:  # inside a job of this process, which is not to blame
            self._display_error = error

    def _end(self, sent: _Sent) -> None:
        """Take the outcome of a job, or send it again if its worker was lost."""
        progress = self._forget(sent)
        seconds = time.monotonic() - (sent.began or sent.sent)
        self.busy_seconds += seconds
        try:
            outcome = sent.future.result()
        except Exception as error:  # CancelledError is one
            self._lost(sent, error, progress)
            return
        if not isinstance(outcome, Crash):
            self._time_limit.learn(sent.job, seconds)
        self._take(sent, outcome)

    def _lost(self, sent: _Sent, error: BaseException, progress: JobProgress | None) -> None:
        """Send a job again whose worker was lost; give up after the third loss."""
        if isinstance(error, GrowsearchError):  # the executor cannot work at all
            raise error
        reason = _in_words(error)
        if sent.is_late:
            shown = f"{sent.limit:.0f}" if sent.limit >= 10.0 else f"{sent.limit:g}"
            self._fail(sent, "too long", f"took longer than {shown} s, the time limit")
        elif progress is not None and progress.out_of_memory is not None:
            taken, limit = progress.out_of_memory
            reason = (
                f"took {taken / 1e6:,.0f} MB, over the {limit / 1e6:,.0f} MB that each worker may "
                "take"
            )
            if sent.is_alone:
                advice = "use fewer workers, or limits of the search space such as parameters"
                self._fail(sent, "out of memory", f"{reason}: {advice}")
                return
            sent.is_alone = True  # the memory may be that of the jobs before, in the same process
            self._on_event(JobLost(sent.job.name, reason, 1))
            self._submit(sent)
        elif sent.losses < RETRIES:
            sent.losses += 1
            self._on_event(JobLost(sent.job.name, reason, sent.losses))
            self._submit(sent)
        else:
            self._fail(sent, "lost", f"{reason}, {sent.losses + 1} times")

    def _fail(self, sent: _Sent, kind: Any, reason: str) -> None:
        """Finish a job that no worker could carry out."""
        if not isinstance(sent.job, TrialJob):
            raise UnavailableError(
                f"{sent.job.name}: {reason}; everything finished is stored: run the same command "
                "again to continue"
            )
        self._take(sent, TrialOutcome(failure=Failure(kind, reason)))

    def _take(self, sent: _Sent, outcome: Any) -> None:
        del self._running[sent.job.name]
        self._done.append((sent.key, outcome))
        self._on_event(JobEnded(sent.job.name))

    def _limit(self, sent: _Sent) -> None:
        """Stop a job that takes too long; say so when no worker takes it up."""
        now, limit, executor = time.monotonic(), self._time_limit.of(sent.job), self._executor
        began = sent.sent if sent.began is None else sent.began
        has_begun = sent.began is not None or not isinstance(executor, NamesWhatLacks)
        if not has_begun and now - sent.sent > min(limit, _NO_WORKER):
            lacks = cast(NamesWhatLacks, executor).lacks()
            if lacks is not None:  # no worker has taken it: its time does not count
                if now - sent.sent > _NO_WORKER and not sent.is_warned_of:
                    sent.is_warned_of = True
                    self._on_event(NoWorker(sent.job.name, now - sent.sent, lacks))
                return
        if isinstance(executor, Stops) and sent.began is None:
            if not sent.future.running():
                return  # it waits for a worker that loads its libraries, or ends
            limit = _START if math.isinf(limit) else max(_START, limit)
        if now - began <= limit:
            return
        sent.is_late, sent.limit = True, limit
        if isinstance(executor, Stops):
            sent.stopped = now
            executor.stop(sent.future)
        else:
            self._give_up(sent)

    def _give_up(self, sent: _Sent) -> None:
        """Wait no more for a job that is late; its worker is free if the job ever ends."""
        if not sent.future.cancel():
            self._given_up.append(sent.future)
        elif sent.began is not None:  # Dask says that it cancels a call that runs, and does not
            self._hung += 1
        self._forget(sent)
        self._lost(sent, TimeoutError(), None)
        if self.workers == self._stuck:
            raise UnavailableError(
                "every worker is at a job that took longer than its time limit, and the executor "
                "cannot stop one: end its workers, and run the same command again to continue"
            )

    def _forget(self, sent: _Sent) -> JobProgress | None:
        """Remove the progress of a job; return it."""
        reporter = self._context.reporter
        if not isinstance(reporter, ProgressFolder):
            return None
        progress = reporter.read(sent.job.name)
        reporter.forget(sent.job.name)
        return progress


def _in_words(error: BaseException) -> str:
    """Return an engine's error in one line."""
    text = " ".join(str(error).split())[:300]
    return text or f"its worker was lost ({type(error).__name__})"
