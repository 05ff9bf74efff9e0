"""The sources of MNIST and Fashion-MNIST: the environment, the cache, mirrors, a stand-in."""

import gzip
import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pooch
import pytest
import requests

from growsearch.datasets import load, sources
from growsearch.datasets.published import PUBLISHED, Hashes
from growsearch.errors import DataError, DataNotFoundError
from tests.messages import one_line
from tests.mnist_files import PARTS, idx_bytes, pairs, small_mnist, write_folder

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(params=["mnist", "fashion_mnist"])
def name(request: pytest.FixtureRequest) -> str:
    """Each data set in turn: what holds for one source holds for all."""
    return str(request.param)


def test_environment_names_the_data(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GROWSEARCH_DATA is used if no data are given, is an error if unusable, and yields to data."""
    folder = write_folder(tmp_path / "data", small_mnist())
    monkeypatch.setenv("GROWSEARCH_DATA", str(folder))
    assert load(name).source == str(folder)
    monkeypatch.setenv("GROWSEARCH_DATA", str(tmp_path / "nothing"))
    with pytest.raises(DataNotFoundError, match=r"^GROWSEARCH_DATA: ") as raised:
        load(name, stand_in="digits")
    one_line(raised)
    assert load(name, folder).source == str(folder)
    (folder / "train-images-idx3-ubyte").write_bytes(b"junk")
    monkeypatch.setenv("GROWSEARCH_DATA", str(folder))
    with pytest.raises(DataError, match=r"^GROWSEARCH_DATA: "):
        load(name, stand_in="digits")


class Mirror(http.server.ThreadingHTTPServer):
    """A web server on this machine that serves `files` and remembers what it was asked for."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), MirrorHandler)
        self.files = files
        self.asked: list[str] = []
        self.starts: list[int] = []
        self.most: int | None = None  # bytes, where the line breaks
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
        first = int(self.headers.get("Range", "bytes=0-")[6:-1])
        self.server.starts.append(first)
        if first >= len(body) > 0:
            self.send_error(416)
            return
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(body) - first))
        self.end_headers()
        self.wfile.write(body[first : self.server.most])

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def served(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Small gzipped IDX files, whose hashes replace the published ones and are of their kinds."""
    arrays = small_mnist()
    row, served, files = PUBLISHED[name], {}, {}
    for part, index in PARTS.items():
        content = idx_bytes(arrays[index])
        body = served[f"{part}.gz"] = gzip.compress(content, 1)
        algorithm, colon, _ = row.files[f"{part}.gz"].archive.rpartition(":")
        digest = hashlib.new(algorithm or "sha256", body).hexdigest()
        content_digest = hashlib.sha256(content).hexdigest()
        files[f"{part}.gz"] = Hashes(f"{algorithm}{colon}{digest}", content_digest)
    monkeypatch.setitem(PUBLISHED, name, replace(row, files=files))
    return served


@pytest.fixture
def start(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[Mirror]]]:
    """Start one mirror for each dictionary of files, in this order."""
    running: list[Mirror] = []

    def start_all(*each: dict[str, bytes]) -> list[Mirror]:
        for files in each:
            mirror = Mirror(files)
            threading.Thread(target=mirror.serve_forever, args=(0.05,), daemon=True).start()
            running.append(mirror)
        mirrors = tuple(mirror.url for mirror in running)
        monkeypatch.setitem(PUBLISHED, name, replace(PUBLISHED[name], mirrors=mirrors))
        return running

    yield start_all
    for mirror in running:
        mirror.shutdown()
        mirror.server_close()


def test_the_files_are_downloaded_once(name: str, served: dict[str, bytes], start: Any) -> None:
    """Each file is downloaded once; the next load takes it from the cache, even offline."""
    (mirror,) = start(served)
    data = load(name)
    assert data.fingerprint == load(name, pairs(small_mnist())).fingerprint
    assert data.source == str(sources.cache_folder(name))
    assert sorted(mirror.asked) == sorted(served)
    assert {path.name for path in sources.cache_folder(name).iterdir()} == set(served)
    assert load(name).fingerprint == data.fingerprint
    assert len(mirror.asked) == len(served)


def test_offline_uses_the_cache(
    name: str, served: dict[str, bytes], start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GROWSEARCH_OFFLINE=1 asks no mirror: a full cache is used, an empty one is an error."""
    monkeypatch.setenv("GROWSEARCH_OFFLINE", "1")
    (mirror,) = start(served)
    with pytest.raises(DataNotFoundError, match="GROWSEARCH_OFFLINE") as raised:
        load(name)
    assert "--data PATH" in one_line(raised)
    assert mirror.asked == []
    monkeypatch.setenv("GROWSEARCH_OFFLINE", "0")
    load(name)
    monkeypatch.setenv("GROWSEARCH_OFFLINE", "1")
    assert load(name).source == str(sources.cache_folder(name))


def test_damaged_cache_is_downloaded_again(name: str, served: dict[str, bytes], start: Any) -> None:
    """A cached file with one flipped bit is found by its hash and replaced, and only that one."""
    (mirror,) = start(served)
    before = load(name).fingerprint
    file = "train-images-idx3-ubyte.gz"
    damaged = bytearray(served[file])
    damaged[len(damaged) // 2] ^= 1
    (sources.cache_folder(name) / file).write_bytes(damaged)
    mirror.asked.clear()
    assert load(name).fingerprint == before
    assert mirror.asked == [file]


def test_a_broken_download_goes_on_where_it_broke(
    name: str, served: dict[str, bytes], start: Any
) -> None:
    """The beginning is kept, and only the rest is asked for; a file that changed is not mixed.

    The line breaks after 20,000 bytes of a file; that of the training images is longer.
    """
    (mirror,) = start(served)
    mirror.most = 20_000
    with pytest.raises(DataNotFoundError, match="could not be downloaded"):
        load(name)
    mirror.most = None
    mirror.starts.clear()
    before = load(name).fingerprint
    assert 2 * sources.CHUNK in mirror.starts
    folder = sources.cache_folder(name)
    assert {path.name for path in folder.iterdir()} == set(served)
    file = "train-images-idx3-ubyte.gz"
    url = f"{mirror.url}{file}"
    kept = folder / f".partial-{hashlib.sha256(url.encode()).hexdigest()[:16]}"
    for rest in (b"x" * 20, b"x" * (len(served[file]) + 9)):
        (folder / file).unlink()
        kept.write_bytes(rest)
        assert load(name).fingerprint == before
        assert not kept.exists()


def test_second_mirror_takes_over(name: str, served: dict[str, bytes], start: Any) -> None:
    """Files that the first mirror lacks (404) or serves with another hash come from the second."""
    file = "t10k-images-idx3-ubyte.gz"
    lacking = {key: body for key, body in served.items() if key != file}
    first, second = start(lacking, served)
    assert len(load(name).test) == 12
    assert file in first.asked
    assert file in second.asked
    (sources.cache_folder(name) / file).unlink()
    first.files = served | {file: gzip.compress(b"an error page")}
    assert len(load(name).test) == 12


def test_wrong_bytes_are_never_used(name: str, served: dict[str, bytes], start: Any) -> None:
    """A mirror whose bytes have another hash is an error that says so, and leaves no file."""
    start({file: gzip.compress(body) for file, body in served.items()})
    with pytest.raises(DataNotFoundError, match="hash") as raised:
        load(name)
    assert "GROWSEARCH_DATA" in one_line(raised)
    assert list(sources.cache_folder(name).iterdir()) == []


def test_stand_in_if_nobody_answers(
    name: str, start: Any, served: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
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
        data = load(name, stand_in="digits")
    assert asked == [mirror.url]
    assert data.stand_in
    assert data.name == "digits"
    assert f"IN PLACE OF {PUBLISHED[name].title} (" in data.source
    assert "127.0.0.1" in data.source
    assert "\n" not in data.source
    assert data.fingerprint == load("digits").fingerprint
    with pytest.raises(DataNotFoundError, match="could not be downloaded") as raised:
        load(name)
    assert "--data PATH" in one_line(raised)


def test_slow_network_is_given_up(
    name: str, served: dict[str, bytes], start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mirror that keeps its line alive without ever answering is given up while it sends.

    The socket's own time limit is kept from ending first, which it may on a busy machine.
    """
    mirrors, head = start(served, served), requests.head
    monkeypatch.setattr(requests, "head", lambda url, **o: head(url, **o | {"timeout": 90}))
    for mirror in mirrors:
        mirror.drip_header = True
    monkeypatch.setattr(sources, "SECONDS_TO_REACH", 0.5)
    with pytest.raises(DataNotFoundError, match=r"no answer.*no answer"):
        load(name)
    assert not any(mirror.finished.is_set() for mirror in mirrors)
    for mirror in mirrors:
        mirror.given_up.set()


def test_cache_that_cannot_be_written_is_explained(
    name: str, served: dict[str, bytes], start: Any, tmp_path: Path
) -> None:
    """A cache folder that cannot be made is a DataNotFoundError of one line, not a traceback."""
    start(served)
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(DataNotFoundError) as raised:
        load(name)
    one_line(raised)


def test_files_packed_again_are_used_from_the_cache(
    name: str, served: dict[str, bytes], start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another gzip of the published bytes verifies by its content, and is not downloaded again."""
    (mirror,) = start(served)
    before = load(name).fingerprint
    folder = sources.cache_folder(name)
    mirror.asked.clear()
    for file, body in served.items():
        again = gzip.compress(gzip.decompress(body), 9, mtime=1)
        assert again != body
        (folder / file).write_bytes(again)
    with monkeypatch.context() as patch:
        patch.setenv("GROWSEARCH_OFFLINE", "1")
        assert load(name).fingerprint == before
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    assert load(name).fingerprint == before
    assert mirror.asked == ["t10k-labels-idx1-ubyte.gz"]


def test_each_data_set_has_a_cache_of_its_own(
    name: str, served: dict[str, bytes], start: Any
) -> None:
    """The files of one data set in the cache are never taken for another's."""
    start(served)
    load(name)
    for other in set(PUBLISHED) - {name}:
        with pytest.raises(DataNotFoundError, match=PUBLISHED[other].title):
            load(other)
