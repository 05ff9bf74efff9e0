"""The controls of a finished candidate: which it gets, and how they are run and stored."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from optuna.trial import FrozenTrial, TrialState, create_trial

from growsearch.driver.proposals import decode
from growsearch.driver.run import Run, outcome
from growsearch.errors import RunError
from growsearch.networks import Network
from growsearch.study import networks as kept
from growsearch.study import read as reading
from growsearch.study import study as state
from growsearch.training import TrainingPlan, TrainingResult
from growsearch.trials.arms import CANDIDATE, Start
from growsearch.trials.seeds import rng_of, seed_of

_TUNING = 10**0.5  # between the learning rates that a tuned control tries


def lacking(run: Run) -> list[int]:
    """Numbers of finished candidates that an interruption left without their controls."""
    done = reading.controls_by_number(run.control_study)
    return [
        trial.number
        for trial in state.trials_that_count(run.study)
        if set(_wanted(run, trial)) - set(done.get(trial.number, ()))
    ]


def run_controls(run: Run, number: int) -> None:
    """Run the controls of a finished candidate; one that is done is never run again.

    Each is added to the sibling study in one transaction, when it is finished.
    """
    trial = run.study.get_trials(deepcopy=False)[number]
    done = reading.controls_of(run.control_study, number)
    missing = [wanted for wanted in _wanted(run, trial) if wanted not in done]
    if missing:
        start = _start_of(run, trial)
        for arm, repeat in missing:
            _control(run, trial, start, arm, repeat)


def _start_of(run: Run, trial: FrozenTrial) -> Start:
    """What the candidate of a finished trial started from, its controls' start too."""
    about = trial.user_attrs
    parent = kept.network_of(run.study, run.folder, about.get("parent"))
    growth = decode(trial.params, parent.architecture, run.space)
    if growth is None or json.loads(json.dumps(growth.to_json())) != about.get("growth_json"):
        raise RunError(
            f"trial {trial.number}: expected it to have tried {growth} on trial "
            f"{about.get('parent')}, got {about.get('growth')}: somebody changed the study, or "
            "another version of growsearch wrote it; start again in a new --out"
        )
    spent = kept.spent_on(run.study, about.get("parent"))
    return run.start(parent, growth, spent)


def _control(run: Run, trial: FrozenTrial, start: Start, arm: str, repeat: int) -> None:
    began = datetime.now()
    index = state.index_of(run.study, trial.number)
    seed = f"/{repeat}" if repeat else ""
    network = start.network(arm, rng=rng_of(run.seed, index, arm + seed))
    plan = run.space.plan(trial.params)
    steps, precision = start.steps(arm, network, plan), trial.user_attrs.get(state.PRECISION)
    plan = replace(plan, steps=steps, precision=precision or plan.precision)
    attributes = {
        state.CANDIDATE_NUMBER: trial.number,
        state.ARM: arm,
        state.REPEAT: repeat,
        "index": index,
        "growth": str(start.growth),
        "architecture": str(network.architecture),
        "parameters": network.parameters,
    }
    tuned = run.space.controls.tuned if arm != CANDIDATE else 1
    rates = learning_rates(plan.learning_rate, tuned)
    name = f"trial {trial.number} {arm}{seed}"
    found, ending = _best_of(
        run, name, network, [replace(plan, learning_rate=rate) for rate in rates], index, seed
    )
    control = create_trial(
        params=trial.params,
        distributions=trial.distributions,
        user_attrs=attributes | found,
        **ending,
    )
    control.datetime_start = began
    run.control_study.add_trial(control)


def _best_of(
    run: Run, name: str, network: Network, plans: Sequence[TrainingPlan], index: int, seed: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train by every plan; attributes and ending of the one that did best."""
    order = seed_of(run.seed, index, "order" + seed)
    tried: list[tuple[float, float | None]] = []
    best: tuple[TrainingResult, TrainingPlan] | None = None
    failure = ""
    for plan in plans:
        try:
            result = run.train(name, network, plan, order)
        except state.TRAINING_FAILED as error:
            failure = state.failure_of(error)
            tried.append((plan.learning_rate, None))
            continue
        tried.append((plan.learning_rate, result.final.accuracy))
        if best is None or result.final.accuracy > best[0].final.accuracy:
            best = result, plan
    about: dict[str, Any] = {"tried": tried} if len(plans) > 1 else {}
    if best is None:
        return about | {state.FAILURE: failure}, {"state": TrialState.FAIL}
    result, plan = best
    return about | outcome(result, plan) | {"learning_rate": plan.learning_rate}, {
        "value": result.final.accuracy,
        "intermediate_values": {point.step: point.accuracy for point in result.curve},
    }


def _wanted(run: Run, trial: FrozenTrial) -> list[tuple[str, int]]:
    """The controls that a candidate gets, and the repeats of both with other seeds.

    None unless it is complete, else by lot: one lot for all arms, so that they meet on the
    same trials as often as can be.
    """
    if trial.state != TrialState.COMPLETE:
        return []
    controls = run.space.controls
    lot = seed_of(run.seed, state.index_of(run.study, trial.number), "controls") / 2**31
    arms = [arm for arm, fraction in controls.arms.items() if lot < fraction]
    repeated = [CANDIDATE, *arms] if arms else []
    repeats = [(arm, repeat) for repeat in range(1, controls.seeds) for arm in repeated]
    return [(arm, 0) for arm in arms] + repeats


def learning_rates(rate: float, count: int) -> list[float]:
    """The rates that a tuned control tries: the candidate's first, then on both sides of it.

    Examples
    --------
    >>> [round(rate, 5) for rate in learning_rates(1e-3, 5)]
    [0.001, 0.00316, 0.00032, 0.01, 0.0001]
    """
    powers = [(place // 2 + 1) * (-1) ** place for place in range(count - 1)]
    return [rate, *(rate * _TUNING**power for power in powers)]
