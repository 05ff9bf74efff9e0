"""Networks whose files are damaged: the next best takes over, the teacher cannot be replaced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import growsearch as gs
from growsearch.errors import RunError
from growsearch.study.networks import DamagedNetworkWarning
from growsearch.study.result import SearchResult
from tests.messages import one_line
from tests.small_search import search

pytestmark = pytest.mark.usefixtures("quick_sqlite")


def harm(path: Path, damage: str) -> None:
    data = bytearray(path.read_bytes())
    path.unlink()
    if damage == "flipped":
        data[-3] ^= 1
        path.write_bytes(data)
    elif damage == "truncated":
        path.write_bytes(data[:-7])
    elif damage == "link":
        path.with_suffix(".elsewhere").write_bytes(data)
        path.symlink_to(path.with_suffix(".elsewhere"))


def test_the_best_network_verifies(finished: SearchResult) -> None:
    """Its name is the hash of its bytes, and it is what its trial described."""
    network = finished.best.network
    assert network.sha256 == finished.best.path.stem
    about = finished.study.trials[finished.best.trial_number].user_attrs
    assert about["architecture"] == str(network.architecture)
    assert about["parameters"] == network.parameters
    assert about["flops"] == network.architecture.flops


@pytest.mark.parametrize("damage", ["flipped", "truncated", "deleted", "link"])
def test_a_damaged_best_network_gives_way_to_the_next(
    copy: Path, finished: SearchResult, damage: str
) -> None:
    """With a warning; "best" never names bytes that do not verify."""
    kept = [record for record in finished.trials if record.kept]
    best = copy / "weights" / finished.best.path.name
    harm(best, damage)
    with pytest.warns(DamagedNetworkWarning, match=f"trial {kept[-1].number}"):
        result = gs.load_result(copy)
    assert result.best.trial_number == kept[-2].number
    assert result.best.network.sha256 == result.best.path.stem
    assert result.test_accuracy is None  # it was another network's
    with pytest.warns(DamagedNetworkWarning):
        again = search(copy)
    assert again.best.trial_number == kept[-2].number
    assert again.test_accuracy is not None


@pytest.mark.parametrize("damage", ["flipped", "truncated", "deleted"])
@pytest.mark.parametrize("call", [search, gs.load_result])
def test_a_run_without_its_teacher_is_one_line(
    copy: Path, finished: SearchResult, damage: str, call: Callable[[Path], SearchResult]
) -> None:
    """The teacher's file must verify."""
    name = finished.study.user_attrs["teacher"]["sha256"]
    harm(copy / "weights" / f"{name}.safetensors", damage)
    with pytest.raises(RunError) as caught:
        call(copy)
    assert "teacher cannot be used" in one_line(caught)
