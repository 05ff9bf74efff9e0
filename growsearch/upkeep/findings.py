"""The values that a check of a run returns: one finding a promise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Promise:
    """One promise of a run, checked.

    Parameters
    ----------
    name : str
        The promise in words, such as "each index has one result".
    checked : int
        The number of things that were checked.
    faults : tuple of str
        Each broken instance in one line; empty where the promise is kept.
    notes : tuple of str
        Facts that break nothing, such as pending trials.
    """

    name: str
    checked: int
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_kept(self) -> bool:
        """True if no fault was found."""
        return not self.faults

    def to_json(self) -> dict[str, Any]:
        """Return the finding as plain JSON values."""
        return {
            "name": self.name,
            "ok": self.is_kept,
            "checked": self.checked,
            "faults": list(self.faults),
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Verification:
    """The check of a run: all promises, in the order in which they were checked."""

    folder: Path
    promises: tuple[Promise, ...]

    @property
    def is_good(self) -> bool:
        """True if every promise is kept."""
        return all(promise.is_kept for promise in self.promises)

    def to_json(self) -> dict[str, Any]:
        """Return the check as plain JSON values."""
        return {
            "folder": str(self.folder),
            "ok": self.is_good,
            "promises": [promise.to_json() for promise in self.promises],
        }
