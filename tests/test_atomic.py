"""Folders that are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from growsearch.atomic import whole_folder


def test_a_folder_is_there_when_its_block_has_ended(tmp_path: Path) -> None:
    """Not before, and never after an error; nothing else is left beside it."""
    place = tmp_path / "place"
    with whole_folder(place) as partial:
        (partial / "file").write_text("whole")
        assert not place.exists()
    with pytest.raises(FileNotFoundError), whole_folder(tmp_path / "other") as partial:
        (partial / "missing" / "file").write_text("a part")
    assert [each.name for each in tmp_path.iterdir()] == ["place"]
    assert (place / "file").read_text() == "whole"


def test_the_folder_of_a_faster_process_stays(tmp_path: Path) -> None:
    """A place that is taken by something else is an error."""
    place = tmp_path / "place"
    with whole_folder(place):
        place.mkdir()
        (place / "file").write_text("of the other")
    assert (place / "file").read_text() == "of the other"
    with pytest.raises(NotADirectoryError), whole_folder(tmp_path / "file"):
        (tmp_path / "file").touch()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "place"]
