"""The disk space that a run does not need: what may be freed, and how it is freed.

A kill at any step loses nothing. A file that nothing needs is removed, or is not. Slots are freed
in the order of a commit: the network without them is written and synced, then the attribute that
leads to it, and the old file is removed last.
"""

from __future__ import annotations

import errno
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from optuna.trial import TrialState

from growsearch.checks import expanded
from growsearch.errors import DamagedRunError, NetworkFileError, disk_error
from growsearch.execution.workers import IMAGES
from growsearch.study.attributes import FreedAttribute
from growsearch.study.database import storage_errors
from growsearch.study.lock import locked
from growsearch.study.networks import DamagedNetworkWarning, freed_of
from growsearch.study.open import find
from growsearch.study.run_id import check
from growsearch.study.run_state import read_state
from growsearch.study.session import take
from growsearch.study.trials import placed
from growsearch.trials.progress import FOLDER as PROGRESS
from growsearch.upkeep.files import image_files, orphans, partials
from growsearch.upkeep.snapshot import Snapshot, snapshot

KINDS = ("images", "progress", "partial files", "orphans", "slots")


@dataclass(frozen=True)
class Amount:
    """A number of files, and the bytes that they took."""

    files: int = 0
    bytes: int = 0

    def with_file(self, size: int) -> Amount:
        """Return the amount with one file more."""
        return Amount(self.files + 1, self.bytes + size)


@dataclass(frozen=True)
class Freed:
    """The disk space that was freed, or would be.

    Parameters
    ----------
    folder : Path
    dry_run : bool
        True if nothing was changed.
    kinds : mapping
        One of ``KINDS`` -> its amount: stored images, progress files of jobs, unfinished files,
        networks that nothing names, optimizer slots.
    damaged : tuple of str
        One line for each network that is damaged, and was left alone.
    before, after : int
        The bytes of the run folder before and after; of a dry run, as it would be.
    """

    folder: Path
    dry_run: bool
    kinds: dict[str, Amount] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()
    before: int = 0
    after: int = 0

    @property
    def bytes(self) -> int:
        """The bytes of all kinds together."""
        return sum(amount.bytes for amount in self.kinds.values())

    def to_json(self) -> dict[str, Any]:
        """Return the amounts as plain JSON values."""
        return {
            "folder": str(self.folder),
            "dry_run": self.dry_run,
            "bytes": self.bytes,
            "before": self.before,
            "after": self.after,
            "kinds": {
                kind: {"files": amount.files, "bytes": amount.bytes}
                for kind, amount in self.kinds.items()
            },
            "damaged": list(self.damaged),
        }


def collect(folder: str | Path, storage: str | None = None, dry_run: bool = False) -> Freed:
    """Free the disk space of a run that neither its resumption nor its result needs.

    Parameters
    ----------
    folder : path
        The folder that was ``out`` when the run was made.
    storage : str, optional
        The storage URL of the run, if it was not its folder's.
    dry_run : bool
        Change nothing, and return what would be freed.

    Raises
    ------
    RunError
        When there is no run, another process works on it, or the disk fails.
    DamagedRunError
        When the study holds something that growsearch did not write; nothing is freed then.
    """
    folder = expanded(folder)
    with storage_errors(storage or str(folder)), _disk_errors(folder):
        find(folder, storage)  # before the lock, which would make the folder
        with locked(folder):
            study, control_study = find(folder, storage)
            if storage:
                check(study, folder, storage)
            run = snapshot(folder, study, control_study)
            if run.unreadable:
                raise DamagedRunError(run.unreadable[0])
            if not dry_run:
                take(study)  # a driver that the lock did not keep out ends before it tells more
            return _collected(run, dry_run=dry_run)


