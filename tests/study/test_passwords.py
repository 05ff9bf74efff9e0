"""Passwords of databases: taken from where libpq looks, kept out of all that a run leaves."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from sqlalchemy.engine import make_url

import growsearch as gs
from growsearch.cli import main
from growsearch.cli.options import STORAGE_VARIABLE
from growsearch.errors import RunError
from growsearch.study.result import SearchResult
from tests.command_line import ROOT, SECONDS, run_digits
from tests.conftest import PASSWORD, Server
from tests.fake_trainer import FakeTrainer, images, space

pytestmark = pytest.mark.usefixtures("closed_connections")

SECRETS = (PASSWORD, quote_plus(PASSWORD), "geheim")
# The command with the fake trainer, and with a patience of a second.
PROGRAM = """
import sys, types
from tests.fake_trainer import FakeTrainer
slim = types.ModuleType("growsearch.training.slim")
slim.SlimTrainer = FakeTrainer
sys.modules["growsearch.training.slim"] = slim
import growsearch.study.patience as patience
patience.SECONDS = 1.0
from growsearch.cli.app import entry
entry()
"""


@pytest.fixture
def without_password(postgresql: Server, request: pytest.FixtureRequest) -> str:
    """The URL of a new database, without the password that the server asks for."""
    url = make_url(postgresql.new_database(request.node.name))
    return url._replace(password=None).render_as_string(hide_password=False)


def search(out: Path, storage: str) -> SearchResult:
    options = {"data": images(), "trainer": FakeTrainer(), "seed": 0}
    return gs.search(space(), trials=1, out=out, storage=storage, **options)


def in_environment(patch: pytest.MonkeyPatch, _: Path, url: str) -> str:
    patch.setenv("PGPASSWORD", PASSWORD)
    return url


def in_password_file(patch: pytest.MonkeyPatch, folder: Path, url: str) -> str:
    escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    file = folder / "pgpass"
    file.write_text(f"127.0.0.1:*:*:grower:{escaped}\n")
    file.chmod(0o600)
    patch.setenv("PGPASSFILE", str(file))
    return url


def in_service_file(patch: pytest.MonkeyPatch, folder: Path, url: str) -> str:
    parsed = make_url(url)
    (folder / "services").write_text(
        f"[runs]\nhost=127.0.0.1\nport={parsed.port}\nuser=grower\ndbname={parsed.database}\n"
        f"password={PASSWORD}\n"
    )
    patch.setenv("PGSERVICEFILE", str(folder / "services"))
    return "postgresql+psycopg://?service=runs"


@pytest.mark.parametrize("place", [in_environment, in_password_file, in_service_file])
def test_the_password_is_found_where_libpq_looks(
    place: Callable[[pytest.MonkeyPatch, Path, str], str],
    without_password: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """And nowhere else: without it, the server refuses."""
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    with pytest.raises(RunError, match="password"):
        search(tmp_path / "run", without_password)
    url = place(monkeypatch, tmp_path, without_password)
    assert len(search(tmp_path / "run", url).trials) == 1
    assert len(gs.load_result(tmp_path / "run", storage=url).trials) == 1


def everything(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of a run folder, with its name."""
    for path in folder.rglob("*"):
        yield str(path), path.read_bytes() if path.is_file() else b""


@pytest.mark.usefixtures("own_machine")
def test_a_password_is_kept_out_of_all_that_a_run_leaves(
    postgresql: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Output, report, run folder, both studies; and, from the environment, the process list."""
    url = postgresql.new_database("kept out")
    monkeypatch.setenv(STORAGE_VARIABLE, url)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    arguments = run_digits(tmp_path / "run", "--trials", "1")
    command = [sys.executable, "-c", PROGRAM]
    listed: set[bytes] = set()
    with subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while process.poll() is None:
            try:
                listed.add(Path(f"/proc/{process.pid}/cmdline").read_bytes())
            except OSError:
                break
            time.sleep(0.1)
        out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    assert err == ""
    printed = [out]
    for more in (["show"], ["show", "--json"], ["compare"]):
        name, *options = more
        done = subprocess.run(
            [*command, name, str(tmp_path / "run"), *options],
            check=True,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        printed += [done.stdout, done.stderr]
    result = gs.load_result(tmp_path / "run", storage=url)
    stored = [result.study.user_attrs, result.study.trials]
    stored += [result.control_study.user_attrs, result.control_study.trials]
    assert any(b"growsearch" in line or b"entry" in line for line in listed)
    for secret in SECRETS:
        for line in listed:
            assert secret.encode() not in line
        for text in (*printed, *map(repr, stored)):
            assert secret not in text
        for name, content in everything(tmp_path / "run"):
            assert secret not in name
            assert secret.encode() not in content


@pytest.mark.parametrize("command", ["show", "compare", "dashboard"])
@pytest.mark.parametrize("place", ["typed", "environment", "typed without"])
def test_a_typed_password_is_warned_about(
    command: str,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """In one line that names the other places; not where it stands in the environment."""
    url = "postgresql+psycopg://me@127.0.0.1:1/db"
    if place != "typed without":
        url = url.replace("me@", "me:geheim@")
    arguments = [command, str(tmp_path)]
    if place == "environment":
        monkeypatch.setenv(STORAGE_VARIABLE, url)
    else:
        arguments += ["--storage", url]
    assert main(arguments) == 75  # the storage that was meant was tried
    *warnings, error = capsys.readouterr().err.splitlines()
    assert "geheim" not in error
    assert error.startswith("growsearch: storage postgresql+psycopg://me")
    assert len(warnings) == (place == "typed")
    for warning in warnings:
        for name in ("PGPASSWORD", "~/.pgpass", "~/.pg_service.conf", STORAGE_VARIABLE):
            assert name in warning
        assert "geheim" not in warning


@pytest.mark.usefixtures("own_machine")
def test_a_run_whose_server_is_gone_ends_with_status_75_and_goes_on_later(
    postgresql: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In one line after the warning; the same command goes on when the server is back."""
    monkeypatch.setenv(STORAGE_VARIABLE, postgresql.new_database("gone for long"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = [sys.executable, "-c", PROGRAM, *run_digits(tmp_path / "run", "--trials")]
    with subprocess.Popen(
        [*command, "100000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert any("random" in line for line in process.stdout), "no trial has ended"
        postgresql.stop()
        try:
            _, err = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
            postgresql.start()
    assert process.returncode == 75, err
    # None where the server's last word ends the wait, two where it answered in between.
    *warnings, error = err.splitlines()
    said = "growsearch: warning: the database does not answer; trying again for 1 s"
    assert set(warnings) <= {said}
    assert "the database did not answer for 1 s" in error
    assert "run the same command again to continue" in error
    before = len(gs.load_result(tmp_path / "run", storage=os.environ[STORAGE_VARIABLE]).trials)
    done = subprocess.run(
        [*command, str(before + 1)], check=False, capture_output=True, text=True, timeout=SECONDS
    )
    assert (done.returncode, done.stderr) == (0, "")
    result = gs.load_result(tmp_path / "run", storage=os.environ[STORAGE_VARIABLE])
    assert len(result.trials) == before + 1
    assert {trial.state.name for trial in result.study.trials} <= {"COMPLETE", "FAIL"}
