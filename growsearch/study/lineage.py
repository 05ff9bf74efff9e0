"""The lineage of a trunk: the first network, and each growth that took the trunk's place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial

from growsearch.networks import Architecture
from growsearch.study.attributes import Candidate
from growsearch.study.untrusted import untrusted


@dataclass(frozen=True)
class Ancestor:
    """A network of a lineage: the first one, or one that a growth made of that before it.

    Parameters
    ----------
    architecture : Architecture
    trial : int or None
        The trial that grew it; None of the first network.
    growth : str
        The growth in words; "" of the first network.
    elapsed : float or None
        When it took the trunk's place, in seconds of the run, or without a time budget in updates
        of the first network; None of the first network.
    reason : str
        The reason why it was kept.
    """

    architecture: Architecture
    trial: int | None = None
    growth: str = ""
    elapsed: float | None = None
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the network as plain JSON values."""
        return {
            "architecture": str(self.architecture),
            "parameters": self.architecture.parameters,
            "trial": self.trial,
            "growth": self.growth,
            "elapsed": self.elapsed,
            "reason": self.reason,
        }


def lineage_of(
    first: Architecture, trials: Sequence[FrozenTrial], last: int | None
) -> tuple[Ancestor, ...]:
    """Return the networks from the first one to that of a trial, in order.

    Parameters
    ----------
    first : Architecture
    trials : sequence of FrozenTrial
        Every trial of the study, in order.
    last : int or None
        The last growth; None is the first network alone.

    Raises
    ------
    RunError
        When the trials are not what growsearch writes.
    """
    grown: list[tuple[int, Candidate]] = []
    with untrusted("the lineage of the trunk"):
        while last is not None:  # a parent is an earlier trial: this ends
            grown.append((last, Candidate.read(trials[last])))
            last = grown[-1][1].parent
    found = [Ancestor(first)]
    for number, about in reversed(grown):
        before = found[-1].architecture
        architecture = about.grown_from(before, number).grown(before)
        found.append(Ancestor(architecture, number, about.growth, about.elapsed, about.reason))
    return tuple(found)
