"""A session of a run as lines: its opening, its teacher, its polish, and the workers it lost."""

from __future__ import annotations

from growsearch.driver.events import JobLost, NoWorker, Polished, Started, TeacherReady
from growsearch.execution.dispatch import RETRIES
from growsearch.reports.trials import processes, stand_in_notice


def opening(event: Started) -> list[str]:
    """Return the lines that open a session: run, progress, seed, folder, images, workers."""
    progress = f"{event.done} of {event.trials} trials done"
    if event.done > event.trials:
        progress = f"{event.done} trials done, {event.trials} asked for"
    lines = [
        f"Run {event.name}: {progress}, seed {event.seed}, in {event.folder}",
        f"Images: {event.data_source}",
    ]
    pending = f", {event.pending_trials} pending trials" if event.pending_trials > 1 else ""
    if event.workers or pending:
        lines.append(f"Workers: {processes(event.workers)}{pending}")
    if event.stand_in:
        lines = [*stand_in_notice(), *lines]
    return lines


def teacher_line(event: TeacherReady) -> str:
    """Return the teacher as a line: architecture, parameters, accuracy, training time."""
    return (
        f"Teacher {event.architecture}: {event.parameters:,} parameters, "
        f"validation accuracy {event.validation_accuracy:.4f}, trained in {event.seconds:.0f} s"
    )


def polish_line(event: Polished) -> str:
    """Return one part of the polish, the last training of the best network, as a line."""
    better = "kept" if event.better else "not better"
    return (
        f"Polish {event.part} of {event.parts}: validation accuracy "
        f"{event.validation_accuracy:.4f}, {better}"
    )


def lost_line(event: JobLost) -> str:
    """Return a lost worker as a line: its job, the reason, and how often the job is sent again."""
    return f"{event.what}: {event.reason}: sent again ({event.time} of {RETRIES})"


def no_worker_line(event: NoWorker) -> str:
    """Return a job that no worker takes as a line, with what the cluster lacks."""
    return f"{event.what}: no worker for {event.seconds:.0f} s: {event.lacks}"
