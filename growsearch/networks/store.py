"""The networks of a run: files named by the SHA-256 of their bytes, each read once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from growsearch.networks.files import fetch, store, stored_path
from growsearch.networks.network import Network

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
        self._read: OrderedDict[str, tuple[_Stamp, Network]] = OrderedDict()

    def __reduce__(self) -> tuple[type[NetworkStore], tuple[Path]]:
        return NetworkStore, (self.folder.absolute(),)  # a worker may have another directory

    def put(self, network: Network) -> str:
        """Write a network to disk, safe from a power failure; return its SHA-256."""
        return store(network, self.folder)

    def get(self, sha256: str) -> Network:
        """Return the network of that SHA-256.

        Raises
        ------
        NetworkFileError
            When the file is missing, damaged, or no network.
        """
        with self._lock:
            stamp = _stamp(self.path(sha256))
            known = self._read.pop(sha256, None)
            if known is None or stamp is None or known[0] != stamp:
                network = fetch(sha256, self.folder)
                stamp = stamp or (0, 0, 0)
            else:
                network = known[1]
            self._read[sha256] = stamp, network
            while len(self._read) > _CACHED:
                self._read.popitem(last=False)
            return network

    def path(self, sha256: str) -> Path:
        """Return the path of a network's file, whether it exists or not.

        Raises
        ------
        NetworkFileError
            When the name is no SHA-256, so that no name can lead out of the folder.
        """
        return stored_path(self.folder, sha256)

    def remove(self, sha256: str) -> None:
        """Delete a network that nothing refers to."""
        with self._lock:
            self._read.pop(sha256, None)
            self.path(sha256).unlink(missing_ok=True)


def _stamp(path: Path) -> _Stamp | None:
    """Return what changes with a file's bytes; None where there is no file."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
