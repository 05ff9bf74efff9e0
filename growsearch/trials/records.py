"""What a trial has found, as frozen values: one result an arm, one record a trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from growsearch.trials.arms import CANDIDATE

DIGITS = 9  # of differences of fractions: what float arithmetic adds is far below


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
