"""The runs in a folder, each in one row: space, images, state, best network, size, time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from growsearch.checks import expanded
from growsearch.errors import GrowsearchError, InvalidInputError
from growsearch.study.attributes import DataAttribute, SpaceAttribute
from growsearch.study.database import DATABASE, storage_errors
from growsearch.study.lock import is_locked
from growsearch.study.open import WEIGHTS, find
from growsearch.study.optuna_private import close
from growsearch.study.run_id import FILE, check
from growsearch.study.standing import standing_of

State = Literal["running", "finished", "unfinished"]


@dataclass(frozen=True)
class RunRow:
    """One run of a list.

    Parameters
    ----------
    folder : str
    space, data : str
        Name of the search space, and of the images.
    state : str
        "running" while a process works on it; "finished" after the test of its best network; else
        "unfinished": the same command continues it.
    trials, kept : int
        The finished trials, and those that were kept.
    metric : str
        The metric that the run optimises.
    validation_accuracy : float or None
        The metric's value of the best network so far.
    parameters : int or None
        Of that network.
    bytes : int
        Size on disk, of all files below the folder.
    changed : str
        When the study was changed last: UTC, ISO 8601.
    stand_in : bool
        True if other images stand in for those of the space.
    """

    folder: str
    space: str
    data: str
    state: State
    trials: int
    kept: int
    metric: str
    validation_accuracy: float | None
    parameters: int | None
    bytes: int
    changed: str
    stand_in: bool


@dataclass(frozen=True)
class Runs:
    """The runs in a folder.

    Parameters
    ----------
    folder : Path
    rows : tuple of RunRow
        Those that can be read, the one that was changed last at the end.
    broken : mapping
        Folder of a run that cannot be read -> the reason, in one line.
    others : tuple of str
        Folders that hold no run.
    """

    folder: Path
    rows: tuple[RunRow, ...] = ()
    broken: dict[str, str] = field(default_factory=dict)
    others: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the list as plain JSON values."""
        return {
            "folder": str(self.folder),
            "runs": [asdict(row) for row in self.rows],
            "broken": dict(self.broken),
            "others": list(self.others),
        }


def list_runs(folder: str | Path = "runs", storage: str | None = None) -> Runs:
    """List the runs in a folder, or the one run that the folder is; change nothing.

    Parameters
    ----------
    folder : path
    storage : str, optional
        The storage URL of runs whose study does not lie in their folders.

    Raises
    ------
    InvalidInputError
        When there is no such folder.
    """
    folder = expanded(folder)
    if not folder.is_dir():
        raise InvalidInputError(
            f"{folder}: expected a folder of runs, found none: name the folder whose subfolders "
            "were --out, or begin a run by growsearch run"
        )
    found, broken, others = list[tuple[float, RunRow]](), dict[str, str](), list[str]()
    for each in _folders(folder):
        try:
            if not _is_run(each, storage):
                others.append(str(each))
                continue
            changed = _changed(each)
            found.append((changed, _row(each, storage, changed)))
        except (GrowsearchError, OSError) as error:
            broken[str(each)] = " ".join(str(error).split())
    rows = tuple(row for _, row in sorted(found, key=lambda each: each[0]))
    return Runs(folder, rows, broken, tuple(others))


def _folders(folder: Path) -> Iterator[Path]:
    """Yield the folder itself if it is a run, else those in it, by name."""
    if _has_traces(folder):
        yield folder
        return
    for each in sorted(folder.iterdir()):
        if each.is_dir() and not each.name.startswith("."):
            yield each


def _has_traces(folder: Path) -> bool:
    """Return whether a folder has the study, the id or the networks of a run."""
    return any((folder / name).exists() for name in (DATABASE, FILE, WEIGHTS))


def _is_run(folder: Path, storage: str | None) -> bool:
    """Return whether a folder is that of a run; one whose study lies elsewhere needs a storage."""
    if (folder / DATABASE).exists() or (storage is not None and _has_traces(folder)):
        return True
    if (folder / FILE).exists():
        raise InvalidInputError("its study lies in a database: add its --storage URL")
    return False


def _row(folder: Path, storage: str | None, changed: float) -> RunRow:
    """Read one run, from its study."""
    own = None if (folder / DATABASE).exists() else storage
    with storage_errors(own or str(folder)):
        study, control_study = find(folder, own)
        try:
            if own is not None:
                check(study, folder, own)
            standing = standing_of(study)
            data, space = DataAttribute.read(study), SpaceAttribute.read(study)
        finally:
            close(study)
            close(control_study)
    state: State = "finished" if standing.is_finished else "unfinished"
    return RunRow(
        folder=str(folder),
        space=str(space.value.get("name", "")) if space else "",
        data=data.name if data else "",
        state="running" if is_locked(folder) else state,
        trials=standing.trials,
        kept=standing.kept,
        metric=space.metric if space else "accuracy",
        validation_accuracy=standing.validation_accuracy,
        parameters=standing.parameters,
        bytes=_size(folder),
        changed=datetime.fromtimestamp(changed, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        stand_in=bool(data and data.stand_in),
    )


def _changed(folder: Path) -> float:
    """Return when the study was changed last; without one in the folder, the folder itself."""
    files = [folder / DATABASE, folder / WEIGHTS, folder]
    return next(each for each in files if each.exists()).stat().st_mtime


def _size(folder: Path) -> int:
    """Return the bytes of all files below a folder; links are not followed."""
    total = 0
    for each in folder.rglob("*"):
        try:
            status = each.lstat()
        except OSError:  # it went meanwhile, as files of a running search do
            continue
        total += 0 if each.is_dir() and not each.is_symlink() else status.st_size
    return total
