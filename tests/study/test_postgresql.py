"""A run on a real PostgreSQL: the same results, and no password in any message."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, unquote

import pytest

import growsearch as gs
from growsearch.driver.events import Training
from growsearch.errors import RunError, StorageGoneError, without_password
from growsearch.study import patience
from growsearch.study.patience import StorageWarning
from growsearch.study.result import SearchResult
from tests.conftest import PASSWORD, Server
from tests.fake_trainer import FakeTrainer, images, outcome, space

TRIALS = 3


pytestmark = pytest.mark.usefixtures("closed_connections")


def search(out: Path, storage: str | None, *, trials: int = TRIALS, **options: Any) -> SearchResult:
    options = {"data": images(), "trainer": FakeTrainer(), "seed": 0, **options}
    return gs.search(space(), trials=trials, out=out, storage=storage, **options)


def refused(out: Path, storage: str, *, gone: bool = False, **options: Any) -> str:
    """The error's text: one line without the password, quoted or not."""
    with pytest.raises(RunError) as caught:
        search(out, storage, **options)
    assert isinstance(caught.value, StorageGoneError) == gone
    text = str(caught.value)
    assert "\n" not in text
    for secret in (PASSWORD, quote_plus(PASSWORD), *PASSWORD.split("@"), "geheim"):
        assert secret not in text or secret == "p"
    return text


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> float:
    """A driver that waits for a server for a second."""
    monkeypatch.setattr(patience, "SECONDS", 1.0)
    return 1.0


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory, quick_sqlite: None) -> SearchResult:
    """The same run without PostgreSQL."""
    del quick_sqlite
    return search(tmp_path_factory.mktemp("sqlite"), None)


def test_a_run_on_postgresql_is_a_run_on_sqlite(
    postgresql: Server, on_sqlite: SearchResult, tmp_path: Path
) -> None:
    """In two sessions, and read without running: the storage has no part in the results."""
    url = postgresql.new_database("whole")
    assert len(search(tmp_path / "run", url, trials=1).trials) == 1
    assert outcome(search(tmp_path / "run", url)) == outcome(on_sqlite)
    assert outcome(gs.load_result(tmp_path / "run", storage=url)) == outcome(on_sqlite)
    assert not (tmp_path / "run" / "study.db").exists()


def test_a_database_holds_several_runs(postgresql: Server, tmp_path: Path) -> None:
    """Named by their folders."""
    url = postgresql.new_database("several")
    for name in ("one", "two"):
        search(tmp_path / name, url, trials=1)
    assert len(gs.load_result(tmp_path / "one", storage=url).trials) == 1
    with pytest.raises(RunError, match="found one, two"):
        gs.load_result(tmp_path / "three", storage=url)


@pytest.mark.filterwarnings("ignore::growsearch.study.patience.StorageWarning")
@pytest.mark.parametrize("away", [0.0, 3.0], ids=["restarted at once", "away for 3 s"])
def test_a_server_that_is_restarted_is_ridden_out(
    postgresql: Server, on_sqlite: SearchResult, tmp_path: Path, away: float
) -> None:
    """The same trials, each once, in one session."""
    url = postgresql.new_database(f"restarted {away}")
    wanted, stopped = {"teacher", "trial 1", "trial 1 random"}, list[str]()

    def restart(event: Any) -> None:
        if isinstance(event, Training) and event.step == 2 and event.what in wanted - {*stopped}:
            stopped.append(event.what)
            postgresql.stop()
            timer = threading.Timer(away, postgresql.start)
            timer.start()
            if not away:
                timer.join()

    result = search(tmp_path / "run", url, on_event=restart)
    assert {*stopped} == wanted
    assert outcome(result) == outcome(on_sqlite)
    for study, alike in (
        (result.study, on_sqlite.study),
        (result.control_study, on_sqlite.control_study),
    ):
        assert len(study.trials) == len(alike.trials)
        assert {trial.state.name for trial in study.trials} == {"COMPLETE"}


