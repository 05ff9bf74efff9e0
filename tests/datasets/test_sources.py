"""The sources of MNIST: the environment, the cache, mirrors, a stand-in."""

import gzip
import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pooch
import pytest
import requests

from growsearch.datasets import load, mnist
from growsearch.errors import DataError, DataNotFoundError
from tests.messages import one_line
from tests.mnist_files import PARTS, idx_bytes, pairs, small_mnist, write_folder

pytestmark = pytest.mark.usefixtures("own_cache")


def test_environment_names_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GROWSEARCH_DATA is used if no data are given, is an error if unusable, and yields to data."""
    folder = write_folder(tmp_path / "data", small_mnist())
    monkeypatch.setenv("GROWSEARCH_DATA", str(folder))
    assert load("mnist").source == str(folder)
    monkeypatch.setenv("GROWSEARCH_DATA", str(tmp_path / "nothing"))
    with pytest.raises(DataNotFoundError, match=r"^GROWSEARCH_DATA: ") as raised:
        load("mnist", stand_in="digits")
    one_line(raised)
    assert load("mnist", folder).source == str(folder)
    (folder / "train-images-idx3-ubyte").write_bytes(b"junk")
    monkeypatch.setenv("GROWSEARCH_DATA", str(folder))
    with pytest.raises(DataError, match=r"^GROWSEARCH_DATA: "):
        load("mnist", stand_in="digits")


class Mirror(http.server.ThreadingHTTPServer):
    """A web server on this machine that serves `files` and remembers what it was asked for."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), MirrorHandler)
        self.files = files
        self.asked: list[str] = []
        self.drip_header = False
        self.given_up, self.finished = threading.Event(), threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/mnist/"


class MirrorHandler(http.server.BaseHTTPRequestHandler):
    server: Mirror

    def do_HEAD(self) -> None:
        self.send_response(200)
        if self.server.drip_header:
            self.flush_headers()
            # Each byte comes before any time limit of a socket; the last after 60 s.
            for _ in range(1200):
                if self.server.given_up.wait(0.05):
                    return
                self.wfile.write(b"X")
            self.server.finished.set()
        self.end_headers()

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.server.asked.append(name)
        body = self.server.files.get(name)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Small gzipped IDX files, whose hashes replace MNIST's."""
    arrays = small_mnist()
    files = {f"{p}.gz": gzip.compress(idx_bytes(arrays[i]), 1) for p, i in PARTS.items()}
    hashes = {name: hashlib.sha256(body).hexdigest() for name, body in files.items()}
    monkeypatch.setattr(mnist, "FILES", hashes)
    return files


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[Mirror]]]:
    """Start one mirror for each dictionary of files, in this order."""
    running: list[Mirror] = []

    def start_all(*each: dict[str, bytes]) -> list[Mirror]:
        for files in each:
            mirror = Mirror(files)
            threading.Thread(target=mirror.serve_forever, args=(0.05,), daemon=True).start()
            running.append(mirror)
        monkeypatch.setattr(mnist, "MIRRORS", tuple(mirror.url for mirror in running))
        return running

    yield start_all
    for mirror in running:
        mirror.shutdown()
        mirror.server_close()


def test_mnist_is_downloaded_once(served: dict[str, bytes], start: Any) -> None:
    """Each file is downloaded once; the next load takes it from the cache, even offline."""
    (mirror,) = start(served)
    data = load("mnist")
    assert data.fingerprint == load("mnist", pairs(small_mnist())).fingerprint
    assert data.source == str(mnist.cache_folder())
    assert sorted(mirror.asked) == sorted(served)
    assert {path.name for path in mnist.cache_folder().iterdir()} == set(served)
    assert load("mnist").fingerprint == data.fingerprint
    assert len(mirror.asked) == len(served)


