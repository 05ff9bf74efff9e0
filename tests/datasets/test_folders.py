"""Folders of a user's images: classes, splits, what is left out, in one line each."""

from __future__ import annotations

import csv
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from growsearch.datasets import Dataset, Pixels, load, load_images
from growsearch.datasets.folders import list_folder
from growsearch.errors import DataError
from tests.messages import one_line
from tests.pictures import packed, picture, write, write_classes

pytestmark = pytest.mark.usefixtures("own_cache")

COUNTS = {"cat": 12, "dog": 18, "emu": 6}


def counts(data: Dataset) -> dict[str, list[int]]:
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    return {
        part: np.bincount(split.labels, minlength=data.classes).tolist()
        for part, split in parts.items()
    }


def test_a_folder_of_folders_is_a_data_set(tmp_path: Path) -> None:
    """Classes by name, a sixth of each class for the test and of the rest for validation."""
    data = load_images(write_classes(tmp_path / "pets", COUNTS))
    assert data.name == "pets"
    assert data.class_names == ("cat", "dog", "emu")
    assert data.image_shape == (6, 8, 3)
    assert counts(data) == {"train": [8, 12, 4], "validation": [2, 3, 1], "test": [2, 3, 1]}
    assert isinstance(data.train.images, Pixels)
    assert str(tmp_path / "pets") in data.source
    assert data.notes == ()


def test_every_image_is_in_one_split_with_its_class(tmp_path: Path) -> None:
    """The record of files names each once, with split, class and hash; the pixels are its own."""
    folder = write_classes(tmp_path / "pets", COUNTS)
    data = load_images(folder)
    assert data.files is not None
    data.files.write(tmp_path / "images.csv")
    with (tmp_path / "images.csv").open() as table:
        rows = list(csv.DictReader(table))
    assert len({row["file"] for row in rows}) == sum(COUNTS.values()) == len(rows)
    assert data.class_names is not None
    for part in ("train", "validation", "test"):
        split = getattr(data, part)
        listed = [row for row in rows if row["split"] == part]
        assert len(listed) == len(split)
        for row, pixels, label in zip(listed, split.images[:], split.labels, strict=True):
            assert row["class"] == data.class_names[label] == row["file"].split("/")[0]
            image = np.asarray(Image.open(folder / row["file"]))
            np.testing.assert_array_equal(pixels, image / np.float32(255))


def test_the_split_follows_from_seed_and_content(tmp_path: Path) -> None:
    """The same again, elsewhere and under other names of files; another with another seed."""
    folder = write_classes(tmp_path / "pets", COUNTS)
    other = tmp_path / "elsewhere" / "pets"
    for path in folder.rglob("*.png"):
        target = other / path.parent.name / f"x{path.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())

    def test_images(data: Dataset) -> set[str]:
        assert data.files is not None
        return {each.sha256 for each in data.files if each.split == "test"}

    first = load_images(folder)
    assert load_images(folder).fingerprint == first.fingerprint
    assert load_images(other).fingerprint == first.fingerprint
    assert test_images(load_images(folder, seed=1)) != test_images(first)
    write(folder / "cat" / "new.png", picture(999))
    assert len(test_images(load_images(folder)) - test_images(first)) <= 1


def test_the_same_picture_is_never_in_two_splits(tmp_path: Path) -> None:
    """Copies of a file in its class stay together, however many there are."""
    folder = write_classes(tmp_path / "pets", COUNTS)
    for path in list((folder / "cat").iterdir()):
        for copy in range(3):
            path.with_name(f"{copy}-{path.name}").write_bytes(path.read_bytes())
    data = load_images(folder)
    assert data.files is not None
    places: dict[str, set[str]] = {}
    for each in data.files:
        places.setdefault(each.sha256, set()).add(each.split)
    assert all(len(splits) == 1 for splits in places.values())
    assert data.notes == ()


