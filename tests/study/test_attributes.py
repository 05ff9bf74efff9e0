"""Attributes and controls, changed or removed by hand: an answer, or one line."""

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
from growsearch.study.attributes import MachineAttribute
from growsearch.study.networks import DamagedNetworkWarning
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


def tamper(folder: Path, name: str, value: Any) -> None:
    """Write a value into an attribute of all trials of a run, or into their outcomes."""
    with database(folder) as sql:
        sql.execute(
            "UPDATE trial_user_attributes SET value_json = ? WHERE key = ?",
            (json.dumps(value), name),
        )
        sql.execute(
            "UPDATE trial_user_attributes SET value_json = json_replace(value_json, ?, json(?)) "
            "WHERE key = 'outcome'",
            (f"$.{name}", json.dumps(value)),
        )


def remove(folder: Path, name: str) -> None:
    """Remove an attribute from all trials of a run, and from their outcomes."""
    with database(folder) as sql:
        sql.execute("DELETE FROM trial_user_attributes WHERE key = ?", (name,))
        sql.execute(
            "UPDATE trial_user_attributes SET value_json = json_remove(value_json, ?) "
            "WHERE key = 'outcome'",
            (f"$.{name}",),
        )


def check(folder: Path, loaded: str, searched: str) -> None:
    """Hold both calls against the words of their refusals; "" is an answer."""
    for call, words in ((gs.load_result, loaded), (search, searched)):
        refused = refusal(call, folder)
        assert bool(refused) == bool(words), refused
        assert words in refused


ANSWER = ""
PATH = "../../etc/passwd"
A_SPACE, A_SEED = "the study's attribute space", "the study's attribute seed"


@pytest.mark.parametrize(
    ("name", "value", "loaded", "searched"),
    [
        ("space", PATH, A_SPACE, A_SPACE),
        ("space", 7, A_SPACE, A_SPACE),
        # A table may be another version's space: it is compared when the run goes on.
        ("space", {"sha256": 1}, ANSWER, "was started with space.name = None"),
        ("space", {}, ANSWER, "was started with space.name = None"),
        # The seed is not read to show a run.
        ("seed", PATH, ANSWER, A_SEED),
        ("seed", 7, ANSWER, "was started with seed = 7, not 0"),
        ("seed", {"sha256": 1}, ANSWER, A_SEED),
        ("seed", {}, ANSWER, A_SEED),
        *(
            (name, value, f"the study's attribute {name}", f"the study's attribute {name}")
            for name in ("data", "teacher", "test")
            for value in (PATH, 7, {"sha256": 1}, {})
            if (name, value) != ("test", {})
        ),
        ("test", {}, ANSWER, ANSWER),  # nothing that a test must have measured
    ],
    ids=repr,
)
def test_tampered_study_attributes_are_one_line(
    copy: Path, name: str, value: Any, loaded: str, searched: str
) -> None:
    """A value of the wrong type is refused where it is read, and the line names the attribute."""
    studies(copy)[0].set_user_attr(name, value)
    check(copy, loaded, searched)


def test_a_test_without_accuracies_is_measured_again(copy: Path, finished: SearchResult) -> None:
    """Until the search goes on, the run has no test accuracy."""
    studies(copy)[0].set_user_attr("test", {})
    assert gs.load_result(copy).test_accuracy is None
    assert search(copy).test_accuracy == finished.test_accuracy


@pytest.mark.parametrize("value", [PATH, 10**9, [{}]], ids=repr)
@pytest.mark.parametrize(
    "name",
    [
        *("sha256", "parent", "growth_json", "growth", "kept", "gain", "curve"),
        *("seconds", "parameters"),
    ],
)
def test_tampered_trial_attributes_are_one_line(unpaired: Path, name: str, value: Any) -> None:
    """A value of the wrong type is refused; one that may be true is shown as it stands.

    Also while a control is lacking, which reads parent and growth.
    """
    tamper(unpaired, name, value)
    fits = {"sha256": str, "growth": str, "gain": int, "seconds": int, "parameters": int}
    if name == "sha256" and value == PATH:
        # Text, but no network's name: the parent of the lacking control cannot be loaded.
        check(unpaired, ANSWER, f"expected a SHA-256 of 64 hexadecimal digits, got '{PATH}'")
    elif isinstance(value, fits.get(name, ())):
        check(unpaired, ANSWER, ANSWER)
    elif (name, value) == ("parent", 10**9):
        check(unpaired, "1000000000 is no earlier trial", "1000000000 is no earlier trial")
    else:
        line = f"expected what growsearch wrote ({name}"
        check(unpaired, line, line)


@pytest.mark.parametrize(
    ("name", "value"), [("growth", PATH), ("gain", 1e9), ("seconds", 1e9), ("parameters", 10**9)]
)
def test_what_may_be_true_is_shown(unpaired: Path, name: str, value: Any) -> None:
    """The table of trials has what the study has."""
    tamper(unpaired, name, value)
    for record in search(unpaired).trials:
        shown = record.arms["net2net"] if name == "seconds" else record
        assert getattr(shown, name) == value


@pytest.mark.parametrize("damage", ["a path", "nothing"])
def test_without_names_of_networks_the_teacher_is_the_best(unpaired: Path, damage: str) -> None:
    """No file is looked for outside the run's folder; what is passed over is said."""
    if damage == "a path":
        tamper(unpaired, "sha256", PATH)
    else:
        remove(unpaired, "sha256")
    with pytest.warns(DamagedNetworkWarning):
        result = gs.load_result(unpaired)
    assert result.best.trial_number is None


@pytest.mark.parametrize(
    ("name", "searched"),
    [
        ("growth_json", "the growth of trial"),
        ("parent", "does not give"),  # the teacher by default, on which another growth is legal
        ("index", ANSWER),
        ("curve", ANSWER),
        ("sha256", "expected a SHA-256 of 64 hexadecimal digits, got ''"),
        ("seconds", ANSWER),
    ],
)
def test_missing_trial_attributes_have_their_defaults(
    unpaired: Path, name: str, searched: str
) -> None:
    """A run is shown without them; what a lacking control needs is refused when it is run."""
    remove(unpaired, name)
    check(unpaired, ANSWER, searched)


def test_unknown_attributes_are_ignored(unpaired: Path, finished: SearchResult) -> None:
    """Another version of growsearch may have written them."""
    study, control = studies(unpaired)
    study.set_user_attr("unknown", {"of": "tomorrow"})
    with database(unpaired) as sql:
        sql.execute(
            "INSERT INTO trial_user_attributes (trial_id, key, value_json) "
            "SELECT trial_id, 'unknown', '[1]' FROM trials"
        )
    assert all(trial.user_attrs["unknown"] == [1] for trial in control.trials)
    assert outcome(search(unpaired)) == outcome(finished)


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
    assert "the study was changed by another program" in one_line(caught)


def test_a_lacking_control_is_run(unpaired: Path, finished: SearchResult) -> None:
    """The candidates stay, the pair is whole again."""
    assert outcome(gs.load_result(unpaired)) != outcome(finished)
    assert outcome(search(unpaired)) == outcome(finished)


def test_the_machine_and_the_versions_of_a_session_are_stored(copy: Path) -> None:
    """They are those of the last session, and what the database gives is checked."""
    study, _ = studies(copy)
    assert MachineAttribute.read(study) == MachineAttribute.now()
    study.set_user_attr("machine", {"versions": {"numpy": 2}})
    with pytest.raises(RunError, match="machine"):
        MachineAttribute.read(study)
