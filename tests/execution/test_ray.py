"""The executor of a Ray cluster: its contract, and clusters that do not answer."""

from __future__ import annotations

import builtins
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import ray

from growsearch import machine
from growsearch.errors import InvalidInputError, UnavailableError
from growsearch.execution import Executor, NamesWhatLacks, Stops, WorkerLostError
from growsearch.execution import ray as module
from growsearch.execution.ray import RayExecutor
from growsearch.testing.executor_contract import StoppingExecutorContract
from tests.command_line import ROOT
from tests.execution import work

SECONDS = 60


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[RayExecutor]:
    """A cluster of its own for this file, which the first executor has started."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        executor = RayExecutor("local", workers=2, cpus=0.5)
        yield executor
        executor.shutdown(wait=False)


class TestRayExecutor(StoppingExecutorContract):
    owns_workers = False

    @staticmethod
    def make_executor() -> Executor:
        return RayExecutor(workers=2, cpus=0.5)


def reason(future: Any) -> str:
    """The text of a lost worker."""
    error = future.exception(SECONDS)
    assert isinstance(error, WorkerLostError)
    return str(error)


def test_a_lost_worker_is_said_in_words(
    cluster: RayExecutor, capfd: pytest.CaptureFixture[str]
) -> None:
    """Ray's classes of errors are none of the driver's, and Ray itself prints nothing."""
    assert isinstance(cluster, Stops)
    assert reason(cluster.submit(work.end, 3)) == "its worker died"
    hanging = cluster.submit(work.nap, 1000.0)
    cluster.stop(hanging)
    assert reason(hanging) == "its worker was stopped"
    assert cluster.submit(int, "7").result(SECONDS) == 7
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("NodeDiedError", "its node was lost"),
        ("OutOfMemoryError", "its worker was killed by Ray, since its node had no memory left"),
        ("LocalRayletDiedError", "Ray's process on its node died"),
        ("ObjectFetchTimedOutError", "its outcome was lost with its node"),
    ],
)
def test_every_loss_of_ray_has_its_words(cluster: RayExecutor, name: str, words: str) -> None:
    """The names in the table are Ray's own, and stand for the errors below them too."""
    kind = getattr(ray.exceptions, name)
    error = cluster._error(None, kind.__new__(kind))  # type: ignore[arg-type]
    assert isinstance(error, WorkerLostError)
    assert str(error) == words
    assert all(hasattr(ray.exceptions, known) for known in module._LOSSES)


def test_errors_of_a_function_are_its_own(cluster: RayExecutor) -> None:
    """Also where the error, the arguments or the result cannot travel."""
    assert isinstance(cluster.submit(int, "x").exception(SECONDS), ValueError)
    for function, arguments in ((work.raise_unreadable, ()), (work.nap, (open,))):
        error = cluster.submit(function, *arguments).exception(SECONDS)
        assert error is not None
        assert not isinstance(error, WorkerLostError)
    assert cluster.submit(int, "7").result(SECONDS) == 7


def test_a_worker_knows_its_share(cluster: RayExecutor) -> None:
    """Threads are the processors that a worker asked for; without GPUs it sees none."""
    assert cluster.submit(work.variable, machine.THREADS).result(SECONDS) == "1"
    assert cluster.submit(machine.gpus).result(SECONDS) == ()


def test_a_fraction_of_a_gpu_is_a_fraction_of_its_memory() -> None:
    """A worker with half a GPU takes less than half of its memory, and one with a GPU all."""
    half = module.environment_of(cpus=4, gpus=0.5)
    assert half == {machine.THREADS: "4", machine.GPU_MEMORY: "0.4500"}
    assert module.environment_of(cpus=4, gpus=1) == {machine.THREADS: "4"}


def test_what_a_cluster_lacks_is_named(cluster: RayExecutor) -> None:
    """A cluster without a node that is large enough is named, and so is one that is busy."""
    assert isinstance(cluster, NamesWhatLacks)
    assert cluster.lacks() is None
    greedy = RayExecutor(workers=1, cpus=1000, gpus=2)
    lacks = greedy.lacks()
    assert lacks is not None
    assert lacks.startswith("each worker asks for 1000 CPUs and 2 GPUs, and no node has that: ")
    waiting = greedy.submit(int)
    greedy.shutdown(wait=False)
    assert reason(waiting) == "its executor was shut down"


def test_the_number_of_workers_is_what_the_cluster_has_room_for() -> None:
    """As many workers as its nodes have processors, and at least one."""
    cpus = int(ray.cluster_resources()["CPU"])
    for asked, workers in ((1, cpus), (cpus, 1), (1000, 1)):
        executor = RayExecutor(cpus=asked)
        assert executor.workers == workers
        executor.shutdown()


@pytest.mark.parametrize("options", [{"cpus": 0}, {"cpus": 1.5}, {"gpus": -1}, {"workers": 0}])
def test_numbers_are_checked_before_ray_is_asked(options: dict[str, Any]) -> None:
    """Each is refused in one line that names it."""
    with pytest.raises(InvalidInputError, match=f"^{next(iter(options))}: expected"):
        RayExecutor(**options)


@pytest.mark.parametrize("address", ["nonsense", "host:", "host:x", "host:99999"])
def test_what_is_no_address_is_refused(address: str) -> None:
    """An address names host and port."""
    with pytest.raises(InvalidInputError, match="Ray: expected the address of a cluster"):
        module._check_reachable(address)


def test_a_cluster_that_is_not_there_is_one_line() -> None:
    """A closed port is told at once; Ray would try for two minutes, and exit."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(UnavailableError, match=f"Ray: no cluster answers at {address}: "):
        module._check_reachable(address)


ANSWERS = """
import sys
from growsearch.errors import GrowsearchError
from growsearch.execution import ray as module
module._START_SECONDS = 3.0
try:
    module.RayExecutor(sys.argv[1])
except GrowsearchError as error:
    print(type(error).__name__, error)
"""


def answer(address: str) -> str:
    """The output of a process that cannot connect."""
    done = subprocess.run(
        [sys.executable, "-c", ANSWERS, address],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=SECONDS,
        check=True,
        env={name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"},
    )
    return done.stdout


def test_a_port_that_is_no_cluster_is_given_up() -> None:
    """A port that takes connections and says nothing does not hold a driver for ever."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        assert answer(address) == (
            f"UnavailableError Ray: no answer from {address} within 3 s: see `ray status`\n"
        )


def test_without_ray_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named in one line."""
    imported = builtins.__import__

    def without_ray(name: str, *rest: Any) -> Any:
        if name == "ray":
            raise ImportError(name)
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_ray)
    with pytest.raises(InvalidInputError, match=r"pip install 'growsearch\[ray\]'"):
        RayExecutor()


def test_a_cluster_of_its_own_ends_with_its_executor() -> None:
    """Signal handlers are left as they are, and no process is left."""
    code = """
import signal
from growsearch.execution.ray import RayExecutor
from tests.execution import work
mine = signal.signal(signal.SIGTERM, lambda *_: None), signal.getsignal(signal.SIGTERM)
executor = RayExecutor(workers=1)
executor.submit(int, "7").result()
hanging = executor.submit(work.nap, 1000.0)
assert signal.getsignal(signal.SIGTERM) is mine[1]
begun = work.children()
executor.shutdown(wait=False)
print(hanging.done(), len(begun) > 2, work.all_end(begun, 20))
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
    assert (done.stdout, done.stderr) == ("True True True\n", "")
