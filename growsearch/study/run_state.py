"""The state of a run, read from its study once a round and handed on as a value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from optuna.study import Study
from optuna.trial import FrozenTrial

from growsearch.networks.store import NetworkStore
from growsearch.study.attributes import (
    AttributesNow,
    Candidate,
    FreedAttribute,
    LapsAttribute,
    Trunk,
)
from growsearch.study.front import Placed, front_of
from growsearch.study.networks import Best, freed_of, incumbent_of, teacher_of
from growsearch.study.trials import placed, that_count
from growsearch.study.trunk import best_of_trunk, trunk_of
from growsearch.study.untrusted import finite, untrusted


@dataclass(frozen=True)
class RunState:
    """The knowledge of a run between two rounds.

    Parameters
    ----------
    teacher : Best
        The network that the search started from.
    incumbent : Best
        The network that the next candidate grows from: the best of ``judged``.
    trials : tuple of FrozenTrial
        Every trial of the study, in order.
    judged : tuple of FrozenTrial
        The finished trials that this state knows of, without interrupted ones.
    laps : LapsAttribute
        The last trial of which nothing is left to do, and the seconds of the longest one.
    freed : FreedAttribute
        The networks whose slots were freed.
    trunk : Trunk or None
        The trunk, in a run that has one: the incumbent is the network of its averages.
    front : tuple of Placed
        The front of ``judged``, by rising demand, in a run with two objectives: the incumbent is
        its last member, the most accurate.
    """

    teacher: Best
    incumbent: Best
    trials: tuple[FrozenTrial, ...]
    judged: tuple[FrozenTrial, ...]
    laps: LapsAttribute
    freed: FreedAttribute = field(default_factory=FreedAttribute)
    trunk: Trunk | None = None
    front: tuple[Placed, ...] = ()

    @property
    def counted(self) -> tuple[FrozenTrial, ...]:
        """The finished trials, without interrupted ones."""
        return that_count(self.trials)

    @property
    def placed(self) -> tuple[FrozenTrial, ...]:
        """The trials by index: finished and pending ones, without interrupted ones."""
        return placed(self.trials)

    def sha256_of(self, number: int | None) -> str:
        """Return the SHA-256 of the network that a trial kept; of the teacher's for None.

        Raises
        ------
        RunError
            When there is no such trial.
        """
        if number is None:
            return self.teacher.sha256
        with untrusted(f"the parent {number!r}"):
            return self.freed.stored(Candidate.read(self.trials[number]).sha256)

    def accuracy_of(self, number: int | None) -> float:
        """Return the validation accuracy of a trial; of the teacher for None.

        Raises
        ------
        RunError
            When there is no such trial.
        """
        if number is None:
            return self.teacher.validation_accuracy
        with untrusted(f"the parent {number!r}"):
            return finite((self.trials[number].values or [None])[0])

    @property
    def parents(self) -> Iterator[Best]:
        """The networks that candidates may grow from: the front's, or else the incumbent."""
        if not self.front:
            yield self.incumbent
        for each in self.front:
            yield each.best


def read_state(
    study: Study,
    store: NetworkStore,
    *,
    trials: Sequence[FrozenTrial] | None = None,
    before: int | None = None,
) -> RunState:
    """Read the state of a run that has a teacher.

    Parameters
    ----------
    study : optuna.Study
    store : NetworkStore
    trials : sequence of FrozenTrial, optional
        Every trial of the study, where they were read already.
    before : int, optional
        Know of the trials below this index only, as when a trial was proposed; of all by default.

    Raises
    ------
    RunError
        When the study holds something that growsearch did not write.
    """
    trials = tuple(study.get_trials(deepcopy=False) if trials is None else trials)
    now = AttributesNow.of(study)
    teacher = teacher_of(now, store)
    laps = LapsAttribute.read(now) or LapsAttribute()
    judged = that_count(trials if before is None else placed(trials)[:before])
    freed = freed_of(now)
    trunk = trunk_of(now, trials)
    front = front_of(now, judged, teacher, store, freed)
    if front:
        incumbent = front[-1].best
    elif trunk is None:
        incumbent = incumbent_of(judged, teacher, store, freed)
    else:
        incumbent = best_of_trunk(trunk, judged, teacher, store, freed)
    return RunState(teacher, incumbent, trials, judged, laps, freed, trunk, front)
