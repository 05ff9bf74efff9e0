"""Trials as lines and a table, and the summary of a run, for terminals and for files."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from growsearch.datasets.files import some
from growsearch.reports.anytime import course_rows
from growsearch.reports.front import front_row
from growsearch.reports.times import span
from growsearch.study.attributes import WorkersAttribute
from growsearch.study.database import DATABASE
from growsearch.study.result import SearchResult
from growsearch.trials.arms import CANDIDATE
from growsearch.trials.metrics import METRICS
from growsearch.trials.records import TrialRecord

# Name and width of each column, negative on the left; a line with one control fits 80 characters.
_COLUMNS = (
    ("trial", 5),
    ("growth", -26),
    ("parent", -7),
    ("accuracy", 8),
    ("gain", 7),
    ("outcome", -8),
    ("controls", 0),
)


def header(metric: str = "accuracy") -> str:
    """Return the line of column names above the trials, in a run with a metric."""
    named = {"accuracy": METRICS[metric].column}
    return _aligned(*(named.get(name, name) for name, _ in _COLUMNS))


def line(record: TrialRecord) -> str:
    """Return one trial as a line: growth, parent, accuracies, gain, outcome, controls.

    The reason for the outcome stands at the end, in brackets, unless the gain alone implies it.
    """
    controls = " ".join(
        f"{name} {_accuracy(arm.accuracy)}"
        for name, arm in record.arms.items()
        if name != CANDIDATE
    )
    text = _aligned(
        str(record.number),
        sizes(record),
        "teacher" if record.parent is None else str(record.parent),
        _accuracy(record.validation_accuracy),
        "" if record.gain is None else f"{record.gain:+.4f}",
        _outcome(record),
        controls,
    )
    by_gain = record.kept == ((record.gain or 0.0) > 0.0)
    is_implied = record.state == "COMPLETE" and by_gain and record.demand is None
    if is_implied or not record.reason:
        return text
    return f"{text}{' ' * bool(controls)}({record.reason})"


def stand_in_notice() -> list[str]:
    """Return the notice that other images stand in for those of the search space."""
    return [
        "!" * 78,
        "!! STAND-IN DATA. The space's data set was neither found nor downloaded;",
        "!! scikit-learn's 1,797 handwritten digits serve instead.",
        "!! No figure of this run is one of that data set.",
        "!! To name it: --data FOLDER, or the environment variable GROWSEARCH_DATA.",
        "!" * 78,
    ]


def spent_line(spent: Mapping[str, float]) -> str:
    """Return the time of a run and of its phases, the longest phase first."""
    phases = sorted(spent.items(), key=lambda part: -part[1])
    text = ", ".join(f"{phase} {span(seconds)}" for phase, seconds in phases if seconds >= 0.5)
    return f"{span(sum(spent.values()))}: {text}" if text else span(sum(spent.values()))


def workers_line(workers: WorkersAttribute) -> str:
    """Return the workers of the last session, and how busy those of all sessions were.

    Examples
    --------
    >>> workers_line(WorkersAttribute(count=2, busy=182.0, available=200.0))
    '2 processes, busy 91 % of the time'
    """
    if not workers.available:
        return processes(workers.count)
    share = min(1.0, workers.busy / workers.available)
    return f"{processes(workers.count)}, busy {100 * share:.0f} % of the time"


def processes(count: int) -> str:
    """Return a number of worker processes in words; 0 is this process.

    Examples
    --------
    >>> processes(0), processes(1), processes(2)
    ('this process', '1 process', '2 processes')
    """
    return f"{count} process{'es' * (count > 1)}" if count else "this process"


def summary(result: SearchResult) -> list[tuple[str, str]]:
    """Return the summary of a run as (name, value) pairs."""
    best = result.best
    origin = "the teacher" if best.trial_number is None else f"trial {best.trial_number}"
    trained_on = "polished" if result.anytime is None else "cooled"
    origin += f", {trained_on}" if best.polished else ""
    metric = METRICS[result.metric].words
    rows = [
        ("best network", f"{best.network.architecture} ({origin})"),
        ("parameters", f"{best.network.parameters:,}"),
        (
            f"validation {metric}",
            f"{best.validation_accuracy:.4f} (teacher {result.teacher_accuracy:.4f})",
        ),
    ]
    if result.demand is not None and result.front:
        rows.insert(0, ("front", front_row(result.front, result.demand)))
    if result.metric != "accuracy" and result.test_score is not None:
        teachers = result.teacher_test_score
        rows.append((f"test {metric}", f"{result.test_score:.4f} (teacher {teachers:.4f})"))
    if result.test_accuracy is not None:
        rows.append(
            (
                "test accuracy",
                f"{result.test_accuracy:.4f} (teacher {result.teacher_test_accuracy:.4f})",
            )
        )
    if result.held_out_score is not None:
        teachers = result.teacher_held_out_score
        teacher = "" if teachers is None else f"teacher {teachers:.4f}; "
        on = f"{teacher}validation images that no network was chosen on"
        rows.append((f"held-out {metric}", f"{result.held_out_score:.4f} ({on})"))
    if result.anytime is not None:
        rows += course_rows(result.anytime, result.trials)
    evidence = result.evidence()
    controls = [str(each) for each in evidence.overall]
    if not controls:
        off = "off; --arms random with a new --out runs one"
        controls = [str(evidence) if result.control_arms else off]
    rows += [("control", each) for each in controls]
    if result.start is not None:
        rows.append(("started from", result.start.source))
    rows += [
        ("images", result.data_source),
        *([("classes", some(result.class_names, 12))] if result.class_names else []),
        ("weights", str(best.path)),
        ("run folder", str(result.folder)),
        ("dashboard", _command("dashboard", result.folder)),
    ]
    if evidence.overall:
        rows.append(("evidence", _command("compare", result.folder)))
    if result.spent:
        rows.append(("time", spent_line(result.spent)))
    if result.workers.count:
        rows.append(("workers", workers_line(result.workers)))
    if result.ended:
        rows.append(("ended", result.ended))
    return rows


def table(records: Sequence[TrialRecord], metric: str = "accuracy") -> list[str]:
    """Return all trials as lines, below a line that explains the columns and their names."""
    explanation = "Validation accuracies. Parent: its trial. Gain: accuracy less the parent's."
    if metric != "accuracy":
        words = METRICS[metric].words
        explanation = f"By validation {words}. Parent: its trial. Gain: {words} less the parent's."
    return [explanation, header(metric), *(line(record) for record in records)]


def _aligned(*cells: str) -> str:
    widths = (width for _, width in _COLUMNS)
    padded = (
        cell.rjust(width) if width > 0 else cell.ljust(-width)
        for cell, width in zip(cells, widths, strict=True)
    )
    return " ".join(padded)


def sizes(record: TrialRecord) -> str:
    """Return operation, layer and sizes: "widen conv1 32 → 48", "deepen conv1 3 → 4 layers"."""
    unit = " layers"
    old = record.old_size.removesuffix(unit) if record.new_size.endswith(unit) else record.old_size
    named = record.new_size.startswith(f"{record.layer} ")  # a skip's end is the layer itself
    operation = record.operation if named else f"{record.operation} {record.layer}"
    return f"{operation} {old} → {record.new_size}"


def _outcome(record: TrialRecord) -> str:
    if record.state in ("FAIL", "PRUNED"):
        return {"FAIL": "failed", "PRUNED": "pruned"}[record.state]
    return "kept" if record.kept else "not kept"


def _command(name: str, folder: Path) -> str:
    elsewhere = "" if (folder / DATABASE).is_file() else " --storage URL"
    return f"growsearch {name} {shlex.quote(str(folder))}{elsewhere}"


def _accuracy(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
