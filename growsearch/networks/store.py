"""Networks on disk: files named by the SHA-256 of their bytes; those of a run, each read once."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections import OrderedDict
from pathlib import Path

from growsearch.atomic import write_atomically
from growsearch.errors import NetworkFileError
from growsearch.networks.format import read
from growsearch.networks.network import Network

_DIGEST = re.compile(r"[0-9a-f]{64}")
_FILE = re.compile(r"([0-9a-f]{64})\.safetensors")
_CACHED = 4  # networks: the teacher, the incumbent, the parent of a trial, a part of a polish

_Stamp = tuple[int, int, int]  # of a file: its number, size and time of change


class NetworkStore:
    """A folder of networks, addressed by content; threads may share it.

    A network is read from disk and compared with its name once. The networks read last stay in
    memory, until their files change or are gone. A pickled store is its folder.

    Parameters
    ----------
    folder : Path
        Made when the first network is put there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._read: OrderedDict[str, tuple[_Stamp | None, Network]] = OrderedDict()
        self._whole: dict[str, _Stamp] = {}  # of files that were verified

    def __reduce__(self) -> tuple[type[NetworkStore], tuple[Path]]:
        return NetworkStore, (self.folder.absolute(),)  # a worker may have another directory

    def put(self, network: Network) -> str:
        """Write a network to disk, safe from a power failure; return its SHA-256.

        A file of that name already there has the same bytes, unless it was damaged: it is replaced.
        """
        data = network.to_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        write_atomically(self.path(sha256), data)
        return sha256

    def get(self, sha256: str) -> Network:
        """Return the network of that SHA-256.

        Raises
        ------
        NetworkFileError
            When the file is missing, damaged, or no network.
        """
        path = self.path(sha256)
        with self._lock:
            stamp = _stamp(path)
            before, network = self._read.pop(sha256, (None, None))
            if network is None or stamp is None or stamp != before:
                network = _verified(path, sha256)
            self._read[sha256] = stamp, network
            if stamp is not None:
                self._whole[sha256] = stamp
            while len(self._read) > _CACHED:
                self._read.popitem(last=False)
            return network

    def check(self, sha256: str) -> None:
        """Raise NetworkFileError unless ``get`` would return the network.

        A file that was read before and did not change since is not read again.
        """
        path = self.path(sha256)
        with self._lock:
            stamp = _stamp(path)
            if stamp is None or self._whole.get(sha256) != stamp:
                _verified(path, sha256)
            if stamp is not None:
                self._whole[sha256] = stamp

    def sizes(self) -> dict[str, int]:
        """Return the size of each file that has a network's name, in bytes; links are left out.

        Raises
        ------
        OSError
            When the folder cannot be read; one that is missing holds no network.
        """
        if not self.folder.is_dir():
            return {}
        with os.scandir(self.folder) as entries:
            files = [each for each in entries if each.is_file(follow_symlinks=False)]
            named = [(each, _FILE.fullmatch(each.name)) for each in files]
            return {name[1]: each.stat().st_size for each, name in named if name}

    def path(self, sha256: str) -> Path:
        """Return the path of a network's file, whether it exists or not.

        Raises
        ------
        NetworkFileError
            When the name is no SHA-256, so that no name can lead out of the folder.
        """
        if not isinstance(sha256, str) or not _DIGEST.fullmatch(sha256):
            raise NetworkFileError(
                f"a stored network: expected a SHA-256 of 64 hexadecimal digits, got {sha256!r}"
            )
        return self.folder / f"{sha256}.safetensors"

    def remove(self, sha256: str) -> None:
        """Delete a network that nothing refers to."""
        with self._lock:
            self._read.pop(sha256, None)
            self.path(sha256).unlink(missing_ok=True)


def _verified(path: Path, sha256: str) -> Network:
    """Read a network, and compare its file's bytes with its name."""
    data = read(path)
    if (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise NetworkFileError(f"{path}: damaged: its bytes have the SHA-256 {found}")
    return Network.from_bytes(data, str(path))


def _stamp(path: Path) -> _Stamp | None:
    """Return what changes with a file's bytes; None where there is no file."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
