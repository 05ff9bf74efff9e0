"""Networks stored under the SHA-256 of their files."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from growsearch.errors import NetworkFileError
from growsearch.networks.atomic import write_atomically
from growsearch.networks.format import read
from growsearch.networks.network import Network

_DIGEST = re.compile(r"[0-9a-f]{64}")
SUFFIX = ".safetensors"


def store(network: Network, folder: Path) -> str:
    """Write a network into ``folder`` under the SHA-256 of its bytes; return that name.

    A file of that name already there has the same bytes, unless it was damaged: it is replaced.
    """
    data = network.to_bytes()
    name = hashlib.sha256(data).hexdigest()
    write_atomically(folder / (name + SUFFIX), data)
    return name


def stored_path(folder: Path, name: str) -> Path:
    """Return the path of a stored network, given its SHA-256.

    Raises
    ------
    NetworkFileError
        When ``name`` is no SHA-256, so that no name can lead out of the folder.
    """
    if not isinstance(name, str) or not _DIGEST.fullmatch(name):
        raise NetworkFileError(
            f"a stored network: expected a SHA-256 of 64 hexadecimal digits, got {name!r}"
        )
    return folder / (name + SUFFIX)


def fetch(name: str, folder: Path) -> Network:
    """Read a stored network and hold its bytes against its name.

    Raises
    ------
    NetworkFileError
        When the file is missing, damaged, or no network.
    """
    path = stored_path(folder, name)
    data = read(path)
    found = hashlib.sha256(data).hexdigest()
    if found != name:
        raise NetworkFileError(f"{path}: damaged: its bytes have the SHA-256 {found}")
    return Network.from_bytes(data, str(path))
