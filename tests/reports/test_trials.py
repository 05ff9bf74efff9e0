"""Trials as lines and a table, and a run's summary, with reasons as judge and trainer word them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from growsearch.datasets import Split
from growsearch.errors import DivergedError
from growsearch.networks import Architecture, Network
from growsearch.reports import trials as report
from growsearch.study.attributes import WorkersAttribute
from growsearch.study.networks import Best
from growsearch.study.result import SearchResult
from growsearch.training import TrainingPlan
from growsearch.trials.judge import Score, decide
from growsearch.trials.records import ArmResult, TrialRecord

# The trainer's words; test_the_failure_is_worded_as_the_trainer_does takes them from it.
FAILURE = "the loss became inf at step 2 of 4 with learning rate 1e+20: lower the learning rate"


def arm(accuracy: float | None) -> ArmResult:
    if accuracy is None:
        return ArmResult(None, None, 0.0, failure=FAILURE)
    return ArmResult(accuracy, 0.5, 1.5, ((0, 0.9, 0.6), (4, accuracy, 0.5)))


def judged(candidate: float, best: float, *losses: float, **options: Any) -> str:
    """Return the judge's reason; ``losses`` are the candidate's two, where the best has 1 and 1."""
    if not losses:
        return decide(Score(candidate), Score(best), **options).reason
    scores = Score(candidate, np.array(losses)), Score(best, np.ones(2))
    return decide(*scores, **options).reason


def trial(**changes: Any) -> TrialRecord:
    """Return a kept trial with some fields changed."""
    kept = TrialRecord(
        number=3,
        state="COMPLETE",
        parent=1,
        growth="widen(conv1, 48)",
        operation="widen",
        layer="conv1",
        old_size="32",
        new_size="48",
        learning_rate=1e-3,
        architecture="3x3x48(conv1)-10(fc1)",
        parameters=1000,
        flops=2000,
        arms={"net2net": arm(0.98), "random": arm(0.97)},
        gain=0.01,
        seconds=3.0,
        kept=True,
        reason=judged(0.98, 0.97),
    )
    return replace(kept, **changes)


KEPT = trial()
NOT_KEPT = trial(kept=False, gain=-0.002, reason=judged(0.98, 0.982))
NOT_SURE = trial(kept=False, gain=0.001, reason=judged(0.98, 0.979, 0.9, 1.08))
PRUNED = trial(
    state="PRUNED",
    kept=False,
    gain=-0.4,
    arms={"net2net": arm(0.58)},
    reason=judged(0.58, 0.98, pruned=True),
)
FAILED = trial(state="FAIL", kept=False, gain=None, arms={"net2net": arm(None)}, reason=FAILURE)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (KEPT, "3 widen conv1 32 → 48 1 0.9800 +0.0100 kept random 0.9700"),
        (NOT_KEPT, "3 widen conv1 32 → 48 1 0.9800 -0.0020 not kept random 0.9700"),
        (
            NOT_SURE,
            "3 widen conv1 32 → 48 1 0.9800 +0.0010 not kept random 0.9700 "
            "(0.9800 is above 0.9790, but its loss is not surely lower (-0.0100 ± 0.0900))",
        ),
        (
            PRUNED,
            "3 widen conv1 32 → 48 1 0.5800 -0.4000 pruned "
            "(pruned at 0.5800: too far below its parent, 0.9800, or behind other candidates)",
        ),
        (
            FAILED,
            "3 widen conv1 32 → 48 1 - failed (the loss became inf at step 2 of 4 with learning "
            "rate 1e+20: lower the learning rate)",
        ),
        (trial(parent=None), "3 widen conv1 32 → 48 teacher 0.9800 +0.0100 kept random 0.9700"),
        (
            trial(arms={"net2net": arm(0.98)}),
            "3 widen conv1 32 → 48 1 0.9800 +0.0100 kept",
        ),
        (
            trial(arms={"net2net": arm(0.98), "random": arm(None), "scratch": arm(0.1)}),
            "3 widen conv1 32 → 48 1 0.9800 +0.0100 kept random - scratch 0.1000",
        ),
        (
            trial(operation="deepen", old_size="3 layers", new_size="4 layers"),
            "3 deepen conv1 3 → 4 layers 1 0.9800 +0.0100 kept random 0.9700",
        ),
        (
            trial(operation="add_skip", layer="c3", old_size="c1", new_size="c3 (add)"),
            "3 add_skip c1 → c3 (add) 1 0.9800 +0.0100 kept random 0.9700",
        ),
    ],
    ids=[
        *("kept", "not kept", "not surely better", "pruned", "failed", "on the teacher"),
        *("no control", "a failed control", "deepen", "skip"),
    ],
)
def test_a_line_tells_what_was_tried_and_what_became_of_it(
    record: TrialRecord, expected: str
) -> None:
    """A line names growth, parent, accuracies, outcome; the reason where the gain is no reason."""
    assert " ".join(report.line(record).split()) == expected


def test_the_failure_is_worded_as_the_trainer_does() -> None:
    """A real training with an impossible learning rate fails in the words that lines print."""
    from growsearch.training.slim import SlimTrainer

    rng = np.random.default_rng(0)
    data = Split(rng.random((8, 4, 4, 1), np.float32), np.arange(8) % 2)
    network = Network.initial(Architecture.parse("4(fc1)-2(fc2)", (4, 4, 1)), rng=0)
    plan = TrainingPlan(4, 4, 1e20, "sgd", evaluate_every=2)
    with pytest.raises(DivergedError) as raised:
        SlimTrainer().train(network, data, plan, evaluate_on=data, seed=0)
    assert str(raised.value) == FAILURE


@pytest.mark.parametrize("record", [KEPT, NOT_KEPT, trial(parent=None, number=99999)])
def test_a_line_fits_a_terminal_of_eighty_characters(record: TrialRecord) -> None:
    """An ordinary trial with one control is one line of a narrow terminal, and so is the header."""
    assert len(report.line(record)) <= 80
    assert len(report.header()) <= 80


def test_columns_stand_below_their_names() -> None:
    """Every line begins its columns where the header does, whatever the outcome."""
    _, header, *lines = report.table([KEPT, NOT_KEPT, NOT_SURE, PRUNED, FAILED])
    for line in lines:
        assert line[: header.index("growth")].strip() == "3"
        assert line[header.index("growth") :].startswith("widen conv1")
        assert line[header.index("parent") :].startswith("1 ")
        assert line[: header.index("accuracy") + 8].endswith(("0.9800", "0.5800", "-"))
        assert re.match(r"kept|not kept|pruned|failed", line[header.index("outcome") :])


def test_a_table_is_a_line_a_trial() -> None:
    """No record is more than one line, so that grep finds it whole; one line explains all."""
    records = [KEPT, NOT_KEPT, NOT_SURE, PRUNED, FAILED]
    explanation, *rest = report.table(records)
    assert rest == [report.header(), *map(report.line, records)]
    assert "Validation accuracies" in explanation
    assert len(explanation) <= 80
    assert not any("\n" in line for line in report.table(records))
    assert [line for line in report.table(records) if " failed " in line] == [report.line(FAILED)]


def result(folder: Path, **changes: Any) -> SearchResult:
    architecture = Architecture.parse("8(fc1)-10(fc2)", (4, 4, 1))
    best = Best(
        Network.initial(architecture, rng=0), 0.98, 3, folder / "weights" / "abc.safetensors"
    )
    made = SearchResult(
        best=best,
        test_accuracy=0.975,
        teacher_accuracy=0.9,
        teacher_test_accuracy=0.89,
        trials=(KEPT,),
        study=optuna.create_study(),
        control_study=optuna.create_study(),
        folder=folder,
        ended="the one trial is done",
        data_source="made by hand",
        stand_in=False,
    )
    return replace(made, **changes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "study.db").touch()
    return tmp_path


def test_the_summary_names_network_figures_and_places(folder: Path) -> None:
    """The summary has the network, its accuracies, all places, and the commands to go on with."""
    rows = report.summary(result(folder))
    assert [name for name, _ in rows] == [
        *("best network", "parameters", "validation accuracy", "test accuracy", "control"),
        *("images", "weights", "run folder", "dashboard", "evidence", "ended"),
    ]
    told = dict(rows)
    assert told["best network"] == "8(fc1)-10(fc2) (trial 3)"
    assert told["parameters"] == "226"
    assert told["validation accuracy"] == "0.9800 (teacher 0.9000)"
    assert told["test accuracy"] == "0.9750 (teacher 0.8900)"
    assert told["control"].startswith("net2net − random: +0.0100")
    assert told["dashboard"] == f"growsearch dashboard {folder}"


def test_an_unfinished_run_claims_no_test_accuracy(folder: Path) -> None:
    """Without a test there is no row for it; without an end, none for that."""
    rows = report.summary(result(folder, test_accuracy=None, teacher_test_accuracy=None, ended=""))
    assert not {"test accuracy", "ended"} & {name for name, _ in rows}


def test_a_run_without_controls_says_so(folder: Path) -> None:
    """The summary says that controls are off, or that none has run yet."""
    alone = trial(arms={"net2net": arm(0.98)})
    for trials in ((), (alone,)):
        for arms, said in (({}, "off; --arms random"), ({"random": 0.5}, "no control arm has run")):
            rows = dict(report.summary(result(folder, trials=trials, control_arms=arms)))
            assert rows["control"].startswith(said)


def test_each_control_has_a_row(folder: Path) -> None:
    """Every control arm has a comparison of its own."""
    arms = {"net2net": arm(0.98), "random": arm(0.97), "continued": arm(0.99)}
    rows = report.summary(result(folder, trials=(trial(arms=arms),)))
    told = [value for name, value in rows if name == "control"]
    assert [value.split(":")[0] for value in told] == ["net2net − random", "net2net − continued"]


def test_the_teacher_may_be_the_best(folder: Path) -> None:
    """When no trial beat it, the network kept is the teacher's."""
    made = result(folder)
    rows = report.summary(replace(made, best=replace(made.best, trial_number=None)))
    assert dict(rows)["best network"] == "8(fc1)-10(fc2) (the teacher)"


