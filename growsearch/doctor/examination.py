"""An examination: every check, while a process of its own trains."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from growsearch.checks import expanded
from growsearch.doctor.finding import Finding
from growsearch.doctor.images import data
from growsearch.doctor.machine import threads
from growsearch.doctor.packages import versions
from growsearch.doctor.places import disk, storage
from growsearch.doctor.probe import probed, training


@dataclass(frozen=True)
class Examination:
    """The findings of an examination.

    Parameters
    ----------
    findings : tuple of Finding
    seconds : float
        That it took.
    """

    findings: tuple[Finding, ...]
    seconds: float

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """The findings that something is wrong."""
        return tuple(each for each in self.findings if each.state == "wrong")

    def to_json(self) -> dict[str, Any]:
        """Return the findings as plain JSON values."""
        return {
            "is_well": not self.wrong,
            "seconds": round(self.seconds, 3),
            "findings": [asdict(each) for each in self.findings],
        }


def examine(folder: str | Path = "runs", storage_url: str | None = None) -> Examination:
    """Examine this installation: versions, training, threads, GPUs, images, storage, disk.

    Nothing is downloaded, and nothing is left behind.

    Parameters
    ----------
    folder : path
        The folder of runs, which need not exist.
    storage_url : str, optional
        The URL of a database that is to hold studies.
    """
    began, folder = time.perf_counter(), expanded(folder)
    with probed() as process:
        first = _checked("versions", versions)
        last = [
            *_checked("data", data),
            *_checked("storage", lambda: storage(folder, storage_url)),
            *_checked("disk", lambda: disk(folder)),
        ]
        middle = [
            *_checked("training", lambda: training(process)),
            *_checked("threads", threads),
        ]
    return Examination((*first, *middle, *last), time.perf_counter() - began)


def _checked(subject: str, check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """Return the findings of a check; an error of it is one more, and the others follow."""
    findings = []
    try:
        for each in check():
            findings.append(each)
    except Exception as error:  # an examination is for machines on which anything may fail
        told = f"cannot be examined: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
        findings.append(Finding(subject, subject, "wrong", told, "report it as a bug"))
    return findings