def test_folders_of_splits_are_kept(tmp_path: Path) -> None:
    """train, validation and test above the classes, in the spellings that people use."""
    for parts in (("train", "validation", "test"), ("Training", "val", "testing")):
        folder = write_classes(tmp_path / parts[0], {"a": 3, "b": 2}, parts=parts)
        expected = {"train": [3, 2], "validation": [3, 2], "test": [3, 2]}
        assert counts(load_images(folder)) == expected
    folder = write_classes(tmp_path / "two", {"a": 6, "b": 12}, parts=("train", "test"))
    assert counts(load_images(folder)) == {
        "train": [5, 10],
        "validation": [1, 2],
        "test": [6, 12],
    }
    folder = write_classes(tmp_path / "keras", {"a": 6, "b": 12}, parts=("train", "validation"))
    assert counts(load_images(folder))["validation"] == [6, 12]
    assert counts(load_images(folder))["test"] == [1, 2]


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    """Among other classes it is one; beside test and another it cannot be told."""
    folder = write_classes(tmp_path / "traffic", {"bus": 4, "train": 4})
    assert load_images(folder).class_names == ("bus", "train")
    folder = write_classes(tmp_path / "mixed", {"bus": 4, "train": 4, "test": 4})
    with pytest.raises(DataError, match="got bus, test, train: move what is neither") as raised:
        load_images(folder)
    one_line(raised)


def test_the_median_size_is_taken(tmp_path: Path) -> None:
    """One large photograph does not change it; it is said what is resized."""
    folder = write_classes(tmp_path / "pets", COUNTS)
    write(folder / "cat" / "photo.jpg", picture(50, (900, 1200)))
    data = load_images(folder)
    assert data.image_shape == (6, 8, 3)
    assert data.notes == ("images of 6x8 to 1200x900 pixels are resized to 6x8",)
    assert load_images(folder, image_size=(5, 7)).image_shape == (5, 7, 3)
    assert load_images(folder, image_size=4, channels=1).image_shape == (4, 4, 1)
    large = write_classes(tmp_path / "large", {"a": 3, "b": 3}, size=(400, 300), ending="jpg")
    data = load_images(large)
    assert data.image_shape == (96, 128, 3)
    assert "their median size is 300x400" in data.notes[0]


def test_grey_images_stay_grey(tmp_path: Path) -> None:
    """One channel if all are grey; among colour they are read as colour, and that is said."""
    folder = write_classes(tmp_path / "pets", {"a": 4, "b": 4})
    for seed, path in enumerate(sorted(folder.rglob("*.png"))):
        write(path, picture(seed, mode="L"))
    assert load_images(folder).image_shape == (6, 8, 1)
    write(folder / "a" / "colour.png")
    data = load_images(folder)
    assert data.image_shape == (6, 8, 3)
    assert data.notes == ("8 of 9 images looked at are grey: read as colour",)


