"""Spaces of earlier versions: an alias is one line, and their runs stay readable."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from growsearch import SearchSpace, search
from growsearch.cli import main
from growsearch.space import ALIASES, alias_notice, read_shipped
from tests.command_line import IN_PROCESS, SMALL, contents, refused
from tests.fake_trainer import FakeTrainer

pytestmark = pytest.mark.usefixtures("own_machine")

TRIALS = 2


@pytest.fixture(scope="module", params=["mnist", "mnist_fast"])
def old_run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of the space that had this name, as an earlier version left it.

    Both are the original's network here, since only the names and what differs by them count.
    """
    folder = tmp_path_factory.mktemp("runs") / request.param
    space = SearchSpace.load("net2net", [*SMALL[1::2], f"name={request.param}", "data=digits"])
    search(space, trials=TRIALS, out=folder, trainer=FakeTrainer())
    return folder


@pytest.mark.parametrize("alias", ALIASES)
def test_spaces_says_where_an_alias_went(alias: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The text of the successor on one stream, one line on the other; the list has it too."""
    assert main(["spaces", alias]) == 0
    out, err = capsys.readouterr()
    assert out == read_shipped(ALIASES[alias])
    assert err == f"growsearch: warning: {alias_notice(alias)}\n"
    assert main(["spaces"]) == 0
    assert f"{alias:<16}Replaced by {ALIASES[alias]}.\n" in capsys.readouterr().out


def test_run_takes_an_alias_with_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The successor is loaded, for a folder of its name; the line comes once, as no traceback."""
    (tmp_path / "runs").touch()  # a file: no run can begin, so that nothing is trained here
    monkeypatch.chdir(tmp_path)
    assert main(["run", "mnist_fast", "--set", "data=digits", *IN_PROCESS]) == 2
    notice, line = capsys.readouterr().err.splitlines()
    assert notice == f"growsearch: warning: {alias_notice('mnist_fast')}"
    assert line.startswith("growsearch: runs/mnist: ")


@pytest.mark.parametrize("command", ["show", "compare", "verify"])
def test_old_runs_are_still_read(
    command: str, old_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run holds its space: what has its name today does not count."""
    assert main([command, str(old_run), "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out)


def test_an_old_run_is_not_continued_with_the_space_of_today(
    old_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says what differs and what to do; an alias adds its own line; nothing changes."""
    before = contents(old_run)
    arguments = ["run", old_run.name, "--set", "data=digits", "--out", str(old_run), *IN_PROCESS]
    assert main(arguments) == 2
    *warnings, line = capsys.readouterr().err.splitlines()
    expected = [alias_notice(old_run.name)] if old_run.name in ALIASES else []
    assert warnings == [f"growsearch: warning: {each}" for each in expected]
    assert line.startswith(f"growsearch: {old_run}: this run was started with space.")
    assert line.endswith("use another --out to start a new run")
    assert contents(old_run) == before


def test_an_old_run_of_the_originals_network_goes_on_under_its_old_name(
    old_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``net2net`` with the old name is the old space, to the last value."""
    given = shlex.split(f"--set name={old_run.name} --set data=digits --trials {TRIALS}")
    arguments = ["run", "net2net", *SMALL, *given, *IN_PROCESS, "--out", str(old_run), "--json"]
    assert main(arguments) == 0
    assert len(json.loads(capsys.readouterr().out)["trials"]) == TRIALS


def test_an_alias_is_no_name_of_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Only the very name is an alias."""
    assert "'./mnist_fast'" in refused(capsys, "run", "./mnist_fast")
