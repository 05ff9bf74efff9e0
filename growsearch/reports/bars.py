"""Bars of progress on a terminal: as many as it has room for, with columns that fit its width."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

CURVE = 12  # characters of a curve

_ROWS = 4  # trainings that are shown on the lowest terminal
_NARROW, _WIDE = 70, 100  # characters of a terminal that has room for times, and for curves


class Bars(Progress):
    """Bars below lines, as many as the terminal has room for.

    Parameters
    ----------
    before : callable
        Called before each drawing; returns the lines above the bars.
    columns : callable
        Given the width of the terminal, which its user may change, return what stands behind the
        bars.
    """

    def __init__(
        self,
        before: Callable[[], list[Text]],
        columns: Callable[[int], tuple[ProgressColumn, ...]],
        *,
        console: Console,
        **options: Any,
    ) -> None:
        self._before = before
        self._screen, self._columns_at, self._width = console, columns, console.width
        super().__init__(*self._all_columns(), console=console, **options)

    def _all_columns(self) -> tuple[ProgressColumn, ...]:
        return (
            TextColumn("{task.description:<18}", markup=False),
            BarColumn(bar_width=None, table_column=Column(ratio=1)),
            *self._columns_at(self._width),
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """Return what is drawn."""
        lines = self._before()
        if self._screen.width != self._width:
            self._width = self._screen.width
            self.columns = self._all_columns()
        tasks = self.tasks
        room = max(_ROWS, self._screen.height - len(lines) - 2)
        if len(tasks) <= room + 1:
            room = len(tasks)
        yield from lines
        yield self.make_tasks_table(tasks[:room])
        if len(tasks) > room:
            yield Text(f"and {len(tasks) - room} more trainings")


class TimeLeftColumn(TimeRemainingColumn):
    """The time left, with the word: at most that until the moment in the field ``ends``."""

    max_refresh = 0.0  # seconds: a task without a step done may get a worker, or a total

    def __init__(self) -> None:
        super().__init__(compact=True, table_column=Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        """Return the time left of a task; nothing where its end is unknown."""
        ends = task.fields.get("ends")
        if ends is not None and not task.finished:
            left = max(0.0, ends - time.monotonic())
            expected = task.time_remaining if task.completed else None
            minutes, seconds = divmod(int(left if expected is None else min(left, expected)), 60)
            hours, minutes = divmod(minutes, 60)
            shown = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"
            return Text.assemble((shown, "progress.remaining"), " left")
        found = super().render(task)
        return Text.assemble(found, " left") if found.plain else found


class WorkerOrTimeLeftColumn(TimeLeftColumn):
    """The worker of a training, where it is another process; else the time left."""

    def render(self, task: Task) -> Text:
        """Return the worker or the time left of a task."""
        return Text(task.fields["worker"]) if task.fields["worker"] else super().render(task)


def columns_at(width: int) -> tuple[ProgressColumn, ...]:
    """Return what stands behind the bars of a search, on a terminal of so many characters."""
    count = MofNCompleteColumn(table_column=Column(justify="right", no_wrap=True))
    curve, accuracy, worker = (
        TextColumn(
            f"{{task.fields[{name}]}}",
            markup=False,
            table_column=Column(no_wrap=True, min_width=least),  # so that bars keep their place
        )
        for name, least in (("curve", CURVE), ("accuracy", 6), ("worker", 0))
    )
    if width < _NARROW:
        return count, accuracy
    if width < _WIDE:
        return count, accuracy, TimeElapsedColumn(), WorkerOrTimeLeftColumn()
    return count, curve, accuracy, TimeElapsedColumn(), TimeLeftColumn(), worker
