"""The average of networks: its weights, its evaluation, and the job that makes it."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from growsearch.datasets import Split, StoredImages
from growsearch.errors import NetworkFileError, RunError
from growsearch.networks import Architecture, Network
from growsearch.networks.store import NetworkStore
from growsearch.testing.drifting_trainer import DriftingTrainer
from growsearch.trials.average import Averaged, AverageJob, average
from growsearch.trials.worker import Crash, WorkerContext, carry_out
from tests.slotted_trainer import _slots

ARCHITECTURE = Architecture.parse(
    "3x3x4(conv1,activation=linear,use_bias=false)-batch_norm(bn1,activation=relu)-pool1-3(fc1)",
    (4, 4, 1),
)
OTHER = Architecture.parse("3x3x4(conv1)-pool1-3(fc1)", (4, 4, 1))
DATA = "d" * 64


def network(seed: int, *, slots: bool = False) -> Network:
    """A network whose every array is drawn, the statistics of its batch norm too."""
    rng = np.random.default_rng(seed)
    flat = {
        path: rng.uniform(0.1, 2.0, array.shape).astype(array.dtype)
        for path, array in Network.initial(ARCHITECTURE, rng=0).flat().items()
    }
    found = Network.from_flat(ARCHITECTURE, flat)
    return Network(ARCHITECTURE, found.weights, _slots(found, seed)) if slots else found


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=5))
def test_an_average_is_the_nearest_float_of_the_mean(seeds: list[int]) -> None:
    """Of every array, summed in float64: to the last bit, in each array's own dtype."""
    networks = [network(seed) for seed in seeds]
    found = average(networks).flat()
    assert found.keys() == networks[0].flat().keys()
    for path, array in found.items():
        each = np.stack([one.flat()[path].astype(np.float64) for one in networks])
        expected = (each.sum(axis=0) / len(seeds)).astype(array.dtype)
        assert array.dtype == networks[0].flat()[path].dtype
        np.testing.assert_array_equal(array, expected)


def test_statistics_of_batch_norm_are_averaged_too() -> None:
    """Weights that no gradient reaches."""
    one, other = network(1), network(2)
    found = average([one, other]).weights["bn1"]
    for name in ("mean", "variance"):
        mean = (one.weights["bn1"][name] + other.weights["bn1"][name]) / 2.0
        np.testing.assert_allclose(found[name], mean, rtol=1e-6)


def test_an_average_of_one_network_is_that_network() -> None:
    """And of the same one several times."""
    assert average([network(3)]).sha256 == network(3).sha256
    assert average([network(3)] * 2).sha256 == network(3).sha256


def test_an_average_has_no_slots() -> None:
    """They belong to one training; the networks keep theirs."""
    one, other = network(1, slots=True), network(2, slots=True)
    assert average([one, other]).slots is None
    assert average([one, other]).sha256 == average([network(1), network(2)]).sha256
    assert one.slots is not None
    assert one.sha256 == network(1, slots=True).sha256


def test_networks_of_other_architectures_are_refused() -> None:
    """In one line, at any place."""
    other = Network.initial(OTHER, rng=0)
    for networks in ([network(0), other], [other, network(0)], [network(0), network(1), other]):
        with pytest.raises(RunError, match="expected networks of one architecture"):
            average(networks)


# --- the job --------------------------------------------------------------------------------------


@pytest.fixture
def context(tmp_path: Path) -> WorkerContext:
    """A context as the driver makes it for other processes."""
    rng = np.random.default_rng(0)
    images = {
        part: Split(rng.random((count, 4, 4, 1), np.float32), np.arange(count) % 3)
        for part, count in (("train", 12), ("selection", 6), ("held_out", 6), ("test", 6))
    }
    stored = StoredImages.write(tmp_path / "data", images)
    return WorkerContext(DriftingTrainer(), stored, NetworkStore(tmp_path / "weights"), DATA)


def stored(context: WorkerContext, *networks: Network) -> tuple[str, ...]:
    return tuple(context.networks.put(each) for each in networks)


def test_the_job_stores_the_average_with_its_own_evaluation(context: WorkerContext) -> None:
    """Accuracy and loss are those of the stored network on the selection images."""
    networks = network(1, slots=True), network(2)
    job = pickle.loads(pickle.dumps(AverageJob("forks average", stored(context, *networks), DATA)))
    found = carry_out(context, job)
    assert isinstance(found, Averaged)
    both = context.networks.get(found.sha256)
    assert both.sha256 == average(list(networks)).sha256
    evaluated = context.trainer.evaluate(both, context.images["selection"])
    assert (found.accuracy, found.loss) == (evaluated.accuracy, evaluated.loss)
    assert pickle.loads(pickle.dumps(found)) == found


def test_the_job_refuses_other_images_and_networks_that_are_gone(context: WorkerContext) -> None:
    """A fault of the run, not of a network: it comes back as an error."""
    names = stored(context, network(1), network(2))
    other = carry_out(context, AverageJob("average", names, "e" * 64))
    assert isinstance(other, Crash)
    assert isinstance(other.error, RunError)
    gone = carry_out(context, AverageJob("average", (names[0], "f" * 64), DATA))
    assert isinstance(gone, Crash)
    assert isinstance(gone.error, NetworkFileError)
