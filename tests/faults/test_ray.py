"""A real Ray cluster of two nodes, one of which is removed, killed or frozen in mid-training."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

import growsearch as gs
from growsearch.study.result import SearchResult
from tests.command_line import ROOT
from tests.faults.processes import Driver, Runs
from tests.faults.trainers import FaultyTrainer

full = pytest.mark.faults_full
NODE = {"object_store_memory": 80_000_000}

Begin = Callable[..., Runs]
Check = Callable[..., None]
Reference = Callable[..., SearchResult]


class TwoNodes:
    """A cluster whose head carries out nothing, and whose nodes have one processor each.

    A node that is gone is replaced by ``second``; the head stays.
    """

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(initialize_head=True, head_node_args={**NODE, "num_cpus": 1})
        self.address: str = self.cluster.address
        self._others: list[Any] = []

    def second(self) -> Any:
        """Add the node that will be lost."""
        node = self.cluster.add_node(**NODE, num_cpus=1)
        self.cluster.wait_for_nodes()
        self._others.append(node)
        return node

    def remove(self, node: Any) -> None:
        """Remove a node at once, as when its machine is switched off."""
        self.cluster.remove_node(node, allow_graceful=False)

    def thaw(self) -> None:
        """End the nodes that were added."""
        for node in self._others:
            for process in processes(node):
                with suppress(psutil.NoSuchProcess):
                    process.resume()
            if node in self.cluster.worker_nodes:
                self.remove(node)
        self._others.clear()

    def end(self) -> None:
        """End all processes of the cluster."""
        self.thaw()
        self.cluster.shutdown()


@pytest.fixture(scope="module")
def started() -> Iterator[TwoNodes]:
    """A cluster with its head."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))  # of its workers
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.delenv("RAY_ADDRESS", raising=False)
        nodes = TwoNodes()
        yield nodes
        nodes.end()


@pytest.fixture
def nodes(started: TwoNodes) -> Iterator[TwoNodes]:
    """A cluster whose second node is the test's own."""
    yield started
    started.thaw()


def processes(node: Any) -> list[psutil.Process]:
    """The processes of a node: Ray's own, and its workers."""
    found = []
    for kind in node.all_processes.values():
        for each in kind:
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(each.process.pid)
                found += [process, *process.children(recursive=True)]
    return found


def training_on(node: Any, driver: Driver) -> str:
    """Wait for a training of a trial on a node; return its name."""
    end = time.monotonic() + 60.0
    while time.monotonic() < end and driver.is_running():
        pids = {str(process.pid) for process in processes(node)}
        over = {event["what"] for event in driver.events if event["event"] == "JobEnded"}
        for event in driver.events:
            is_of_a_trial = event["event"] == "Training" and event["what"] != "teacher"
            if not is_of_a_trial or event["what"] in over:
                continue
            if event["worker"].rpartition(":")[2] in pids:
                return str(event["what"])
        time.sleep(0.02)
    ended = driver.wait(1.0) if not driver.is_running() else None
    raise AssertionError(f"no training on the node: {ended}")


def kill(node: Any) -> None:
    """Kill -9 all processes of a node."""
    for process in processes(node):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def freeze(node: Any) -> None:
    """Stop all processes of a node, as when its network is cut."""
    for process in processes(node):
        with suppress(psutil.NoSuchProcess):
            process.suspend()


@pytest.mark.parametrize(
    ("how", "pending"),
    [
        ("removed", 3),
        ("its processes killed", 3),
        pytest.param("removed", 1, marks=full),
        pytest.param("its processes killed", 1, marks=full),
    ],
)
def test_the_jobs_of_a_lost_node_are_sent_again(
    begin: Begin,
    check: Check,
    reference: Reference,
    nodes: TwoNodes,
    tmp_path: Path,
    how: str,
    pending: int,
) -> None:
    """The node that is left carries them out; the same trials come of it."""
    node = nodes.second()
    trainer = FaultyTrainer(seconds=1.5)
    driver = begin(trainer=trainer, pending_trials=pending, ray=nodes.address).start()
    victim = training_on(node, driver)
    (nodes.remove if how == "removed" else kill)(node)
    assert driver.until("JobLost", what=victim)["reason"]
    ended = driver.wait()
    assert ended.status == 0, ended.err
    result = gs.load_result(tmp_path / "run")
    check(f"Ray: node lost ({how})", result, reference(pending))


