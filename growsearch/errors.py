"""The errors of growsearch: one root, each child also the built-in a caller would expect."""

import errno
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote, unquote_plus


class GrowsearchError(Exception):
    """Root of every error that growsearch raises on purpose; its text is one readable line."""


class InvalidInputError(GrowsearchError, ValueError):
    """An argument or option is unusable; names what was expected, what came and what to do."""


class ArchitectureError(InvalidInputError):
    """An architecture does not fit together: names the layer, what it expects, what it got."""


class NotExactError(InvalidInputError):
    """A growth at this place would change the outputs of the network; names the reason."""


class SearchSpaceError(InvalidInputError):
    """A search space is unusable: names file, key, expected, got."""


class DataError(InvalidInputError):
    """Images or labels are missing, malformed or out of range."""


class DataNotFoundError(DataError, FileNotFoundError):
    """A named place has no data set, or a download failed."""


class NetworkFileError(InvalidInputError):
    """A file of weights is damaged, or is not the network that it claims to be."""


class ExportError(GrowsearchError, RuntimeError):
    """A file of another runtime cannot be written, or does not compute what the network does."""


class RunError(GrowsearchError, RuntimeError):
    """A run folder or its study cannot be used."""


class DamagedRunError(RunError):
    """A run holds something that growsearch did not write, or lacks what it cannot do without."""


class UnavailableError(RunError):
    """A service that the run works with does not answer; the same command goes on with the run."""


class StorageGoneError(UnavailableError):
    """The server of the run's database does not answer."""


class TrainingFailedError(GrowsearchError):
    """A training fails because of its network or plan; a search counts the trial as failed."""


class DivergedError(TrainingFailedError, ArithmeticError):
    """A training ended in NaN or infinity."""


class OutOfMemoryError(TrainingFailedError, MemoryError):
    """A training needs more memory than the machine has."""


def disk_error(error: OSError, folder: Path) -> RunError:
    """Return the error of a full or failing disk: one line with its path and free space.

    Parameters
    ----------
    error : OSError
    folder : Path
        Where the error does not name a file.
    """
    path, room = Path(str(error.filename or folder)), ""
    for place in (path, *path.parents):  # the file may not be there, nor its folder
        with suppress(OSError):
            room = f" ({shutil.disk_usage(place).free / 1e6:,.0f} MB free)"
            break
    return RunError(
        f"{path}: cannot be written: {error.strerror}{room}; everything "
        "finished is stored: make room and run the same command again"
    )


_OF_DISKS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES),
    *(errno.ESTALE, errno.ENOTCONN),  # of network file systems
)


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn a full or failing disk into one line that names path and free space."""
    try:
        yield
    except OSError as error:
        # A folder that is gone, as with an unmounted disk, is a file of it that is not there.
        gone = error.errno == errno.ENOENT and not folder.is_dir()
        if error.errno not in _OF_DISKS and not gone:
            raise
        raise disk_error(error, folder) from None


# A password may hold @ and : itself, so it ends at the last @; or it is a parameter.
_PASSWORD = re.compile(
    r"(?<=://)([^:/@]*):(.*)@|([?&](?:ssl)?passw(?:or)?d=)([^&]*)", flags=re.DOTALL
)


def without_password(text: str, *, url: str | None = None) -> str:
    """Remove the password from a storage URL, or from a message about the storage ``url``.

    Examples
    --------
    >>> without_password("postgresql+psycopg://me:secret@host/name")
    'postgresql+psycopg://me:***@host/name'
    >>> without_password("no role secret", url="postgresql+psycopg://me:secret@host/name")
    'no role ***'
    """
    if url is None:
        return _PASSWORD.sub(lambda m: f"{m[1]}:***@" if m[3] is None else f"{m[3]}***", text)
    passwords = [match[2] or match[4] or "" for match in _PASSWORD.finditer(url)]
    # A parser that is led astray by an @ quotes a piece.
    parts = {part for password in passwords for part in (password, *password.split("@"))}
    parts |= {unquote(part) for part in parts} | {unquote_plus(part) for part in parts}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "***") if part else text
    return text