def test_offline_uses_the_cache(
    served: dict[str, bytes], start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GROWSEARCH_OFFLINE=1 asks no mirror: a full cache is used, an empty one is an error."""
    monkeypatch.setenv("GROWSEARCH_OFFLINE", "1")
    (mirror,) = start(served)
    with pytest.raises(DataNotFoundError, match="GROWSEARCH_OFFLINE") as raised:
        load("mnist")
    assert "--data PATH" in one_line(raised)
    assert mirror.asked == []
    monkeypatch.setenv("GROWSEARCH_OFFLINE", "0")
    load("mnist")
    monkeypatch.setenv("GROWSEARCH_OFFLINE", "1")
    assert load("mnist").source == str(mnist.cache_folder())


def test_damaged_cache_is_downloaded_again(served: dict[str, bytes], start: Any) -> None:
    """A cached file with one flipped bit is found by its hash and replaced, and only that one."""
    (mirror,) = start(served)
    before = load("mnist").fingerprint
    name = "train-images-idx3-ubyte.gz"
    damaged = bytearray(served[name])
    damaged[len(damaged) // 2] ^= 1
    (mnist.cache_folder() / name).write_bytes(damaged)
    mirror.asked.clear()
    assert load("mnist").fingerprint == before
    assert mirror.asked == [name]


def test_second_mirror_takes_over(served: dict[str, bytes], start: Any) -> None:
    """Files that the first mirror lacks (404) or serves with another hash come from the second."""
    name = "t10k-images-idx3-ubyte.gz"
    lacking = {key: body for key, body in served.items() if key != name}
    first, second = start(lacking, served)
    assert len(load("mnist").test) == 12
    assert name in first.asked
    assert name in second.asked
    (mnist.cache_folder() / name).unlink()
    first.files = served | {name: gzip.compress(b"an error page")}
    assert len(load("mnist").test) == 12


def test_wrong_bytes_are_never_used(served: dict[str, bytes], start: Any) -> None:
    """A mirror whose bytes have another hash is an error that says so, and leaves no file."""
    start({name: gzip.compress(body) for name, body in served.items()})
    with pytest.raises(DataNotFoundError, match="hash") as raised:
        load("mnist")
    assert "GROWSEARCH_DATA" in one_line(raised)
    assert list(mnist.cache_folder().iterdir()) == []


def test_stand_in_if_nobody_answers(
    start: Any, served: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no mirror up, the stand-in says that it is one and why; without it, an error helps.

    A mirror that cannot be reached is asked once, and no file is asked of it.
    """
    (mirror,) = start(served)
    mirror.shutdown()
    mirror.server_close()
    asked: list[str] = []
    head = requests.head
    monkeypatch.setattr(requests, "head", lambda url, **o: asked.append(url) or head(url, **o))
    with monkeypatch.context() as patch:
        patch.setattr(pooch, "create", lambda **_: pytest.fail("a file was asked for"))
        data = load("mnist", stand_in="digits")
    assert asked == [mirror.url]
    assert data.stand_in
    assert data.name == "digits"
    assert "IN PLACE OF MNIST" in data.source
    assert "127.0.0.1" in data.source
    assert "\n" not in data.source
    assert data.fingerprint == load("digits").fingerprint
    with pytest.raises(DataNotFoundError, match="could not be downloaded") as raised:
        load("mnist")
    assert "--data PATH" in one_line(raised)


def test_slow_network_is_given_up(
    served: dict[str, bytes], start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mirror that keeps its line alive without ever answering is given up while it sends."""
    mirrors = start(served, served)
    for mirror in mirrors:
        mirror.drip_header = True
    monkeypatch.setattr(mnist, "SECONDS_TO_REACH", 0.5)
    with pytest.raises(DataNotFoundError, match=r"no answer.*no answer"):
        load("mnist")
    assert not any(mirror.finished.is_set() for mirror in mirrors)
    for mirror in mirrors:
        mirror.given_up.set()


def test_cache_that_cannot_be_written_is_explained(
    served: dict[str, bytes], start: Any, tmp_path: Path
) -> None:
    """A cache folder that cannot be made is a DataNotFoundError of one line, not a traceback."""
    start(served)
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(DataNotFoundError) as raised:
        load("mnist")
    one_line(raised)
