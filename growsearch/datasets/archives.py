"""Archives of images, tar or zip, unpacked as untrusted input into the user's cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from growsearch.datasets.files import printable
from growsearch.datasets.folders import list_folder
from growsearch.datasets.listing import Listing
from growsearch.datasets.pictures import ENDINGS as IMAGES
from growsearch.datasets.pictures import MOST_BYTES
from growsearch.datasets.sources import cache_folder
from growsearch.datasets.tars import files_of
from growsearch.errors import DataError

ENDINGS = (".zip", ".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz")

_CHUNK = 1 << 20


def is_archive(path: Path) -> bool:
    """Return True for the name of an archive that can be read."""
    return path.name.lower().endswith(ENDINGS)


def list_archive(path: Path) -> Listing:
    """List the images of an archive that holds a folder a class.

    Images alone are unpacked, once, into the user's cache: no links, no file outside.

    Raises
    ------
    DataError
        If the archive is damaged, is encrypted, or does not fit on the disk.
    """
    try:
        found = path.stat()
        key = f"{path.absolute()} {found.st_size} {found.st_mtime_ns}"
        digest = hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()[:40]
        folder = cache_folder("archives") / digest
        stem = path.name[: -len(next(e for e in ENDINGS if path.name.lower().endswith(e)))]
        content = folder / (stem.strip(". ") or "images")
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            _unpack(path, folder, content.name)
    except DataError:
        raise
    except OSError as error:
        raise DataError(
            f"{printable(str(path))}: cannot be unpacked ({error.strerror or error}): get it "
            "again, or free space in the cache folder (XDG_CACHE_HOME names another)"
        ) from None
    except Exception as error:  # foreign bytes: whatever a decompressor trips over
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise DataError(
            f"{printable(str(path))}: cannot be unpacked ({reason}): get it again"
        ) from None
    return list_folder(content, printable(str(path)))


def _unpack(path: Path, folder: Path, name: str) -> None:
    """Unpack the images of an archive into a folder, which is whole or not there."""
    from growsearch.atomic import whole_folder

    with whole_folder(folder) as partial:
        (partial / name).mkdir()
        free = shutil.disk_usage(partial).free
        for member, stream in _members(path):
            target = (partial / name).joinpath(*member.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                left = min(MOST_BYTES, free) + 1  # reading goes no further than is refused anyway
                while left > 0 and (data := stream.read(min(_CHUNK, left))):
                    left -= file.write(data)
                free -= file.tell()
            if free <= 0:
                raise DataError(
                    f"{path}: expected room for its images in {folder.parent}, the disk is full: "
                    "free some, or name another cache by XDG_CACHE_HOME"
                )


def _members(path: Path) -> Iterator[tuple[PurePosixPath, IO[bytes]]]:
    """Yield the images of an archive: a path that stays inside, and the content."""
    if path.name.lower().endswith(".zip"):
        with zipfile.ZipFile(path) as packed:
            for info in packed.infolist():
                if info.flag_bits & 1:
                    raise DataError(f"{path}: expected no password, got one: unpack it yourself")
                is_link = info.external_attr >> 16 & 0o170000 == 0o120000
                if not info.is_dir() and not is_link and (inside := _inside(info.filename, path)):
                    with packed.open(info) as stream:
                        yield inside, stream
    else:
        for name, stream in files_of(path):
            if inside := _inside(name, path):
                yield inside, stream


def _inside(name: str, path: Path) -> PurePosixPath | None:
    """Return the path of an image in an archive; None for what is no image, or is hidden.

    Raises
    ------
    DataError
        If the path leads out of the archive.
    """
    inside = PurePosixPath(name.replace("\\", "/"))
    parts = [part for part in inside.parts if part != "."]
    if inside.is_absolute() or ".." in parts or (os.name == "nt" and ":" in name):
        raise DataError(
            f"{path}: expected paths within the archive, got {name[:80]!r}: do not use an archive "
            "that you do not trust"
        )
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    if hidden or not parts or PurePosixPath(parts[-1]).suffix.lower() not in IMAGES:
        return None
    return PurePosixPath(*parts)
