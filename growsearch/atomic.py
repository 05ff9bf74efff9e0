"""Files that are whole or not there: written beside their place, then moved to it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from growsearch.errors import RunError

PARTIAL = ".partial-"  # how the names of unfinished files begin
_ABANDONED = 48 * 3600  # seconds: more than a write takes, and more than clocks differ


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` so that ``path`` never holds a part of it, not even after a power failure.

    Temporary file, fsync, rename, fsync of the folder.

    Raises
    ------
    OSError
        As the operating system raises it, with the path; the temporary file is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=PARTIAL)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            written = os.fstat(file.fileno()).st_mtime
        Path(temporary).replace(path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)
        raise
    _remove_abandoned(path.parent, written)
    if hasattr(os, "O_DIRECTORY"):  # not on Windows, which has no handle for folders
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes ``folder`` after the block; an error leaves nothing.

    Where another process was faster, its folder stays. The parent must be there.

    Raises
    ------
    OSError
        As the operating system raises it.
    """
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=PARTIAL))
    try:
        yield partial
        try:
            partial.replace(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def make_writable(folder: Path) -> None:
    """Fail early if a folder cannot be made, or not be written to.

    Raises
    ------
    RunError
        Names the folder and the reason.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=PARTIAL) as file:
            file.write(b"?")
    except OSError as error:
        raise RunError(
            f"{folder}: expected a folder that can be written to: {error.strerror}"
        ) from None


def _remove_abandoned(folder: Path, now: float) -> None:
    """Remove the temporary files of killed writers; ``now`` is the clock that dates the folder."""
    with suppress(OSError):  # another process was faster
        for partial in folder.glob(PARTIAL + "*"):
            if now - partial.stat().st_mtime > _ABANDONED:
                partial.unlink()