def test_a_server_that_stays_away_ends_the_session(
    postgresql: Server,
    on_sqlite: SearchResult,
    tmp_path: Path,
    short_patience: float,
) -> None:
    """After the time of its patience, in one line; the same command goes on when it is back."""
    url = postgresql.new_database("stopped")

    def stop(event: Any) -> None:
        if isinstance(event, Training) and (event.what, event.step) == ("trial 1", 2):
            postgresql.stop()

    try:
        began = time.monotonic()
        with pytest.warns(StorageWarning, match="does not answer; trying again for 1 s") as said:
            text = refused(tmp_path / "run", url, gone=True, on_event=stop)
        assert len(said) == 1
        assert "did not answer for 1 s" in text
        assert "run the same command again" in text
        assert time.monotonic() - began < 30 * short_patience  # and not once more for each call
        assert "storage" in refused(tmp_path / "run", url, gone=True)
    finally:
        postgresql.start()
    assert outcome(search(tmp_path / "run", url)) == outcome(on_sqlite)


@pytest.mark.parametrize(
    "secret", ["wr@ng", "a:b", "a/b", "50%", "sp ace", "p%40ss", "wr@ng:again@", "geheim"]
)
def test_a_wrong_password_is_in_no_message(postgresql: Server, tmp_path: Path, secret: str) -> None:
    """Whatever letters it has, as the URL quotes it or as it is typed."""
    for url in (
        postgresql.url(password=secret),
        f"postgresql+psycopg://grower:{secret}@127.0.0.1:{postgresql.port}/postgres",
        f"postgresql+psycopg://127.0.0.1:{postgresql.port}/postgres"
        f"?user=grower&password={quote_plus(secret)}",
    ):
        with pytest.raises(RunError) as caught:
            search(tmp_path / "run", url)
        text = str(caught.value)
        assert "\n" not in text
        assert secret not in text
        assert quote_plus(secret) not in text
        assert secret.rpartition("@")[2] not in text or secret.endswith("@")
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "url",
    [
        *("", "nonsense", "postgresql+psycopg://", "sqlite:////nowhere/at/all.db", "redis://h"),
        *("postgresql+nothing://u:geheim@h/d", "postgresql+psycopg://u:geheim@h:port/d"),
    ],
)
def test_an_unusable_storage_is_one_line(tmp_path: Path, url: str) -> None:
    """No database, no driver, no URL at all."""
    if url:
        with pytest.raises(RunError, match="expected the URL of a database") as caught:
            search(tmp_path / "run", url)
        assert "\n" not in str(caught.value)
        assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("dialect", ["postgresql+psycopg", "postgresql+psycopg2"])
def test_a_missing_driver_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dialect: str
) -> None:
    """Psycopg is an extra, and the message says which."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    line = refused(tmp_path / "run", f"{dialect}://u:geheim@h/d")
    assert "pip install 'growsearch[postgresql]'" in line
    assert "geheim" not in line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql+psycopg://u:secret@h/d", "postgresql+psycopg://u:***@h/d"),
        ("postgresql+psycopg://u:se@cr:et@h/d", "postgresql+psycopg://u:***@h/d"),
        ("postgresql://u:se cret/@h:1/d?x=1", "postgresql://u:***@h:1/d?x=1"),
        ("postgresql://:secret@h/d", "postgresql://:***@h/d"),
        ("postgresql://h/d?user=u&password=secret", "postgresql://h/d?user=u&password=***"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("sqlite:////tmp/study.db", "sqlite:////tmp/study.db"),
        ("runs/mnist", "runs/mnist"),
    ],
)
def test_a_url_is_shown_without_its_password(text: str, shown: str) -> None:
    """Up to the last @, because a password may hold one."""
    assert without_password(text) == shown


@pytest.mark.parametrize("password", ["se%40cret", "se@cret", "a%3Ab", "a%2Fb+c", "p%2540"])
def test_a_message_is_shown_without_the_password_of_its_url(password: str) -> None:
    """Quoted or not, whole or in the pieces that a parser made of it."""
    url = f"postgresql+psycopg://u:{password}@h/d"
    pieces = {password, unquote(password), password.rsplit("@", maxsplit=1)[-1]}
    for piece in pieces:
        assert piece not in without_password(f"cannot resolve {piece}: no", url=url)


def test_a_message_without_a_password_stays(tmp_path: Path) -> None:
    """Nothing is replaced where there is nothing to hide."""
    assert without_password("all is well", url=str(tmp_path)) == "all is well"
