"""Images of a user's own in any shape: loaded for a network that is given, and joined."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from growsearch.datasets import OWN, Dataset, in_order, joined, load, load_images
from growsearch.errors import DataError, DataNotFoundError
from tests.messages import one_line
from tests.pictures import write_classes


def arrays(train: int = 12, shape: tuple[int, ...] = (5, 4, 3)) -> Any:
    """Pairs of small images in four classes."""
    rng = np.random.default_rng(train)
    return tuple(
        (rng.integers(0, 256, (n, *shape), np.uint8), np.arange(n) % 4) for n in (train, 8)
    )


@pytest.mark.parametrize("form", ["arrays", "npz"])
def test_any_shape_and_number_of_classes(form: str, tmp_path: Path) -> None:
    """The classes are those of the labels; the first of each are for validation."""
    data = arrays()
    if form == "npz":
        names = ("x_train", "y_train", "x_test", "y_test")
        values = dict(zip(names, [each for pair in data for each in pair], strict=True))
        np.savez(tmp_path / "mine.npz", allow_pickle=False, **values)
        data = tmp_path / "mine.npz"
    found = load(OWN, data)
    assert (found.image_shape, found.classes) == ((5, 4, 3), 4)
    assert [len(each) for each in (found.train, found.validation, found.test)] == [8, 4, 8]
    assert load(OWN, found) is found


def test_sorted_labels_are_split_class_by_class() -> None:
    """Of each class a sixth, its first images, whatever the order; of a class of one image none."""
    (x, _), test = arrays(61)
    y = np.repeat([3, 0, 1, 2], [30, 12, 18, 1])
    found = load(OWN, ((x, y), test))
    assert np.bincount(found.validation.labels).tolist() == [2, 3, 0, 5]
    assert np.bincount(found.train.labels).tolist() == [10, 15, 1, 25]
    places = [*range(5), 30, 31, 42, 43, 44]
    expected = load(OWN, ((x[places], y[places]), test)).train.images
    assert {each.tobytes() for each in expected} < {e.tobytes() for e in found.validation.images}
    some = load(OWN, ((x, y), test), validation=5)
    assert np.bincount(some.validation.labels).tolist() == [1, 1, 0, 2]


@pytest.mark.usefixtures("own_cache")
def test_images_in_two_splits_of_what_is_joined_are_named(tmp_path: Path) -> None:
    """As old images are that the new ones have again, in another split."""
    folder = write_classes(tmp_path / "pets", {"cat": 12, "dog": 12})
    one = load_images(folder)
    assert one.notes == joined([one, one]).notes
    (folder / "cat" / "more").mkdir()
    write_classes(tmp_path / "others", {"cat": 30}, size=(9, 6))
    for number, each in enumerate(sorted((tmp_path / "others" / "cat").iterdir())):
        each.rename(folder / "cat" / "more" / f"{number}.png")
    other = load_images(folder, image_size=(6, 8))
    before = {each.sha256: each.split for each in one.files or ()}
    moved = [e for e in other.files or () if before.get(e.sha256, e.split) != e.split]
    assert moved
    assert "in another split too, byte for byte" in joined([one, other]).notes[-1]


def test_several_are_joined_split_by_split() -> None:
    """Images in the order given; the source names all; one alone is itself."""
    one, other = load(OWN, arrays()), load(OWN, arrays(24))
    both = joined([one, other])
    assert isinstance(both, Dataset)
    for part in ("train", "validation", "test"):
        parts = [getattr(each, part) for each in (one, other)]
        expected = np.concatenate([each.images for each in parts])
        assert np.array_equal(getattr(both, part).images, expected)
        assert len(getattr(both, part).labels) == len(expected)
    assert both.source == "arrays in memory and arrays in memory"
    assert joined([one]) is one
    assert both.fingerprint not in (one.fingerprint, other.fingerprint)


def test_classes_of_one_name_are_one_class() -> None:
    """Numbers follow the names: those of the first set stay, new ones come behind."""
    one, other = load(OWN, arrays()), load(OWN, arrays(24))
    named = [
        replace(each, class_names=names)
        for each, names in ((one, ("a", "b", "c", "d")), (other, ("d", "e", "a", "c")))
    ]
    both = joined(named)
    assert both.class_names == ("a", "b", "c", "d", "e")
    expected = [3, 4, 0, 2]
    assert both.test.labels.tolist()[8:] == [expected[label] for label in other.test.labels]
    assert both.test.labels.tolist()[:8] == one.test.labels.tolist()
    with pytest.raises(DataError, match="expected names of the classes"):
        joined([named[0], other])


def test_an_order_of_classes_may_have_more() -> None:
    """Classes without images keep their place; one that is not in the order is named."""
    data = replace(load(OWN, arrays()), class_names=("a", "b", "c", "d"))
    found = in_order(data, ("d", "x", "c", "b", "a"))
    assert (found.classes, found.class_names) == (5, ("d", "x", "c", "b", "a"))
    assert found.test.labels.tolist() == [[4, 3, 2, 0][n] for n in data.test.labels]
    assert in_order(data, ("a", "b", "c", "d")) is data
    with pytest.raises(DataError, match=r"got also c, d: .*--add-classes"):
        in_order(data, ("a", "b"))


def test_classes_named_by_numbers_are_the_others_in_their_order() -> None:
    """As old classes are after --add-classes on a network without names; the note says which."""
    data = replace(load(OWN, arrays()), class_names=("a", "b", "c", "d"))
    found = in_order(data, ("0", "1", "2", "b"))
    assert found.class_names == ("a", "c", "d", "b")
    assert found.test.labels.tolist() == [[0, 3, 1, 2][n] for n in data.test.labels]
    assert found.notes[-1] == "classes of the network that have numbers only: 0 = a, 1 = c, 2 = d"
    with pytest.raises(DataError, match=r"got also a, c, d"):  # of three, which are the two?
        in_order(data, ("0", "1", "b"))
    digits = replace(data, class_names=("3", "1", "2", "0"))
    assert in_order(digits, ("0", "1", "2", "3")).class_names == ("0", "1", "2", "3")


def test_what_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    """Nothing at all, nothing there, no arrays, other shapes."""
    cases = [
        (None, DataNotFoundError, "data: expected your images, by --data PATH or data="),
        (tmp_path / "none", DataNotFoundError, "none: nothing there"),
        (5, DataError, "got int"),
    ]
    for data, kind, said in cases:
        with pytest.raises(kind) as refused:
            load(OWN, data)  # type: ignore[arg-type]
        assert said in one_line(refused)
    with pytest.raises(DataError, match=r"expected images of shape \(5, 4, 3\)"):
        joined([load(OWN, arrays()), load(OWN, arrays(12, (4, 4, 3)))])
