"""The queue that executors share."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from growsearch.execution import calls
from growsearch.execution.calls import Call, QueueingExecutor
from growsearch.execution.executor import WorkerLostError


class SilentExecutor(QueueingExecutor[None]):
    """An executor whose engine tells of no end, as a cluster that is gone."""

    def _start(self, call: Call) -> tuple[None, Future[Any]]:
        del call
        return None, Future()

    def _kill(self, worker: None) -> None:
        pass

    def _freed(self, worker: None, *, lost: bool) -> None:
        pass

    def _result(self, inner: Future[Any]) -> Any:
        return inner.result()

    def _error(self, worker: None, error: BaseException) -> BaseException:
        del worker
        return error

    def _close(self, wait: bool) -> None:
        pass


def test_no_future_outlives_a_shutdown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call whose engine never tells of its end ends with the executor, as a lost one."""
    monkeypatch.setattr(calls, "_KILL_SECONDS", 0.0)
    executor = SilentExecutor(1)
    running, waiting = executor.submit(int), executor.submit(int)
    executor.shutdown(wait=False)
    with pytest.raises(WorkerLostError, match="its executor was shut down"):
        running.result(timeout=0)
    assert waiting.cancelled()
