"""The log lines of Optuna that a command hides, from a real storage."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy
from optuna.storages import RDBStorage

from growsearch.study.logs import hide_logs


class Kept(logging.Handler):
    """A handler that keeps the messages."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self.messages.append(record.getMessage())


@pytest.mark.parametrize("is_hidden", [False, True])
def test_a_query_that_is_repeated_is_no_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_hidden: bool
) -> None:
    """Optuna says it with the whole query; other warnings of the same module are said."""
    logger, kept = logging.getLogger("optuna.storages._rdb.storage"), Kept()
    monkeypatch.setattr(logger, "filters", [])
    monkeypatch.setattr(logger, "handlers", [kept])
    storage = RDBStorage(f"sqlite:///{tmp_path / 'study.db'}")
    study = optuna.create_study(storage=storage)
    study.add_trial(optuna.trial.create_trial(value=1.0))
    if is_hidden:
        hide_logs()
    kept.messages.clear()

    failures = iter([sqlalchemy.exc.OperationalError("SELECT trials", {}, Exception("gone"))])

    def fail_once(_: Any, __: Any, statement: str, *___: Any) -> None:
        if "trials.trial_id >" in statement and (failure := next(failures, None)):
            raise failure

    sqlalchemy.event.listen(storage.engine, "before_cursor_execute", fail_once)
    assert len(storage._get_trials(study._study_id, None, set(), 0)) == 1
    assert not list(failures), "no query has failed"
    logger.warning("the disk is nearly full")
    repeated = ["Caught an error from sqlalchemy"] * (not is_hidden)
    assert [each[:31] for each in kept.messages] == [*repeated, "the disk is nearly full"]
