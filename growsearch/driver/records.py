"""What a run has found, as frozen values: one record a trial, the best network, the result."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from growsearch.driver.arms import CANDIDATE
from growsearch.networks import Network
from growsearch.statistics import DIGITS

if TYPE_CHECKING:
    import optuna

    from growsearch.driver.evidence import Evidence


@dataclass(frozen=True)
class ArmResult:
    """What one arm of a trial reached.

    Parameters
    ----------
    accuracy : float or None
        Validation accuracy at the end of the brief training, a fraction; None if it failed.
    loss : float or None
        Mean validation cross-entropy, nats.
    seconds : float
        Wall-clock time of the updates; of a tuned control, of the try that counts.
    curve : tuple of (step, accuracy, loss)
    failure : str or None
        Why it failed.
    flops : float
        Of the forward and backward passes of all its updates; of a tuned control, of the try that
        counts: what it costs at its best rate, not what it costs to find that.
    learning_rate : float or None
        What it was trained with; of a tuned control, the best of those that were tried.
    tried : tuple of (learning rate, accuracy or None)
        Of a tuned control: all that were tried.
    """

    accuracy: float | None
    loss: float | None
    seconds: float
    curve: tuple[tuple[int, float, float], ...] = ()
    failure: str | None = None
    flops: float = 0.0
    learning_rate: float | None = None
    tried: tuple[tuple[float, float | None], ...] = ()

    @property
    def step_seconds(self) -> float | None:
        """Seconds of an update, as measured on this machine; None without one."""
        steps = self.curve[-1][0] if self.curve else 0
        return self.seconds / steps if steps else None

    def cost_of(self, accuracy: float) -> tuple[float, float, float] | None:
        """Updates, seconds and FLOPs until an accuracy was first reached; None if it was not."""
        wanted = round(accuracy, DIGITS)
        for step, reached, _ in self.curve:
            if round(reached, DIGITS) >= wanted:
                part = step / max(self.curve[-1][0], 1)
                return float(step), part * self.seconds, part * self.flops
        return None


@dataclass(frozen=True)
class TrialRecord:
    """One trial: what was tried on which parent, what each arm gave, what became of it.

    ``gain`` is the candidate's validation accuracy less its parent's, both on the images of the
    choice; ``parent`` is a trial's number, or None for the teacher; ``state`` is Optuna's;
    ``layer_kind`` is the kind of layer that grew, such as "conv". ``repeats`` are the arms with
    other seeds, candidate among them: arm -> one result for each seed after the first.
    """

    number: int
    state: str
    parent: int | None
    growth: str
    operation: str
    layer: str
    old_size: str
    new_size: str
    learning_rate: float | None
    architecture: str
    parameters: int
    flops: int
    arms: Mapping[str, ArmResult]
    gain: float | None
    seconds: float
    kept: bool
    reason: str
    layer_kind: str = ""
    repeats: Mapping[str, Mapping[int, ArmResult]] = field(default_factory=dict)

    @property
    def parent_accuracy(self) -> float | None:
        """The parent's validation accuracy."""
        accuracy = self.validation_accuracy
        return None if accuracy is None or self.gain is None else accuracy - self.gain

    def seeds_of(self, arm: str) -> dict[int, ArmResult]:
        """An arm's results by seed: 0 is the trial's own, then come its repeats."""
        own = {0: self.arms[arm]} if arm in self.arms else {}
        return own | dict(self.repeats.get(arm, {}))

    @property
    def validation_accuracy(self) -> float | None:
        """The candidate's validation accuracy."""
        candidate = self.arms.get(CANDIDATE)
        return candidate.accuracy if candidate else None

    def to_json(self) -> dict[str, Any]:
        """The record as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Best:
    """The network that is kept: the teacher, if no trial was (``trial_number`` None).

    It need not be that of ``study.best_trial``: the judge looks at losses too, and may refuse a
    candidate that has more images right, or keep one that has fewer. ``polished`` says that it
    was trained on after the search.
    """

    network: Network
    validation_accuracy: float
    trial_number: int | None
    path: Path
    polished: bool = False


@dataclass(frozen=True)
class SearchResult:
    """What a search returns.

    Parameters
    ----------
    best : Best
        The network kept, its validation accuracy, its trial, the file it lies in.
    test_accuracy : float or None
        Of the best network, computed once, when the search ended; None before that.
    held_out_accuracy : float or None
        Of the best network on the validation images that no choice was made on; also at the end.
    teacher_held_out_accuracy : float or None
        Of the teacher on the same images.
    teacher_accuracy, teacher_test_accuracy : float
        Of the network that the search started from.
    trials : tuple of TrialRecord
        All that count, in order; interrupted ones, which were repeated, do not.
    study, control_study : optuna.Study
    folder : Path
    ended : str
        Why the search stopped, in words.
    data_source : str
        Where the images came from.
    stand_in : bool
        Whether they stand in for the data set of the space.
    spent : mapping
        Seconds of the whole run by what they went into: "teacher", "candidates", "controls",
        "polish", "test", "other".
    control_arms : mapping
        The control arms of the space, with the fraction of the trials that each runs beside; empty
        where they are off.
    """

    best: Best
    test_accuracy: float | None
    teacher_accuracy: float
    teacher_test_accuracy: float | None
    trials: tuple[TrialRecord, ...]
    study: optuna.Study = field(repr=False)
    control_study: optuna.Study = field(repr=False)
    folder: Path
    ended: str
    data_source: str
    stand_in: bool
    held_out_accuracy: float | None = None
    teacher_held_out_accuracy: float | None = None
    spent: Mapping[str, float] = field(default_factory=dict)
    control_arms: Mapping[str, float] = field(default_factory=dict)

    def evidence(self) -> Evidence:
        """What the controls say: candidates against each arm, in pairs, with statistics."""
        from growsearch.driver.evidence import HeldOut, weigh

        held_out, teachers = self.held_out_accuracy, self.teacher_held_out_accuracy
        if held_out is None or teachers is None:
            return weigh(self.trials)
        chosen_on = self.best.validation_accuracy
        return weigh(self.trials, HeldOut(chosen_on, held_out, self.teacher_accuracy, teachers))

    def to_json(self) -> dict[str, Any]:
        """The result as plain JSON values."""
        best = self.best
        return {
            "folder": str(self.folder),
            "ended": self.ended,
            "data_source": self.data_source,
            "stand_in": self.stand_in,
            "control_arms": dict(self.control_arms),
            "best": {
                "architecture": str(best.network.architecture),
                "parameters": best.network.parameters,
                "validation_accuracy": best.validation_accuracy,
                "trial_number": best.trial_number,
                "polished": best.polished,
                "sha256": best.path.stem,
                "path": str(best.path),
            },
            "test_accuracy": self.test_accuracy,
            "held_out_accuracy": self.held_out_accuracy,
            "teacher": {
                "validation_accuracy": self.teacher_accuracy,
                "test_accuracy": self.teacher_test_accuracy,
                "held_out_accuracy": self.teacher_held_out_accuracy,
            },
            "spent": dict(self.spent),
            "evidence": self.evidence().to_json(),
            "trials": [trial.to_json() for trial in self.trials],
        }


class DamagedNetworkWarning(UserWarning):
    """A stored network does not verify; the next best that does is used."""


def warn_damaged(message: str) -> None:
    """Warn that a stored network is passed over."""
    warnings.warn(message, DamagedNetworkWarning, stacklevel=3)
