"""A run on a real PostgreSQL: the same results, and no password in any message."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, unquote

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

import growsearch as gs
from growsearch.driver.events import Training
from growsearch.errors import RunError, without_password
from growsearch.study.result import SearchResult
from tests.conftest import PASSWORD, Server
from tests.fake_trainer import FakeTrainer, images, outcome, space

TRIALS = 3


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """A result's studies keep their connections for later readers; here they end."""
    connections: list[Any] = []

    def remember(connection: Any, _record: Any) -> None:
        connections.append(connection)

    event.listen(Engine, "connect", remember)
    yield
    event.remove(Engine, "connect", remember)
    for connection in connections:
        connection.close()


def search(out: Path, storage: str | None, *, trials: int = TRIALS, **options: Any) -> SearchResult:
    options = {"data": images(), "trainer": FakeTrainer(), "seed": 0, **options}
    return gs.search(space(), trials=trials, out=out, storage=storage, **options)


def refused(out: Path, storage: str, **options: Any) -> str:
    """The error's text: one line without the password, quoted or not."""
    with pytest.raises(RunError) as caught:
        search(out, storage, **options)
    text = str(caught.value)
    assert "\n" not in text
    for secret in (PASSWORD, quote_plus(PASSWORD), *PASSWORD.split("@"), "geheim"):
        assert secret not in text or secret == "p"
    return text


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


def test_a_server_that_stops_costs_the_trial_in_flight(
    postgresql: Server, on_sqlite: SearchResult, tmp_path: Path
) -> None:
    """One line; the same command goes on when the server is back."""
    url = postgresql.new_database("stopped")

    def stop(event: Any) -> None:
        if isinstance(event, Training) and (event.what, event.step) == ("trial 1", 2):
            postgresql.stop()

    try:
        text = refused(tmp_path / "run", url, on_event=stop)
        assert "run the same command again" in text
        assert "storage" in refused(tmp_path / "run", url)
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
        assert "expected the URL of a database" in refused(tmp_path / "run", url)


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
