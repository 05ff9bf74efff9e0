"""The place of an export: written into a hidden folder beside it, and moved when all is well."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from growsearch.atomic import PARTIAL
from growsearch.errors import InvalidInputError, RunError, disk_errors

_SAVED_MODEL = "saved_model.pb"


def check_place(target: Path, *, is_folder: bool, source: Path | None) -> None:
    """Refuse a place that holds something else than an earlier export.

    Raises
    ------
    InvalidInputError
        Says what is there.
    """
    if source is not None and target.exists() and source.exists() and target.samefile(source):
        raise InvalidInputError(f"out: expected another file than the model itself, got {target}")
    if not is_folder and target.is_dir():
        raise InvalidInputError(f"out: expected the path of a file, got the folder {target}")
    is_known = not target.exists() or (target / _SAVED_MODEL).is_file()
    if is_folder and not is_known and not (target.is_dir() and not any(target.iterdir())):
        raise InvalidInputError(
            f"out: expected a new folder, an empty one or an earlier SavedModel, got {target}, "
            "which holds something else"
        )


@contextmanager
def written_beside(target: Path) -> Iterator[Path]:
    """Yield a hidden folder beside a place, which is removed after the block.

    Raises
    ------
    RunError
        When nothing can be written there.
    """
    try:
        with disk_errors(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=PARTIAL) as folder:
                yield Path(folder)
    except OSError as error:
        raise RunError(f"{target}: cannot be written: {error.strerror or error}") from None


def move(folder: Path, target: Path, beside: Sequence[str]) -> None:
    """Move files from a hidden folder to their place, ``target`` last; earlier ones are replaced.

    Parameters
    ----------
    folder : Path
        Holds the files by their last names.
    target : Path
    beside : sequence of str
        Names of the other files.
    """
    for name in beside:
        (folder / name).replace(target.with_name(name))
    if target.is_dir():
        shutil.move(target, folder / f"{PARTIAL}before")
    (folder / target.name).replace(target)
