"""The TOML files of search spaces: those that ship with growsearch, and others by their paths."""

from __future__ import annotations

import tomllib
import warnings
from functools import cache
from pathlib import Path
from typing import Any

from growsearch.checks import expanded
from growsearch.errors import SearchSpaceError
from growsearch.space.invalid import shown_value

AUTO = "auto"  # the file that lacks a first network
ALIASES = {"mnist_fast": "mnist"}  # spaces of earlier versions, and those that replace them


@cache  # the files of an installed package stay as they are while it runs
def shipped() -> tuple[str, ...]:
    """Return the names of the search spaces that ship with growsearch, sorted.

    Without ``auto``, which becomes a space by a network.
    """
    return tuple(sorted(path.stem for path in _folder().glob("*.toml") if path.stem != AUTO))


def alias_notice(alias: str) -> str:
    """Return the line that names the space which has replaced that of an alias.

    Examples
    --------
    >>> alias_notice("mnist_fast")
    "search space: 'mnist_fast' was replaced by 'mnist', which is used here"
    """
    return f"search space: {alias!r} was replaced by {ALIASES[alias]!r}, which is used here"


def read_shipped(name: str) -> str:
    """Return the TOML text of a shipped search space, comments included.

    Warns
    -----
    FutureWarning
        When the name is an alias: names the space that is read.

    Raises
    ------
    SearchSpaceError
        When no shipped search space has that name.
    """
    if name in ALIASES:
        warnings.warn(alias_notice(name), FutureWarning, stacklevel=2)
        name = ALIASES[name]
    if name not in (AUTO, *shipped()):
        raise SearchSpaceError(
            f"search space: expected one of {', '.join(shipped())}, got {name!r}"
        )
    return (_folder() / f"{name}.toml").read_text(encoding="utf-8")


def find(space: str | Path) -> Path:
    """Return the file of a search space that is given by its shipped name or by its path.

    Warns
    -----
    FutureWarning
        When the name is an alias: names the space that is found.

    Raises
    ------
    SearchSpaceError
        When it is neither a shipped name nor the path of a file.
    """
    if isinstance(space, str) and space in ALIASES:
        # The line that is shown is that of SearchSpace.load's caller.
        warnings.warn(alias_notice(space), FutureWarning, stacklevel=3)
        space = ALIASES[space]
    if isinstance(space, str) and space in (AUTO, *shipped()):
        return _folder() / f"{space}.toml"
    path = Path(space)
    try:
        path = expanded(path)
        exists = path.is_file()
    except (OSError, ValueError):
        exists = False
    if not exists:
        raise SearchSpaceError(
            f"search space: expected one of {', '.join(shipped())}, or the path of a TOML file, "
            f"got {shown_value(str(space))}"
        )
    return path


def read(path: Path) -> dict[str, Any]:
    """Return the values of a TOML file, unchecked.

    Raises
    ------
    SearchSpaceError
        When the file cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise SearchSpaceError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise SearchSpaceError(f"{path}: expected TOML, got: {error}") from None


def _folder() -> Path:
    """Return the folder of the shipped files: in the installed package, or beside a checkout's."""
    package = Path(__file__).parents[1]
    installed = package / "search_spaces"
    return installed if installed.is_dir() else package.parent / "search_spaces"
