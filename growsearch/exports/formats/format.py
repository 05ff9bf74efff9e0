"""A format of files: its name, its runtime, and how a network is written to it and read again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.errors import InvalidInputError
from growsearch.exports.content import Content

# Inputs as the file takes them, shape (n, *input_shape) -> its outputs, by the runtime.
Predict = Callable[[NDArray[Any]], NDArray[np.float64]]


@dataclass(frozen=True)
class Format:
    """One format of files.

    Parameters
    ----------
    name : str
    suffixes : tuple of str
        Endings of its files, the default first; none of a folder.
    runtime : str
        The name of the runtime that reads it, for people.
    packages : tuple of str
        The packages of writer and runtime, by their names in a registry; the runtime's is last.
    write : callable
        Writes a content to a path.
    load : callable
        Reads a path again by the runtime.
    extra : str
        The extra of growsearch that installs the packages; "" where growsearch needs them anyway.
    modules : tuple of str
        The modules of those packages that must be there.
    batch : int or None
        Images of a call; None is any number.
    holds_ends : bool
        True if the file can hold the scaling of pixels and a softmax, as a graph can.
    takes_pixels : bool
        True if the file takes bytes from 0 to 255 unless it is asked for floats.
    tolerance : float
        The largest difference of an output, as a fraction of the largest output.
    value_bytes : int
        Bytes of an activation, 4 or 1.
    beside : tuple of str
        Endings of further files that it consists of.
    needs_images : bool
        True if images are needed to write it.
    """

    name: str
    suffixes: tuple[str, ...]
    runtime: str
    packages: tuple[str, ...]
    write: Callable[[Content, Path], None]
    load: Callable[[Path, Content], Predict]
    extra: str = ""
    modules: tuple[str, ...] = ()
    batch: int | None = None
    holds_ends: bool = True
    takes_pixels: bool = True
    tolerance: float = 1e-5
    value_bytes: int = 4
    beside: tuple[str, ...] = ()
    needs_images: bool = False

    def check_installed(self) -> None:
        """Raise InvalidInputError with the command that installs what is missing, if any is."""
        missing = [name for name in self.modules if find_spec(name) is None]
        if missing:
            raise InvalidInputError(
                f"{self.name}: expected the packages {', '.join(self.packages)}, found no "
                f"{', '.join(missing)}: pip install 'growsearch[{self.extra}]'"
            )

    @property
    def versions(self) -> dict[str, str]:
        """The versions of its packages, by their names."""
        return {name: _version(name) for name in self.packages}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # under another name, as tensorflow-cpu
        return "?"
