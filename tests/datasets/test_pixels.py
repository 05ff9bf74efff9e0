"""Pixels: bytes that act as the float32 array of their images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from growsearch.datasets import Dataset, Pixels, Split, StoredImages
from growsearch.driver.holdout import hold_out
from tests.strategies import quick

RNG = np.random.default_rng(0)
STORED = RNG.integers(0, 256, (9, 4, 5, 3), np.uint8)
ROWS = np.array([7, 2, 2, 0, 5])
FLOATS = (STORED[ROWS] / np.float32(255)).astype(np.float32)

indices = st.one_of(
    st.integers(-5, 4),
    st.slices(5),
    st.lists(st.integers(0, 4), min_size=1).map(np.array),
    st.lists(st.booleans(), min_size=5, max_size=5).map(np.array),
    st.tuples(st.slices(5), st.just(...), st.integers(0, 2)),
    st.just((slice(None), slice(None), slice(None, None, -1))),
    st.just((..., 0)),
    st.just((2, 1)),
)


@given(indices)
@quick
def test_an_index_takes_what_it_takes_of_the_floats(index: Any) -> None:
    """Every kind of index, bit for bit, as a new float32 array."""
    taken = Pixels(STORED, ROWS)[index]
    assert taken.dtype == np.float32
    np.testing.assert_array_equal(taken, FLOATS[index])
    assert not np.shares_memory(taken, STORED)


def test_pixels_act_as_an_array() -> None:
    """Shape, type, length and conversion are those of the floats."""
    pixels = Pixels(STORED, ROWS)
    assert (pixels.shape, pixels.dtype, pixels.ndim) == (FLOATS.shape, FLOATS.dtype, FLOATS.ndim)
    assert (len(pixels), pixels.size) == (5, FLOATS.size)
    np.testing.assert_array_equal(np.asarray(pixels), FLOATS)
    assert np.asarray(pixels, np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="a copy may be made"):
        np.array(pixels, copy=False)


def test_some_of_pixels_share_the_bytes() -> None:
    """Taking a part reads nothing; a part of a part too."""
    pixels = Pixels(STORED, ROWS).take(np.array([4, 0, 1])).take(slice(2))
    assert pixels.stored is STORED
    assert pixels.rows.tolist() == [5, 7]
    np.testing.assert_array_equal(pixels[:], FLOATS[[4, 0]])


def test_a_split_keeps_pixels(tmp_path: Path) -> None:
    """A split, its parts, and what is stored of it are bytes with the same values."""
    split = Split(Pixels(STORED, ROWS), np.array([0, 1, 2, 1, 0]), ("a", "b", "c"))  # type: ignore[arg-type]
    selection, held = hold_out(split, 0.4)
    assert held is not None
    assert held.class_names == ("a", "b", "c")
    assert len(selection) + len(held) == len(split)
    stored = StoredImages.write(tmp_path / "data", {"train": split, "test": selection})
    for part, expected in {"train": split, "test": selection}.items():
        found = stored[part]
        assert isinstance(found.images, Pixels)
        assert found.class_names == ("a", "b", "c")
        assert found.images.stored.dtype == np.uint8
        assert found.images.stored.ctypes.data % 64 == 0
        np.testing.assert_array_equal(found.images[:], expected.images[:])
        np.testing.assert_array_equal(found.labels, expected.labels)
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "data").iterdir()}
    assert sizes["train.x.npy"] == 128 + FLOATS.size


def test_the_fingerprint_tells_bytes_places_and_labels() -> None:
    """A changed byte, another order or another label is another data set; a known hash is not."""

    def fingerprint(stored: Any = STORED, rows: Any = ROWS, labels: Any = (0, 1, 2, 1, 0)) -> str:
        split = Split(Pixels(stored, rows), np.array(labels))  # type: ignore[arg-type]
        return Dataset("d", split, split, split, source="s").fingerprint

    changed = STORED.copy()
    changed[8, 3, 4, 2] ^= 1
    found = [
        fingerprint(),
        fingerprint(stored=changed),
        fingerprint(rows=ROWS[::-1]),
        fingerprint(labels=(0, 1, 2, 1, 1)),
    ]
    assert len(set(found)) == len(found)
    assert fingerprint() == fingerprint(stored=STORED.copy())
