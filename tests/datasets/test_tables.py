"""Tables and lists of paths: columns in any order, with or without names, line by line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from growsearch.datasets import load_images, tables
from growsearch.errors import DataError
from tests.messages import one_line
from tests.pictures import write_classes

pytestmark = pytest.mark.usefixtures("own_cache")

COUNTS = {"cat": 6, "dog": 6}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_classes(tmp_path / "pets", COUNTS)


def rows(folder: Path) -> list[tuple[str, str]]:
    return [(str(p.relative_to(folder)), p.parent.name) for p in sorted(folder.rglob("*.png"))]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("header", ["path,label", "class,image", None])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_a_table_is_the_folder(
    folder: Path, delimiter: str, header: str | None, start: str
) -> None:
    """The same images, classes and splits, whatever the delimiter and the names of the columns."""
    lines = [] if header is None else [header]
    for path, label in rows(folder):
        lines.append(f"{label},{path}" if header == "class,image" else f"{path},{label}")
    table = folder / "images.csv"
    text = start + "\r\n".join(line.replace(",", delimiter) for line in lines) + "\r\n\r\n"
    table.write_text(text, encoding="utf-8")
    data = load_images(table)
    table.unlink()
    plain = load_images(folder)
    assert data.fingerprint == plain.fingerprint
    assert data.class_names == ("cat", "dog")
    assert data.name == "images"


@pytest.mark.parametrize("header", ["img,kind", "picture,label,extra"])
def test_unknown_names_of_columns_are_named(folder: Path, header: str) -> None:
    """A first line that is no image is taken for names, which are said."""
    more = ",x" * (header.count(",") - 1)
    table = folder / "t.csv"
    table.write_text(
        "\n".join([header, *(f"{path},{label}{more}" for path, label in rows(folder))])
    )
    with pytest.raises(DataError) as caught:
        load_images(table)
    assert f"t.csv: line 1: expected {tables.EXAMPLE}, got {header}" in one_line(caught)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "a path, a list of paths, or (paths, labels), got None"),
        ([], "a path, a list of paths, or (paths, labels), got []"),
        (5, "a path, a list of paths, or (paths, labels), got 5"),
        ("mine.npz", "mine.npz: expected a folder, an archive, or a .csv or .tsv table: give"),
    ],
)
def test_what_is_no_list_of_images_is_one_line(data: Any, said: str) -> None:
    with pytest.raises(DataError) as caught:
        load_images(data)
    assert said in one_line(caught)
    with pytest.raises(DataError, match=r"got 4: .* \.npz"):
        load_images("pets", channels=4)


def test_a_column_of_splits_is_kept(folder: Path) -> None:
    """In any spelling; all rows have one."""
    parts = ["train", "valid", "Test", "train", "train", "train"] * 2
    lines = [
        f"{path},{label},{part}" for (path, label), part in zip(rows(folder), parts, strict=True)
    ]
    table = folder / "t.csv"
    table.write_text("file,category,split\n" + "\n".join(lines))
    data = load_images(table)
    assert [len(data.train), len(data.validation), len(data.test)] == [8, 2, 2]


def test_numbers_are_sorted_as_numbers(folder: Path) -> None:
    """Class 10 comes after class 9."""
    numbers = [2, 10, 9] * 4
    lines = [f"{path},{n}" for (path, _), n in zip(rows(folder), numbers, strict=True)]
    (folder / "t.csv").write_text("\n".join(lines))
    assert load_images(folder / "t.csv").class_names == ("2", "9", "10")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "got no row"),
        ("path,label\n", "got no row"),
        ("a.png\n", "line 1: expected a column path, a column label"),
        ("path,label\na.png\n", "line 2: expected 2 values, got 1"),
        ("path,label\na.png,\n", "line 2: expected a path and a label"),
        ("a.png,cat,learn\n", "line 1: expected a split out of train, validation, test"),
        ("none.png,a\nnone2.png,b\n", "none.png: .*No such file"),
        ('"' + "x" * 200_000, "expected a CSV table"),
        ("\0\n", "line 1|expected a CSV table"),
    ],
)
def test_a_bad_table_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    """That names the table, and the line of it."""
    table = tmp_path / "t.csv"
    table.write_text(text)
    with pytest.raises(DataError, match=words) as raised:
        load_images(table)
    assert str(table) in one_line(raised)


def test_a_list_of_paths_is_the_folder(folder: Path) -> None:
    """Without labels, the folder of each; with labels, these."""
    paths = sorted(folder.rglob("*.png"))
    plain = load_images(folder)
    for given in (paths, list(map(str, paths)), tuple(paths), np.array(list(map(str, paths)))):
        data = load_images(given)
        assert data.fingerprint == plain.fingerprint
        assert data.class_names == ("cat", "dog")
    labels = np.arange(12) % 3
    data = load_images((paths, labels))
    assert data.class_names == ("0", "1", "2")
    with pytest.raises(DataError, match="one label a path, got 12 paths and 11 labels"):
        load_images((paths, labels[1:]))
