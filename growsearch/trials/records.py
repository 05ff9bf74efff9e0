"""The results of trials as frozen values: one result an arm, one record a trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from growsearch.trials.arms import CANDIDATE

DIGITS = 9  # of differences of fractions: what float arithmetic adds is far below


@dataclass(frozen=True)
class ArmResult:
    """The result of one arm of a trial.

    Parameters
    ----------
    accuracy : float or None
        Validation accuracy at the end of the brief training, a fraction; None if it failed. In a
        run with another metric it is the value of this metric, in the curve too.
    loss : float or None
        Mean validation cross-entropy, nats.
    seconds : float
        Wall-clock time of the updates; of a tuned control, at its best rate.
    curve : tuple of (step, accuracy, loss)
    failure : str or None
        The reason, if the training failed.
    flops : float
        FLOPs of the forward and backward passes of all updates; of a tuned control, at its best
        rate.
    learning_rate : float or None
        The learning rate of the training; of a tuned control, the best of its rates.
    tried : tuple of (learning rate, accuracy or None)
        All rates of a tuned control.
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

    def until(self, step: int) -> ArmResult:
        """Return the result of the training as it was after some updates; 0 is all of them."""
        curve = tuple(point for point in self.curve if point[0] <= step)
        if not step or not curve or len(curve) == len(self.curve):
            return self
        part = curve[-1][0] / max(self.curve[-1][0], 1)
        return replace(
            self,
            accuracy=curve[-1][1],
            loss=curve[-1][2],
            seconds=part * self.seconds,
            curve=curve,
            flops=part * self.flops,
        )

    def cost_of(self, accuracy: float) -> tuple[float, float, float] | None:
        """Return updates, seconds and FLOPs until an accuracy is first reached, or None."""
        wanted = round(accuracy, DIGITS)
        for step, reached, _ in self.curve:
            if round(reached, DIGITS) >= wanted:
                part = step / max(self.curve[-1][0], 1)
                return float(step), part * self.seconds, part * self.flops
        return None


@dataclass(frozen=True)
class TrialRecord:
    """One trial: its growth, the results of its arms, the judge's decision.

    Parameters
    ----------
    number : int
    state : str
        Optuna's: "COMPLETE", "PRUNED" or "FAIL".
    parent : int or None
        The trial whose network grew; None is the teacher.
    growth, operation, layer, layer_kind, old_size, new_size : str
        The growth in words, and its parts; the kind is that of the layer, such as "conv".
    learning_rate : float or None
    architecture : str
    parameters, flops : int
        Of the grown network; FLOPs of one image's forward pass.
    arms : mapping
        Arm -> its result with the trial's own seeds.
    gain : float or None
        The candidate's validation accuracy less its parent's, on the selection images.
    seconds : float
        Wall-clock time of the updates of all arms.
    kept : bool
    reason : str
        The judge's reason, or the reason of a failure.
    repeats : mapping
        Arm, the candidate's included -> one result for each seed after the first.
    ancestry_flops, ancestry_seconds : float or None
        FLOPs and seconds of the trainings of the parent and all its ancestors; None where they are
        not known.
    loss_gain, elapsed : float or None
        In a run with a trunk: the loss of the trunk less the candidate's at equal cost, and when
        the campaign was decided, in seconds, or without a time budget in updates.
    demand : float or None
        In a run with two objectives: the second one's value.
    judged_accuracy : float or None
        The accuracy that `gain` is of, where it is not `validation_accuracy`: a candidate of a
        trunk may be trained on after the arms were compared.
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
    ancestry_flops: float | None = None
    ancestry_seconds: float | None = None
    loss_gain: float | None = None
    elapsed: float | None = None
    demand: float | None = None
    judged_accuracy: float | None = None

    @property
    def parent_accuracy(self) -> float | None:
        """The parent's validation accuracy."""
        accuracy = self.judged_accuracy
        if accuracy is None:
            accuracy = self.validation_accuracy
        return None if accuracy is None or self.gain is None else accuracy - self.gain

    def seeds_of(self, arm: str) -> dict[int, ArmResult]:
        """Return an arm's results by seed: 0 is the trial's own, higher numbers are its repeats."""
        own = {0: self.arms[arm]} if arm in self.arms else {}
        return own | dict(self.repeats.get(arm, {}))

    @property
    def validation_accuracy(self) -> float | None:
        """The candidate's validation accuracy."""
        candidate = self.arms.get(CANDIDATE)
        return candidate.accuracy if candidate else None

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain JSON values."""
        return asdict(self)
