"""The store of a run's networks: content-addressed, each network read from disk once."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import optuna
import pytest

from growsearch.errors import NetworkFileError
from growsearch.networks import Architecture, Network
from growsearch.networks import store as module
from growsearch.networks.store import NetworkStore
from growsearch.study.attributes import Candidate
from growsearch.study.networks import DamagedNetworkWarning
from tests.small_search import search

ARCHITECTURE = Architecture.parse("3x3x4(conv1)-pool1-3(fc1)", (4, 4, 1))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The number of times that each network's file is read and hashed."""
    counted: Counter[str] = Counter()

    def read(path: Path) -> bytes:
        counted[path.stem] += 1
        return original(path)

    original = module.read
    monkeypatch.setattr(module, "read", read)
    return counted


def test_what_was_put_comes_back(tmp_path: Path, reads: Counter[str]) -> None:
    """Under its hash, from disk the first time and from memory then."""
    network, store = Network.initial(ARCHITECTURE, rng=0), NetworkStore(tmp_path / "weights")
    sha256 = store.put(network)
    assert sha256 == network.sha256
    assert store.path(sha256).is_file()
    assert store.get(sha256) is store.get(sha256)
    assert store.get(sha256).sha256 == sha256
    assert reads == {sha256: 1}


def test_the_networks_read_last_stay_in_memory(tmp_path: Path, reads: Counter[str]) -> None:
    """Few of them: a search with a thousand networks does not hold them all."""
    store = NetworkStore(tmp_path)
    names = [store.put(Network.initial(ARCHITECTURE, rng=seed)) for seed in range(6)]
    for name in (*names, names[-1], names[-2], names[0]):
        store.get(name)
    assert [reads[name] for name in names] == [2, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("damage", ["deleted", "changed"])
def test_a_file_that_changes_is_read_again(tmp_path: Path, damage: str) -> None:
    """And refused, although the network was in memory: no best network names missing bytes."""
    store = NetworkStore(tmp_path)
    name = store.put(Network.initial(ARCHITECTURE, rng=0))
    store.get(name)
    data = store.path(name).read_bytes()
    store.path(name).unlink()
    if damage == "changed":
        store.path(name).write_bytes(data[:-1] + b"?")
    with pytest.raises(NetworkFileError):
        store.get(name)
    store.path(name).unlink(missing_ok=True)
    store.path(name).write_bytes(data)
    assert store.get(name).sha256 == name


def test_a_removed_network_is_gone(tmp_path: Path) -> None:
    """From memory too; a second removal is none."""
    store = NetworkStore(tmp_path)
    name = store.put(Network.initial(ARCHITECTURE, rng=0))
    store.get(name)
    for _ in range(2):
        store.remove(name)
        with pytest.raises(NetworkFileError):
            store.get(name)


def test_the_sizes_are_those_of_networks(tmp_path: Path) -> None:
    """Not of unfinished files, of links, or of files with other names."""
    store = NetworkStore(tmp_path / "weights")
    assert store.sizes() == {}
    name = store.put(Network.initial(ARCHITECTURE, rng=0))
    for other in (".partial-x", "notes.txt", f"{name}.safetensors.old", f"{name}.txt"):
        (store.folder / other).write_text("mine")
    (store.folder / f"{'0' * 64}.safetensors").symlink_to(store.path(name))
    (store.folder / f"{'1' * 64}.safetensors").mkdir()
    assert store.sizes() == {name: store.path(name).stat().st_size}


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "f" * 63, "F" * 64])
def test_a_name_that_is_no_hash_leads_nowhere(tmp_path: Path, name: str) -> None:
    """Not out of the folder, whatever an attribute of a study says."""
    for call in (NetworkStore(tmp_path).get, NetworkStore(tmp_path).path):
        with pytest.raises(NetworkFileError):
            call(name)


def test_a_pickled_store_is_its_folder(tmp_path: Path) -> None:
    """A worker opens the run's networks, and is not sent them."""
    store = NetworkStore(tmp_path)
    name = store.put(Network.initial(ARCHITECTURE, rng=0))
    store.get(name)
    data = pickle.dumps(store)
    assert len(data) < 500
    assert pickle.loads(data).get(name).sha256 == name


@pytest.mark.usefixtures("quick_sqlite")
def test_a_search_reads_each_network_once(tmp_path: Path, reads: Counter[str]) -> None:
    """Growing, controls, polish and the end of a run share what was read."""
    result = search(tmp_path, "polish={steps = 4, parts = 2, learning_rate = 0.01}")
    assert sum(record.kept for record in result.trials) >= 2
    assert set(reads.values()) == {1}


@pytest.mark.usefixtures("quick_sqlite")
def test_a_best_network_that_is_lost_on_the_way_gives_way(tmp_path: Path) -> None:
    """Deleted by a callback of the last trial: the result names the best that is still there."""

    def lose(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if trial.number == 4:
            kept = [Candidate.read(t).sha256 for t in study.trials if Candidate.is_kept(t)]
            (tmp_path / "weights" / f"{kept[-1]}.safetensors").unlink()

    with pytest.warns(DamagedNetworkWarning):
        result = search(tmp_path, callbacks=lose)
    assert result.best.path.is_file()
    assert result.best.network.sha256 == result.best.sha256
