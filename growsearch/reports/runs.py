"""The list of runs as lines: a table, below it the folders that are broken or hold no run."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from growsearch.study.runs import RunRow, Runs

_SHOWN = 8  # folders without a run
_HEADINGS = (
    "run",
    "space",
    "data",
    "state",
    "trials",
    "kept",
    "best",
    "parameters",
    "size",
    "changed",
)
_RIGHT = {"trials", "kept", "best", "parameters", "size"}


def lines(runs: Runs) -> list[str]:
    """Return a table of the runs, the newest at the end, and a line for each folder that is none.

    Best is the validation accuracy of the best network, or another metric with its name.
    """
    found = _table(runs) if runs.rows else [f"{runs.folder}: no run"]
    found += [f"broken: {_name(runs, folder)}: {why}" for folder, why in runs.broken.items()]
    if runs.others:
        names = [_name(runs, folder) for folder in runs.others]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        found.append(f"no run: {', '.join(names[:_SHOWN])}{more}")
    return found


def _table(runs: Runs) -> list[str]:
    rows = [_HEADINGS, *(_cells(runs, row) for row in runs.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return [
        "  ".join(
            cell.rjust(width) if heading in _RIGHT else cell.ljust(width)
            for cell, width, heading in zip(row, widths, _HEADINGS, strict=True)
        ).rstrip()
        for row in rows
    ]


def _cells(runs: Runs, row: RunRow) -> tuple[str, ...]:
    best = "-" if row.validation_accuracy is None else f"{row.validation_accuracy:.4f}"
    if row.metric != "accuracy":
        best = f"{best} {row.metric}"
    when = datetime.fromisoformat(row.changed).astimezone()
    return (
        _name(runs, row.folder),
        row.space,
        f"{row.data} (stand-in)" if row.stand_in else row.data,
        row.state,
        str(row.trials),
        str(row.kept),
        best,
        "-" if row.parameters is None else f"{row.parameters:,}",
        size(row.bytes),
        f"{when:%Y-%m-%d %H:%M}",
    )


def _name(runs: Runs, folder: str) -> str:
    """Return the name of a run in the folder that is listed."""
    path = Path(folder)
    return folder if path == runs.folder else path.name


def size(count: int) -> str:
    """Return a number of bytes with its unit.

    Examples
    --------
    >>> size(812), size(264_000_000), size(1_340_000_000)
    ('1 kB', '264.0 MB', '1.3 GB')
    """
    if count < 1e6:
        return f"{count / 1e3:,.0f} kB"
    return f"{count / 1e6:,.1f} MB" if count < 1e9 else f"{count / 1e9:,.1f} GB"
