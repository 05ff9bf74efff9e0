"""All that a run has stored, read once, for the checks that follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from growsearch.errors import GrowsearchError
from growsearch.networks import Architecture
from growsearch.networks.store import NetworkStore
from growsearch.space import SearchSpace
from growsearch.space.wanted import wanted_controls
from growsearch.study.attributes import (
    Candidate,
    Control,
    DataAttribute,
    FreedAttribute,
    FrontTestAttribute,
    LapsAttribute,
    LengthAttribute,
    PendingTrialsAttribute,
    PolishAttribute,
    Reading,
    ReadingsAttribute,
    RunIdAttribute,
    SeedAttribute,
    SessionAttribute,
    SpaceAttribute,
    SpentAttribute,
    StartAttribute,
    TeacherAttribute,
    TestAttribute,
    TrackingAttribute,
    Trunk,
    WidthMultipleAttribute,
    WorkersAttribute,
)
from growsearch.study.lock import is_locked
from growsearch.study.open import WEIGHTS
from growsearch.study.trials import is_interrupted
from growsearch.study.trunk import trunk_of

T = TypeVar("T")

# Read for the sake of their checks; nothing here uses their values.
_ONLY_READ = (
    *(LapsAttribute, LengthAttribute, RunIdAttribute, SessionAttribute, FrontTestAttribute),
    *(SpentAttribute, TrackingAttribute, WidthMultipleAttribute, WorkersAttribute),
)


@dataclass(frozen=True)
class Snapshot:
    """A run as it is stored, without what cannot be read.

    Parameters
    ----------
    folder : Path
    study : optuna.Study
    trials : tuple of FrozenTrial
        Every trial of the study, in order.
    candidates : mapping
        Trial number -> its attributes, where they can be read.
    controls : tuple of (FrozenTrial, Control)
    space : SearchSpace or None
    seed : int or None
    window : int
        The number of candidates that may be pending.
    data, start, teacher, polish, test
        The study's attributes; None where it has none.
    trunk : Trunk or None
        The trunk, if the run has one that can be read.
    readings : tuple of Reading
        Its anytime curve.
    freed : FreedAttribute
    is_worked_on : bool
        True if a driver holds the run.
    read : int
        The number of things that were read.
    unreadable : tuple of str
        One line for each that could not be read.
    """

    folder: Path
    study: Study
    trials: tuple[FrozenTrial, ...]
    candidates: Mapping[int, Candidate]
    controls: tuple[tuple[FrozenTrial, Control], ...]
    space: SearchSpace | None
    seed: int | None
    window: int
    data: DataAttribute | None
    start: StartAttribute | None
    teacher: TeacherAttribute | None
    polish: PolishAttribute | None
    test: TestAttribute | None
    trunk: Trunk | None
    readings: tuple[Reading, ...]
    freed: FreedAttribute
    is_worked_on: bool
    read: int
    unreadable: tuple[str, ...] = field(default=())

    @cached_property
    def store(self) -> NetworkStore:
        """The networks of the run."""
        return NetworkStore(self.folder / WEIGHTS)

    def counted(self) -> dict[int, tuple[FrozenTrial, Candidate]]:
        """Return the finished trials that can be read, by number, without interrupted ones."""
        return {
            number: (self.trials[number], candidate)
            for number, candidate in self.candidates.items()
            if self.trials[number].state.is_finished() and not is_interrupted(self.trials[number])
        }

    def kept(self) -> dict[int, Candidate]:
        """Return the trials whose networks were kept, by number."""
        return {
            number: candidate
            for number, (trial, candidate) in self.counted().items()
            if trial.state == TrialState.COMPLETE and candidate.kept
        }

    def architecture_of(self, number: int | None) -> str:
        """Return the stored architecture of a trial, of the teacher for None; "" if unknown."""
        if number is None:
            return "" if self.teacher is None else self.teacher.architecture
        candidate = self.candidates.get(number)
        return "" if candidate is None else candidate.architecture

    def architectures(self) -> tuple[dict[int | None, Architecture], list[str]]:
        """Return the architecture of each trial that has a growth, and one line for each fault.

        Each follows from its growth and its parent's architecture; None is the teacher.
        """
        if self.space is None:
            return {}, []
        found: dict[int | None, Architecture] = {None: self.space.architecture}
        faults = []
        for number, about in self.candidates.items():
            if not about.growth_json or is_interrupted(self.trials[number]):
                continue
            parent = found.get(about.parent)
            if parent is None:
                faults.append(f"trial {number}: trial {about.parent}, its parent, has no growth")
                continue
            try:
                found[number] = about.grown_from(parent, number).grown(parent)
            except GrowsearchError as error:
                faults.append(str(error))
        return found, faults

    def lacking(self) -> dict[int, list[tuple[str, int]]]:
        """Return (arm, repeat) of each control that a complete candidate still lacks, by number.

        Raises
        ------
        RunError
            When the study has trials, and no space or seed.
        """
        made: dict[int | None, set[tuple[str, int]]] = {}
        for trial, control in self.controls:
            if trial.state.is_finished():
                made.setdefault(control.candidate, set()).add((control.arm, control.repeat))
        lacking = {}
        for number, (trial, candidate) in self.counted().items():
            if trial.state != TrialState.COMPLETE or self.space is None or self.seed is None:
                continue
            wanted = wanted_controls(self.space, self.seed, candidate.index)
            if missing := [each for each in wanted if each not in made.get(number, ())]:
                lacking[number] = missing
        return lacking


class _Reader:
    """Reads one thing after another, and remembers what could not be read."""

    def __init__(self) -> None:
        self.read = 0
        self.unreadable: list[str] = []

    def __call__(self, read: Callable[[], T | None]) -> T | None:
        """Return what ``read`` returns; None where it raises an error of growsearch."""
        try:
            found = read()
        except GrowsearchError as error:
            self.unreadable.append(str(error))
            self.read += 1
            return None
        self.read += found is not None
        return found


def snapshot(folder: Path, study: Study, control_study: Study) -> Snapshot:
    """Read all that a run has stored."""
    reader, worked_on_before = _Reader(), is_locked(folder)
    trials = tuple(study.get_trials(deepcopy=False))
    read = {trial.number: reader(partial(Candidate.read, trial)) for trial in trials}
    controls = [
        (trial, reader(partial(Control.read, trial)))
        for trial in control_study.get_trials(deepcopy=False)
    ]
    for kind in _ONLY_READ:
        reader(partial(kind.read, study))
    window = reader(partial(PendingTrialsAttribute.read, study))
    space = reader(partial(SpaceAttribute.read, study))
    seed = reader(partial(SeedAttribute.read, study))
    readings = reader(partial(ReadingsAttribute.read, study))
    return Snapshot(
        folder=folder,
        study=study,
        trials=trials,
        candidates={number: each for number, each in read.items() if each is not None},
        controls=tuple((trial, each) for trial, each in controls if each is not None),
        space=None if space is None else reader(partial(SearchSpace.parse, space.value)),
        seed=None if seed is None else seed.value,
        window=1 if window is None else window.value,
        data=reader(partial(DataAttribute.read, study)),
        start=reader(partial(StartAttribute.read, study)),
        teacher=reader(partial(TeacherAttribute.read, study)),
        polish=reader(partial(PolishAttribute.read, study)),
        test=reader(partial(TestAttribute.read, study)),
        trunk=reader(partial(trunk_of, study, trials)),
        readings=() if readings is None else readings.value,
        freed=reader(partial(FreedAttribute.read, study)) or FreedAttribute(),
        is_worked_on=worked_on_before or is_locked(folder),
        read=reader.read,
        unreadable=tuple(reader.unreadable),
    )