def test_files_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second session reads the cache alone; a changed file, or a damaged entry, decodes anew."""
    from growsearch.datasets import decoded

    read: list[Path] = []
    original = decoded.read_picture

    def counted(path: Path, shape: tuple[int, int, int]) -> tuple[np.ndarray, str]:
        read.append(path)
        return original(path, shape)

    monkeypatch.setattr(decoded, "read_picture", counted)
    folder = write_classes(tmp_path / "pets", COUNTS)
    first = load_images(folder)
    assert len(read) == 36
    assert load_images(folder, seed=3).fingerprint != first.fingerprint
    assert len(read) == 36
    (entry,) = (tmp_path / "cache" / "images").iterdir()
    for damage in (b"", b"{}", b'{"files": 3}', b'{"files": ["a"], "unreadable": []}'):
        (entry / "index.json").write_bytes(damage)
        read.clear()
        assert load_images(folder).fingerprint == first.fingerprint
        assert len(read) == 36
    with (entry / "pixels.u8").open("ab") as file:
        file.write(b"x")
    assert load_images(folder).fingerprint == first.fingerprint
    write(folder / "cat" / "000.png", picture(1234))
    read.clear()
    assert load_images(folder).fingerprint != first.fingerprint
    assert len(read) == 36
    assert not list((tmp_path / "cache" / "images").glob(".partial-*"))


def test_a_cache_that_cannot_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, or a file in its place: where, and what to do."""
    import shutil
    from collections import namedtuple

    folder = write_classes(tmp_path / "pets", COUNTS)
    (tmp_path / "cache").write_bytes(b"")
    with pytest.raises(DataError, match=r"cannot be written .*XDG_CACHE_HOME") as raised:
        load_images(folder)
    one_line(raised)
    (tmp_path / "cache").unlink()
    usage = namedtuple("usage", "total used free")(9, 9, 100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DataError, match=r"0 MB are free.*--image-size") as raised:
        load_images(folder)
    one_line(raised)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """One line with file and reason; with skip_unreadable it is left out, recorded and said."""
    folder = write_classes(tmp_path / "pets", COUNTS)
    whole = packed(picture())
    (folder / "cat" / "000.png").write_bytes(whole[:40])
    (folder / "dog" / "005.png").write_bytes(b"")
    (folder / "emu" / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    with pytest.raises(DataError) as raised:
        load_images(folder)
    line = one_line(raised)
    assert "cat/000.png: expected a readable image, got: " in line
    assert "and 2 more like it" in line
    assert "--skip-unreadable" in line
    data = load_images(folder, skip_unreadable=True)
    assert sum(map(sum, counts(data).values())) == 34
    (note,) = data.notes
    assert note.startswith("skipped 3 files that cannot be read: cat/000.png (")
    assert data.files is not None
    skipped = [each.name for each in data.files if each.split == "skipped"]
    assert skipped == ["cat/000.png", "dog/005.png", "emu/gone.jpg"]
    for path in (folder / "emu").iterdir():
        path.unlink()
        path.write_bytes(b"no")
    with pytest.raises(DataError, match="every class, got none of 'emu'") as raised:
        load_images(folder, skip_unreadable=True)
    one_line(raised)


def test_what_is_no_image_is_left_out(tmp_path: Path) -> None:
    """Hidden files and folders silently; other endings, stray images, empty folders are said."""
    folder = write_classes(tmp_path / "pets", COUNTS)
    plain = load_images(folder)
    for hidden in (".DS_Store", "cat/._000.png", "__MACOSX/cat/000.png", ".git/x/a.png"):
        path = folder / hidden
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"?")
    assert load_images(folder).fingerprint == plain.fingerprint
    assert load_images(folder).notes == ()
    (folder / "cat" / "notes.txt").write_text("x")
    (folder / "README").write_text("x")
    (folder / "fox").mkdir()
    write(folder / "stray.png")
    data = load_images(folder)
    assert data.fingerprint == plain.fingerprint
    assert [note.split(":")[0] for note in data.notes] == [
        "left out 1 images that are in no class's folder",
        "left out 2 files with other endings than images have",
        "left out 1 folders without images",
    ]


def test_folders_in_a_class_belong_to_it(tmp_path: Path) -> None:
    """However deep; and folders around all classes are looked through."""
    folder = write_classes(tmp_path / "a" / "b" / "pets", COUNTS)
    for path in list((folder / "cat").iterdir()):
        target = folder / "cat" / "2024" / "may" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    data = load_images(tmp_path / "a")
    assert data.name == "pets"
    assert data.class_names == ("cat", "dog", "emu")
    assert sum(map(sum, counts(data).values())) == 36


def test_links_are_followed_once(tmp_path: Path) -> None:
    """Links to files and to classes are; one that leads back ends there."""
    real = write_classes(tmp_path / "real", {"cat": 5, "dog": 5})
    folder = tmp_path / "linked"
    (folder / "dog").mkdir(parents=True)
    (folder / "cat").symlink_to(real / "cat")
    for path in (real / "dog").iterdir():
        (folder / "dog" / path.name).symlink_to(path)
    (folder / "dog" / "back").symlink_to(folder)
    (folder / "dog" / "self").symlink_to(folder / "dog")
    assert sum(map(sum, counts(load_images(folder)).values())) == 10


def test_names_that_cannot_be_printed_are_shown(tmp_path: Path) -> None:
    """Bytes that are no text, control characters, and accents of a Mac: text, and one class."""
    folder = write_classes(tmp_path / "pets", {"dog": 5})
    odd = os.fsencode(folder) + b"/caf\xe9\n"
    Path(os.fsdecode(odd)).mkdir()
    for number in range(5):
        Path(os.fsdecode(odd + b"/\xff%d.png" % number)).write_bytes(packed(picture(number)))
    data = load_images(folder)
    assert data.class_names == ("caf\\xe9\\n", "dog")
    assert data.files is not None
    data.files.write(tmp_path / "images.csv")
    assert "caf\\xe9\\n/\\xff0.png" in (tmp_path / "images.csv").read_text(encoding="utf-8")
    two = tmp_path / "two"
    for part, form in {"train": "NFC", "test": "NFD"}.items():
        for name in ("café", "bar"):
            for number in range(3):
                file = picture(number + 10 * (part == "test"))
                write(two / part / unicodedata.normalize(form, name) / f"{number}.png", file)
    assert load_images(two).class_names == ("bar", "café")