@pytest.mark.parametrize(
    ("name", "database", "command"),
    [
        ("plain", True, "growsearch dashboard {}"),
        ("with space", True, "growsearch dashboard '{}'"),
        ("elsewhere", False, "growsearch dashboard {} --storage URL"),
    ],
)
def test_the_dashboards_command_can_be_pasted(
    name: str, database: bool, command: str, tmp_path: Path
) -> None:
    """Names with spaces are quoted, and a storage elsewhere has to be named."""
    folder = tmp_path / name
    folder.mkdir()
    if database:
        (folder / "study.db").touch()
    assert dict(report.summary(result(folder)))["dashboard"] == command.format(folder)


def test_the_result_is_strict_json(folder: Path) -> None:
    """Every outcome becomes JSON without NaN, and comes back with its figures."""
    records = (KEPT, NOT_KEPT, NOT_SURE, PRUNED, FAILED)
    text = json.dumps(result(folder, trials=records).to_json(), allow_nan=False)
    back = json.loads(text)
    assert [each["state"] for each in back["trials"]] == [each.state for each in records]
    assert back["trials"][0]["arms"]["random"]["curve"] == [[0, 0.9, 0.6], [4, 0.97, 0.5]]
    assert back["trials"][4]["arms"]["net2net"]["accuracy"] is None
    assert back["best"]["sha256"] == "abc"


