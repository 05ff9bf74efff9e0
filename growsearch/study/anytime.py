"""The course of a run with a trunk: its anytime curve, its lineage, and its seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optuna.study import Study

from growsearch.study.attributes import (
    Candidate,
    PolishAttribute,
    Reading,
    ReadingsAttribute,
    SpentAttribute,
    Trunk,
    WorkersAttribute,
)
from growsearch.study.lineage import Ancestor, lineage_of
from growsearch.study.networks import Best, polish_of
from growsearch.study.run_state import RunState
from growsearch.study.shares import Shares, shares_of
from growsearch.trials.arms import CANDIDATE
from growsearch.trials.records import TrialRecord


@dataclass(frozen=True)
class Anytime:
    """The course of a run with a trunk: what it could give when, how it grew, what it cost.

    Parameters
    ----------
    readings : tuple of Reading
        Accuracy and loss of the trunk's averages, of each commit and of the decay, in order.
    lineage : tuple of Ancestor
        The first network, then each growth that took the trunk's place.
    end : Reading or None
        The network of the run, at its end; None where its file is damaged.
    shares : Shares or None
        Shares of the workers' seconds; None before the first session has ended.
    in_seconds : bool
        True if times are seconds of the run; False if they are updates of the first network, as
        without a time budget.
    """

    readings: tuple[Reading, ...] = ()
    lineage: tuple[Ancestor, ...] = ()
    end: Reading | None = None
    shares: Shares | None = None
    in_seconds: bool = True

    @property
    def rows(self) -> tuple[Reading, ...]:
        """The commits and the end."""
        commits = tuple(each for each in self.readings if each.mark)
        return commits if self.end is None else (*commits, self.end)

    def grown(self, reading: Reading) -> tuple[Ancestor, ...]:
        """Return the lineage of a reading's network."""
        last = -1 if reading.trial is None else reading.trial
        return tuple(each for each in self.lineage if each.trial is None or each.trial <= last)

    def to_json(self) -> dict[str, Any]:
        """Return the course of the run as plain JSON values."""
        return {
            "unit": "seconds" if self.in_seconds else "updates of the first network",
            "readings": [each.model_dump() for each in self.readings],
            "end": self.end and self.end.model_dump(),
            "lineage": [each.to_json() for each in self.lineage],
            "shares": self.shares and self.shares.to_json(),
        }


def anytime_of(
    study: Study, state: RunState, best: Best, trials: Sequence[TrialRecord]
) -> Anytime | None:
    """Return the course of a run; None of a run without a trunk.

    Parameters
    ----------
    study : optuna.Study
    state : RunState
    best : Best
        The network of the run.
    trials : sequence of TrialRecord
        The finished trials.

    Raises
    ------
    RunError
        When the study holds something that growsearch did not write.
    """
    if state.trunk is None:
        return None
    trunk = state.trunk
    found, spent = ReadingsAttribute.read(study), SpentAttribute.read(study)
    readings = found.value if found else ()
    passed = sum(spent.value.values()) if spent else 0.0
    last = max((each.elapsed for each in readings), default=0.0)
    decay = polish_of(study, state.incumbent)
    end = _end(trunk, best, readings, decay)
    shares = None
    if end is not None:
        end = end.model_copy(update={"elapsed": max(passed, last) if trunk.measured else last})
        candidates = (Candidate.read(trial) for trial in state.counted)
        shares = shares_of(
            trunk,
            end,
            readings,
            decay,
            WorkersAttribute.read(study),
            run=passed,
            refused=sum(each.seconds for each in candidates if not each.kept),
            controls=sum(each.seconds - each.arms[CANDIDATE].seconds for each in trials),
        )
    return Anytime(
        readings=readings,
        lineage=lineage_of(state.teacher.network.architecture, state.trials, trunk.trial),
        end=end,
        shares=shares,
        in_seconds=trunk.measured,
    )


def _end(
    trunk: Trunk, best: Best, readings: tuple[Reading, ...], decay: PolishAttribute | None
) -> Reading | None:
    """Return the network of a run as a reading; None of one that takes a damaged one's place."""
    known = [each for each in readings if each.sha256 == best.sha256]
    if known:
        return known[-1].model_copy(update={"mark": 0.0})
    network = {
        "elapsed": 0.0,
        "parameters": best.network.parameters,
        "trial": best.trial_number,
        "sha256": best.sha256,
    }
    if trunk.average == best.sha256:
        return Reading(
            **network,
            validation_accuracy=trunk.validation_accuracy,
            validation_loss=trunk.validation_loss,
            seconds=trunk.seconds,
        )
    if decay is None or decay.sha256 != best.sha256 or decay.validation_loss is None:
        return None
    return Reading(
        **network,
        validation_accuracy=decay.validation_accuracy,
        validation_loss=decay.validation_loss,
        seconds=decay.seconds,
    )
