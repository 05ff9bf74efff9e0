"""The executor of this machine: processes that die, that hang, and that end with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path

import psutil
import pytest

from growsearch import machine
from growsearch.errors import InvalidInputError, UnavailableError
from growsearch.execution.executor import Stops, WorkerLostError
from growsearch.execution.local import LocalExecutor, Slot, worker_environments
from tests.command_line import ROOT
from tests.execution import work

SECONDS = 60  # for what takes less than one


@pytest.fixture
def executor() -> Iterator[LocalExecutor]:
    executor = LocalExecutor(2)
    yield executor
    executor.shutdown(wait=False)


def reason(future: futures.Future[object]) -> str:
    """The text of a lost worker."""
    error = future.exception(SECONDS)
    assert isinstance(error, WorkerLostError)
    return str(error)


# --- workers that die -----------------------------------------------------------------------------


def test_a_killed_worker_costs_its_own_call_only(executor: LocalExecutor, tmp_path: Path) -> None:
    """The call beside it goes on, and the next call has a new process."""
    bystander = executor.submit(work.nap, 1.0, tmp_path / "bystander")
    victim = executor.submit(work.nap, 100.0, tmp_path / "victim")
    beside, killed = work.pid_in(tmp_path / "bystander"), work.pid_in(tmp_path / "victim")
    os.kill(killed, signal.SIGKILL)
    began = time.perf_counter()
    assert reason(victim) == "its worker died (signal 9, as the kernel does when memory runs out)"
    assert time.perf_counter() - began < 1.0
    assert executor.submit(os.getpid).result(SECONDS) not in {beside, killed}
    assert bystander.result(SECONDS) == beside


@pytest.mark.parametrize(
    ("function", "arguments", "how"),
    [
        (work.segfault, (), "signal 11, a segmentation fault"),
        (work.end, (3,), "exit status 3"),
        (work.end, (0,), "exit status 0"),
        (signal.raise_signal, (signal.SIGTERM,), "signal 15, SIGTERM"),
    ],
)
def test_the_reason_says_how_the_worker_died(
    executor: LocalExecutor, function: object, arguments: tuple[int, ...], how: str
) -> None:
    """Signals and exit statuses are named, each in words."""
    assert reason(executor.submit(function, *arguments)) == f"its worker died ({how})"
    assert executor.submit(int, "7").result(SECONDS) == 7


def test_a_worker_that_dies_between_calls_is_replaced(executor: LocalExecutor) -> None:
    """An idle worker that was killed costs no call: the next call has a new one."""
    for _ in range(3):
        pid = executor.submit(os.getpid).result(SECONDS)
        os.kill(pid, signal.SIGKILL)
        while psutil.pid_exists(pid):  # all its threads, and seen dead
            time.sleep(0.01)
        assert executor.submit(os.getpid).result(SECONDS) != pid


@pytest.mark.skipif(sys.platform != "linux", reason="sees what was read in /proc")
def test_a_result_that_is_cut_off_is_a_lost_worker(executor: LocalExecutor) -> None:
    """A worker that is killed while its result is written does not leave its parent waiting."""
    future = executor.submit(work.cut_off, 300_000_000)
    assert "signal 9" in reason(future)
    assert executor.submit(int, "7").result(SECONDS) == 7


def test_a_hanging_call_is_stopped(executor: LocalExecutor, tmp_path: Path) -> None:
    """``stop`` ends a call in C that ignores signals; the calls that wait go on."""
    assert isinstance(executor, Stops)
    bystander = executor.submit(work.nap, 1.5)
    hanging = executor.submit(work.hang, tmp_path / "hanging")
    waiting, dropped = executor.submit(int, "7"), executor.submit(int, "8")
    pid = work.pid_in(tmp_path / "hanging")
    executor.stop(dropped)
    assert dropped.cancelled()
    executor.stop(hanging)
    assert reason(hanging) == "its worker was stopped"
    assert work.all_end({pid}, SECONDS)
    assert waiting.result(SECONDS) == 7
    assert isinstance(bystander.result(SECONDS), int)
    executor.stop(bystander)  # has ended
    assert executor.submit(int, "9").result(SECONDS) == 9


# --- errors that are no deaths --------------------------------------------------------------------


def test_what_cannot_travel_is_an_error_of_its_call(executor: LocalExecutor) -> None:
    """Arguments, results and errors that cannot be pickled cost no worker."""
    pid = executor.submit(os.getpid).result(SECONDS)
    for function, arguments in (
        (work.nap, (lambda: None,)),
        (work.unpicklable, ()),
        (work.raise_unreadable, ()),
    ):
        error = executor.submit(function, *arguments).exception(SECONDS)
        assert error is not None
        assert not isinstance(error, WorkerLostError)
    assert "UnreadableError: 1: text" in str(error)
    assert executor.submit(os.getpid).result(SECONDS) == pid


@pytest.mark.parametrize("workers", [0, -1, 1.5, "2"])
def test_a_number_of_workers_is_at_least_1(workers: object) -> None:
    """Another number is refused in one line."""
    with pytest.raises(InvalidInputError, match="workers: expected a whole number of at least 1"):
        LocalExecutor(workers)  # type: ignore[arg-type]


# --- order, start and end -------------------------------------------------------------------------


def test_calls_wait_for_a_free_worker(executor: LocalExecutor) -> None:
    """More calls than workers start in their order; one that waits can be cancelled."""
    begun = [executor.submit(work.nap, 0.2) for _ in range(5)]
    assert begun[-1].cancel()
    assert len({future.result(SECONDS) for future in begun[:-1]}) == 2


def test_the_last_worker_that_was_freed_is_taken_first(executor: LocalExecutor) -> None:
    """One call after the other has one process: a control finds the graph of its candidate."""
    before = work.children()
    pids = {executor.submit(os.getpid).result(SECONDS) for _ in range(10)}
    assert len(pids) == 1
    assert work.children() - before == pids  # the other worker's process has not been started


def test_a_worker_that_was_begun_gets_the_first_call(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    """Its process is there before, and what it was begun with is over before the call."""
    before = work.children()
    executor.begin(work.nap, 0.5, tmp_path / "begun")
    assert len(started := work.children() - before) == 1
    assert {executor.submit(os.getpid).result(SECONDS)} == started
    assert work.pid_in(tmp_path / "begun") in started


@pytest.mark.parametrize("function", [work.segfault, os.close])
def test_what_goes_wrong_in_a_beginning_costs_no_call(
    executor: LocalExecutor, function: Callable[[], None]
) -> None:
    """A process that died is replaced; an error is dropped."""
    executor.begin(function)
    time.sleep(1.0)
    assert executor.submit(abs, -1).result(SECONDS) == 1


def test_a_worker_that_was_only_begun_ends_with_its_executor(tmp_path: Path) -> None:
    """At once, in the middle of what it was begun with."""
    before = work.children()
    executor = LocalExecutor(2)
    executor.begin(work.nap, 100.0, tmp_path / "begun")
    work.pid_in(tmp_path / "begun")
    executor.shutdown(wait=False)
    assert work.children() - before == set()


def test_a_shutdown_that_waits_carries_out_what_waits() -> None:
    """Calls that were submitted are carried out; then no process is left."""
    before = work.children()
    executor = LocalExecutor(1)
    submitted = [executor.submit(work.nap, 0.1) for _ in range(3)]
    executor.shutdown()
    assert len({future.result(0) for future in submitted}) == 1
    assert work.children() - before == set()
    with pytest.raises(RuntimeError):
        executor.submit(int)


def test_a_shutdown_that_does_not_wait_leaves_nothing(tmp_path: Path) -> None:
    """Workers are killed at once, and what waits is cancelled."""
    before = work.children()
    executor = LocalExecutor(2)
    hanging = [executor.submit(work.hang, tmp_path / str(number)) for number in range(2)]
    waiting = executor.submit(int)
    pids = {work.pid_in(tmp_path / str(number)) for number in range(2)}
    began = time.perf_counter()
    executor.shutdown(wait=False)
    assert time.perf_counter() - began < 2.0
    assert not any(map(work.is_alive, pids))
    assert work.children() - before == set()
    assert {reason(future) for future in hanging} == {"its executor was shut down"}
    assert waiting.cancelled()


def test_a_process_that_cannot_start_is_the_error_of_its_call(
    executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Python that is not there costs the call; the next call is carried out."""
    with monkeypatch.context() as patch:
        patch.setattr("multiprocessing.spawn._python_exe", b"/nowhere/python")
        error = executor.submit(int).exception(SECONDS)
    assert error is not None
    assert executor.submit(int, "7").result(SECONDS) == 7


