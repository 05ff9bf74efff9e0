"""Versions: Python and every package that growsearch needs, against what the project file asks."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from growsearch import __version__
from growsearch.doctor.finding import Finding

_PROJECT = "growsearch"
_EXTRA = re.compile(r"extra == ['\"]([\w-]+)")
_FOR_DEVELOPERS = ("test", "dev")  # extras


def versions() -> Iterator[Finding]:
    """Yield the findings on Python, on the packages that are needed, and on the extras."""
    try:
        about = metadata.metadata(_PROJECT)
        required = [Requirement(text) for text in metadata.requires(_PROJECT) or ()]
    except metadata.PackageNotFoundError:
        advice = "install it: pip install . in the checkout"
        yield Finding("versions", _PROJECT, "note", f"{__version__}, not installed", advice)
        return
    yield Finding("versions", _PROJECT, "ok", __version__)
    yield _python(SpecifierSet(str(about["Requires-Python"] or "")))
    yield from _packages([each for each in required if _is_wanted(each)])
    yield from _extras(required)


def _python(asked: SpecifierSet) -> Finding:
    found = platform.python_version()
    if asked.contains(found, prereleases=True):
        return Finding("versions", "Python", "ok", f"{found}, {platform.platform(terse=True)}")
    return Finding("versions", "Python", "wrong", f"{found}", f"use Python {asked}")


def _packages(required: list[Requirement]) -> Iterator[Finding]:
    """Yield one finding on all packages that are as required, and one on each that is not."""
    good = []
    for each in required:
        found = _version(each.name)
        if found is not None and each.specifier.contains(found, prereleases=True):
            good.append(f"{each.name} {found}")
            continue
        advice = f"pip install --upgrade '{each.name}{each.specifier}'"
        told = "not installed" if found is None else f"{found}, needs {each.specifier}"
        yield Finding("versions", each.name, "wrong", told, advice)
    yield Finding("versions", "packages", "ok", f"{len(good)} as required: {', '.join(good)}")


def _extras(required: list[Requirement]) -> Iterator[Finding]:
    """Yield one finding on the extras: those that are installed, and those that are not."""
    names = dict.fromkeys(name for each in required for name in _EXTRA.findall(str(each.marker)))
    there, missing = list[str](), list[str]()
    for name in names:
        if name in _FOR_DEVELOPERS:
            continue
        asked = [each for each in required if _is_wanted(each, name) and not _is_wanted(each)]
        versions = [(each, _version(each.name)) for each in asked]
        has_all = all(found and each.specifier.contains(found) for each, found in versions)
        (there if has_all else missing).append(name)
    installed = f"installed: {', '.join(there) or 'none'}"
    if not missing:
        yield Finding("versions", "extras", "ok", installed)
        return
    advice = f"for these: pip install '{_PROJECT}[{','.join(missing)}]'"
    yield Finding("versions", "extras", "note", f"{installed}; not: {', '.join(missing)}", advice)


def _is_wanted(required: Requirement, extra: str = "") -> bool:
    return required.marker is None or required.marker.evaluate({"extra": extra})


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
