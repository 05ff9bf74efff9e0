"""The networks of a run: files named by the SHA-256 of their bytes, each read once."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from growsearch.networks.files import fetch, store, stored_path
from growsearch.networks.network import Network

_CACHED = 3  # networks: the incumbent, the teacher, and one that is polished


class NetworkStore:
    """A folder of networks, addressed by content.

    A network is read from disk and held against its name once; the networks read last stay in
    memory. A pickled store is its folder.

    Parameters
    ----------
    folder : Path
        Made when the first network is put there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: OrderedDict[str, Network] = OrderedDict()

    def __reduce__(self) -> tuple[type[NetworkStore], tuple[Path]]:
        return NetworkStore, (self.folder,)

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
        if sha256 not in self._read:
            self._read[sha256] = fetch(sha256, self.folder)
            while len(self._read) > _CACHED:
                self._read.popitem(last=False)
        self._read.move_to_end(sha256)
        return self._read[sha256]

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
        self._read.pop(sha256, None)
        self.path(sha256).unlink(missing_ok=True)
