"""Labels in the forms that people have become class numbers; names become numbers and names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from growsearch.datasets.labels import class_numbers, numbered
from growsearch.errors import DataError
from tests.messages import one_line

numbers = st.lists(st.integers(0, 6), min_size=1, max_size=12)


@given(numbers)
def test_every_form_of_numbers_gives_the_numbers(labels: list[int]) -> None:
    """Any dtype, a column, one-hot rows of numbers or booleans, Python's objects."""
    plain = np.array(labels)
    forms = [plain.astype(dtype) for dtype in ("u1", "i4", "i8", "f2", "f4", "f8", object)]
    forms += [np.eye(7, dtype=dtype)[plain] for dtype in ("f4", "i8", bool)]
    for form in forms:
        assert class_numbers(form).tolist() == labels
        if form.ndim == 1:
            assert class_numbers(form[:, None]).tolist() == labels


@given(st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=8))
def test_names_are_numbered_in_their_order(names: list[str]) -> None:
    """Sorted, over all splits: number n is the n-th name; names given beforehand keep theirs."""
    names = [name.replace("\0", "x") for name in names]  # numpy's texts end at a zero
    parts = {"train": np.array(names), "test": np.array(names[::-1], object)}
    found, known = numbered(parts)
    assert known == tuple(sorted(set(names)))
    assert [known[n] for n in found["train"]] == names
    assert [known[n] for n in found["test"]] == names[::-1]
    given_names = (*known[::-1], "never seen")
    again, same = numbered(parts, given_names)
    assert same == given_names
    assert [same[n] for n in again["train"]] == names


def test_bytes_are_names_too() -> None:
    """As files of other libraries hold them."""
    found, known = numbered({"train": np.array([b"dog", b"cat"])})
    assert (found["train"].tolist(), known) == ([1, 0], ("cat", "dog"))


def test_numbers_have_no_names() -> None:
    """Class numbers stay, in all splits alike."""
    found, known = numbered({"train": np.array([[1], [0]]), "test": np.eye(2)})
    assert known is None
    assert {part: labels.tolist() for part, labels in found.items()} == {
        "train": [1, 0],
        "test": [0, 1],
    }


@pytest.mark.parametrize(
    ("parts", "names", "words"),
    [
        ({"train": np.array(["cat"]), "test": np.array([0])}, None, "test: expected names of cl"),
        ({"train": np.array(["cat", "emu"])}, ("cat", "dog"), "train: expected names of classes"),
        ({"train": np.array([0]), "test": np.array([0.5])}, None, "test: expected class numbers"),
        ({"train": np.array([0]), "test": np.array([-1])}, None, "test: expected labels from 0"),
        ({"train": np.zeros((2, 2, 2))}, None, "train: expected labels of shape (n,)"),
        ({"train": np.array([None])}, None, "train: expected labels as class numbers or names"),
    ],
)
def test_what_is_no_class_is_refused(parts: Any, names: Any, words: str) -> None:
    """One line, which begins with the split."""
    with pytest.raises(DataError) as raised:
        numbered(parts, names)
    assert words in one_line(raised)
