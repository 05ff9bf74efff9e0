"""The database of a run: locked or full where it is SQLite; a kind that is not tested."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import event

from growsearch.errors import RunError, StorageGoneError
from growsearch.study.database import database_url, open_storage, storage_errors
from growsearch.study.open import create_or_load
from growsearch.study.patience import StorageWarning


def test_a_locked_database_is_waited_for(tmp_path: Path) -> None:
    """Another program may hold SQLite's lock for as long as the busy timeout: a minute."""
    storage = open_storage(database_url(tmp_path))
    study, _ = create_or_load(storage, "run")
    with storage.engine.connect() as connection:
        (milliseconds,) = connection.exec_driver_sql("PRAGMA busy_timeout").one()
    assert milliseconds == 60_000
    other = sqlite3.connect(tmp_path / "study.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(2.0, other.rollback)
    began = time.monotonic()
    timer.start()
    study.set_user_attr("seed", 1)
    assert time.monotonic() - began > 1.5
    timer.join()
    other.close()
    assert study.user_attrs["seed"] == 1


def test_a_full_disk_is_not_waited_for(tmp_path: Path) -> None:
    """SQLite's error is one line at once, and no server's that may come back."""
    storage = open_storage(database_url(tmp_path))
    study, _ = create_or_load(storage, "run")

    @event.listens_for(storage.engine, "begin")
    def _full(connection: object) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # type: ignore[attr-defined]

    began = time.monotonic()
    with (
        pytest.raises(RunError, match="No space left on device") as caught,
        storage_errors(str(tmp_path)),
    ):
        study.set_user_attr("space", "x" * 1_000_000)
    assert time.monotonic() - began < 5.0
    assert not isinstance(caught.value, StorageGoneError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("backend", ["mysql+pymysql", "mariadb"])
def test_a_kind_that_is_not_tested_is_warned_about(backend: str) -> None:
    """Once, without its password."""
    with (
        pytest.warns(StorageWarning, match="not tested with MySQL") as said,
        pytest.raises(RunError),
    ):
        open_storage(f"{backend}://grower:geheim@127.0.0.1:1/runs")
    (warning,) = said
    assert "geheim" not in str(warning.message)
    assert "grower:***@" in str(warning.message)
