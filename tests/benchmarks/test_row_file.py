"""Files of results: what is written is found, and a broken line is none."""

from __future__ import annotations

from pathlib import Path

from benchmarks.row_file import RowFile


def test_rows_are_written_and_found(tmp_path: Path) -> None:
    """By any of their values; part of a line, of a run that was killed, does not count."""
    file = RowFile(str(tmp_path / "made" / "rows.jsonl"))
    assert file.rows == []
    file.write({"arm": "a", "seed": 0})
    with file.path.open("a") as open_file:
        open_file.write('{"arm": "b", "se')
    file.write({"arm": "a", "seed": 1, "more": 1.5})
    assert file.found(arm="a") == [{"arm": "a", "seed": 0}, {"arm": "a", "seed": 1, "more": 1.5}]
    assert file.found(arm="a", seed=1) == file.found(more=1.5)
    assert file.found(arm="b") == []
