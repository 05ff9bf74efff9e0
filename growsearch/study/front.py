"""The front of a run with two objectives: its networks, read from the study; a choice among them.

The front follows from the trials: it holds the networks that joined it and that none dominates.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from growsearch.errors import InvalidInputError, NetworkFileError
from growsearch.networks import Network
from growsearch.networks.store import NetworkStore
from growsearch.study.attributes import (
    Candidate,
    FreedAttribute,
    FrontTestAttribute,
    HoldsAttributes,
    MemberFigures,
    SpaceAttribute,
    TeacherAttribute,
)
from growsearch.study.networks import Best, warn_damaged
from growsearch.study.untrusted import finite, untrusted
from growsearch.trials.demands import DEMANDS, DemandName, known_demands
from growsearch.trials.front import Point, nondominated


@dataclass(frozen=True)
class Placed:
    """A network of the front: its figures, and the file that holds it, which was verified."""

    point: Point
    sha256: str
    store: NetworkStore = field(repr=False, compare=False)

    @property
    def best(self) -> Best:
        """The network, read."""
        path, point = self.store.path(self.sha256), self.point
        return Best(self.store.get(self.sha256), point.accuracy, point.trial, path)


@dataclass(frozen=True)
class FrontMember:
    """A network of the front of a run.

    Parameters
    ----------
    network : Network
    accuracy : float
        Validation accuracy on the selection images, or the run's other metric.
    values : mapping
        Its demands by name: "parameters", "flash_bytes" and "arena_bytes", which follow from the
        architecture, and "milliseconds" where the run measured it.
    trial_number : int or None
        The trial that made it; None is the first network.
    path : Path
        The file that holds it.
    held_out_accuracy, test_accuracy : float or None
        On the held-out validation images and the test images, measured once when the search ended;
        or the run's other metric.
    """

    network: Network
    accuracy: float
    values: Mapping[str, float] = field(default_factory=dict)
    trial_number: int | None = None
    path: Path = Path()
    held_out_accuracy: float | None = None
    test_accuracy: float | None = None

    @property
    def sha256(self) -> str:
        """The network's content hash, which is the name of its file."""
        return self.path.stem

    def to_json(self) -> dict[str, Any]:
        """Return the member as plain JSON values."""
        return {
            "trial_number": self.trial_number,
            "validation_accuracy": self.accuracy,
            "held_out_accuracy": self.held_out_accuracy,
            "test_accuracy": self.test_accuracy,
            **self.values,
            "architecture": str(self.network.architecture),
            "sha256": self.sha256,
            "path": str(self.path),
        }


def demand_of(study: HoldsAttributes) -> DemandName | None:
    """Return the second objective of a run; None where it has one.

    Raises
    ------
    RunError
        When it is not what growsearch writes.
    """
    space = SpaceAttribute.read(study)
    return None if space is None else space.demand


def front_of(
    study: HoldsAttributes,
    judged: Sequence[FrozenTrial],
    teacher: Best,
    store: NetworkStore,
    freed: FreedAttribute,
) -> tuple[Placed, ...]:
    """Return the front after some trials, by rising demand; none in a run with one objective.

    A damaged or missing file is passed over, with a warning.
    """
    if demand_of(study) is None:
        return ()
    first = Point(None, teacher.validation_accuracy, _first(study))
    kept = [first]
    for trial in judged:
        if trial.state == TrialState.COMPLETE and Candidate.is_kept(trial):
            with untrusted(f"the values of trial {trial.number}"):
                accuracy, demand = (finite(each) for each in trial.values)
            kept.append(Point(trial.number, accuracy, demand))
    by_number = {trial.number: trial for trial in judged}
    while True:
        found = []
        for each in nondominated(kept):
            sha256 = teacher.sha256
            if each.trial is not None:
                sha256 = freed.stored(Candidate.read(by_number[each.trial]).sha256)
                try:
                    store.check(sha256)
                except NetworkFileError as error:
                    warn_damaged(f"trial {each.trial}: its network is passed over: {error}")
                    kept.remove(each)
                    break
            found.append(Placed(each, sha256, store))
        else:
            return tuple(found)


def _first(study: HoldsAttributes) -> float:
    """Return the demand of the first network."""
    teacher = TeacherAttribute.read(study)
    with untrusted("the demand of the teacher"):
        return finite(None if teacher is None else teacher.demand)


def members_of(study: HoldsAttributes, front: Iterable[Placed]) -> tuple[FrontMember, ...]:
    """Return the members of a front with all their demands."""
    demand, ends = demand_of(study), FrontTestAttribute.read(study) or FrontTestAttribute()
    found = []
    for each in front:
        best, values = each.best, known_demands(each.best.network.architecture)
        if demand is not None and DEMANDS[demand].of is None:
            values[demand] = each.point.demand
        end = ends.value.get(each.sha256, MemberFigures())
        found.append(
            FrontMember(
                best.network,
                best.validation_accuracy,
                values,
                best.trial_number,
                best.path,
                end.held_out,
                end.test,
            )
        )
    return tuple(found)


def pick(front: Sequence[FrontMember], within: Mapping[str, float]) -> FrontMember:
    """Return the most accurate member of a front within limits.

    Parameters
    ----------
    front : sequence of FrontMember
        ``result.front`` of a run with two objectives.
    within : mapping
        Name of a demand -> the most that it may be: ``{"milliseconds": 2}``. Without limits it is
        the most accurate member of all.

    Raises
    ------
    InvalidInputError
        When there is no front, a limit is of no demand that its members have, or none is within.

    Examples
    --------
    >>> small = pick(result.front, {"flash_bytes": 64_000})          # doctest: +SKIP
    >>> small.network.to_keras().export("small")                     # doctest: +SKIP
    """
    if not front:
        raise InvalidInputError(
            'within: expected a run with a front, as search.objective = ["accuracy", '
            '"parameters"] makes one, got a run without'
        )
    for name, limit in within.items():
        if name not in front[0].values:
            known = ", ".join(front[0].values)
            raise InvalidInputError(f"within: expected demands among {known}, got {name!r}")
        if not isinstance(limit, int | float) or isinstance(limit, bool) or math.isnan(limit):
            raise InvalidInputError(f"within: {name}: expected a number, got {limit!r}")
    fitting = [
        each
        for each in front
        if all(each.values.get(name, math.inf) <= limit for name, limit in within.items())
    ]
    if not fitting:
        least = ", ".join(
            f"{min(each.values.get(name, math.inf) for each in front):,.15g} {name}"
            for name in within
        )
        asked = ", ".join(f"{name}={limit:.15g}" for name, limit in within.items())
        raise InvalidInputError(
            f"within: expected limits that a member of the front keeps, whose least are {least}, "
            f"got {asked}"
        )
    return max(fitting, key=lambda each: each.accuracy)
