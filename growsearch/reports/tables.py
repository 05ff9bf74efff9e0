"""The look of tables, notes and numbers on the terminal, the same in every report."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from growsearch.trials.metrics import METRICS


def plain_table(first: str, *others: str) -> Table:
    """Return a table without a frame and without rows: the first column on the left, in one line.

    The other columns stand on the right. A heading may have several lines; all end in the last.
    """
    made = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1),
        collapse_padding=True,
        pad_edge=False,
        show_edge=False,
    )
    lines = max(name.count("\n") for name in (first, *others))
    first, *others_below = ("\n" * (lines - name.count("\n")) + name for name in (first, *others))
    made.add_column(first, no_wrap=True, overflow="fold")
    for name in others_below:
        made.add_column(name, justify="right")
    return made


def titled(title: str, table: RenderableType, explanation: str = "") -> RenderableType:
    """Put a title above a table, and a line that explains the table between the two."""
    lines = [Text(title, "bold"), *([Text(explanation)] if explanation else [])]
    return Group(*lines, table)


def notes_table(notes: Iterable[tuple[str, str]]) -> Table:
    """Return notes, each as a term and the text that explains it."""
    made = Table.grid(padding=(0, 2))
    made.add_column(no_wrap=True)
    made.add_column()
    for term, text in notes:
        made.add_row(Text(term, "bold"), Text(text))
    return made


def spaced(parts: Iterable[RenderableType]) -> RenderableType:
    """Put the parts of a report below each other, an empty line behind each."""
    return Group(*(Padding(part, (0, 0, 1, 0)) for part in parts))


def by_metric(text: str, metric: str) -> str:
    """Return a text about accuracy as one about the metric of a run.

    Examples
    --------
    >>> by_metric("Final accuracy: the candidate is more accurate", "f1_macro")
    'Final macro F1: the candidate is higher in macro F1'
    """
    words = METRICS[metric].words
    if metric != "accuracy":
        text = text.replace("more, less accurate", "higher, lower").replace(
            "more accurate", f"higher in {words}"
        )
    return text.replace("Accuracy", words[0].upper() + words[1:]).replace("accuracy", words)


def short_fraction(value: float, *, sign: bool = False) -> str:
    """Write a fraction with four digits and without the leading zero.

    Examples
    --------
    >>> short_fraction(0.0032), short_fraction(0.0101, sign=True), short_fraction(-0.00001)
    ('.0032', '+.0101', '.0000')
    """
    value = round(value, 4) + 0.0  # no "-0"
    text = f"{value:+.4f}" if sign else f"{value:.4f}"
    return text.replace("0.", ".", 1)