@pytest.mark.parametrize("pending", [3, pytest.param(1, marks=full)])
def test_the_job_of_a_frozen_node_fails_at_its_time_limit(
    begin: Begin,
    check: Check,
    reference: Reference,
    nodes: TwoNodes,
    tmp_path: Path,
    pending: int,
) -> None:
    """Ray notices a frozen node after minutes; the driver does not wait for it."""
    node, limit = nodes.second(), 25.0
    trainer = FaultyTrainer(seconds=1.5)
    runs = begin(trainer=trainer, pending_trials=pending, ray=nodes.address, trial_time_limit=limit)
    driver = runs.start()
    victim = training_on(node, driver)
    freeze(node)
    ended = driver.wait()
    assert ended.status == 0, ended.err
    assert ended.seconds < limit + 60.0
    result = gs.load_result(tmp_path / "run")
    number = int(victim.split()[1])
    reason = f"took longer than {limit:.0f} s, the time limit"
    arm = "control" if victim.endswith("random") else "candidate"
    expected = reference(pending, text=reason, index=number, arm=arm)
    check("Ray: node frozen (SIGSTOP), time limit", result, expected)


def test_a_killed_worker_of_a_cluster_costs_its_job_only(
    begin: Begin, check: Check, reference: Reference, nodes: TwoNodes, tmp_path: Path
) -> None:
    """Its job is sent again; Ray itself repeats nothing."""
    nodes.second()
    trainer = FaultyTrainer(seconds=0.5, fault="kill", times=2)
    driver = begin(trainer=trainer, pending_trials=3, ray=nodes.address).start()
    ended = driver.wait()
    assert ended.status == 0, ended.err
    assert len([event for event in driver.events if event["event"] == "JobLost"]) == 2
    began = (tmp_path / "trained").read_text().splitlines()
    assert len(began) == len(set(began)) + 2
    check("Ray: worker dies, its job is repeated", gs.load_result(tmp_path / "run"), reference(3))


def test_a_killed_driver_leaves_the_cluster_as_it_was(
    begin: Begin, check: Check, reference: Reference, nodes: TwoNodes, tmp_path: Path
) -> None:
    """Its jobs end, and the same call goes on with the run on the same cluster."""
    nodes.second()
    runs = begin(trainer=FaultyTrainer(seconds=1.5), pending_trials=3, ray=nodes.address)
    driver = runs.start()
    worker = driver.worker_of("trial 1", step=0)
    driver.kill()
    end = time.monotonic() + 10.0
    while psutil.pid_exists(worker) and time.monotonic() < end:
        time.sleep(0.05)
    assert not psutil.pid_exists(worker)
    runs.finish(trainer={**runs.drive.trainer, "seconds": 0.0})
    check("Ray: driver killed (-9)", gs.load_result(tmp_path / "run"), reference(3))


@full
def test_a_cluster_that_is_gone_ends_the_session(
    begin: Begin, check: Check, reference: Reference, tmp_path: Path
) -> None:
    """Exit status 75, in one line; the same call goes on elsewhere."""
    cluster = TwoNodes()
    try:
        runs = begin(trainer=FaultyTrainer(seconds=1.5), pending_trials=3, ray=cluster.address)
        driver = runs.start()
        driver.until(what="trial 1", step=0)
        for node in [*cluster.cluster.worker_nodes, cluster.cluster.head_node]:
            kill(node)
        ended = driver.wait()
        assert ended.status == 75, ended.err
        assert ended.err.splitlines()[-1].startswith("growsearch: ")
        assert "run the same command again" in ended.err.splitlines()[-1]
    finally:
        cluster.end()
    runs.finish(ray=None, trainer={**runs.drive.trainer, "seconds": 0.0})
    check("Ray: cluster gone, exit 75", gs.load_result(tmp_path / "run"), reference(3))
