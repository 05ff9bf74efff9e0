"""The attributes of trials: of a candidate in the study, of a control in the sibling study."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

from optuna.trial import FrozenTrial, TrialState
from pydantic import Field, StrictBool, StrictFloat, StrictStr

from growsearch.errors import GrowsearchError
from growsearch.growth import Growth, growth_from_json
from growsearch.networks import Architecture
from growsearch.study.attributes.base import Count, Stored, Trained, of_training
from growsearch.study.attributes.of_trunk import Trunk
from growsearch.study.untrusted import untrusted
from growsearch.trials.outcome import TrialOutcome
from growsearch.trials.records import ArmResult

FAILURE = "failure"  # why a trial failed: of a candidate and of a control
OUTCOME = "outcome"  # the table of what is known of a candidate after its training
INTERRUPTED = "interrupted"  # the failure of a trial whose process ended: it is repeated


class Description(Stored):
    """The attributes of a candidate that are known before its training.

    Parameters
    ----------
    index : int
        The trial's place among those that count; its repetition after a crash has the same.
    parent : int or None
        The trial whose network grew; None is the teacher.
    growth, growth_json, operation, layer, layer_kind, old, new
        The growth in words, as JSON, and its parts for tables.
    architecture, parameters, flops
        Of the grown network.
    start : str
        SHA-256 of the network that grows, in a run with a trunk; else "": that of the parent.
    start_updates, start_flops : int, float
        Updates that this network descends from, and their FLOPs.
    """

    index: Count = 0
    parent: Count | None = None
    operation: StrictStr = ""
    growth: StrictStr = ""
    growth_json: dict[str, Any] = Field(default_factory=dict)
    layer: StrictStr = ""
    layer_kind: StrictStr = ""
    old: StrictStr = ""
    new: StrictStr = ""
    architecture: StrictStr = ""
    parameters: Count = 0
    flops: Count = 0
    start: StrictStr = ""
    start_updates: Count = 0
    start_flops: StrictFloat = 0.0


class Judgement(Trained):
    """The attributes of a candidate that are known after its training.

    Parameters
    ----------
    precision : str
        What the updates of all the trial's arms compute with.
    sha256 : str
        Of the network, if it was kept.
    gain : float
        Validation accuracy less the parent's.
    kept, reason
        The judge's decision.
    loss_gain : float
        In a run with a trunk: the loss of the trunk less the candidate's, at equal cost.
    compared_at : int
        In a run with a trunk: the updates after which the candidates of a campaign were compared
        with one another, and with their controls; 0 is the last.
    elapsed : float
        In a run with a trunk: when the campaign was decided, by the unit of the run's costs.
    demand_gain : float
        In a run with two objectives: how often the demand was halved, from the parent's; negative
        where it grew.
    trunk : Trunk
        The run's trunk after a campaign, of its trial that was told last.
    """

    precision: StrictStr | None = None
    sha256: StrictStr = ""
    gain: StrictFloat | None = None
    kept: StrictBool = False
    reason: StrictStr = ""
    loss_gain: StrictFloat | None = None
    compared_at: Count = 0
    elapsed: StrictFloat | None = None
    demand_gain: StrictFloat | None = None
    trunk: Trunk | None = None


# Fields of a description that runs of earlier versions lack.
_LATER = {"start", "start_updates", "start_flops"}
_DESCRIBED = Description.model_fields.keys() - _LATER
_JUDGED = Judgement.model_fields.keys()
# The outcome begins with these, so that the dashboard shows the decision first and sorts by it.
_FIRST = ("kept", "reason", "gain", "loss_gain", "elapsed")


class Candidate(Description, Judgement):
    """The attributes of a candidate's trial: its description, its outcome, or why it failed.

    The description is stored as flat attributes, which the dashboard shows as columns; the outcome
    is one attribute, a table. Runs of earlier versions have a flat outcome too, and are read alike.

    Parameters
    ----------
    failure : str
        Why the trial failed; None of a trial that did not fail.
    """

    failure: StrictStr | None = None

    @staticmethod
    def is_whole(trial: FrozenTrial) -> bool:
        """Return whether a trial has every attribute of a description."""
        return trial.user_attrs.keys() >= _DESCRIBED

    @staticmethod
    def is_kept(trial: FrozenTrial) -> bool:
        """Return whether a trial's network was kept, by this one attribute."""
        return _outcome(trial).get("kept") is True

    @staticmethod
    def parent_of(trial: FrozenTrial) -> int | None:
        """Return the trial whose network a trial grows, by this one attribute."""
        parent = trial.user_attrs.get("parent")
        return parent if isinstance(parent, int) else None

    @staticmethod
    def names(trial: FrozenTrial, sha256: str) -> bool:
        """Return whether a trial names a network, by these few attributes."""
        outcome = _outcome(trial)
        named = {outcome.get("sha256"), trial.user_attrs.get("start")}
        if trial.state == TrialState.RUNNING and isinstance(trunk := outcome.get("trunk"), dict):
            named |= {trunk.get("weights"), trunk.get("average")}
        return sha256 in named

    @staticmethod
    def carries_trunk(trial: FrozenTrial) -> bool:
        """Return whether a trial holds the trunk after its campaign, by this one attribute."""
        return isinstance(_outcome(trial).get("trunk"), dict)

    def to_attributes(self) -> dict[str, Any]:
        """Return the attributes that were given to the constructor, ``parent`` last of all.

        So a trial with a parent has its whole description, also where each attribute is written in
        a transaction of its own.
        """
        given = super().to_attributes()
        names = sorted(given.keys() & _JUDGED, key=[*_FIRST, *_JUDGED].index)
        outcome = {name: given.pop(name) for name in names}
        parent = {name: given.pop(name) for name in [*given] if name == "parent"}
        return ({OUTCOME: outcome} if outcome else {}) | given | parent

    @classmethod
    def described(
        cls,
        index: int,
        parent: int | None,
        growth: Growth,
        before: Architecture,
        trunk: Trunk | None = None,
    ) -> Self:
        """Return what is known of a candidate before its training."""
        old, new = growth.sizes(before)
        grown = growth.grown(before)
        start: dict[str, Any] = {}
        if trunk is not None:
            start = {
                "start": trunk.weights,
                "start_updates": trunk.updates,
                "start_flops": trunk.training_flops,
            }
        return cls(
            index=index,
            parent=parent,
            operation=growth.operation,
            growth=str(growth),
            growth_json=growth.to_json(),
            layer=growth.place,
            layer_kind=before[growth.place].layer.kind,
            old=old,
            new=new,
            architecture=str(grown),
            parameters=grown.parameters,
            flops=grown.flops,
            **start,
        )

    @classmethod
    def judged(
        cls, outcome: TrialOutcome, *, gain: float, kept: bool, reason: str, **further: Any
    ) -> Self:
        """Return what is known of a candidate after its training."""
        stored = {"sha256": outcome.sha256} if kept else {}
        return cls(
            **stored,
            **further,
            **of_training(outcome),
            precision=outcome.precision,
            gain=gain,
            kept=kept,
            reason=reason,
        )

    @classmethod
    def read(cls, trial: FrozenTrial) -> Self:
        """Return the attributes of a trial.

        Raises
        ------
        RunError
            When they are not what growsearch writes.
        """
        with untrusted(f"trial {trial.number}"):
            attributes = trial.user_attrs
            if OUTCOME in attributes:
                flat = {name: attributes[name] for name in attributes.keys() - _JUDGED}
                attributes = flat | Judgement.model_validate(attributes[OUTCOME]).model_dump()
            candidate = cls.model_validate(attributes)
            if trial.state != TrialState.FAIL:
                # A process may have died between a reason and the end of its trial, which was then
                # trained again.
                candidate = candidate.model_copy(update={"failure": None})
            if candidate.parent is not None and candidate.parent >= trial.number:
                raise ValueError(f"{candidate.parent} is no earlier trial")
            return candidate

    def grown_from(self, parent: Architecture, number: int) -> Growth:
        """Return the growth, after comparing its result with the trial's architecture.

        Raises
        ------
        RunError
            When the growth and the architecture do not belong together.
        """
        with untrusted(f"the growth of trial {number}"):
            try:
                growth = growth_from_json(self.growth_json)
                grown = str(growth.grown(parent))
            except GrowsearchError as error:  # one that no candidate can have made
                raise ValueError(str(error)) from None
            if grown != self.architecture:
                raise ValueError(f"{growth} does not give {self.architecture[:80]}")
        return growth


