"""The files that images came from: name, content and split of each, for people and for later."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("split", "class", "file", "sha256")


@dataclass(frozen=True)
class ImageFile:
    """One file of a data set.

    Parameters
    ----------
    split : str
        ``train``, ``validation`` or ``test``; ``skipped`` for a file that cannot be read.
    class_name : str
    name : str
        Its path in the data set.
    sha256 : str
        Of its bytes; empty if they could not be read.
    """

    split: str
    class_name: str
    name: str
    sha256: str


class ImageFiles(tuple[ImageFile, ...]):
    """All files of a data set, in the order of their names."""

    __slots__ = ()

    def write(self, path: Path) -> None:
        """Write a CSV table with a row a file, whole or not at all.

        Raises
        ------
        OSError
            When the disk is full or fails.
        """
        from growsearch.atomic import write_atomically

        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows((each.split, each.class_name, each.name, each.sha256) for each in self)
        write_atomically(path, text.getvalue().encode())


def printable(name: str) -> str:
    r"""Return a file's name as text that every terminal, table and JSON file can hold.

    Examples
    --------
    >>> printable("caf\udce9/two\nlines.png")
    'caf\\xe9/two\\nlines.png'
    """
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def path_to_store(path: Path) -> tuple[str, ...]:
    """Return the absolute path of images; none where it is no text that JSON holds as it is.

    Examples
    --------
    >>> path_to_store(Path("/my/photos"))
    ('/my/photos',)
    """
    absolute = str(path.absolute())
    return (absolute,) if printable(absolute) == absolute else ()


def some(names: Sequence[str], most: int = 3) -> str:
    """Return a few names, and the number of the rest.

    Examples
    --------
    >>> some(["a", "b", "c", "d"], 2)
    'a, b and 2 more'
    """
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def repeated(files: Iterable[ImageFile]) -> list[str]:
    """Say which images of a split are in an earlier one too, byte for byte."""
    notes, before, every = [], dict[str, str](), list(files)
    for part in ("train", "validation", "test"):
        mine = [each for each in every if each.split == part]
        again = [f"{each.name} = {before[each.sha256]}" for each in mine if each.sha256 in before]
        if again:
            notes.append(
                f"{len(again):,} images of {part} are in another split too, byte for byte: "
                f"{some(again)}"
            )
        before |= {each.sha256: each.name for each in mine}
    return notes
