"""Progress on the screen: bars with the time left, and a line for everything finished."""

from __future__ import annotations

import textwrap
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from growsearch.driver.events import (
    Event,
    Polished,
    Started,
    TeacherReady,
    Training,
    TrialFinished,
)
from growsearch.reports.trials import header, line, opening, polish_line, teacher_line
from growsearch.reproduction.progress import ReproductionProgress


class _Display:
    """Bars that are shown while the display is open, and lines above them."""

    def __init__(self, console: Console, count: ProgressColumn) -> None:
        self._console = console
        self._progress = _bars(console, count)

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


class RunDisplay(_Display):
    """Display of a search's events: bars on a terminal only, plain lines everywhere.

    Parameters
    ----------
    console : rich.console.Console
        The console to write to.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(console, MofNCompleteColumn())
        self._trials = self._progress.add_task("trials", total=None)
        self._training = self._progress.add_task("training", total=None)

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
                if event.step == 0:
                    self._progress.reset(self._training, total=event.steps)
                self._progress.update(self._training, description=event.what, completed=event.step)
            case TrialFinished():
                self._print(self._fit(line(event.record)))
                self._progress.update(self._trials, completed=event.done)
            case Polished():
                self._print(polish_line(event))

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
        super().__init__(console, TaskProgressColumn())
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


def _bars(console: Console, count: ProgressColumn) -> Progress:
    return Progress(
        TextColumn("{task.description:<24}"),
        BarColumn(),
        count,
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
