"""Changes of a stored run by hand: attributes of trials and of the study, in its database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from growsearch.study.attributes import Candidate
from tests.small_search import studies

NAME = "digits"


def execute(folder: Path, statement: str, *values: Any) -> None:
    """Change rows of the database; at least one."""
    with closing(sqlite3.connect(folder / "study.db")) as connection, connection:
        assert connection.execute(statement, values).rowcount, statement


def change_trial(folder: Path, number: int, study: str = NAME, **values: Any) -> None:
    """Change attributes of a finished trial, which Optuna refuses to do."""
    with closing(sqlite3.connect(folder / "study.db")) as connection, connection:
        (trial,) = connection.execute(
            "SELECT trial_id FROM trials JOIN studies USING (study_id) "
            "WHERE study_name = ? AND number = ?",
            (study, number),
        ).fetchone()
        stored = dict(
            connection.execute(
                "SELECT key, value_json FROM trial_user_attributes WHERE trial_id = ?", (trial,)
            )
        )
        # An outcome is a table of its own; in runs of earlier versions it is flat.
        table = json.loads(stored.get("outcome", "{}"))
        for name, value in values.items():
            key, changed = (name, value) if name in stored else ("outcome", table | {name: value})
            table = changed if key == "outcome" else table
            done = connection.execute(
                "UPDATE trial_user_attributes SET value_json = ? WHERE trial_id = ? AND key = ?",
                (json.dumps(changed), trial, key),
            )
            assert done.rowcount, name


def change_study(folder: Path, name: str, change: Callable[[Any], Any]) -> None:
    """Change an attribute of the study."""
    study = studies(folder)[0]
    study.set_user_attr(name, change(study.user_attrs[name]))


def kept_of(folder: Path) -> list[tuple[int, Candidate]]:
    """The trials whose networks were kept, in order."""
    trials = studies(folder)[0].trials
    return [(each.number, Candidate.read(each)) for each in trials if Candidate.is_kept(each)]


def path_of(folder: Path, sha256: str) -> Path:
    """The file of a network."""
    return folder / "weights" / f"{sha256}.safetensors"
