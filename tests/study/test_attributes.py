"""Attributes and controls that somebody changed or removed: an answer, or one line."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import growsearch as gs
from growsearch.errors import RunError
from growsearch.study.result import SearchResult
from tests.fake_trainer import outcome
from tests.messages import one_line, refusal
from tests.small_search import search, studies

pytestmark = pytest.mark.usefixtures("quick_sqlite")


@contextmanager
def database(folder: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(folder / "study.db")
    with connection:
        yield connection
    connection.close()


@pytest.fixture
def unpaired(copy: Path) -> Path:
    """A finished run whose last candidate lacks its control."""
    with database(copy) as sql:
        (last,) = sql.execute("SELECT MAX(trial_id) FROM trials WHERE study_id = 2").fetchone()
        for table in ("params", "values", "user_attributes", "intermediate_values"):
            sql.execute(f"DELETE FROM trial_{table} WHERE trial_id = ?", (last,))
        sql.execute("DELETE FROM trials WHERE trial_id = ?", (last,))
    return copy


@pytest.mark.parametrize("value", ["../../etc/passwd", 7, {"sha256": 1}, {}])
@pytest.mark.parametrize("name", ["space", "seed", "data", "teacher", "test"])
def test_tampered_study_attributes_are_one_line(copy: Path, name: str, value: Any) -> None:
    """Whatever somebody writes into the study: an answer or one line, never a traceback."""
    studies(copy)[0].set_user_attr(name, value)
    for call in (search, gs.load_result):
        refusal(call, copy)


@pytest.mark.parametrize("value", ["../../etc/passwd", 10**9, [{}]])
@pytest.mark.parametrize(
    "name",
    [
        *("sha256", "parent", "growth_json", "growth", "kept", "gain", "curve"),
        *("seconds", "parameters"),
    ],
)
def test_tampered_trial_attributes_are_one_line(unpaired: Path, name: str, value: Any) -> None:
    """Also while a control is lacking, which reads parent and growth."""
    with database(unpaired) as sql:
        sql.execute(
            "UPDATE trial_user_attributes SET value_json = ? WHERE key = ?",
            (json.dumps(value), name),
        )
    for call in (gs.load_result, search):
        refusal(call, unpaired)


@pytest.mark.parametrize("name", ["growth_json", "parent", "index", "curve", "sha256", "seconds"])
def test_missing_trial_attributes_are_one_line(unpaired: Path, name: str) -> None:
    """What is not there is no traceback of a KeyError."""
    with database(unpaired) as sql:
        sql.execute("DELETE FROM trial_user_attributes WHERE key = ?", (name,))
    for call in (gs.load_result, search):
        refusal(call, unpaired)


def test_a_tampered_growth_is_not_carried_out(unpaired: Path) -> None:
    """A width of a billion in the study allocates nothing: the control is refused."""
    with database(unpaired) as sql:
        growth = {"operation": "widen", "layer": "fc1", "width": 10**9, "split": "equal"}
        sql.execute(
            "UPDATE trial_user_attributes SET value_json = ? WHERE key = 'growth_json'",
            (json.dumps(growth),),
        )
    with pytest.raises(RunError) as caught:
        search(unpaired)
    assert "somebody changed the study" in one_line(caught)


def test_a_lacking_control_is_run(unpaired: Path, finished: SearchResult) -> None:
    """The candidates stay, the pair is whole again."""
    assert outcome(gs.load_result(unpaired)) != outcome(finished)
    assert outcome(search(unpaired)) == outcome(finished)