@pytest.mark.parametrize(
    ("spent", "told"),
    [
        (
            {"teacher": 30.2, "candidates": 200.0, "controls": 0.0, "polish": 90.0, "other": 4.6},
            "5 min 25 s: candidates 3 min 20 s, polish 1 min 30 s, teacher 30 s, other 5 s",
        ),
        ({"teacher": 59.6}, "1 min 0 s: teacher 1 min 0 s"),
        ({"teacher": 0.4, "other": 0.3}, "1 s"),
        ({}, "0 s"),
    ],
    ids=["several", "a minute", "less than a second each", "nothing"],
)
def test_the_time_is_told_by_what_it_went_into(spent: dict[str, float], told: str) -> None:
    """The line has the whole time, then its phases, the longest first, without those of 0 s."""
    assert report.spent_line(spent) == told


def test_the_summary_tells_the_time_and_the_polish(folder: Path) -> None:
    """The summary has rows for time and held-out accuracy, and names the polish, where known."""
    made = result(folder, spent={"teacher": 10.0, "candidates": 50.0}, held_out_accuracy=0.97)
    rows = dict(report.summary(replace(made, best=replace(made.best, polished=True))))
    assert rows["time"] == "1 min 0 s: candidates 50 s, teacher 10 s"
    assert rows["best network"].endswith("(trial 3, polished)")
    assert rows["held-out accuracy"] == "0.9700 (validation images that no network was chosen on)"
    both = dict(report.summary(replace(made, teacher_held_out_accuracy=0.88)))
    assert both["held-out accuracy"].startswith("0.9700 (teacher 0.8800; validation images")
    plain = dict(report.summary(result(folder)))
    assert not {"time", "held-out accuracy"} & plain.keys()
    assert "polished" not in plain["best network"]


@pytest.mark.parametrize(
    ("workers", "told"),
    [
        (
            WorkersAttribute(count=2, busy=182.0, available=200.0),
            "2 processes, busy 91 % of the time",
        ),
        (
            WorkersAttribute(count=1, busy=10.001, available=10.0),
            "1 process, busy 100 % of the time",
        ),
        (WorkersAttribute(count=4), "4 processes"),
        (WorkersAttribute(count=0, busy=9.0, available=10.0), None),
        (WorkersAttribute(), None),
    ],
    ids=["two", "one", "not measured", "this process", "a run from before workers"],
)
def test_the_summary_tells_how_busy_the_workers_were(
    workers: WorkersAttribute, told: str | None, folder: Path
) -> None:
    """There is a row where there were workers: not for this process, nor for an older run."""
    rows = dict(report.summary(result(folder, workers=workers)))
    assert rows.get("workers") == told
