"""Notes on trials and on both studies, for the Optuna dashboard."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from optuna.study import Study
from optuna.trial import FrozenTrial

from growsearch.study.optuna_private import identity_of, reopened
from growsearch.trials.arms import ARMS, CANDIDATE
from growsearch.trials.metrics import METRICS
from growsearch.trials.records import ArmResult, TrialRecord

if TYPE_CHECKING:
    from growsearch.study.result import SearchResult

_KEPT = 20  # kept trials in the note on a study; of more, the last ones


def preload() -> None:
    """Load what notes need, which takes more than a second; an error is that of the first note."""
    with suppress(Exception):
        import_module("optuna_dashboard")


def write_note(
    study: Study, trial: FrozenTrial, record: TrialRecord, metric: str = "accuracy"
) -> None:
    """Write decision, growth and accuracies of all arms of a trial as its note in the dashboard.

    In a run with another metric, the accuracies are values of it.
    """
    from optuna_dashboard import save_note

    parent = "the teacher" if record.parent is None else f"trial {record.parent}"
    step = record.arms[CANDIDATE].step_seconds
    speed = f", {step * 1000.0:.1f} ms an update" if step else ""
    lines = [
        f"### {decision_of(record)}",
        "",
        f"{record.reason}.",
        "",
        f"**{record.growth}** on {parent}: {record.old_size} → {record.new_size}",
        "",
        f"`{record.architecture}`",
        "",
        f"{record.parameters:,} parameters, {record.flops:,} FLOPs an image{speed}",
        "",
        f"| arm | validation {METRICS[metric].words} | {CANDIDATE} less it |",
        "|---|---|---|",
        *(_row(name, arm, record.arms[CANDIDATE]) for name, arm in record.arms.items()),
    ]
    save_note(reopened(study, trial), "\n".join(lines))


def decision_of(record: TrialRecord) -> str:
    """Return the end of a trial as a heading: kept or not, with a sign of its own."""
    if record.state == "FAIL":
        return "✖ Failed"
    if record.kept:
        return "✔ Kept"
    return "▽ Pruned, not kept" if record.state == "PRUNED" else "○ Not kept"


def _row(name: str, arm: ArmResult, candidate: ArmResult) -> str:
    if arm.accuracy is None:
        return f"| {name} | failed | |"
    difference = ""
    if name != CANDIDATE and candidate.accuracy is not None:
        difference = f"{candidate.accuracy - arm.accuracy:+.4f}"
    return f"| {name} | {arm.accuracy:.4f} | {difference} |"


def write_study_notes(result: SearchResult) -> None:
    """Write the notes on both studies: the run so far, and what its controls say."""
    from optuna_dashboard import save_note

    study, control_study = result.study, result.control_study
    both = f"{identity_of(study)},{identity_of(control_study)}"
    compare = f"[Compare both studies](/dashboard/compare-studies?ids={both})"
    evidence = [f"- {each}" for each in result.evidence().overall] or ["- no control has run yet"]
    save_note(study, "\n".join(_of_candidates(result, compare, evidence)))
    arms = dict.fromkeys(arm for trial in result.trials for arm in trial.arms if arm != CANDIDATE)
    questions = [f"| {arm} | {ARMS[arm].question} |" for arm in arms if arm in ARMS]
    lines = [
        f"## {study.study_name}: the controls",
        "",
        f"Each trial is a control that ran beside a candidate of the study **{study.study_name}**: "
        "the attribute `candidate` is the candidate's number, `arm` the kind of the control. "
        f"{compare}.",
        "",
        "| arm | question |",
        "|---|---|",
        *questions,
        "",
        "### Evidence",
        "",
        *evidence,
    ]
    save_note(control_study, "\n".join(lines))


def _of_candidates(result: SearchResult, compare: str, evidence: list[str]) -> list[str]:
    """Return the lines of the note on the candidates' study."""
    best, words = result.best, METRICS[result.metric].words
    whose = "the first network" if best.trial_number is None else f"trial {best.trial_number}"
    test = "" if result.test_score is None else f", {result.test_score:.4f} on the test images"
    kept = [trial for trial in result.trials if trial.kept]
    rows = [
        f"| {trial.number} | {trial.growth} | {trial.validation_accuracy or 0.0:.4f} "
        f"| {trial.parameters:,} |"
        for trial in kept[-_KEPT:]
    ]
    return [
        f"## {result.study.study_name}: the candidates",
        "",
        f"Best network: **{whose}**, validation {words} {best.validation_accuracy:.4f}{test}, "
        f"{best.network.parameters:,} parameters.",
        "",
        f"`{best.network.architecture}`",
        "",
        f"{len(result.trials)} candidates, {len(kept)} kept. The note on a trial says why, and "
        "so does its attribute `outcome`. The dashboard calls the trial with the highest value "
        "the best; the judge looks at the loss of each image too, and may not have kept it.",
        "",
        f"| trial kept | growth | validation {words} | parameters |",
        "|---|---|---|---|",
        f"| | first network | {result.teacher_accuracy:.4f} | {_first_size(result)} |",
        *rows,
        "",
        f"The controls are the trials of the study **{result.control_study.study_name}**. "
        f"{compare}.",
        "",
        "### Evidence",
        "",
        *evidence,
    ]


def _first_size(result: SearchResult) -> str:
    first = result.teacher_architecture
    return "" if first is None else f"{first.parameters:,}"
