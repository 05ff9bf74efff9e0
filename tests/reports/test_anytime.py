"""The course of a run with a trunk, as it is printed: its table, its lineage, its seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from growsearch.networks import Architecture, Network
from growsearch.reports import anytime, campaigns
from growsearch.reports.trials import summary
from growsearch.study.anytime import Anytime
from growsearch.study.attributes import Reading
from growsearch.study.lineage import Ancestor
from growsearch.study.networks import Best
from growsearch.study.result import SearchResult
from growsearch.study.shares import Shares
from growsearch.trials.records import ArmResult, TrialRecord

FIRST = Architecture.parse("3x3x8(a)-pool1-10(f)", (8, 8, 1))
DEEPER = Architecture.parse("3x3x8(a)-3x3x8(b)-pool1-10(f)", (8, 8, 1))
REASON = "now: ahead of the trunk at equal cost, 8 s after the growth (loss -0.0020)"


def reading(elapsed: float, accuracy: float, trial: int | None, mark: float = 0.0) -> Reading:
    return Reading(
        elapsed=elapsed,
        validation_accuracy=accuracy,
        validation_loss=0.25,
        parameters=1300 if trial is None else 1884,
        trial=trial,
        mark=mark,
    )


COURSE = Anytime(
    readings=(
        reading(14.0, 0.86, None),
        reading(60.2, 0.9, None, 60.0),
        reading(80.0, 0.91, 2),
        reading(120.4, 0.92, 2, 120.0),
    ),
    lineage=(Ancestor(FIRST), Ancestor(DEEPER, 2, "deepen(a)", 74.6, REASON)),
    end=reading(300.4, 0.93, 2),
    shares=Shares(600.0, 0.55, 0.2, 0.0, 0.1, 0.1, 0.05),
)


@pytest.fixture
def result(tmp_path: Path) -> SearchResult:
    best = Best(Network.initial(DEEPER, rng=0), 0.93, 2, tmp_path / "x.safetensors", polished=True)
    return SearchResult(
        best=best,
        test_accuracy=0.925,
        teacher_accuracy=0.86,
        teacher_test_accuracy=0.85,
        trials=(trial(), trial(number=2, kept=True, reason=REASON)),
        study=optuna.create_study(),
        control_study=optuna.create_study(),
        folder=tmp_path,
        ended="the decay of the trunk began",
        data_source="made by hand",
        stand_in=False,
        anytime=COURSE,
    )


def trial(**changes: object) -> TrialRecord:
    """A growth that was tried and not kept, with some fields changed."""
    made = TrialRecord(
        number=0,
        state="COMPLETE",
        parent=None,
        growth="widen(a, 16)",
        operation="widen",
        layer="a",
        old_size="8",
        new_size="16",
        learning_rate=0.4,
        architecture="",
        parameters=1,
        flops=1,
        arms={"net2net": ArmResult(0.88, 0.3, 1.0), "random": ArmResult(0.6, 1.0, 1.0)},
        gain=0.02,
        seconds=2.0,
        kept=False,
        reason="loss +0.1000 at equal cost: too far behind the trunk, 0.2500",
        loss_gain=-0.1,
        elapsed=74.6,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_the_table_has_a_row_a_commit_and_one_for_the_end(result: SearchResult) -> None:
    """Each row has the network of its time; the test images are used at the end only."""
    about, *rows = anytime.curve(result, COURSE)
    assert about.endswith(":")
    assert [" ".join(row.split()) for row in rows] == [
        "time network parameters growths kept accuracy loss test",
        "1:00 8 1,300 0 0.9000 0.2500",
        "2:00 [8-8] 1,884 1 0.9200 0.2500",
        "end 5:00 [8-8] 1,884 1 0.9300 0.2500 0.9250",
    ]
    assert all(len(row) <= 80 for row in (about, *rows))


def test_times_without_a_budget_are_updates(result: SearchResult) -> None:
    """The table names the unit in its heading, the lineage beside the number."""
    course = replace(COURSE, in_seconds=False)
    _, names, first, *_ = anytime.curve(result, course)
    assert names.split()[0] == "updates"
    assert first.split()[0] == "60"
    (_, grown), *_ = anytime.lineage_rows(course, result.trials)
    assert grown.startswith("8 → [8-8] at 75 updates ")


def test_the_lineage_says_when_and_why() -> None:
    """One line has the networks with their times; each growth has one with its reason."""
    assert anytime.lineage_rows(COURSE, (trial(), trial(number=2))) == [
        ("grown", "8 → [8-8] at 1:15 (2 growths tried, 1 kept)"),
        ("kept", f"trial 2, deepen(a): {REASON}"),
    ]
    none = replace(COURSE, lineage=COURSE.lineage[:1])
    assert anytime.lineage_rows(none, (trial(),)) == [("grown", "8: 1 growth tried, none kept")]


def test_the_shares_are_told_by_size_of_purpose() -> None:
    """Descent and deciding always; the others where they are at least half a per cent."""
    shares = Shares(600.0, 0.55, 0.2, 0.0, 0.1, 0.1, 0.05)
    assert anytime.shares_line(shares) == (
        "of 10 min 0 s of all workers: 55 % updates that the network descends from, 20 % "
        "deciding, 10 % other commits, 10 % loading and evaluation, 5 % idle"
    )
    assert "0 % deciding" in anytime.shares_line(replace(shares, deciding=0.0))


def test_the_summary_has_lineage_and_seconds(result: SearchResult) -> None:
    """They stand in the summary of a run with a trunk, whose network was cooled."""
    rows = dict(summary(result))
    assert rows["grown"].startswith("8 → [8-8] at 1:15")
    assert rows["kept"].endswith(REASON)
    assert "55 %" in rows["seconds"]
    assert rows["best network"].endswith("(trial 2, cooled)")
    assert not {"grown", "kept", "seconds"} & dict(summary(replace(result, anytime=None))).keys()


def test_a_growth_is_a_line_with_its_reason() -> None:
    """The reason is always there, and a growth that was kept stands out in capitals."""
    assert " ".join(campaigns.line(trial(), in_seconds=True).split()) == (
        "0 1:15 widen a 8 → 16 0.8800 not kept: loss +0.1000 at equal cost: too far behind the "
        "trunk, 0.2500 (random 0.6000)"
    )
    kept = campaigns.line(trial(kept=True, reason=REASON), in_seconds=True)
    assert f" KEPT: {REASON}" in kept
    failed = trial(
        state="FAIL", elapsed=None, arms={"net2net": ArmResult(None, None, 0.0)}, reason="too slow"
    )
    told = " ".join(campaigns.line(failed, in_seconds=True).split())
    assert told == "0 widen a 8 → 16 - failed: too slow"


def test_growths_stand_below_their_columns() -> None:
    """The table has one line for each, below the names of the columns."""
    names, *lines = campaigns.table([trial(), trial(number=2)], in_seconds=False)
    assert names.split() == ["trial", "updates", "growth", "accuracy", "outcome"]
    assert [line.split()[1] for line in lines] == ["75", "75"]
    for line in lines:
        assert line[names.index("outcome") :].startswith("not kept")
