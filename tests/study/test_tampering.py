"""A study changed in its database by hand: an answer or one line, never a traceback."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import growsearch as gs
from growsearch.cli import app as cli
from growsearch.cli import output
from growsearch.errors import RunError
from growsearch.study.attributes import WidthMultipleAttribute
from growsearch.study.open import find
from growsearch.study.result import SearchResult
from tests import small_search
from tests.messages import refusal

pytestmark = pytest.mark.usefixtures("quick_sqlite")


search = partial(small_search.search, trials=3)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, quick_sqlite: None) -> Path:
    del quick_sqlite
    folder = tmp_path_factory.mktemp("tampering") / "run"
    search(folder)
    return folder


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def tamper(folder: Path, statement: str, *values: Any) -> None:
    connection = sqlite3.connect(folder / "study.db")
    with connection:
        assert connection.execute(statement, values).rowcount, statement
    connection.close()


BROKEN = [
    # What Optuna itself cannot read.
    *(
        f"UPDATE {table} SET {column} = '{value}'"
        for table, column in (
            ("study_user_attributes", "value_json"),
            ("study_system_attributes", "value_json"),
            ("trial_user_attributes", "value_json"),
            ("trial_params", "distribution_json"),
        )
        for value in ("{broken", "[" * 100_000, '{"name": "?"}')
        if (table, value) != ("trial_user_attributes", '{"name": "?"}')
    ),
    "UPDATE trials SET state = 'DONE'",
    "UPDATE trials SET datetime_complete = 'yesterday'",
    "UPDATE trial_params SET param_value = 99 WHERE param_name = 'op'",
    "UPDATE trial_params SET param_value = 'much' WHERE param_name = 'position'",
    "UPDATE trial_params SET param_value = 9e999 WHERE param_name = 'learning_rate'",
    # What it reads, and growsearch cannot use.
    "UPDATE trial_values SET value_type = 'INF_POS', value = NULL",
    "UPDATE trial_values SET value_type = 'INF_NEG', value = NULL",
    "UPDATE trial_values SET value = 'high'",
]


@pytest.mark.parametrize("call", [gs.load_result, search])
@pytest.mark.parametrize("statement", BROKEN, ids=lambda text: text[7:70])
def test_a_broken_database_is_one_line(
    copy: Path, statement: str, call: Callable[[Path], SearchResult]
) -> None:
    """The line says that the study was changed, whatever Optuna raises."""
    tamper(copy, statement)
    refused = refusal(call, copy)
    assert "the study was changed by another program" in refused or "system_attributes" in statement


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize(
    "name", ["gain", "seconds", "parameters", "flops", "training_flops", "parent", "index"]
)
def test_a_trials_numbers_are_finite_or_refused(copy: Path, name: str, number: str) -> None:
    """JSON as Python writes it has NaN and Infinity; ours has not."""
    if name in ("gain", "seconds", "training_flops"):  # of the outcome; as Python writes it
        statement = (
            "UPDATE trial_user_attributes SET value_json = "
            "replace(json_replace(value_json, ?, 'NUMBER'), '\"NUMBER\"', ?) WHERE key = 'outcome'"
        )
        tamper(copy, statement, f"$.{name}", number)
    else:
        tamper(copy, "UPDATE trial_user_attributes SET value_json = ? WHERE key = ?", number, name)
    refused = refusal(gs.load_result, copy)
    assert refused or name == "index"
    assert "the study was changed by another program" in refused or not refused
    refusal(search, copy)


@pytest.mark.parametrize("value", ["[[0, NaN, 0.5]]", "[[0, 0.5, Infinity]]", '[["a", 1, 1]]'])
def test_a_curve_is_of_finite_numbers(copy: Path, value: str) -> None:
    """Accuracy and loss alike."""
    tamper(copy, "UPDATE trial_user_attributes SET value_json = ? WHERE key = 'curve'", value)
    for call in (gs.load_result, search):
        assert "the study was changed by another program" in refusal(call, copy)


@pytest.mark.parametrize("value", ['"hello"', "NaN", "Infinity", "[]", '{"a": 1}'])
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("test", "accuracy"),
        ("test", "teacher_accuracy"),
        ("test", "held_out_accuracy"),
        ("test", "teacher_held_out_accuracy"),
        ("teacher", "validation_accuracy"),
        ("teacher", "seconds"),
        ("spent", "teacher"),
    ],
)
def test_the_studys_numbers_are_numbers_or_refused(
    copy: Path, name: str, key: str, value: str
) -> None:
    """A word in the place of an accuracy is one line that names the attribute."""
    statement = "UPDATE study_user_attributes SET value_json = json_set(value_json, ?, json(?))"
    if value in ("NaN", "Infinity"):
        statement = statement.replace("json(?)", "?")
    tamper(copy, f"{statement} WHERE key = ?", f"$.{key}", value, name)
    if value in ("NaN", "Infinity"):  # as Python writes it, not as text
        tamper(
            copy,
            "UPDATE study_user_attributes SET value_json = replace(value_json, ?, ?)",
            f'"{value}"',
            value,
        )
    for call in (gs.load_result, search):
        refused = refusal(call, copy)
        assert (name in refused) or key == "seconds"


@pytest.mark.parametrize("value", ["0", "-4", "true", "1e30", "10000000000"])
def test_a_width_multiple_is_a_whole_number_or_refused(copy: Path, value: str) -> None:
    """A measured multiple is stored for all sessions: none divides by zero with it."""
    tamper(
        copy,
        "INSERT INTO study_user_attributes (study_id, key, value_json) VALUES (1, ?, ?)",
        "width_multiple",
        value,
    )
    study, _ = find(copy, None)
    with pytest.raises(RunError, match="width_multiple"):
        WidthMultipleAttribute.read(study)


def test_what_is_printed_as_json_is_json(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A number that JSON cannot write is an error, not NaN in the output."""
    monkeypatch.setattr(SearchResult, "to_json", lambda _: {"gain": float("nan")})
    assert cli.main(["show", str(copy), "--json"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("growsearch: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", ["show", "compare"])
@pytest.mark.parametrize("statement", [BROKEN[0], *BROKEN[-8:]], ids=lambda text: text[7:70])
def test_a_broken_database_is_one_line_on_the_screen(
    copy: Path, statement: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 3, and nothing else printed."""
    tamper(copy, statement)
    assert cli.main([command, str(copy)]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("growsearch: ")
    assert err.count("\n") == 1


def test_a_damaged_best_network_is_warned_about_once(
    copy: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """However often a run looks for the best one, on the screen it is one line."""
    best = gs.load_result(finished).best.path.name
    (copy / "weights" / best).write_bytes(b"damaged")
    output.quiet()
    search(copy, trials=5)
    err = capsys.readouterr().err
    assert err.startswith("growsearch: warning: trial ")
    assert err.count("\n") == 1