def test_where_no_worker_can_be_started_no_call_is_at_fault(
    executor: LocalExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver ends for now, instead of failing one trial after another."""

    def none_left(*_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(Slot, "submit", none_left)
    error = executor.submit(int).exception(SECONDS)
    assert isinstance(error, UnavailableError)
    assert "no worker can be started" in str(error)


# --- signals, and the end of the parent -----------------------------------------------------------

PARENT = """
import sys, time
from pathlib import Path
from growsearch.execution.local import LocalExecutor
from tests.execution import work

if __name__ == "__main__":
    executor = LocalExecutor(2)
    files = [Path(sys.argv[1], name) for name in "12"]
    calls = [executor.submit(work.{function}, *{arguments}, file) for file in files]
    try:
        time.sleep(100)
    except KeyboardInterrupt:
        print(*(call.result() for call in calls))
"""


def parent(
    tmp_path: Path, function: str, *arguments: float
) -> tuple[subprocess.Popen[str], set[int]]:
    """A process of its own group with two workers in the middle of a call, and their ids."""
    code = PARENT.format(function=function, arguments=arguments)
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    return process, {work.pid_in(tmp_path / name) for name in "12"}


@pytest.mark.skipif(os.name != "posix", reason="sends SIGKILL")
def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    """A parent that was killed leaves no process behind, also in the middle of a call in C."""
    process, pids = parent(tmp_path, "hang")
    assert all(map(work.is_alive, pids))
    everybody = {child.pid for child in psutil.Process(process.pid).children(recursive=True)}
    process.kill()
    process.communicate(timeout=SECONDS)
    assert work.all_end(pids | everybody, 2.0)


@pytest.mark.skipif(os.name != "posix", reason="sends a signal to a group")
def test_ctrl_c_is_left_to_the_parent(tmp_path: Path) -> None:
    """A terminal sends Ctrl-C to the whole group: workers finish their calls, and print nothing."""
    process, pids = parent(tmp_path, "nap", 1.5)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=SECONDS)
    assert {int(pid) for pid in out.split()} == pids
    assert err == ""


@pytest.mark.skipif(os.name != "posix", reason="sends a signal to a group")
def test_ctrl_c_does_not_disturb_workers_that_start() -> None:
    """A worker that has not got as far as to ignore SIGINT has it blocked."""
    code = """
import os, signal
from growsearch.execution.local import LocalExecutor
signal.signal(signal.SIGINT, lambda *_: None)
executor = LocalExecutor(2)
calls = [executor.submit(int, "7") for _ in range(2)]
while not all(call.done() for call in calls):
    os.killpg(0, signal.SIGINT)
print(*(call.result() for call in calls))
executor.shutdown()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=SECONDS,
        check=False,
        start_new_session=True,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("7 7\n", "", 0)


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_a_signal_while_a_worker_starts_leaves_no_worker() -> None:
    """SIGTERM as the command takes it, at the moment when the new process is there."""
    code = """
import os, signal, time
from concurrent.futures import process
from growsearch.execution.local import WORKER, LocalExecutor

def terminated(*_):
    raise KeyboardInterrupt

start = process.ProcessPoolExecutor._start_executor_manager_thread

def started(self):
    start(self)
    signal.raise_signal(signal.SIGTERM)

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, terminated)
    process.ProcessPoolExecutor._start_executor_manager_thread = started
    executor = LocalExecutor(1)
    try:
        executor.submit(time.sleep, 100)
    except KeyboardInterrupt:
        executor.shutdown(wait=False, cancel_futures=True)
        print("ended", WORKER in os.environ)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=SECONDS,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert (done.stdout, done.returncode) == ("ended False\n", 0)


# --- scripts --------------------------------------------------------------------------------------

SCRIPT = """
import os
from growsearch.execution.local import LocalExecutor
executor = LocalExecutor(1)
print(executor.submit(os.getpid).result() != os.getpid())
executor.shutdown()
"""


def run(*arguments: str, **options: str) -> subprocess.CompletedProcess[str]:
    """A finished Python."""
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=SECONDS,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        **options,
    )


def test_a_script_without_its_guard_is_one_line(tmp_path: Path) -> None:
    """The error says what to write; workers print nothing, and nothing hangs."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = run(str(script))
    assert done.returncode == 1
    assert done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert last.startswith(
        "growsearch.execution.local.MissingGuardError: workers: expected a search under"
    )
    assert 'if __name__ == "__main__":' in last
    assert done.stderr.count("Traceback") == 1


def test_a_script_with_its_guard_runs(tmp_path: Path) -> None:
    """So does a script from standard input, or from the command line, as in a notebook."""
    lines = SCRIPT.strip().splitlines()
    script = tmp_path / "script.py"
    script.write_text(
        "\n".join(
            [*lines[:2], 'if __name__ == "__main__":', *(f"    {line}" for line in lines[2:])]
        )
    )
    for done in (run(str(script)), run("-c", SCRIPT), run(input=SCRIPT), run("-", input=SCRIPT)):
        assert (done.stdout, done.stderr, done.returncode) == ("True\n", "", 0)


# --- what workers share ---------------------------------------------------------------------------


def test_processors_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's threads are set before it imports anything, and are its processors."""
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    monkeypatch.delenv(machine.THREADS, raising=False)
    executor = LocalExecutor(2)
    assert executor.threads == machine.processors()
    executor.shutdown()
    executor = LocalExecutor(1, threads=1)
    try:
        assert executor.submit(machine.processors).result(SECONDS) == 1
        assert executor.submit(work.variable, "OPENBLAS_NUM_THREADS").result(SECONDS) == "1"
        assert executor.submit(work.variable, "OMP_NUM_THREADS").result(SECONDS) == "5"
        assert machine.THREADS not in os.environ  # of the parent
    finally:
        executor.shutdown()


def test_gpus_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each worker sees one GPU; workers of one GPU have a fraction of its memory each."""
    monkeypatch.setenv(machine.VISIBLE_GPUS, "3,GPU-5")
    executor = LocalExecutor(3)
    barrier = [executor.submit(work.nap, 0.5) for _ in range(3)]
    futures.wait(barrier)
    seen = [executor.submit(gpu_of, 0.5) for _ in range(3)]
    found = sorted(future.result(SECONDS) for future in seen)
    executor.shutdown()
    assert found == [("3", 0.45), ("3", 0.45), ("GPU-5", 1.0)]


def gpu_of(seconds: float) -> tuple[str | None, float]:
    """The GPU of this worker, and the fraction of its memory."""
    time.sleep(seconds)
    return os.environ.get(machine.VISIBLE_GPUS), machine.gpu_memory_fraction() or 1.0


def test_without_gpus_nothing_is_said_of_them() -> None:
    """A machine without GPUs, or a user who hides them, is left as it is."""
    for one in worker_environments(4, 1, ()):
        assert machine.VISIBLE_GPUS not in one
        assert machine.GPU_MEMORY not in one
    for one in worker_environments(2, 1, ("0", "1", "2")):
        assert machine.GPU_MEMORY not in one
