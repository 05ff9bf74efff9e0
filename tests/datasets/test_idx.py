"""IDX files, gzipped or not: read to the last bit, or refused in one line that names the file."""

import gzip
import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from growsearch.datasets.idx import idx_hash, read_idx
from growsearch.errors import DataError, DataNotFoundError
from tests.messages import one_line
from tests.mnist_files import IDX_CODES, idx_bytes
from tests.strategies import mutated, quick

IDX_SAMPLE = idx_bytes(np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4))


@given(
    st.sampled_from(sorted(IDX_CODES)).flatmap(
        lambda kind: hnp.arrays(np.dtype(kind), hnp.array_shapes(max_dims=4, min_side=0))
    ),
    st.booleans(),
)
@quick
def test_idx_round_trip(tmp_path: Path, array: np.ndarray, zipped: bool) -> None:
    """An array written as IDX, gzipped or not, is read back to the bit; its hash is the file's."""
    data = idx_bytes(array)
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(data, 1) if zipped else data)
    read = read_idx(path)
    assert read.dtype == array.dtype
    assert read.shape == array.shape
    assert read.tobytes() == array.tobytes()
    assert idx_hash(read) == hashlib.sha256(data).hexdigest()


@given(st.data(), st.booleans())
@settings(quick, max_examples=1000)
def test_mutated_idx_is_read_or_refused(tmp_path: Path, data: st.DataObject, zipped: bool) -> None:
    """A mutated IDX file gives an array that fills its header's shape, or a one-line DataError."""
    good = gzip.compress(IDX_SAMPLE, mtime=0) if zipped else IDX_SAMPLE
    path = tmp_path / "mutated"
    path.write_bytes(data.draw(mutated(good)))
    refusal = str(path)
    try:
        assert read_idx(path).size <= 24
    except DataError as error:
        refusal = str(error)
    assert "\n" not in refusal
    assert str(path) in refusal


@pytest.mark.parametrize("zipped", [True, False])
def test_idx_cut_anywhere_is_refused(tmp_path: Path, zipped: bool) -> None:
    """An IDX file cut short at any byte is a DataError that names the file."""
    good = gzip.compress(IDX_SAMPLE) if zipped else IDX_SAMPLE
    path = tmp_path / "cut"
    for length in range(len(good)):
        path.write_bytes(good[:length])
        with pytest.raises(DataError) as raised:
            read_idx(path)
        assert str(path) in one_line(raised)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty file"),
        (b"\1\0\x08\1\0\0\0\0", "00 00, type, axes"),
        (b"\0\0\x0a\1\0\0\0\0", "00 00, type, axes"),
        (b"\0\0\x08\0", "1 to 4 axes, got 0"),
        (b"\0\0\x08\5" + b"\0\0\0\1" * 5 + b"x", "1 to 4 axes, got 5"),
        (b"\0\0\x08\2\0\0\0\1", "2 axis lengths"),
        (b"\0\0\x08\4" + b"\xff" * 16, "at most"),
        (b"\0\0\x08\1\0\0\0\2a", "expected 2 bytes of data for shape (2,), got only 1"),
        (b"\0\0\x08\1\0\0\0\2abc", "got more"),
        (gzip.compress(b"\0\0\x08\1\0\0\0\2ab", mtime=0)[:-3], "cannot be read"),
        (gzip.compress(b"\0\0\x08\1\0\0\0\2ab", mtime=0)[:-8] + b"\0" * 8, "CRC"),
        (b"\x1f\x8bnonsense", "cannot be read"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)
def test_bad_idx_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    """Each fault of an IDX file has its own words, in one line with the file's name."""
    path = tmp_path / "bad"
    path.write_bytes(content)
    with pytest.raises(DataError) as raised:
        read_idx(path)
    assert words in one_line(raised)
    assert str(path) in one_line(raised)


def test_idx_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """A gzip that expands far past its header's shape is refused after one byte too many."""
    path = tmp_path / "bomb.gz"
    bomb = io.BytesIO()
    with gzip.GzipFile(fileobj=bomb, mode="wb", compresslevel=1) as stream:
        stream.write(b"\0\0\x08\1\0\0\0\2")
        for _ in range(256):
            stream.write(b"\0" * (1 << 20))
    path.write_bytes(bomb.getvalue())
    code = f"""
import resource
from pathlib import Path
from growsearch.datasets.idx import read_idx
from growsearch.errors import DataError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_idx(Path({str(path)!r}))
except DataError as error:
    assert "got more" in str(error)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 20_000  # KiB; the bomb holds 262,144


def test_idx_that_is_not_a_file_is_refused(tmp_path: Path) -> None:
    """A missing file, a folder and a pipe are DataNotFoundErrors; a pipe is not waited for."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "none", tmp_path, tmp_path / "pipe"):
        with pytest.raises(DataNotFoundError) as raised:
            read_idx(path)
        assert str(path) in one_line(raised)
