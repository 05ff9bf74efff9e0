"""The course of a run with a trunk: its end, its lineage, and where its seconds went."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from growsearch.study.attributes import PolishAttribute, Reading, Trunk, WorkersAttribute
from growsearch.study.result import SearchResult, load_result
from growsearch.study.shares import Shares, shares_of

SHA256 = "0" * 64


def test_the_end_is_the_network_of_the_run(grown: tuple[SearchResult, int]) -> None:
    """The last row of the anytime curve has its SHA-256, accuracy and parameters."""
    result, _ = grown
    assert result.anytime is not None
    *commits, end = result.anytime.rows
    assert end is result.anytime.end
    assert end.sha256 == result.best.sha256
    assert end.validation_accuracy == result.best.validation_accuracy
    assert end.parameters == result.best.network.parameters
    assert [each.mark for each in commits] == [10.0, 20.0, 40.0]
    assert all(each.elapsed <= later.elapsed for each, later in pairwise(result.anytime.rows))


def test_the_lineage_is_that_of_the_growths_kept(grown: tuple[SearchResult, int]) -> None:
    """Each network follows from the one before by a growth that was kept, in order of time."""
    result, _ = grown
    first, *after = result.lineage
    assert (first.trial, first.growth, first.elapsed) == (None, "", None)
    kept = [trial for trial in result.trials if trial.kept]
    assert kept
    assert [each.trial for each in after] == [trial.number for trial in kept]
    for each, trial in zip(after, kept, strict=True):
        assert str(each.architecture) == trial.architecture
        assert each.reason == trial.reason
        assert each.elapsed == trial.elapsed
        assert each.elapsed is not None
    assert result.anytime is not None
    for reading in result.readings:
        (*_, last) = result.anytime.grown(reading)
        assert last.architecture.parameters == reading.parameters


def test_every_training_is_in_one_share(grown: tuple[SearchResult, int]) -> None:
    """The seconds of all trainings, of .25 s each, are those of the shares that are of updates."""
    result, trainings = grown
    shares = result.shares
    assert shares is not None
    updates = shares.descent + shares.deciding + shares.controls + shares.commits
    assert updates * shares.seconds == pytest.approx(0.25 * trainings)
    assert min(shares.descent, shares.deciding, shares.controls, shares.commits) > 0.0


def test_a_run_that_is_read_again_is_the_same(grown: tuple[SearchResult, int]) -> None:
    """JSON has the unit, readings, lineage and shares; a stored run gives the same."""
    result, _ = grown
    told = json.loads(json.dumps(result.to_json(), allow_nan=False))
    again = json.loads(json.dumps(load_result(result.folder).to_json(), allow_nan=False))
    for key in ("unit", "readings", "end", "lineage", "shares"):
        assert told[key] == again[key]
        assert told[key]
    assert told["unit"] == "updates of the first network"


def test_a_run_without_a_trunk_has_no_course(finished: SearchResult) -> None:
    """Its result has no readings, lineage or shares, in JSON neither."""
    assert finished.anytime is None
    assert (finished.readings, finished.lineage, finished.shares) == ((), (), None)
    assert "lineage" not in finished.to_json()


def shares(**changed: object) -> Shares | None:
    """The shares of a run of 100 s with two workers, with some of its values changed."""
    trunk = Trunk(
        weights=SHA256,
        average=SHA256,
        validation_accuracy=0.9,
        validation_loss=0.3,
        learning_rate=0.4,
        seconds=60.0,
        given_up=5.0,
    )
    commit = Reading(
        elapsed=50.0,
        validation_accuracy=0.9,
        validation_loss=0.3,
        parameters=10,
        mark=60.0,
        cooling=10.0,
    )
    values: dict[str, object] = {
        "trunk": trunk,
        "end": commit.model_copy(update={"seconds": 100.0, "mark": 0.0}),
        "readings": [commit],
        "decay": PolishAttribute(
            sha256=SHA256, validation_accuracy=0.9, done=1, last=SHA256, cooling=40.0
        ),
        "workers": WorkersAttribute(count=2, busy=180.0, available=190.0),
        "run": 100.0,
        "refused": 15.0,
        "controls": 4.0,
        **changed,
    }
    return shares_of(**values)  # type: ignore[arg-type]


def test_shares_are_of_the_seconds_of_all_workers() -> None:
    """Two workers have 200 s in 100; each second is in one share."""
    found = shares()
    assert found == Shares(200.0, 0.5, 0.1, 0.02, 0.05, 0.23, 0.1)


def test_an_earlier_commit_leaves_later_updates_unused() -> None:
    """Updates after the commit that is the network of the run are no part of its descent."""
    early = Reading(
        elapsed=9.0, validation_accuracy=0.9, validation_loss=0.3, parameters=10, seconds=30.0
    )
    found, all_of = shares(end=early), shares()
    assert found is not None
    assert all_of is not None
    assert found.descent == 0.15
    assert found.commits == pytest.approx(all_of.commits + all_of.descent - found.descent)


@pytest.mark.parametrize("workers", [None, WorkersAttribute()])
def test_a_first_session_that_did_not_end_has_no_shares(workers: WorkersAttribute | None) -> None:
    """The seconds of its workers are stored when it ends."""
    assert shares(workers=workers) is None


@pytest.mark.parametrize("run", [0.0, 1.0, 95.0, 1000.0])
def test_shares_sum_to_one(run: float) -> None:
    """No share is negative, whatever the clocks say."""
    found = shares(run=run)
    assert found is not None
    parts = [value for name, value in vars(found).items() if name != "seconds"]
    assert sum(parts) == pytest.approx(1.0)
    assert min(parts) >= 0.0
