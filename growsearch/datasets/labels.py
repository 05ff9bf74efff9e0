"""Class numbers, from labels in the forms that people have: a column, one-hot rows, names, …."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.checks import is_whole_number
from growsearch.errors import DataError

Labels = NDArray[np.int64]
_TEXTS = "US"  # kinds of numpy's texts and bytes


def class_numbers(given: NDArray[Any]) -> Labels:
    """Return the class of each image, from 0.

    Parameters
    ----------
    given : array (n,), (n, 1) or (n, classes)
        Whole numbers of any type, floats among them; booleans; or one-hot rows.

    Raises
    ------
    DataError
        For anything else, names included: see :func:`numbered`.

    Examples
    --------
    >>> class_numbers(np.array([[2.0], [0.0]])), class_numbers(np.array([[0, 0, 1], [1, 0, 0]]))
    (array([2, 0]), array([2, 0]))
    """
    column = _column(given)
    if column.dtype.kind in _TEXTS:
        raise DataError(
            f"expected class numbers, got the name {str(column[0])!r}: name the classes of all "
            "splits at once, as load and search do with ((x_train, y_train), (x_test, y_test))"
        )
    return _whole(column)


def numbered(
    given: Mapping[str, NDArray[Any]], names: Sequence[str] | None = None
) -> tuple[dict[str, Labels], tuple[str, ...] | None]:
    """Return the class numbers of several splits, and the names of the classes if labels are names.

    Parameters
    ----------
    given : mapping
        Name of the split -> labels, as :func:`class_numbers` takes them, or names of classes.
    names : sequence of str, optional
        The names in the order of the numbers; by default those in the labels, sorted.

    Raises
    ------
    DataError
        Begins with the split whose labels cannot be used.

    Examples
    --------
    >>> numbered({"train": np.array(["dog", "cat"]), "test": np.array(["dog"])})
    ({'train': array([1, 0]), 'test': array([1])}, ('cat', 'dog'))
    """
    columns: dict[str, NDArray[Any]] = {}
    for part, labels in given.items():
        with _naming(part):
            columns[part] = _column(labels)
    texts = {part for part, column in columns.items() if column.dtype.kind in _TEXTS}
    if not texts:
        numbers = {}
        for part, column in columns.items():
            with _naming(part):
                numbers[part] = _whole(column)
        return numbers, None
    if other := next((part for part in columns if part not in texts), None):
        raise DataError(
            f"{other}: expected names of classes as in {sorted(texts)[0]}, got numbers: give "
            "names, or numbers, in all splits"
        )
    columns = {part: _text(column) for part, column in columns.items()}
    known = tuple(names or sorted({str(name) for column in columns.values() for name in column}))
    places = {name: number for number, name in enumerate(known)}
    for part, column in columns.items():
        if unknown := next((str(name) for name in column if str(name) not in places), None):
            raise DataError(
                f"{part}: expected names of classes among {', '.join(map(repr, known))}, "
                f"got {unknown!r}: rename it, or pass a Dataset of your own name"
            )
    found = {
        part: np.array([places[str(name)] for name in column], np.int64)
        for part, column in columns.items()
    }
    return found, known


def with_numbers(arrays: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...] | None]:
    """Return the arrays of a data set with class numbers in the place of names, and the names.

    Labels that are numbers are left as they are.

    Parameters
    ----------
    arrays : mapping
        ``x_train``, ``y_train``, ….

    Examples
    --------
    >>> with_numbers({"x_train": [[0], [1]], "y_train": ["dog", "cat"]})
    ({'x_train': [[0], [1]], 'y_train': array([1, 0])}, ('cat', 'dog'))
    """
    labels = {name[2:]: np.asarray(each) for name, each in arrays.items() if name[:2] == "y_"}
    if all(each.dtype.kind not in f"{_TEXTS}O" for each in labels.values()):
        return dict(arrays), None
    numbers, names = numbered(labels)
    return {**arrays, **{f"y_{part}": each for part, each in numbers.items()}}, names


@contextmanager
def _naming(part: str) -> Iterator[None]:
    """Put the name of a split in front of an error about its labels."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{part}: {error}") from error


def _column(labels: NDArray[Any]) -> NDArray[Any]:
    """Return one value an image: whole numbers, floats, booleans or texts."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype == object:
        labels = _typed(labels)
    if labels.ndim == 2 and labels.dtype.kind in "buif":
        return _hot(labels)
    if labels.ndim != 1:
        raise DataError(
            f"expected labels of shape (n,), got {labels.shape}: give one class number an image"
        )
    if labels.dtype.kind not in "buif" + _TEXTS:
        raise DataError(
            f"expected labels as class numbers, names or one-hot rows, got {labels.dtype}: "
            "convert them"
        )
    return labels


def _typed(labels: NDArray[Any]) -> NDArray[Any]:
    """Return an array of Python's objects, as pandas gives it, as one of texts or numbers."""
    values = labels.ravel().tolist()
    if all(isinstance(value, str) for value in values):
        return labels.astype(str)
    if all(is_whole_number(value) or isinstance(value, bool | np.bool_) for value in values):
        return labels.astype(np.int64)
    odd = next(value for value in values if not isinstance(value, str))
    raise DataError(f"expected labels as class numbers or names, got {odd!r}: convert them")


def are_hot(rows: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which rows of numbers are one-hot: a single 1, and else 0.

    Examples
    --------
    >>> are_hot(np.array([[0, 1, 0], [0, 2, 0], [1, 1, 0]]))
    array([ True, False, False])
    """
    found: NDArray[np.bool_] = ((rows == 0) | (rows == 1)).all(axis=1) & (rows.sum(axis=1) == 1)
    return found


def _hot(labels: NDArray[Any]) -> Labels:
    """Return the place of the one 1 in each row."""
    wrong = np.flatnonzero(~are_hot(labels))
    if wrong.size:
        raise DataError(
            f"expected one class an image, got labels of shape {labels.shape} whose row {wrong[0]} "
            "is not one-hot: give one class number an image"
        )
    places: Labels = labels.argmax(axis=1).astype(np.int64)
    return places


def _whole(column: NDArray[Any]) -> Labels:
    if not column.size:
        return column.astype(np.int64)
    low, high = float(column.min()), float(column.max())
    if column.dtype.kind == "f":
        odd = column[~np.isfinite(column) | (column != np.rint(column))]
        if odd.size:
            raise DataError(
                f"expected class numbers, got {odd[0]:g}: number the classes 0, 1, 2, …"
            )
    if low < 0 or high > np.iinfo(np.int32).max:
        raise DataError(
            f"expected labels from 0, got {low:g} to {high:g}: number the classes 0, 1, 2, …"
        )
    return column.astype(np.int64, order="C", copy=column.flags.writeable)


def _text(column: NDArray[Any]) -> NDArray[Any]:
    return np.char.decode(column, "utf-8", "replace") if column.dtype.kind == "S" else column
