"""The session that has a run: the last that took it, in this process or another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import optuna
import pytest

from growsearch.errors import RunError
from growsearch.study.database import database_url, open_storage
from growsearch.study.open import create_or_load
from growsearch.study.session import check, take
from tests.command_line import ROOT
from tests.messages import one_line

pytestmark = pytest.mark.usefixtures("quick_sqlite")

TAKE = (
    "import sys, optuna; from growsearch.study.session import take; "
    "print(take(optuna.load_study(study_name='run', storage=sys.argv[1])))"
)


def test_a_session_has_the_run_until_another_takes_it(tmp_path: Path) -> None:
    """By an id that is never the same."""
    study, _ = create_or_load(open_storage(database_url(tmp_path)), "run")
    first = take(study)
    check(study, first)
    second = take(study)
    assert first != second
    check(study, second)
    with pytest.raises(RunError, match="a second driver has taken the run over") as caught:
        check(study, first)
    assert "locks do not work on the file system" in one_line(caught)


def test_another_process_is_noticed_at_once(tmp_path: Path) -> None:
    """The id is read from the storage each time, and nothing is written by the check."""
    study, _ = create_or_load(open_storage(database_url(tmp_path)), "run")
    session = take(study)
    _ = study.trials, study.user_attrs
    check(study, session)
    command = [sys.executable, "-c", TAKE, database_url(tmp_path)]
    other = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    with pytest.raises(RunError, match="second driver"):
        check(study, session)
    now = optuna.load_study(study_name="run", storage=database_url(tmp_path))
    assert now.user_attrs["session"] == other.stdout.strip()


@pytest.mark.parametrize("value", [None, 7, [], "another"])
def test_a_session_that_is_lost_or_damaged_is_refused(tmp_path: Path, value: object) -> None:
    """The run is not known to be this session's any more."""
    study, _ = create_or_load(open_storage(database_url(tmp_path)), "run")
    session = take(study)
    study.set_user_attr("session", value)
    with pytest.raises(RunError) as caught:
        check(study, session)
    one_line(caught)
