"""Archives of images, tar or zip, unpacked as untrusted input into the user's cache."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO

from growsearch.datasets.files import printable
from growsearch.datasets.folders import LINKS, ending_of, list_folder
from growsearch.datasets.listing import Listing
from growsearch.datasets.pictures import ENDINGS as IMAGES
from growsearch.datasets.pictures import MOST_BYTES
from growsearch.datasets.sources import cache_folder
from growsearch.datasets.tars import files_of
from growsearch.errors import DataError

ENDINGS = (".zip", ".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz")

_LEFT_OUT = "left-out.json"  # beside the images of an archive
_CHUNK = 1 << 20
_IS_UTF8 = 0x800  # of the flags of a zip's member


def is_archive(path: Path) -> bool:
    """Return True for the name of an archive that can be read."""
    return path.name.lower().endswith(ENDINGS)


def list_archive(path: Path) -> Listing:
    """List the images of an archive that holds a folder a class.

    Images alone are unpacked, once, into the user's cache: no links, no file outside. The listing's
    notes say what was left out.

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
    return list_folder(content, printable(str(path)), _left_out(folder))


def _unpack(path: Path, folder: Path, name: str) -> None:
    """Unpack the images of an archive into a folder, which is whole or not there."""
    from growsearch.atomic import whole_folder

    with whole_folder(folder) as partial:
        (partial / name).mkdir()
        free = shutil.disk_usage(partial).free
        left_out = Counter[str]()
        for member, stream in _members(path):
            if stream is None or member.suffix.lower() not in IMAGES:
                kind = LINKS if stream is None else ending_of(member.name)
                left_out[kind] += 1
                continue
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
        (partial / _LEFT_OUT).write_text(json.dumps(left_out), encoding="utf-8")


def _left_out(folder: Path) -> Counter[str]:
    """Return how many links, and files of each ending, were not unpacked."""
    try:  # earlier versions did not write it
        return Counter[str](json.loads((folder / _LEFT_OUT).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Counter[str]()


def _members(path: Path) -> Iterator[tuple[PurePosixPath, IO[bytes] | None]]:
    """Yield the files of an archive: a path that stays inside, and the content, None of a link."""
    if path.name.lower().endswith(".zip"):
        with zipfile.ZipFile(path) as packed:
            for info in packed.infolist():
                if info.flag_bits & 1:
                    raise DataError(f"{path}: expected no password, got one: unpack it yourself")
                is_link = info.external_attr >> 16 & 0o170000 == 0o120000
                if info.is_dir() or (inside := _inside(_name(info), path)) is None:
                    continue
                if is_link:
                    yield inside, None
                else:
                    with packed.open(info) as stream:
                        yield inside, stream
    else:
        for name, content in files_of(path):
            if inside := _inside(name, path):
                yield inside, content


def _name(info: zipfile.ZipInfo) -> str:
    """Return the name of a member: a Mac packs UTF-8 without saying so, read as code page 437."""
    if not info.flag_bits & _IS_UTF8:
        with suppress(UnicodeError):
            return info.filename.encode("cp437").decode("utf-8")
    return info.filename


def _inside(name: str, path: Path) -> PurePosixPath | None:
    """Return the path of a file in an archive; None for one that is hidden.

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
    return None if hidden or not parts else PurePosixPath(*parts)
