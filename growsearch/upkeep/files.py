"""The files of a run: networks, images, what killed processes left; and the promises about them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from growsearch.atomic import PARTIAL
from growsearch.datasets.stored import CLASSES
from growsearch.errors import GrowsearchError, NetworkFileError
from growsearch.execution.workers import IMAGES
from growsearch.study.named import networks_named
from growsearch.study.open import WEIGHTS
from growsearch.study.shown import ARTIFACTS
from growsearch.study.trials import is_interrupted
from growsearch.trials.progress import FOLDER as PROGRESS
from growsearch.upkeep.findings import Promise
from growsearch.upkeep.snapshot import Snapshot

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_ARRAY = re.compile(r"(train|selection|held_out|test)\.[xy]\.npy")


def networks(run: Snapshot) -> Promise:
    """Check the file of every network that the study names: its hash, its architecture."""
    store, faults = run.store, []
    named: dict[str, dict[str, str]] = {}  # SHA-256 -> whose network it is -> its architecture
    for sha256, whose, architecture in _named(run):
        named.setdefault(sha256, {})[whose] = architecture
    for sha256, expected in named.items():
        try:
            found = str(store.get(run.freed.stored(sha256)).architecture)
        except NetworkFileError as error:
            if sha256 in networks_named(run.study):  # still: a driver that works replaces networks
                faults.append(f"{', '.join(expected)}: {error}")
            continue
        faults += [
            f"{whose}: expected a network {architecture[:200]}, its file has {found[:200]}"
            for whose, architecture in expected.items()
            if architecture not in ("", found)
        ]
    without = len(named.keys() & run.freed.value.keys())
    notes = (f"{without} without optimizer slots, which were freed",) if without else ()
    return Promise("every network is there, with its bytes", len(named), tuple(faults), notes)


def _named(run: Snapshot) -> Iterator[tuple[str, str, str]]:
    """Yield each network that the study names: SHA-256, whose it is, its architecture if known."""
    teacher, polish, trunk = run.teacher, run.polish, run.trunk
    for number, candidate in run.kept().items():
        yield candidate.sha256, f"trial {number}", candidate.architecture
    if run.start is not None:
        yield run.start.sha256, "the network that was given", ""
    if teacher is not None:
        yield teacher.sha256, "the teacher", teacher.architecture
        if teacher.last and trunk is None:
            yield teacher.last, "the teacher's last update", teacher.architecture
    if polish is not None:
        yield polish.sha256, "the polish's best part", ""
        yield polish.last, "the polish's last part", ""
        for place, last in enumerate(polish.lasts):
            yield last, f"the last part of fork {place + 1}", ""
    if trunk is not None:
        yield trunk.weights, "the trunk", run.architecture_of(trunk.trial)
        yield trunk.average, "the trunk's averages", run.architecture_of(trunk.trial)
    for each in run.readings:
        if each.sha256:
            yield each.sha256, f"the commit at {each.elapsed:g}", run.architecture_of(each.trial)
    for number, candidate in run.candidates.items():
        if candidate.start and not is_interrupted(run.trials[number]):
            architecture = run.architecture_of(candidate.parent)
            yield candidate.start, f"the parent of trial {number}", architecture


def orphans(run: Snapshot) -> dict[str, int]:
    """Return the size of each stored network that the study does not name, by SHA-256.

    Raises
    ------
    RunError
        When the attributes are not what growsearch writes.
    """
    sizes = run.store.sizes()
    return {sha256: sizes[sha256] for sha256 in sizes.keys() - networks_named(run.study)}


def partials(folder: Path) -> list[Path]:
    """Return the unfinished files and folders that killed processes left in a run folder."""
    places = [folder, *(folder / name for name in (WEIGHTS, IMAGES, PROGRESS, ARTIFACTS))]
    images = folder / IMAGES
    places += [each for each in _entries(images) if each.is_dir() and not each.is_symlink()]
    return sorted(
        {
            each
            for place in places
            if not place.is_symlink() and not place.name.startswith(PARTIAL)
            for each in _entries(place)
            if each.name.startswith(PARTIAL)
        }
    )


def image_files(folder: Path) -> list[Path]:
    """Return the files of images that a driver stored in a run folder."""
    return [
        array
        for images in _entries(folder / IMAGES)
        if _FINGERPRINT.fullmatch(images.name) and images.is_dir() and not images.is_symlink()
        for array in _entries(images)
        if _ARRAY.fullmatch(array.name) or array.name == CLASSES
    ]


def whole(run: Snapshot) -> Promise:
    """Check that no file is unfinished; report the networks that nothing names."""
    found, notes = partials(run.folder), []
    faults = [f"{path.relative_to(run.folder)}: left by a killed process" for path in found]
    if run.is_worked_on and faults:  # a file that is being written
        notes.append(f"{len(faults)} being written")
        faults = []
    checked = sum(1 for _ in _entries(run.folder / WEIGHTS))
    try:
        unnamed = orphans(run)
    except GrowsearchError:
        notes.append("networks that nothing names are not counted: attributes cannot be read")
    else:
        if unnamed:
            size = sum(unnamed.values()) / 1e6
            notes.append(f"{len(unnamed)} networks that nothing names, {size:,.1f} MB")
    return Promise("no file is unfinished", checked, tuple(faults), tuple(notes))


def images(run: Snapshot) -> Promise:
    """Check the memory-mapped images: those of the run, whole, and nothing else."""
    name, faults, checked = "stored images are the run's", [], 0
    for entry in _entries(run.folder / IMAGES):
        if entry.name.startswith(PARTIAL):
            continue  # a fault of its own
        checked += 1
        if run.data is None or entry.name != run.data.fingerprint or not entry.is_dir():
            faults.append(
                f"{entry.relative_to(run.folder)}: expected the images with the run's fingerprint, "
                f"{run.data.fingerprint if run.data else 'which it does not have yet'}"
            )
            continue
        faults += _image_faults(run.folder, entry)
    return Promise(name, checked, tuple(faults))


def _image_faults(folder: Path, images: Path) -> list[str]:
    """Return what is wrong with a folder of images."""
    faults, counts = [], {}
    for path in sorted(_entries(images)):
        where = path.relative_to(folder)
        if not _ARRAY.fullmatch(path.name):
            if path.name != CLASSES and not path.name.startswith(PARTIAL):
                faults.append(f"{where}: expected the arrays of images and labels alone")
            continue
        try:
            counts[path.name] = len(np.load(path, mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError, TypeError, EOFError) as error:
            faults.append(f"{where}: cannot be read ({' '.join(str(error).split())[:200]})")
    for part in ("train", "selection", "test", "held_out"):
        pair = [counts.get(f"{part}.{axis}.npy") for axis in "xy"]
        if not faults and (pair[0] != pair[1] or (None in pair and part != "held_out")):
            where = images.relative_to(folder)
            faults.append(f"{where}: {part}: {pair[0]} images and {pair[1]} labels")
    return faults


def _entries(folder: Path) -> Iterator[Path]:
    """Yield what lies in a folder; nothing of one that is missing."""
    if folder.is_dir():
        yield from folder.iterdir()
