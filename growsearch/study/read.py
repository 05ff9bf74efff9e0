"""What the study says of finished trials: gains, times, and one record a trial."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from growsearch.study import study as state
from growsearch.trials.arms import CANDIDATE
from growsearch.trials.records import ArmResult, TrialRecord

# Of one candidate: (arm, repeat with another seed) -> result. The candidate's own is repeat 0.
Controls = Mapping[tuple[str, int], ArmResult]


def gain_of(trial: FrozenTrial) -> float | None:
    """The gain over the parent; None where there is none."""
    gain = trial.user_attrs.get("gain")
    with state.untrusted(f"the gain of trial {trial.number}"):
        return None if gain is None else state.finite(gain)


def gain_per_second_of(trial: FrozenTrial) -> float | None:
    """The gain over the parent for each second of an update; None where there is no gain.

    All candidates are to make as many updates, so that this orders them as the gain for each second
    of their training does, and one that was given up early does not seem quick. A loss is
    multiplied by the seconds instead, so that the slower of two is the worse.
    """
    gain, seconds = gain_of(trial), trial.user_attrs.get("seconds")
    updates = max(trial.intermediate_values, default=0)
    if gain is None or not isinstance(seconds, int | float) or not (seconds > 0.0 and updates):
        return gain
    one = seconds / updates
    return gain / one if gain > 0.0 else gain * one


def spent_of(study: Study) -> dict[str, float]:
    """Seconds of the run by phase.

    Raises
    ------
    RunError
        When they are not what growsearch writes.
    """
    spent = state.attribute(study, state.SPENT) or {}
    with state.untrusted("the time spent"):
        return _numbers(spent)


def control_arms_of(study: Study) -> dict[str, float]:
    """The control arms that the run's space asks for, and on which fraction of the trials.

    Raises
    ------
    RunError
        When they are not what growsearch writes.
    """
    space = state.attribute(study, state.SPACE) or {}
    with state.untrusted("the control arms of the space"):
        return _numbers(space.get("controls", {}).get("arms", {}))


def _numbers(table: Mapping[Any, Any]) -> dict[str, float]:
    """A stored table of finite numbers by name."""
    return {str(name): state.finite(value) for name, value in table.items()}


def laps_of(study: Study) -> tuple[int, float]:
    """The last trial of which nothing is left to do, -1 for none; seconds of the longest.

    The seconds are those of a trial with its controls and callbacks, by a clock that nobody sets:
    the times that Optuna keeps follow the system's.

    Raises
    ------
    RunError
        When they are not what growsearch writes.
    """
    laps = state.attribute(study, state.LAPS) or {}
    with state.untrusted("the trials' time"):
        return int(laps.get("last", -1)), state.finite(laps.get("longest", 0.0))


def records(study: Study, control_study: Study) -> tuple[TrialRecord, ...]:
    """One record for each trial that counts, its controls beside it."""
    controls = controls_by_number(control_study)
    return tuple(
        record(trial, controls.get(trial.number, {})) for trial in state.trials_that_count(study)
    )


def controls_by_number(control_study: Study, only: int | None = None) -> dict[int, Controls]:
    """The finished controls by the number of their candidate; of one candidate, or of all."""
    controls: dict[int, dict[tuple[str, int], ArmResult]] = {}
    for trial in control_study.get_trials(deepcopy=False):
        about = trial.user_attrs
        number, arm, repeat = (
            about.get(state.CANDIDATE_NUMBER),
            about.get(state.ARM),
            about.get(state.REPEAT, 0),
        )
        if only is not None and number != only:
            continue  # before anything of it is read: this is asked after each trial
        if trial.state.is_finished() and isinstance(number, int) and isinstance(arm, str):
            with state.untrusted(f"control {trial.number}"):
                controls.setdefault(number, {})[arm, int(repeat)] = _arm_result(trial)
    return dict(controls)


def controls_of(control_study: Study, number: int) -> Controls:
    """The finished controls of one candidate."""
    return controls_by_number(control_study, number).get(number, {})


def record(trial: FrozenTrial, controls: Controls) -> TrialRecord:
    """The record of one finished trial.

    Raises
    ------
    RunError
        When its attributes are not what growsearch writes.
    """
    about = trial.user_attrs
    with state.untrusted(f"trial {trial.number}"):
        candidate = _arm_result(trial)
        arms = {CANDIDATE: candidate}
        repeats: dict[str, dict[int, ArmResult]] = {}
        for (arm, repeat), result in controls.items():
            if repeat == 0:
                arms[arm] = result
            else:
                repeats.setdefault(arm, {})[repeat] = result
        parent = about.get("parent")
        if parent is not None and not state.is_whole(parent, 0, trial.number - 1):
            raise ValueError(f"{str(parent)[:80]!r} is no earlier trial")
        return TrialRecord(
            number=trial.number,
            state=trial.state.name,
            parent=parent,
            growth=str(about.get("growth", "")),
            operation=str(about.get("operation", "")),
            layer=str(about.get("layer", "")),
            layer_kind=str(about.get("layer_kind", "")),
            old_size=str(about.get("old", "")),
            new_size=str(about.get("new", "")),
            learning_rate=candidate.learning_rate,
            architecture=str(about.get("architecture", "")),
            parameters=int(about.get("parameters", 0)),
            flops=int(about.get("flops", 0)),
            arms=arms,
            repeats=repeats,
            gain=gain_of(trial),
            seconds=candidate.seconds + sum(result.seconds for result in controls.values()),
            kept=about.get("kept") is True,
            reason=str(about.get("reason") or about.get(state.FAILURE) or ""),
        )


def _arm_result(trial: FrozenTrial) -> ArmResult:
    about = trial.user_attrs
    curve = tuple((int(s), state.finite(a), state.finite(x)) for s, a, x in about.get("curve", ()))
    complete = trial.state == TrialState.COMPLETE
    tried = about.get("tried", ())
    rate = about.get("learning_rate", trial.params.get("learning_rate"))
    if trial.state == TrialState.FAIL and rate is not None and not math.isfinite(rate):
        rate = None  # which is why it failed
    failure = about.get(state.FAILURE)
    return ArmResult(
        accuracy=trial.value if complete else (curve[-1][1] if curve else None),
        loss=curve[-1][2] if curve else None,
        seconds=state.finite(about.get("seconds", 0.0)),
        curve=curve,
        failure=None if failure is None else str(failure),
        flops=state.finite(about.get(state.TRAINING_FLOPS, 0.0)),
        learning_rate=None if rate is None else state.finite(rate),
        tried=tuple((state.finite(r), None if a is None else state.finite(a)) for r, a in tried),
    )
