"""The store of a run's networks: content-addressed, each network read from disk once."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import pytest

from growsearch.errors import NetworkFileError
from growsearch.networks import Architecture, Network
from growsearch.networks import store as module
from growsearch.networks.store import NetworkStore
from tests.small_search import search

ARCHITECTURE = Architecture.parse("3x3x4(conv1)-pool1-3(fc1)", (4, 4, 1))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each network's file is read and hashed."""
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
    names = [store.put(Network.initial(ARCHITECTURE, rng=seed)) for seed in range(5)]
    for name in (*names, names[-1], names[-2], names[0]):
        store.get(name)
    assert [reads[name] for name in names] == [2, 1, 1, 1, 1]


def test_a_removed_network_is_gone(tmp_path: Path) -> None:
    """From memory too; a second removal is none."""
    store = NetworkStore(tmp_path)
    name = store.put(Network.initial(ARCHITECTURE, rng=0))
    store.get(name)
    for _ in range(2):
        store.remove(name)
        with pytest.raises(NetworkFileError):
            store.get(name)


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
    """Growing, controls, polish and end share what was read; the teacher is read at both ends."""
    result = search(tmp_path, "polish={steps = 4, parts = 2, learning_rate = 0.01}")
    assert sum(record.kept for record in result.trials) >= 2
    teacher = result.study.user_attrs["teacher"]["sha256"]
    assert reads.pop(teacher) == 2
    assert set(reads.values()) == {1}
