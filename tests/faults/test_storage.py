"""A database that is away, or locked: ridden out, or the end of the session, and a clean resume."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import PendingRollbackError

import growsearch as gs
from growsearch.study.database_errors import is_away
from growsearch.study.result import SearchResult
from tests.conftest import PASSWORD, Server
from tests.faults.law import Counts, lost_since, sqlite, stored
from tests.faults.processes import Runs
from tests.faults.trainers import FaultyTrainer

pytestmark = pytest.mark.usefixtures("closed_connections")
full = pytest.mark.faults_full

Begin = Callable[..., Runs]
Check = Callable[..., None]
Reference = Callable[..., SearchResult]


@pytest.mark.parametrize(
    ("what", "pending", "away"),
    [
        ("trial 1", 3, 3.0),
        *(
            pytest.param(what, pending, away, marks=full)
            for what in ("teacher", "trial 2 random")
            for pending in (1, 3)
            for away in (0.0, 20.0)
        ),
    ],
)
def test_a_restart_of_the_database_is_ridden_out(
    begin: Begin,
    check: Check,
    reference: Reference,
    server: Server,
    tmp_path: Path,
    what: str,
    pending: int,
    away: float,
) -> None:
    """Workers go on meanwhile: each training begins once, in one session."""
    url = server.new_database(f"restart {what} {pending} {away}")
    trainer = FaultyTrainer(seconds=0.5)
    driver = begin(trainer=trainer, pending_trials=pending, storage=url).start()
    driver.until(what=what, step=0)
    server.stop()
    try:
        time.sleep(away)
    finally:
        server.start()
    ended = driver.wait()
    assert ended.status == 0, ended.err
    assert PASSWORD not in ended.err
    began = (tmp_path / "trained").read_text().splitlines()
    assert len(began) == len(set(began))
    result = gs.load_result(tmp_path / "run", storage=url)
    check("PostgreSQL restarted, ridden out", result, reference(pending))


@pytest.mark.parametrize("pending", [3, pytest.param(1, marks=full)])
def test_a_database_that_stays_away_ends_the_session(
    begin: Begin,
    check: Check,
    reference: Reference,
    server: Server,
    tmp_path: Path,
    pending: int,
) -> None:
    """Exit status 75, in one line and without a worker left; the same command goes on."""
    url = server.new_database(f"gone {pending}")
    trainer = FaultyTrainer(seconds=8.0, only=True, index=1)
    runs = begin(trainer=trainer, pending_trials=pending, storage=url)
    driver = runs.start(patience=2.0)
    driver.until(what="trial 1", step=0)
    before = stored(url)
    server.stop()
    try:
        ended = driver.wait(60.0)
        assert ended.status == 75
        assert driver.nothing_left(2.0)
        last = ended.err.splitlines()[-1]
        assert last.startswith("growsearch: ")
        assert "the database did not answer for 2 s" in last
        assert "run the same command again" in last
        assert "Traceback" not in ended.err
        assert PASSWORD not in ended.err
        assert runs.start(patience=1.0).wait().status == 75  # it is still away
    finally:
        server.start()
    runs.finish(trainer={**runs.drive.trainer, "seconds": 0.0})
    lost = lost_since(before, stored(url))
    result = gs.load_result(tmp_path / "run", storage=url)
    check("PostgreSQL gone for longer, exit 75", result, reference(pending), besides=lost)


def test_a_transaction_whose_connection_was_lost_is_repeated() -> None:
    """SQLAlchemy then speaks of the transaction, and no more of the server."""
    lost = PendingRollbackError("Can't reconnect until invalid transaction is rolled back")
    error = StorageInternalError("An exception is raised during the commit")
    error.__cause__ = lost
    assert is_away(lost)
    assert is_away(error)


@pytest.mark.parametrize("seconds", [6.0, pytest.param(30.0, marks=full)])
def test_a_lock_of_another_writer_is_waited_for(
    begin: Begin, check: Check, reference: Reference, tmp_path: Path, seconds: float
) -> None:
    """SQLite's lock, held by another process as long as a backup takes."""
    driver = begin(trainer=FaultyTrainer(seconds=0.3), pending_trials=3).start()
    driver.until(what="trial 1", step=0)
    connection = sqlite3.connect(tmp_path / "run" / "study.db", timeout=30, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    held = threading.Event()
    held.wait(seconds)
    assert driver.is_running()
    connection.execute("ROLLBACK")
    connection.close()
    ended = driver.wait()
    assert ended.status == 0, ended.err
    result = gs.load_result(tmp_path / "run")
    assert stored(sqlite(tmp_path / "run"))
    check("SQLite locked by another writer", result, reference(3), besides=Counts())