def _collected(run: Snapshot, *, dry_run: bool) -> Freed:
    """Free what a run does not need, the largest and simplest first: the disk may be full."""
    kinds, before = dict.fromkeys(KINDS, Amount()), _size(run.folder)
    partial = partials(run.folder)
    plain = {
        "images": image_files(run.folder),
        "progress": _below(run.folder / PROGRESS, besides=partial),
        "partial files": partial,
        "orphans": [run.store.path(sha256) for sha256 in sorted(orphans(run))],
    }
    for kind, paths in plain.items():
        for path in paths:
            kinds[kind] = kinds[kind].with_file(_size(path))
            if not dry_run:
                _remove(path)
    if not dry_run:
        for empty in (*_folders(run.folder / IMAGES), run.folder / PROGRESS):
            _remove_if_empty(empty)
    damaged = []
    for sha256 in _without_need_of_slots(run):
        try:
            kinds["slots"] = _freed(run, sha256, kinds["slots"], dry_run=dry_run)
        except NetworkFileError as error:
            damaged.append(str(error))
    freed = Freed(run.folder, dry_run, kinds, tuple(damaged), before)
    # The database grows by what it remembers of freed slots.
    after = before - freed.bytes if dry_run else _size(run.folder)
    return replace(freed, after=after)


def _without_need_of_slots(run: Snapshot) -> list[str]:
    """Return the SHA-256 of each network from which no training will start, slots included.

    A training may still start from an incumbent, or a member of the front, as the next proposals
    will know it: each knows the trials before it but the ``window - 1`` last, and trials that are
    not finished may be repeated. Also from the parent of a trial that is not finished or lacks
    controls, from the trunk, from a network that is polished, and from the parts of a polish that
    is not done: one that is begins again from the incumbent. The parts of a trunk's decay keep
    their slots, as commits do.
    """
    if run.teacher is None:
        return []
    with warnings.catch_warnings():  # a damaged network is reported where it is left alone
        warnings.simplefilter("ignore", DamagedNetworkWarning)
        state = read_state(run.study, run.store)
        order = placed(run.trials)
        finished = [trial.state.is_finished() for trial in order]
        first = finished.index(False) if False in finished else len(order)
        states = [
            read_state(run.study, run.store, before=end)
            for end in range(max(0, first - run.window + 1), len(order) + 1)
        ]
        needed = {each.incumbent.sha256 for each in states}
        needed |= {member.sha256 for each in states for member in each.front}
    parts: set[str] = set()
    if run.polish is not None:
        parts = {run.polish.sha256, run.polish.last, *run.polish.lasts}
        needed |= {run.polish.of} if _is_done(run) else {run.polish.of, *parts}
    if run.trunk is not None:
        needed |= {run.trunk.weights, run.trunk.average}
    needed |= {each.sha256 for each in run.readings}
    lacking = run.lacking()
    for number, candidate in run.candidates.items():
        unfinished = run.trials[number].state == TrialState.RUNNING and candidate.growth_json
        if unfinished or number in lacking:
            needed.add(candidate.start or state.sha256_of(candidate.parent))
    known = {run.teacher.sha256, *(candidate.sha256 for candidate in run.kept().values())}
    known |= {candidate.start for _, candidate in run.counted().values()}
    return sorted((known | parts) - needed - run.freed.value.keys() - {""})


def _is_done(run: Snapshot) -> bool:
    """Return whether all parts of the polish are made; the decay of a trunk is none."""
    asked = None if run.space is None or run.trunk is not None else run.space.polish
    return (
        asked is not None
        and run.polish is not None
        and (run.polish.done >= asked.cycles * asked.parts)
    )


def _freed(run: Snapshot, sha256: str, amount: Amount, *, dry_run: bool) -> Amount:
    """Free the slots of one network; return the amount with them."""
    network = run.store.get(sha256)
    if network.slots is None:
        return amount
    bare = replace(network, slots=None)
    path = run.store.path(sha256)
    saved = _size(path) - len(bare.to_bytes())
    if not dry_run:
        freed = freed_of(run.study).value
        FreedAttribute(value=freed | {sha256: run.store.put(bare)}).write(run.study)
        run.store.remove(sha256)
    return amount.with_file(saved)


def _below(folder: Path, *, besides: list[Path]) -> list[Path]:
    """Return what lies in a folder that is no link."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    return sorted(set(folder.iterdir()) - set(besides))


def _folders(images: Path) -> list[Path]:
    """Return the folders of images, and the one that holds them last."""
    return [*_below(images, besides=[]), images]


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder; links are not followed."""
    if path.is_dir() and not path.is_symlink():
        return sum(_size(each) for each in path.iterdir())
    return path.lstat().st_size


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
        folder.rmdir()


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    """Turn the errors of the disk into one line that names path and free space."""
    try:
        yield
    except OSError as error:
        if error.errno in (None, errno.EINTR):
            raise
        raise disk_error(error, folder) from None
