"""One search with real TensorFlow, wherever its jobs run: the same studies in all attributes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

import growsearch as gs
from growsearch.execution import Executor
from growsearch.execution.ray import RayExecutor
from growsearch.study.result import SearchResult
from tests.command_line import ROOT

# Attributes that tell of times, or of the workers that a run had.
OF_TIMES = {"seconds", "images_per_second", "spent", "laps", "workers", "session"}

TRIALS = 12
SPACE = gs.SearchSpace.load("digits").replace(
    teacher={"steps": 30},
    training={"steps": 8, "evaluate_every": 4},
    controls={"arms": {"random": 1.0, "continued": 1.0}},
    judge={"margin": 0.0},
)


def search(out: Path, **options: Any) -> SearchResult:
    """The search, with two pending candidates."""
    return gs.search(SPACE, trials=TRIALS, seed=3, out=out, pending_trials=2, **options)


def without_times(value: Any) -> Any:
    """A stored value without what may differ between two runs of one command."""
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in OF_TIMES}
    return [without_times(each) for each in value] if isinstance(value, list) else value


def everything(result: SearchResult) -> Any:
    """Both studies as they are stored, controls by their candidates, and the files of weights."""

    def of(trial: optuna.trial.FrozenTrial) -> Any:
        attributes = without_times(trial.user_attrs)
        return (trial.state, trial.value, trial.params, trial.intermediate_values, attributes)

    controls = {
        (trial.user_attrs["candidate"], trial.user_attrs["arm"]): of(trial)
        for trial in result.control_study.trials
    }
    assert len(controls) == len(result.control_study.trials)
    weights = sorted(path.name for path in (result.folder / "weights").iterdir())
    study = without_times(result.study.user_attrs)
    return study, [of(trial) for trial in result.study.trials], controls, weights


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, quick_sqlite: None) -> Any:
    """The run in this process."""
    del quick_sqlite
    result = search(tmp_path_factory.mktemp("here"), workers=0)
    kept = [record for record in result.trials if record.kept]
    assert 0 < len(kept) < TRIALS
    found = everything(result)
    assert len(found[1]) == TRIALS
    assert len(found[2]) == 2 * TRIALS
    return found


@pytest.fixture
def two_nodes() -> Iterator[Executor]:
    """A Ray cluster of two nodes on this machine."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        node = {"num_cpus": 1, "object_store_memory": 100_000_000}
        cluster = Cluster(initialize_head=True, head_node_args=node)
        try:
            cluster.add_node(**node)
            cluster.wait_for_nodes()
            executor = RayExecutor(cluster.address, workers=2)
            yield executor
            executor.shutdown(wait=False, cancel_futures=True)
        finally:
            cluster.shutdown()


@pytest.mark.parametrize(
    "workers",
    [
        pytest.param(1, marks=pytest.mark.faults_full),
        2,
        pytest.param(4, marks=pytest.mark.faults_full),
    ],
)
def test_processes_of_this_machine_change_nothing(here: Any, tmp_path: Path, workers: int) -> None:
    """Trials, accuracies, hashes and controls are those of one process, whatever the workers."""
    assert everything(search(tmp_path, workers=workers)) == here


def test_a_ray_cluster_of_two_nodes_changes_nothing(
    here: Any, tmp_path: Path, two_nodes: Executor
) -> None:
    """Nor does another machine of the same kind."""
    assert everything(search(tmp_path, executor=two_nodes)) == here
