"""Fixtures that several files share: databases, images, finished runs, the environment."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import tests.strategies  # noqa: F401  (its profile: no deadlines)
from tests.faults.table import pytest_terminal_summary  # noqa: F401  (a hook)

if TYPE_CHECKING:
    from growsearch.datasets import Dataset
    from growsearch.reproduction.result import Reproduction
    from growsearch.study.result import SearchResult

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell's background jobs ignore Ctrl-C, and so would all that the tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Letters that a URL quotes, and that a careless pattern takes for the end of a password.
PASSWORD = "p@ss:w/rd%40 geheim"


@pytest.fixture(scope="session")
def quick_sqlite() -> Iterator[None]:
    """SQLite without fsync: that survives a killed process, not a power failure."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    from tests.fake_trainer import without_fsync

    event.listen(Engine, "connect", without_fsync)
    yield
    event.remove(Engine, "connect", without_fsync)


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """MNIST's files, where this machine has them."""
    return _files_of("MNIST", "GROWSEARCH_TEST_MNIST", "mnist")


@pytest.fixture(scope="session")
def fashion_mnist_folder() -> Path:
    """Fashion-MNIST's files, where this machine has them."""
    return _files_of("Fashion-MNIST", "GROWSEARCH_TEST_FASHION_MNIST", "fashion-mnist")


@pytest.fixture(scope="session")
def sign_digits_folder() -> Path:
    """Photographs of hand signs, a folder a class in an archive, where this machine has them."""
    return _files_of("sign-digits", "GROWSEARCH_TEST_SIGN_DIGITS", "sign-digits")


def _files_of(title: str, variable: str, folder_name: str) -> Path:
    named = os.environ.get(variable)
    folder = Path(named) if named else Path(__file__).parents[2] / "shared/data" / folder_name
    if not folder.is_dir():
        pytest.skip(f"{title} is not on this machine: set {variable}")
    return folder


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the user's data, cache or proxy, or reaches out of this machine."""
    from growsearch.datasets import archives, decoded, sources
    from growsearch.datasets.published import PUBLISHED

    monkeypatch.delenv("GROWSEARCH_DATA", raising=False)
    monkeypatch.delenv("GROWSEARCH_OFFLINE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name, row in PUBLISHED.items():
        monkeypatch.setitem(PUBLISHED, name, replace(row, mirrors=()))
    for module in (sources, decoded, archives):
        monkeypatch.setattr(module, "cache_folder", lambda name: tmp_path / "cache" / name)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, quick_sqlite: None) -> SearchResult:
    """A run that nothing interrupted; to be copied, not changed."""
    from tests.small_search import search

    del quick_sqlite
    return search(tmp_path_factory.mktemp("finished") / "run")


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory, quick_sqlite: None) -> tuple[SearchResult, int]:
    """A finished run with a trunk, and the number of its trainings, each of which took .25 s."""
    from tests.fake_trainer import CountingTrainer, space
    from tests.small_search import search

    del quick_sqlite
    trainer = CountingTrainer()
    found = search(
        tmp_path_factory.mktemp("grown") / "run",
        space=space(trunk={"steps": 100}, controls={"arms": {"random": 0.5}}),
        trainer=trainer,
    )
    return found, trainer.trained


@pytest.fixture
def copy(finished: SearchResult, tmp_path: Path) -> Path:
    """A folder of its own with the finished run."""
    return Path(shutil.copytree(finished.folder, tmp_path / "run"))


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """The digits, as they stand in for MNIST."""
    from growsearch.datasets import load

    return replace(load("digits"), stand_in=True)


@pytest.fixture
def small_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    """A smaller architecture, for the laws of a reproduction that do not depend on it."""
    monkeypatch.setattr(
        "growsearch.reproduction.run.ARCHITECTURE", "5x5x32(conv1)-pool1-5x5x4(conv2)-pool2-10(fc2)"
    )


# Half as wide as the published architecture: trained in a third of the time, and as soon.
MEASURED = "5x5x16(conv1)-pool1-5x5x16(conv2)-pool2-512(fc1)-10(fc2)"


@pytest.fixture
def measured_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    """The architecture of the ``measured`` reproduction."""
    monkeypatch.setattr("growsearch.reproduction.run.ARCHITECTURE", MEASURED)


@pytest.fixture(scope="session")
def measured(
    digits: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Reproduction, Path]:
    """A short real reproduction of one seed, and its folder."""
    from growsearch.reproduction import run
    from growsearch.training.slim import SlimTrainer

    out = tmp_path_factory.mktemp("measured")
    options = {"iterations": 30, "every": 10, "seeds": 1, "data": digits, "out": out}
    began = time.perf_counter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "ARCHITECTURE", MEASURED)
        found = run.reproduce(trainer=SlimTrainer(), **options)
    assert 0.0 < found.seconds <= time.perf_counter() - began
    return found, out


@pytest.fixture
def own_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No data set of this machine, no network, and an environment that stays as it was."""
    from tests.command_line import ROOT

    monkeypatch.setenv("GROWSEARCH_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty cache"))
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("GROWSEARCH_DATA", raising=False)


@pytest.fixture(scope="session")
def printed_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished run of two trials, and what was printed meanwhile, by a process of its own."""
    from tests.command_line import COMMAND, ROOT, SECONDS, run_digits

    folder = tmp_path_factory.mktemp("cli") / "a run"
    done = subprocess.run(
        [*COMMAND, *run_digits(folder, "--trials", "2")],
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.stderr == ""
    return folder, done.stdout


@pytest.fixture
def run_folder(printed_run: tuple[Path, str]) -> Path:
    """The folder of a run that the command line has finished."""
    return printed_run[0]


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server of its own, on a free port, with one user and its password."""

    folder: Path
    binaries: Path
    port: int

    def url(self, database: str = "postgres", password: str = PASSWORD) -> str:
        """The storage URL of a database."""
        from sqlalchemy import URL

        url = URL.create("postgresql+psycopg", "grower", password, "127.0.0.1", self.port, database)
        return url.render_as_string(hide_password=False)

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs, which refuse to work for root."""
        command = [str(self.binaries / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(
            command,
            check=True,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = str(self.folder / "log")
        self.run("pg_ctl", "start", "-w", "-D", str(self.folder / "data"), "-l", log, "-o", options)

    def stop(self) -> None:
        """Stop the server in the middle of whatever it does."""
        self.run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self.folder / "data"))

    def new_database(self, name: str) -> str:
        """The storage URL of a new, empty database."""
        import psycopg

        where = {"host": "127.0.0.1", "port": self.port, "user": "grower", "password": PASSWORD}
        with psycopg.connect(dbname="postgres", autocommit=True, **where) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A running PostgreSQL; skips where its binaries are not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("no PostgreSQL: /usr/lib/postgresql/*/bin/initdb is not installed")
    folder = Path(tempfile.mkdtemp(prefix="growsearch-postgresql-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = Server(folder, found[-1].parent, free.getsockname()[1])
    password = folder / "password"
    password.write_text(PASSWORD)
    if os.geteuid() == 0:
        for path in (folder, password):
            shutil.chown(path, "postgres")
    access = ("--auth=scram-sha-256", f"--pwfile={password}", "--username=grower")
    try:
        server.run("initdb", "-D", str(folder / "data"), "--no-sync", *access)
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def closed_connections() -> Iterator[None]:
    """A result's studies keep their connections for later readers; here they end."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    connections: list[Any] = []

    def remember(connection: Any, _record: Any) -> None:
        connections.append(connection)

    event.listen(Engine, "connect", remember)
    yield
    event.remove(Engine, "connect", remember)
    for connection in connections:
        connection.close()
