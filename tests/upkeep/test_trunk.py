"""Upkeep of a run with a trunk: its networks checked, its slots freed, and it goes on the same."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import growsearch as gs
from growsearch.networks.store import NetworkStore
from growsearch.study.attributes import Candidate, PolishAttribute, ReadingsAttribute
from growsearch.study.networks import DamagedNetworkWarning
from growsearch.study.result import SearchResult
from growsearch.upkeep.files import networks
from growsearch.upkeep.gc import collect
from growsearch.upkeep.snapshot import snapshot
from growsearch.upkeep.verify import verify
from tests.small_search import studies
from tests.trunk_search import interrupt, outcome, search, trunk
from tests.upkeep.stored_values import change_study, change_trial, path_of

pytestmark = pytest.mark.usefixtures("quick_sqlite")

NETWORKS = "every network is there, with its bytes"
TRUNK = "the trunk grew, and was read in order"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, quick_sqlite: None) -> SearchResult:
    """A run that nothing interrupted; to be copied, not changed."""
    del quick_sqlite
    return search(tmp_path_factory.mktemp("whole") / "run")


@pytest.fixture
def run(whole: SearchResult, tmp_path: Path) -> Path:
    """A folder of its own with that run."""
    return Path(shutil.copytree(whole.folder, tmp_path / "run"))


def faults(folder: Path) -> dict[str, tuple[str, ...]]:
    """The broken promises of a run, each with its faults."""
    return {each.name: each.faults for each in verify(folder).promises if each.faults}


def test_a_good_run_keeps_every_promise_and_holds_nothing_else(run: Path) -> None:
    """Nothing of it is an orphan, and its end needs few slots."""
    assert faults(run) == {}
    assert collect(run, dry_run=True).kinds["orphans"].files == 0
    slots = collect(run).kinds["slots"]
    assert slots.files > 1  # of networks whose growths have all their controls
    assert faults(run) == {}
    store = NetworkStore(run / "weights")
    with_slots = {sha256 for sha256 in store.sizes() if store.get(sha256).slots is not None}
    assert with_slots == {trunk(gs.load_result(run)).weights}
    assert outcome(search(run)) == outcome(gs.load_result(run))


def test_a_run_that_was_collected_ends_as_if_it_had_not_been(
    whole: SearchResult, tmp_path: Path
) -> None:
    """Interrupted in trainings of every kind, checked, collected, and resumed."""
    names = ("trunk 1", "trial *", "trunk [3-9]", "trial * contest", "commit *", "decay 1")
    for training in (*names, "decay 2 2"):
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path, on_event=interrupt(training))
        assert faults(tmp_path) == {}
        collect(tmp_path)
        assert faults(tmp_path) == {}
    assert outcome(search(tmp_path)) == outcome(whole)
    assert faults(tmp_path) == {}


def test_networks_that_a_driver_replaces_meanwhile_are_no_faults(tmp_path: Path) -> None:
    """The study was read before the trunk went on; those that it still names have to be there."""
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, on_event=interrupt("trunk 4"))
    before = snapshot(tmp_path, *studies(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, on_event=interrupt("decay 1"))
    assert before.trunk is not None
    assert not path_of(tmp_path, before.trunk.weights).exists()
    assert networks(before).faults == ()
    assert before.teacher is not None
    path_of(tmp_path, before.teacher.sha256).unlink()
    (fault,) = networks(before).faults
    assert fault.startswith("the teacher")


def test_lost_networks_of_the_trunk_are_found(run: Path) -> None:
    """Its weights, its averages, a commit, the network that a trial grew: each is named."""
    result = gs.load_result(run)
    readings = ReadingsAttribute.read(result.study)
    assert readings is not None
    path_of(run, trunk(result).weights).unlink()
    path_of(run, readings.commits[0].sha256).unlink()
    start = Candidate.read(studies(run)[0].trials[0]).start
    path_of(run, start).unlink(missing_ok=True)
    found = " ".join(faults(run)[NETWORKS])
    assert "the trunk: " in found
    assert f"the commit at {readings.commits[0].elapsed:g}" in found
    assert "the parent of trial 0" in found


def test_a_lost_final_network_gives_the_next_best(run: Path, whole: SearchResult) -> None:
    """With a warning; and no network is lost beside it."""
    polish = PolishAttribute.read(studies(run)[0])
    assert polish is not None
    path_of(run, whole.best.sha256).unlink()
    with pytest.warns(DamagedNetworkWarning):
        result = gs.load_result(run)
    assert result.best.sha256 != whole.best.sha256
    readings = ReadingsAttribute.read(result.study)
    assert readings is not None
    commits = {each.sha256: each.validation_loss for each in readings.commits}
    del commits[whole.best.sha256]
    least = min(trunk(result).validation_loss, *commits.values())
    assert result.best.validation_loss == least
    assert NETWORKS in faults(run)


@pytest.mark.parametrize(
    ("values", "name", "fault"),
    [
        ({"gain": 0.5}, "values, curves and gains agree", "expected a gain of"),
        ({"loss_gain": None}, TRUNK, "expected a gain in loss over the trunk"),
    ],
)
def test_an_outcome_that_contradicts_itself_is_found(
    run: Path, values: dict[str, Any], name: str, fault: str
) -> None:
    """The growths of one trunk have gains over one value."""
    change_trial(run, 1, **values)
    assert any(fault in each for each in faults(run)[name])


def test_a_reading_of_a_growth_that_was_not_kept_is_found(run: Path, whole: SearchResult) -> None:
    """So is one out of its time."""
    refused = next(each.number for each in whole.trials if not each.kept)

    def change(readings: Any) -> Any:
        return [*readings[:-1], readings[-1] | {"trial": refused, "elapsed": 1.0}]

    change_study(run, "readings", change)
    found = " ".join(faults(run)[TRUNK])
    assert f"trial {refused} was not kept" in found
    assert "the reading at 1 comes after that at" in found