def _outcome(trial: FrozenTrial) -> Mapping[str, Any]:
    """Return where the outcome of a trial stands: in its table, or flat in an earlier version."""
    outcome = trial.user_attrs.get(OUTCOME, trial.user_attrs)
    return outcome if isinstance(outcome, dict) else {}


class Control(Trained):
    """The attributes of a control's trial, in the sibling study.

    Parameters
    ----------
    candidate : int
        Number of the candidate's trial.
    arm : str
    repeat : int
        0 has the candidate's own seeds; each repeat has seeds of its own.
    learning_rate, tried
        Of a tuned control: the best rate, and all rates with their accuracies.
    """

    candidate: Count | None = None
    arm: StrictStr = ""
    repeat: Count = 0
    index: Count = 0
    growth: StrictStr = ""
    architecture: StrictStr = ""
    parameters: Count = 0
    learning_rate: StrictFloat | None = None
    tried: tuple[tuple[StrictFloat, StrictFloat | None], ...] = ()
    failure: StrictStr | None = None

    @staticmethod
    def is_of(trial: FrozenTrial, candidate: int) -> bool:
        """Return whether a trial is a control of that candidate, by this one attribute."""
        return bool(trial.user_attrs.get("candidate") == candidate)

    @classmethod
    def read(cls, trial: FrozenTrial) -> Self:
        """Return the attributes of a control.

        Raises
        ------
        RunError
            When they are not what growsearch writes.
        """
        with untrusted(f"control {trial.number}"):
            return cls.model_validate(trial.user_attrs)


def control_outcome(outcome: TrialOutcome) -> dict[str, Any]:
    """Return the attributes that a control's training adds."""
    about: dict[str, Any] = {"tried": outcome.tried} if outcome.tried else {}
    if outcome.failure is not None:
        return about | {"failure": outcome.failure.reason}
    return about | of_training(outcome) | {"learning_rate": outcome.learning_rate}


def arm_result(trial: FrozenTrial, stored: Candidate | Control) -> ArmResult:
    """Return the result of one arm: of a candidate or of a control."""
    complete = trial.state == TrialState.COMPLETE
    rate: float | None = trial.params.get("learning_rate")
    if isinstance(stored, Control) and stored.learning_rate is not None:
        rate = stored.learning_rate
    if trial.state == TrialState.FAIL and rate is not None and not math.isfinite(rate):
        rate = None  # which is why it failed
    end = stored.curve[-1][1] if stored.curve else None
    return ArmResult(
        accuracy=trial.values[0] if complete else end,
        loss=stored.curve[-1][2] if stored.curve else None,
        seconds=stored.seconds,
        curve=stored.curve,
        failure=stored.failure,
        flops=stored.training_flops,
        learning_rate=rate,
        tried=stored.tried if isinstance(stored, Control) else (),
    )
