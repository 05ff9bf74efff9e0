"""The judge: pure functions that decide whether a candidate is kept, with the reason in words.

Of many candidates some are ahead by luck. Accuracy on 2,500 images is a coarse measure:
two networks that are equally good differ by a few images, and the luckier one would be kept every
other time. The loss of the same images is finer, because images on which both agree cancel in the
difference. So two witnesses must agree: the candidate has more images right, and its loss is lower
by more than ``margin`` standard errors of the difference, image by image. The tests simulate how
often a candidate that is no better, or worse, is kept.

With another metric than accuracy there is one witness, the metric itself: its gain must exceed
``margin`` standard errors, by the images' shares of it (``growsearch.trials.metrics``). The loss
need not agree: a network may be better for rare classes, and have a higher mean loss.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Rule = Literal["superior", "not_inferior"]


@dataclass(frozen=True)
class Score:
    """The score of a network on the selection images.

    Parameters
    ----------
    accuracy : float
        Or the value of another metric.
    losses : array, shape (n,), or None
        Of the single images.
    shares : array, shape (n,), or None
        Of the single images, in a metric other than accuracy; then the losses do not count.
    """

    accuracy: float
    losses: NDArray[Any] | None = field(default=None, repr=False, compare=False)
    shares: NDArray[Any] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Decision:
    """Kept or not, and the reason in words."""

    kept: bool
    reason: str


def decide(
    candidate: Score,
    best: Score,
    *,
    margin: float = 1.0,
    rule: Rule = "superior",
    pruned: bool = False,
    incumbent: str = "the best so far,",
) -> Decision:
    """Decide on a candidate, by its score and the incumbent's on the same images.

    Parameters
    ----------
    candidate, best : Score
        Where either has neither losses nor shares, accuracy decides alone.
    margin : float
        In standard errors of the difference in mean loss, or in the metric. Of candidates that are
        equal, 1 keeps one in six by the rule "superior", and five in six by "not_inferior".
    rule : "superior" or "not_inferior"
        Superior: more images right, and a loss lower by more than the margin. Not inferior: a loss
        that is not higher by more than the margin; of accuracies, one that is not lower. With
        shares: a metric that is higher by more than the margin, or not lower by more than it.
    pruned : bool
        The pruner ended the candidate's training.
    incumbent : str
        The name of the other network in reasons by the rule "superior", in front of its value.

    Examples
    --------
    >>> decide(Score(0.98), Score(0.97))
    Decision(kept=True, reason='0.9800 beats the best so far, 0.9700')
    >>> decide(Score(0.97), Score(0.97)).kept
    False
    >>> decide(Score(0.97), Score(0.97), rule="not_inferior")
    Decision(kept=True, reason='0.9700 is not worse than the best so far, 0.9700')
    """
    accuracies = f"{candidate.accuracy:.4f}", f"{best.accuracy:.4f}"
    if pruned:
        return Decision(
            False,
            f"pruned at {accuracies[0]}: too far below its parent, {accuracies[1]}, or behind "
            "other candidates",
        )
    if rule == "not_inferior":
        return _not_inferior(candidate, best, margin)
    if not candidate.accuracy > least_accuracy(rule, best.accuracy):
        return Decision(False, f"{accuracies[0]} does not beat {incumbent} {accuracies[1]}")
    if (known := _known_gain(candidate, best)) is not None and not known.exceeds(margin):
        return Decision(False, f"{accuracies[0]} is above {accuracies[1]}, but {known.unsure}")
    return Decision(True, f"{accuracies[0]} beats {incumbent} {accuracies[1]}")


def least_accuracy(rule: Rule, incumbent: float) -> float:
    """Return the accuracy that a candidate must exceed for the rule to keep it.

    An executor need not store a network at or below it.

    Examples
    --------
    >>> least_accuracy("superior", 0.97), least_accuracy("not_inferior", 0.97)
    (0.97, -inf)
    """
    return incumbent if rule == "superior" else -math.inf


def losses_may_decide(rule: Rule, candidate: float, incumbent: float) -> bool:
    """Return whether the losses may decide, given both accuracies; else they need not be known.

    Examples
    --------
    >>> losses_may_decide("superior", 0.96, 0.97), losses_may_decide("not_inferior", 0.96, 0.97)
    (False, True)
    """
    return candidate > least_accuracy(rule, incumbent)


def _not_inferior(candidate: Score, best: Score, margin: float) -> Decision:
    if (known := _known_gain(candidate, best)) is not None:
        kept, found = known.gain >= -margin * known.error, f" ({known})"
    else:
        kept, found = candidate.accuracy >= best.accuracy, ""
    compared = "not worse" if kept else "worse"
    return Decision(
        kept,
        f"{candidate.accuracy:.4f} is {compared} than the best so far, {best.accuracy:.4f}{found}",
    )


@dataclass(frozen=True)
class _Gain:
    """The gain of a candidate in loss or in the metric, with its standard error."""

    gain: float
    error: float
    of_loss: bool

    def exceeds(self, margin: float) -> bool:
        return self.gain > margin * self.error

    @property
    def unsure(self) -> str:
        """The reason against a gain that does not exceed the margin."""
        if self.of_loss:
            return f"its loss is not surely lower ({-self.gain:+.4f} ± {self.error:.4f})"
        return f"not surely ({self.gain:+.4f} ± {self.error:.4f})"

    def __str__(self) -> str:
        if self.of_loss:
            return f"loss {-self.gain:+.4f} ± {self.error:.4f}"
        return f"{self.gain:+.4f} ± {self.error:.4f}"


def _known_gain(candidate: Score, best: Score) -> _Gain | None:
    """Return the gain in the metric where both have shares, else in loss where both have losses."""
    if candidate.shares is not None and best.shares is not None:
        return _Gain(*_paired(candidate.shares, best.shares), of_loss=False)
    if candidate.losses is not None and best.losses is not None:
        return _Gain(*loss_gain(candidate.losses, best.losses), of_loss=True)
    return None


def loss_gain(candidate: NDArray[Any], best: NDArray[Any]) -> tuple[float, float]:
    """Return by how much the candidate's mean loss is lower, with its standard error, in nats.

    Examples
    --------
    >>> loss_gain(np.array([1.0, 2.0]), np.array([2.0, 5.0]))
    (2.0, 1.0)
    """
    return _paired(best, candidate)


def _paired(high: NDArray[Any], low: NDArray[Any]) -> tuple[float, float]:
    """Return the mean of the differences, image by image, with its standard error."""
    differences = np.asarray(high, np.float64) - np.asarray(low, np.float64)
    n = len(differences)
    if n < 2:
        return float(differences.mean()), math.inf
    return float(differences.mean()), float(differences.std(ddof=1) / math.sqrt(n))
