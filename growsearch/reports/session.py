"""A session of a run as lines: its opening, its teacher, its polish, and the workers it lost."""

from __future__ import annotations

from growsearch.driver.events import (
    Committed,
    JobLost,
    NoWorker,
    Polished,
    Started,
    TeacherReady,
)
from growsearch.execution.dispatch import RETRIES
from growsearch.reports.times import length, moment, span
from growsearch.reports.trials import processes, stand_in_notice
from growsearch.trials.metrics import METRICS

_WORDS = (
    "Trunk: the network that is trained throughout. Campaign: growths of it are tried",
    "beside it, and one that wins takes its place. Commit: the best so far is stored.",
)


def opening(event: Started) -> list[str]:
    """Return the lines that open a session: run, time, progress, seed, folder, images, workers."""
    told = _trunk_lines(event) if event.length is not None else _trial_lines(event)
    place = 1 + next(i for i, line in enumerate(told) if line.startswith("Images: "))
    told[place:place] = [f"  {note}" for note in event.notes]
    return [*stand_in_notice(), *told] if event.stand_in else told


def _trial_lines(event: Started) -> list[str]:
    """Return the opening of a run without a trunk."""
    about = [_progress(event), f"seed {event.seed}", f"in {event.folder}"]
    if event.time_budget is not None:
        about.insert(1, f"for {span(event.time_budget)}")
    lines = [f"Run {event.name}: {', '.join(about)}", f"Images: {event.data_source}"]
    pending = f", {event.pending_trials} pending trials" if event.pending_trials > 1 else ""
    if event.workers or pending:
        lines.append(f"Workers: {processes(event.workers)}{pending}")
    return lines


def _trunk_lines(event: Started) -> list[str]:
    """Return the opening of a run with a trunk: what it does, for how long, and where."""
    assert event.length is not None
    whole = length(event.length, in_seconds=event.time_budget is not None)
    done = [_progress(event)] if event.done else []
    about = [f"trains and grows one network for {whole}", *done, f"seed {event.seed}"]
    growths = f"growth{'s' * (event.pending_trials > 1)}"
    campaign = f"at most {event.pending_trials} {growths} in a campaign"
    return [
        f"Run {event.name}: {', '.join(about)}, in {event.folder}",
        f"Images: {event.data_source}",
        f"Workers: {processes(event.workers)}; {campaign}, {event.trials:,} in all",
        *_WORDS,
    ]


def _progress(event: Started) -> str:
    if event.done > event.trials:
        return f"{event.done} trials done, {event.trials} asked for"
    return f"{event.done} of {event.trials} trials done"


def commit_line(event: Committed, *, in_seconds: bool, metric: str = "accuracy") -> str:
    """Return a commit as a line: time, network, parameters, accuracy."""
    at = moment(event.elapsed, in_seconds=in_seconds)
    made = "a cooled fork" if event.cooled else "the trunk's averages"
    unit = "" if in_seconds else " updates"
    return (
        f"Commit at {at}{unit}: {event.outline}, {event.parameters:,} parameters, "
        f"{_validation(event, metric)} ({made})"
    )


def decay_line(event: Polished, metric: str = "accuracy") -> str:
    """Return one part of the decay of the trunk as a line."""
    better = ", the best so far" if event.better else ", not the best"
    if event.part < event.parts:
        better = ""  # its rate has still to fall
    return f"Decay {event.part} of {event.parts}: {_validation(event, metric)}{better}"


def first_line(event: TeacherReady, metric: str = "accuracy") -> str:
    """Return the first network of a trunk as a line: outline, parameters, accuracy, time."""
    return (
        f"First network {event.outline}: {event.parameters:,} parameters, "
        f"{_validation(event, metric)}, {_origin(event)}"
    )


def teacher_line(event: TeacherReady, metric: str = "accuracy") -> str:
    """Return the teacher as a line: architecture, parameters, accuracy, training time."""
    return (
        f"Teacher {event.architecture}: {event.parameters:,} parameters, "
        f"{_validation(event, metric)}, {_origin(event)}"
    )


def _origin(event: TeacherReady) -> str:
    """Return where the first network comes from: its training, or a file and what followed."""
    trained = f"trained in {event.seconds:.0f} s"
    if not event.start:
        return trained
    return f"from {event.start}" + f", {trained}" * (event.seconds > 0.0)


def polish_line(event: Polished, metric: str = "accuracy") -> str:
    """Return one part of the polish, the last training of the best network, as a line."""
    better = "kept" if event.better else "not better"
    return f"Polish {event.part} of {event.parts}: {_validation(event, metric)}, {better}"


def _validation(event: TeacherReady | Polished | Committed, metric: str) -> str:
    """Return the validation accuracy of an event, or the value of another metric."""
    return f"validation {METRICS[metric].words} {event.validation_accuracy:.4f}"


def lost_line(event: JobLost) -> str:
    """Return a lost worker as a line: its job, the reason, and how often the job is sent again."""
    return f"{event.what}: {event.reason}: sent again ({event.time} of {RETRIES})"


def no_worker_line(event: NoWorker) -> str:
    """Return a job that no worker takes as a line, with what the cluster lacks."""
    return f"{event.what}: no worker for {event.seconds:.0f} s: {event.lacks}"
