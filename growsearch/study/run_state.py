"""The state of a run, read from its study once a round and handed on as a value."""

from __future__ import annotations

from dataclasses import dataclass

from optuna.study import Study
from optuna.trial import FrozenTrial

from growsearch.networks.store import NetworkStore
from growsearch.study.attributes import LapsAttribute
from growsearch.study.networks import Best, incumbent_of
from growsearch.study.trials import that_count


@dataclass(frozen=True)
class RunState:
    """The knowledge of a run between two rounds.

    Parameters
    ----------
    incumbent : Best
        The network that the next candidate grows from.
    trials : tuple of FrozenTrial
        Every trial of the study, in order.
    laps : LapsAttribute
        The last trial of which nothing is left to do, and the seconds of the longest one.
    """

    incumbent: Best
    trials: tuple[FrozenTrial, ...]
    laps: LapsAttribute

    @property
    def counted(self) -> tuple[FrozenTrial, ...]:
        """The finished trials, without interrupted ones."""
        return that_count(self.trials)


def read_state(study: Study, store: NetworkStore) -> RunState:
    """Read the state of a run that has a teacher.

    Raises
    ------
    RunError
        When the study holds something that growsearch did not write.
    """
    trials = tuple(study.get_trials(deepcopy=False))
    laps = LapsAttribute.read(study) or LapsAttribute()
    return RunState(incumbent_of(study, store, trials), trials, laps)
