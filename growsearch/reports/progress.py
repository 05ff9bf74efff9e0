"""Progress on the screen: bars with the time left, and a line for everything finished."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from growsearch.driver.events import (
    Event,
    JobEnded,
    JobLost,
    NoWorker,
    Polished,
    Started,
    TeacherReady,
    Training,
    TrialFinished,
)
from growsearch.reports.session import (
    lost_line,
    no_worker_line,
    opening,
    polish_line,
    teacher_line,
)
from growsearch.reports.trials import header, line
from growsearch.reproduction.progress import ReproductionProgress

_BLOCKS = "▁▂▃▄▅▆▇█"
_NARROW, _WIDE = 70, 100  # characters of a terminal that has room for times, and for curves
_CURVE = 12  # characters of a curve
_WORKER = 16  # characters of a worker's name
_DAY = 86400.0  # seconds: the time left is estimated from the whole session


class _Display:
    """Bars that are shown while the display is open, and lines above them."""

    def __init__(self, console: Console, *columns: ProgressColumn) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description:<18}", markup=False),
            BarColumn(bar_width=None, table_column=Column(ratio=1)),
            *columns,
            console=console,
            transient=True,
            expand=True,
            disable=not console.is_terminal,
            speed_estimate_period=_DAY,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class TimeLeftColumn(TimeRemainingColumn):
    """The time left, with the word."""

    max_refresh = 0.0  # seconds: a task without a step done may get a worker, or a total

    def __init__(self) -> None:
        super().__init__(compact=True, table_column=Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        """Return the time left of a task; nothing where its end is unknown."""
        time = super().render(task)
        return Text.assemble(time, " left") if time.plain else time


class WorkerOrTimeLeftColumn(TimeLeftColumn):
    """The worker of a training, where it is another process; else the time left."""

    def render(self, task: Task) -> Text:
        """Return the worker or the time left of a task."""
        return Text(task.fields["worker"]) if task.fields["worker"] else super().render(task)


def _columns(width: int) -> tuple[ProgressColumn, ...]:
    """Return what stands behind the bars of a search, on a terminal of so many characters."""
    count = MofNCompleteColumn(table_column=Column(justify="right", no_wrap=True))
    curve, accuracy, worker = (
        TextColumn(
            f"{{task.fields[{name}]}}",
            markup=False,
            table_column=Column(no_wrap=True, min_width=least),  # so that bars keep their place
        )
        for name, least in (("curve", _CURVE), ("accuracy", 6), ("worker", 0))
    )
    if width < _NARROW:
        return count, accuracy
    if width < _WIDE:
        return count, accuracy, TimeElapsedColumn(), WorkerOrTimeLeftColumn()
    return count, curve, accuracy, TimeElapsedColumn(), TimeLeftColumn(), worker


class RunDisplay(_Display):
    """Display of a search's events: bars on a terminal only, plain lines everywhere.

    The first bar counts the trials. Below it each running training has one, with the accuracies so
    far and, where another process trains, the worker.

    Parameters
    ----------
    console : rich.console.Console
        The console to write to.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(console, *_columns(console.width))
        self._trials = self._add("trials")
        self._starting: TaskID | None = self._add("starting")
        self._curves: dict[str, list[float]] = {}  # by training, as the next
        self._trainings: dict[str, TaskID] = {}
        self._has_blocks = console.encoding.startswith("utf")

    def __call__(self, event: Event) -> None:
        """Show one event."""
        match event:
            case Started():
                for text in opening(event):
                    self._print(text)
                total = max(event.trials, event.done)
                self._progress.update(self._trials, total=total, completed=event.done)
            case TeacherReady():
                self._print(teacher_line(event))
                self._print(header())
            case Training():
                self._show(event)
            case JobEnded():
                self._remove(event.what)
            case JobLost():
                self._remove(event.what)
                self._print(self._fit(lost_line(event)))
            case NoWorker():
                self._print(self._fit(no_worker_line(event)))
            case TrialFinished():
                self._print(self._fit(line(event.record)))
                self._progress.update(self._trials, completed=event.done)
            case Polished():
                self._print(polish_line(event))

    def _show(self, event: Training) -> None:
        """Show a point of a training's curve; the first one begins its bar."""
        if self._starting is not None:
            self._progress.remove_task(self._starting)
            self._starting = None
        if event.step == 0:  # of a tuned control, with each learning rate
            self._remove(event.what)
        curve = self._curves.setdefault(event.what, [])
        curve.append(event.accuracy)
        drawn: dict[str, Any] = {
            "curve": sparkline(curve, _CURVE) if self._has_blocks else "",
            "accuracy": f"{event.accuracy:.4f}",
            "worker": shortened(event.worker, _WORKER),
        }
        if event.what in self._trainings:
            self._progress.update(self._trainings[event.what], completed=event.step, **drawn)
        else:
            self._trainings[event.what] = self._progress.add_task(
                event.what, total=event.steps, completed=event.step, **drawn
            )

    def _remove(self, what: str) -> None:
        """Remove the bar of a training that is over, or whose worker was lost."""
        self._curves.pop(what, None)
        task = self._trainings.pop(what, None)
        if task is not None:
            self._progress.remove_task(task)

    def _add(self, description: str) -> TaskID:
        """Add a bar that is not a training's, and whose end is not known yet."""
        return self._progress.add_task(description, total=None, curve="", accuracy="", worker="")

    def _fit(self, text: str) -> str:
        """Break a line that is too long for the terminal, and indent the rest; not in a file."""
        if not self._console.is_terminal:
            return text
        return textwrap.fill(
            text, self._console.width, subsequent_indent=" " * 6, break_on_hyphens=False
        )


class ReproductionDisplay(_Display):
    """Display of a reproduction: a bar on a terminal, elsewhere a line for each training."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, TaskProgressColumn(), TimeElapsedColumn(), TimeLeftColumn())
        self._task = self._progress.add_task("reproduce", total=None)

    def __call__(self, progress: ReproductionProgress) -> None:
        """Show the progress made."""
        if progress.milestone and not self._console.is_terminal:
            self._print(progress.label)
        self._progress.update(
            self._task,
            description=progress.label,
            completed=progress.done,
            total=progress.total,
        )


def sparkline(values: Sequence[float], width: int) -> str:
    """Draw numbers as a line of at most ``width`` blocks, from their least to their largest.

    Of more numbers evenly spaced ones are drawn, with the first and the last.

    Examples
    --------
    >>> sparkline([0.1, 0.4, 0.6, 0.7, 0.75, 0.8], 6), sparkline([0.1, 0.4, 0.7, 0.8], 2)
    ('▁▄▆▇▇█', '▁█')
    """
    shown = list(values)
    if len(values) > width:
        step = (len(values) - 1) / (width - 1)
        shown = [values[round(place * step)] for place in range(width)]
    least, largest = min(values), max(values)
    scale = (len(_BLOCKS) - 1) / (largest - least) if largest > least else 0.0
    return "".join(_BLOCKS[round((value - least) * scale)] for value in shown)


def shortened(worker: str, width: int) -> str:
    """Return host and process of a worker, with the begin of the host left out where it is long.

    Examples
    --------
    >>> shortened("node7.cluster.example:4711", 16), shortened("growsearch-worker-7f9c8:4711", 16)
    ('node7:4711', '…rker-7f9c8:4711')
    """
    host, colon, process = worker.partition(":")
    text = f"{host.partition('.')[0]}{colon}{process}"
    return text if len(text) <= width else f"…{text[1 - width :]}"
