"""Progress on the screen: a view of what runs, and a line for everything finished."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    ProgressColumn,
    TaskID,
    TaskProgressColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from growsearch.driver.events import (
    Committed,
    Event,
    FrontRead,
    JobEnded,
    JobLost,
    NoWorker,
    Polished,
    Started,
    TeacherReady,
    Training,
    TrialFinished,
    TrunkRead,
)
from growsearch.reports import campaigns
from growsearch.reports.bars import CURVE, Bars, TimeLeftColumn, columns_at
from growsearch.reports.front import front_line
from growsearch.reports.glance import Glance, plain_letters, sparkline
from growsearch.reports.session import (
    commit_line,
    decay_line,
    first_line,
    lost_line,
    no_worker_line,
    opening,
    polish_line,
    teacher_line,
)
from growsearch.reports.trials import header, line
from growsearch.reproduction.progress import ReproductionProgress

_WORKER = 16  # characters of a worker's name
_DAY = 86400.0  # seconds: the time left is estimated from the whole session
_TRUNK = "trunk"  # the bar of a trunk, and the name of its jobs before their numbers
_FORKS = ("commit ", "decay ")  # names of the jobs of cooled forks
_KEPT = "bold green"  # style of a growth that was kept


class _Display:
    """Bars that are shown while the display is open, and lines above them.

    On a terminal that cannot move its cursor, such as ``TERM=dumb``, there are lines only.
    """

    def __init__(
        self,
        console: Console,
        columns: Callable[[int], tuple[ProgressColumn, ...]],
        *,
        is_plain: bool = False,
    ) -> None:
        self._console = console
        self._has_signs = has_signs(console)
        self._is_live = console.is_terminal and not console.is_dumb_terminal and not is_plain
        self._progress = Bars(
            self._before,
            columns,
            console=console,
            transient=True,
            expand=True,
            disable=not self._is_live,
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

    def _print(self, text: str, style: str = "") -> None:
        text = text if self._has_signs else plain_letters(text)
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    def _before(self) -> list[Text]:
        """Advance the bars that advance by themselves; return the lines above the bars."""
        return []


class RunDisplay(_Display):
    """Display of a search's events: a view on a terminal only, plain lines everywhere.

    The view has the best network so far and the last decisions, and bars below. The first bar
    counts the trials; in a run with a trunk it shows how much of the run has passed, and the second
    one is the trunk's. Below them each running training has one, with the accuracies so far and,
    where another process trains, the worker. Above the view each decision is a line that stays.

    Parameters
    ----------
    console : rich.console.Console
        The console to write to.
    is_plain : bool
        True for lines only, on a terminal too.
    """

    _began: float | None = None  # by time.monotonic, where a trunk has a time budget

    def __init__(self, console: Console, *, is_plain: bool = False) -> None:
        self._glance = Glance(has_signs=has_signs(console))
        super().__init__(console, columns_at, is_plain=is_plain)
        self._run = self._add("trials")
        self._starting: TaskID | None = self._add("starting")
        self._curves: dict[str, list[float]] = {}  # by training, as the next
        self._trainings: dict[str, TaskID] = {}
        self._has_trunk = False
        self._in_seconds = False  # of the moments of a trunk
        self._metric = "accuracy"

    def __call__(self, event: Event) -> None:
        """Show one event."""
        self._glance.take(event)
        match event:
            case Started():
                self._open(event)
            case TeacherReady():
                told = first_line if self._has_trunk else teacher_line
                self._print(self._fit(told(event, self._metric)))
                columns = campaigns.header(in_seconds=self._in_seconds, metric=self._metric)
                self._print(columns if self._has_trunk else header(self._metric))
            case Training():
                self._show(event)
            case JobEnded() if self._bar_of(event.what) != _TRUNK:
                self._remove(event.what)
            case JobLost():
                self._remove(event.what)
                self._print(self._fit(lost_line(event)))
            case NoWorker():
                self._print(self._fit(no_worker_line(event)))
            case TrialFinished():
                self._tell(event)
            case TrunkRead():
                self._pass(event.elapsed)
                if _TRUNK in self._trainings:
                    accuracy = f"{event.validation_accuracy:.4f}"
                    self._progress.update(self._trainings[_TRUNK], accuracy=accuracy)
            case Committed():
                self._pass(event.elapsed)
                in_seconds, metric = self._in_seconds, self._metric
                text = commit_line(event, in_seconds=in_seconds, metric=metric)
                self._print(self._fit(text))
            case FrontRead():
                self._print(self._fit(front_line(event)))
            case Polished():
                line_of = decay_line if self._has_trunk else polish_line
                self._print(line_of(event, self._metric))

    def _open(self, event: Started) -> None:
        """Show the opening of a session."""
        for text in opening(event):
            self._print(text)
        self._metric = event.metric
        self._has_trunk = event.length is not None
        self._in_seconds = event.time_budget is not None
        if event.length is None:
            total, ends = max(event.trials, event.done), None
            if event.time_budget is not None:
                ends = time.monotonic() + event.time_budget - event.passed
            self._progress.update(self._run, total=total, completed=event.done, ends=ends)
            return
        if self._in_seconds:
            self._began = time.monotonic() - event.passed
        description = "run, seconds" if self._in_seconds else "run, updates"
        self._progress.update(self._run, description=description, total=round(event.length))
        self._advance()

    def _before(self) -> list[Text]:
        """Show how much of the time has passed; return the lines above the bars."""
        self._advance()
        return list(self._glance.lines(self._console.width))

    def _advance(self) -> None:
        """Show how much of the time budget has passed."""
        if self._began is not None:
            passed = round(time.monotonic() - self._began)
            self._progress.update(self._run, completed=passed)

    def _pass(self, elapsed: float) -> None:
        """Show how many updates have passed, in a run without a time budget."""
        if not self._in_seconds:
            self._progress.update(self._run, completed=round(elapsed))

    def _tell(self, event: TrialFinished) -> None:
        """Show a trial that is finished; of growths of a trunk, one that was kept stands out."""
        if not self._has_trunk:
            self._print(self._fit(line(event.record)))
            self._progress.update(self._run, completed=event.done)
            return
        text = campaigns.line(event.record, in_seconds=self._in_seconds)
        self._print(self._fit(text), style=_KEPT if event.record.kept else "")

    def _bar_of(self, what: str) -> str:
        """Return the name of a training's bar: all trainings of the trunk have one."""
        return _TRUNK if self._has_trunk and what.startswith(f"{_TRUNK} ") else what

    def _show(self, event: Training) -> None:
        """Show a point of a training's curve; the first one begins its bar."""
        if self._starting is not None:
            self._progress.remove_task(self._starting)
            self._starting = None
        bar = self._bar_of(event.what)
        if bar == _TRUNK:
            # Its weights are read by their averages, of which there are none at the begin.
            known = [event.accuracy] if event.step else []
        else:
            known = [event.accuracy]
            if event.step == 0:  # of a tuned control, with each learning rate
                self._remove(bar)
        is_fork = self._has_trunk and event.what.startswith(_FORKS)
        if is_fork and event.what.startswith(_FORKS[-1]):
            self._remove(_TRUNK)  # it has ended
        curve = self._curves.setdefault(bar, [])
        curve += known
        drawn: dict[str, Any] = {
            "curve": sparkline(curve, CURVE) if self._has_signs and curve else "",
            "accuracy": f"{curve[-1]:.4f}" if curve else "",
            "worker": self._shown(event.worker),
            "completed": event.step,
            # The updates that fit into the time of a fork are not known before its end.
            "total": None if is_fork and self._in_seconds else event.steps,
        }
        if bar in self._trainings:
            self._progress.update(self._trainings[bar], **drawn)
        else:
            self._trainings[bar] = self._progress.add_task(bar, **drawn)

    def _shown(self, worker: str) -> str:
        text = shortened(worker, _WORKER)
        return text if self._has_signs else plain_letters(text)

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
        columns = TaskProgressColumn(), TimeElapsedColumn(), TimeLeftColumn()
        super().__init__(console, lambda _: columns)
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


def has_signs(console: Console) -> bool:
    """Return whether a console shows blocks, circles and arrows, as those in UTF-8 do.

    The console of Windows before its Terminal has no font for them.
    """
    return console.encoding.startswith("utf") and not console.legacy_windows


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
