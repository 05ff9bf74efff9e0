"""Places: the folder of runs can be written to, locked and filled; the database answers."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from growsearch.datasets.sources import cache_folder
from growsearch.doctor.finding import Finding
from growsearch.errors import RunError, without_password
from growsearch.study.database import check_answers

_LOW, _LEAST = 2e9, 2e8  # bytes that are free
_SLOW = 1.0  # seconds of a commit; a trial has about ten


def storage(folder: Path, url: str | None) -> Iterator[Finding]:
    """Yield the findings on the folder of runs, and on the database, if one is named."""
    place = _existing(folder)
    try:
        with tempfile.TemporaryDirectory(prefix=".growsearch-doctor-", dir=place) as made:
            yield _database_in(Path(made), folder)
    except OSError as error:
        advice = "name a folder of your own by --out"
        yield Finding("storage", str(folder), "wrong", f"not writable: {error.strerror}", advice)
    if url is None:
        return
    shown = without_password(url)
    try:
        seconds = check_answers(url)
    except RunError as error:
        advice = "start it, or correct the URL; docs/operations.md has examples"
        yield Finding("storage", shown, "wrong", str(error), advice)
    else:
        yield Finding("storage", shown, "ok", f"answers in {1000 * seconds:.0f} ms")


def _database_in(made: Path, folder: Path) -> Finding:
    """Return the finding on SQLite in a folder: it must commit, and lock out a second writer."""
    path = made / "study.db"
    advice = (
        "put runs on a local disk, or the study into a database: --storage postgresql+psycopg://…"
    )
    try:
        with (
            closing(sqlite3.connect(path, isolation_level=None)) as one,
            closing(sqlite3.connect(path, isolation_level=None, timeout=0.0)) as other,
        ):
            one.execute("CREATE TABLE trials (value)")
            began = time.perf_counter()
            one.execute("BEGIN IMMEDIATE")
            one.execute("INSERT INTO trials VALUES (1)")
            is_alone = _is_locked_out(other)
            one.execute("COMMIT")
            seconds = time.perf_counter() - began
    except sqlite3.Error as error:
        return Finding("storage", str(folder), "wrong", f"SQLite fails there: {error}", advice)
    if not is_alone:
        told = "two processes can write to a database at once"
        return Finding("storage", str(folder), "wrong", told, advice)
    told = f"writable, locks hold, a commit takes {1000 * seconds:.0f} ms"
    if seconds > _SLOW:
        return Finding("storage", str(folder), "note", told, "a local disk is faster")
    return Finding("storage", str(folder), "ok", told)


def _is_locked_out(other: sqlite3.Connection) -> bool:
    try:
        other.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return True
    other.execute("ROLLBACK")
    return False


def disk(folder: Path) -> Iterator[Finding]:
    """Yield the findings on the free space of runs, of downloads and of temporary files."""
    places = {
        "runs": folder,
        "downloads": cache_folder("").parent,
        "temporary files": Path(tempfile.gettempdir()),
    }
    for name, place in places.items():
        free = float(shutil.disk_usage(_existing(place)).free)
        told = f"{free / 1e9:,.1f} GB free in {place}"
        if free < _LEAST:
            yield Finding("disk", name, "wrong", told, "make room: growsearch gc frees old runs")
        elif free < _LOW:
            yield Finding("disk", name, "note", told, "growsearch gc frees what runs do not need")
        else:
            yield Finding("disk", name, "ok", told)


def _existing(path: Path) -> Path:
    """Return a folder, or the first of those that it would lie in which exists."""
    path = Path(os.path.abspath(path))  # noqa: PTH100  resolve() follows links, which may be broken
    return next((each for each in (path, *path.parents) if each.is_dir()), Path("/"))
