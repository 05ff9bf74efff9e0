"""Folders and files of images that are damaged at random: a data set, or one line."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from growsearch.datasets import Dataset, load
from growsearch.datasets import decoded as cache
from growsearch.errors import DataError
from tests.pictures import ENDINGS, packed, picture
from tests.strategies import mutated

WHOLE = {
    f"{mode}.{ending}": packed(picture(3, (20, 16), mode), ending)
    for ending in ENDINGS
    for mode in ("RGB", "L")
}
ODD_NAMES = [
    *("a.png", ".hidden.png", "x" * 200 + ".jpg", "tr\udcffain", "new\nline.gif", "train", "test"),
    *("val", "0", "__MACOSX", "a.txt", "labels.csv", "train-images-idx3-ubyte", " ", "é.webp"),
]

names = st.sampled_from(ODD_NAMES)
paths = st.lists(names, min_size=1, max_size=4)
changes = st.one_of(
    st.tuples(st.just("bytes"), st.sampled_from(sorted(WHOLE)), st.data()),
    st.tuples(st.just("new"), paths, st.sampled_from(sorted(WHOLE))),
    st.tuples(st.just("rename"), st.integers(0, 30), names),
    st.tuples(st.just("remove"), st.integers(0, 30), st.none()),
    st.tuples(st.just("link"), st.integers(0, 30), names),
    st.tuples(st.just("pipe"), names, st.none()),
    st.tuples(st.just("folder"), paths, st.none()),
    st.tuples(st.just("table"), st.text(max_size=40), st.none()),
)


def make(folder: Path) -> None:
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number, (kind, data) in enumerate(WHOLE.items()):
            (folder / name / f"{number}{Path(kind).suffix}").write_bytes(data)
        for number in range(3):
            (folder / name / f"own{number}.png").write_bytes(packed(picture(number)))


def change(folder: Path, kind: str, first: object, second: object) -> None:
    """One change of a folder; one that the system refuses is none."""
    every = sorted(folder.rglob("*"))
    try:
        if kind == "bytes":
            draw = second.draw  # type: ignore[attr-defined]
            data = draw(mutated(WHOLE[str(first)]))
            (folder / "cat" / f"changed{Path(str(first)).suffix}").write_bytes(data)
        elif kind in ("new", "folder"):
            target = folder.joinpath(*first)  # type: ignore[misc]
            (target if kind == "folder" else target.parent).mkdir(parents=True, exist_ok=True)
            if kind == "new":
                target.write_bytes(WHOLE[str(second)])
        elif kind == "pipe":
            os.mkfifo(folder / "dog" / str(first))
        elif kind == "table":
            (folder / "t.csv").write_text(str(first))
        elif every:
            path = every[int(str(first)) % len(every)]
            if kind == "rename":
                path.rename(path.with_name(str(second)))
            elif kind == "link":
                (folder / str(second)).symlink_to(path)
            elif path.is_file():
                path.unlink()
    except OSError:
        pass


def outcome(data: Path, *, skips: bool) -> tuple[Dataset | None, str]:
    try:
        return load("mnist", data, skip_unreadable=skips), ""
    except DataError as error:
        return None, str(error)


def check(changed: list[tuple[str, object, object]], monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as place:
        monkeypatch.setattr(cache, "cache_folder", lambda name: Path(place) / "cache" / name)
        folder = Path(place) / "images"
        make(folder)
        for each in changed:
            change(folder, *each)
        for data, skips in ((folder, False), (folder, True), (folder / "t.csv", True)):
            if data != folder and not data.exists():
                continue
            loaded, line = outcome(data, skips=skips)
            if loaded is None:
                assert "\n" not in line
                assert "expected" in line or "cannot be" in line
                line.encode()
                continue
            assert not any("\n" in note for note in loaded.notes)
            for split in (loaded.train, loaded.validation, loaded.test):
                assert np.isfinite(split.images[:]).all()
            if loaded.files is not None:
                loaded.files.write(Path(place) / "images.csv")


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(changes, min_size=1, max_size=4))
def test_a_changed_folder_is_a_data_set_or_one_line(
    monkeypatch: pytest.MonkeyPatch, changed: list[tuple[str, object, object]]
) -> None:
    """Bytes, names, links, pipes, folders, tables: no traceback, no line break, no waiting."""
    check(changed, monkeypatch)


@pytest.mark.faults_full
@settings(
    max_examples=500,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(changes, min_size=1, max_size=6))
def test_many_changed_folders(
    monkeypatch: pytest.MonkeyPatch, changed: list[tuple[str, object, object]]
) -> None:
    """The same law, 500 times."""
    check(changed, monkeypatch)
