"""A file of results, one line of JSON each: what it has is not measured again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class RowFile:
    """The rows of a file; part of a line, of a run that was killed, is none.

    Parameters
    ----------
    path : str
        Made, with its folders, when the first row is written.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    @property
    def rows(self) -> list[Row]:
        """The rows that the file has now; another process may write it too."""
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text().splitlines() if line[-1:] == "}"]

    def found(self, **key: Any) -> list[Row]:
        """Return the rows with these values."""
        return [row for row in self.rows if all(row.get(n) == value for n, value in key.items())]

    def write(self, row: Row) -> None:
        """Add a row."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = self.path.read_bytes() if self.path.exists() else b""
        with self.path.open("a") as file:
            file.write(("" if text.endswith(b"\n") or not text else "\n") + json.dumps(row) + "\n")