@pytest.mark.parametrize(
    ("counted", "words"),
    [
        ({}, "got an empty folder"),
        ({"cat": 9}, "expected at least 2 classes, got 'cat'"),
        ({"cat": 2, "dog": 1}, "got 3 in all and none for test"),
        ({"cat": 0, "dog": 0}, "got an empty folder"),
        ({"cat": 0, "dog": 3}, "expected at least 2 classes, got 'dog'"),
    ],
)
def test_too_little_is_refused(tmp_path: Path, counted: dict[str, int], words: str) -> None:
    """No image, no second class, three images in all: one line that says what is needed."""
    folder = write_classes(tmp_path / "pets", counted)
    folder.mkdir(exist_ok=True)
    with pytest.raises(DataError, match=words) as raised:
        load_images(folder)
    one_line(raised)


def test_few_images_of_a_class_are_said(tmp_path: Path) -> None:
    """A class of one or two images lacks splits; it is trained on."""
    data = load_images(write_classes(tmp_path / "pets", {"cat": 12, "dog": 1, "emu": 2}))
    assert counts(data)["train"][1:] == [1, 1]
    assert data.notes == (
        "no image of 1 classes in validation: dog",
        "no image of 2 classes in test: dog, emu",
    )


def test_splits_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """A class that training lacks, test alone, images without a class."""
    folder = write_classes(tmp_path / "a", {"cat": 3, "dog": 3}, parts=("train", "test"))
    write(folder / "test" / "emu" / "1.png")
    with pytest.raises(DataError, match="every class in train, got none of 'emu', which test has"):
        load_images(folder)
    with pytest.raises(DataError, match="got test: move what is neither"):
        load_images(write_classes(tmp_path / "b", {"cat": 3, "dog": 3}, parts=("test",)))
    for number in range(3):
        write(tmp_path / "c" / f"{number}.png")
    with pytest.raises(DataError, match="expected a folder a class, got 3 images in none"):
        load_images(tmp_path / "c")
    with pytest.raises(DataError, match="got 3 images in none"):
        load_images(write_classes(tmp_path / "d", {"train": 2, "test": 1}))
    others = tmp_path / "e" / "cat"
    others.mkdir(parents=True)
    for number in range(4):
        (others / f"{number}.heic").write_bytes(b"?")
    with pytest.raises(DataError, match=r"got 4 \.heic"):
        load_images(tmp_path / "e")


def test_images_of_training_in_the_test_are_said(tmp_path: Path) -> None:
    """Byte for byte the same file in two folders of splits."""
    folder = write_classes(tmp_path / "a", {"cat": 3, "dog": 3}, parts=("train", "test"))
    (folder / "test/cat/again.png").write_bytes((folder / "train/cat/000.png").read_bytes())
    notes = load_images(folder, validation=1).notes
    assert any("test/cat/again.png = train/cat/000.png" in note for note in notes)


def test_load_takes_a_folder_under_every_name(tmp_path: Path) -> None:
    """Also through GROWSEARCH_DATA; the options of pictures are passed on."""
    folder = write_classes(tmp_path / "pets", COUNTS)
    for name in ("mnist", "cifar10", "digits"):
        assert load(name, folder).fingerprint == load_images(folder).fingerprint
    data = load("mnist", str(folder), image_size=4, channels=1)
    assert data.image_shape == (4, 4, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GROWSEARCH_DATA", str(folder))
        assert load("mnist").name == "pets"
        assert load("digits").name == "digits"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"image_size": 0}, "image_size: expected a whole number from 1 to 4096, got 0"),
        ({"image_size": (4, 4, 3)}, "image_size: expected a number or"),
        ({"image_size": "64"}, "image_size"),
        ({"channels": 4}, "channels: expected 1 for grey or 3 for colour, got 4"),
        ({"seed": -1}, "seed"),
        ({"validation": 0}, "validation"),
    ],
)
def test_bad_options_are_refused(tmp_path: Path, options: dict[str, object], words: str) -> None:
    """Before any file is read."""
    with pytest.raises(DataError, match=words):
        load_images(tmp_path, **options)  # type: ignore[arg-type]


def test_a_folder_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """With the reason of the system."""
    with pytest.raises(DataError, match="cannot be opened"):
        list_folder(tmp_path / "none")
