"""One open run: teacher, candidates, controls and test, each step ending in the study."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from optuna.pruners import BasePruner, NopPruner, ThresholdPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from growsearch.datasets import Dataset, Split
from growsearch.driver import study as state
from growsearch.driver.arms import CANDIDATE, Start, training_flops
from growsearch.driver.events import OnEvent, TeacherReady, Training
from growsearch.driver.judge import Score, decide, difference
from growsearch.driver.proposals import decode, distributions
from growsearch.driver.records import Best
from growsearch.driver.sampler import GainSampler
from growsearch.driver.seeds import rng_of, seed_of
from growsearch.driver.space import SearchSpace
from growsearch.errors import DivergedError, RunError
from growsearch.growth import Growth
from growsearch.networks import Network
from growsearch.networks.files import store
from growsearch.trainers import (
    OnEvaluation,
    Point,
    Trainer,
    TrainingPlan,
    TrainingResult,
    at_one_precision,
)

_SAMPLE = 256  # training images on which new batch normalisations measure their statistics
_TUNING = 10**0.5  # between the learning rates that a tuned control tries


@dataclass(frozen=True)
class Run:
    """What every step of a search works on; the steps change the study and nothing else."""

    space: SearchSpace
    dataset: Dataset
    trainer: Trainer
    folder: Path
    seed: int
    study: Study
    control_study: Study
    on_event: OnEvent
    choice: Split
    held_out: Split | None
    _scores: dict[str, Score] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.study.sampler = GainSampler(
            self._sampler,
            distributions(self.space),
            seed=self.seed,
            gain=state.gain_of,
            index=state.index_of,
        )
        self.study.pruner = self._pruner()

    def teach(self) -> None:
        """Train the first network, unless an earlier session did."""
        if state.attribute(self.study, state.TEACHER) is None:
            teacher = self.space.teacher
            network = Network.initial(
                self.space.architecture,
                rng=rng_of(self.seed, 0, "teacher"),
                initializer=teacher.initializer,
            )
            order = seed_of(self.seed, 0, "teacher order")
            plan = at_one_precision(self.trainer, network.architecture, teacher.plan)
            result = self._train("teacher", network, plan, order)
            sha256 = store(result.network, self.folder / state.WEIGHTS)
            about = {
                "sha256": sha256,
                "validation_accuracy": result.final.accuracy,
                "architecture": str(network.architecture),
                "parameters": network.parameters,
                **_outcome(result, teacher.plan),
            }
            self.study.set_user_attr(state.TEACHER, about)
        ready = state.teacher_of(self.study, self.folder)
        seconds = state.attribute(self.study, state.TEACHER).get("seconds")
        self.on_event(
            TeacherReady(
                str(ready.network.architecture),
                ready.network.parameters,
                ready.validation_accuracy,
                float(seconds) if isinstance(seconds, int | float) else 0.0,
            )
        )

    def candidate(self, trial: Trial, best: Best) -> None:
        """Grow the best network as the trial says, train it, judge it, tell."""
        try:
            self._candidate(trial, best)
        except BaseException:
            # Interrupted, or a full disk: the same command repeats the trial. If not even this
            # can be written, the next session finds it running and does the same.
            with contextlib.suppress(Exception):
                trial.set_user_attr(state.FAILURE, state.INTERRUPTED)
                self.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            raise

    def _candidate(self, trial: Trial, best: Best) -> None:
        growth = decode(trial.params, best.network.architecture, self.space)
        if growth is None:
            raise RunError("no operation of the space has a legal site on the best network")
        index = state.index_of(self.study, trial.number)
        plan = self.space.plan(trial.params["learning_rate"])
        start = self._start(best.network, growth)
        network = start.network(CANDIDATE, rng=rng_of(self.seed, index, CANDIDATE))
        # Timed once for all arms of a trial: they are compared at one precision.
        plan = at_one_precision(self.trainer, network.architecture, plan)
        trial.set_user_attr(state.PRECISION, plan.precision)
        for name, value in _description(growth, best, network, index).items():
            trial.set_user_attr(name, value)

        def report(point: Point) -> bool:
            trial.report(difference(point.accuracy, best.validation_accuracy), point.step)
            return trial.should_prune()

        order = seed_of(self.seed, index, "order")
        try:
            result = self._train(f"trial {trial.number}", network, plan, order, report)
        except DivergedError as error:
            trial.set_user_attr(state.FAILURE, str(error))
            self.study.tell(trial, state=TrialState.FAIL)
            return
        accuracy = result.final.accuracy
        decision = decide(
            Score(accuracy, result.losses),
            self._score(best, accuracy),
            margin=self.space.judge.margin,
            given_up=result.final.step < plan.steps,
        )
        if decision.kept:
            trial.set_user_attr("sha256", store(result.network, self.folder / state.WEIGHTS))
        outcome = {
            **_outcome(result, plan),
            "gain": difference(accuracy, best.validation_accuracy),
            "kept": decision.kept,
            "reason": decision.reason,
        }
        for name, value in outcome.items():
            trial.set_user_attr(name, value)
        if result.final.step < plan.steps:
            self.study.tell(trial, state=TrialState.PRUNED)
        else:
            self.study.tell(trial, accuracy)

    def lacking_controls(self) -> list[int]:
        """Numbers of finished candidates that an interruption left without their controls."""
        done = state.controls_by_number(self.control_study)
        return [
            trial.number
            for trial in state.trials_that_count(self.study)
            if set(self._wanted(trial)) - set(done.get(trial.number, ()))
        ]

    def controls(self, number: int) -> None:
        """Run the controls of a finished candidate; one that is done is never run again.

        Each is added to the sibling study in one transaction, when it is finished.
        """
        trial = self.study.get_trials(deepcopy=False)[number]
        done = state.controls_by_number(self.control_study).get(number, {})
        missing = [wanted for wanted in self._wanted(trial) if wanted not in done]
        if missing:
            start = self._start_of(trial)
            for arm, repeat in missing:
                self._control(trial, start, arm, repeat)

    def _start_of(self, trial: FrozenTrial) -> Start:
        """What the candidate of a finished trial started from, its controls' start too."""
        about = trial.user_attrs
        parent = state.network_of(self.study, self.folder, about.get("parent"))
        growth = decode(trial.params, parent.architecture, self.space)
        if growth is None or json.loads(json.dumps(growth.to_json())) != about.get("growth_json"):
            raise RunError(
                f"trial {trial.number}: expected it to have tried {growth} on trial "
                f"{about.get('parent')}, got {about.get('growth')}: somebody changed the study, or "
                "another version of growsearch wrote it; start again in a new --out"
            )
        spent = state.spent_on(self.study, about.get("parent"))
        return self._start(parent, growth, spent)

    def _control(self, trial: FrozenTrial, start: Start, arm: str, repeat: int) -> None:
        began = datetime.now()
        index = state.index_of(self.study, trial.number)
        seed = f"/{repeat}" if repeat else ""
        network = start.network(arm, rng=rng_of(self.seed, index, arm + seed))
        plan = self.space.plan(trial.params["learning_rate"])
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
        tuned = self.space.controls.tuned if arm != CANDIDATE else 1
        rates = learning_rates(plan.learning_rate, tuned)
        name = f"trial {trial.number} {arm}{seed}"
        outcome, ending = self._best_of(
            name, network, [replace(plan, learning_rate=rate) for rate in rates], index, seed
        )
        control = create_trial(
            params=trial.params,
            distributions=trial.distributions,
            user_attrs=attributes | outcome,
            **ending,
        )
        control.datetime_start = began
        self.control_study.add_trial(control)

    def _best_of(
        self, name: str, network: Network, plans: Sequence[TrainingPlan], index: int, seed: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Train by every plan; attributes and ending of the one that did best."""
        order = seed_of(self.seed, index, "order" + seed)
        tried: list[tuple[float, float | None]] = []
        best: tuple[TrainingResult, TrainingPlan] | None = None
        failure = ""
        for plan in plans:
            try:
                result = self._train(name, network, plan, order)
            except DivergedError as error:
                failure = str(error)
                tried.append((plan.learning_rate, None))
                continue
            tried.append((plan.learning_rate, result.final.accuracy))
            if best is None or result.final.accuracy > best[0].final.accuracy:
                best = result, plan
        about: dict[str, Any] = {"tried": tried} if len(plans) > 1 else {}
        if best is None:
            return about | {state.FAILURE: failure}, {"state": TrialState.FAIL}
        result, plan = best
        return about | _outcome(result, plan) | {"learning_rate": plan.learning_rate}, {
            "value": result.final.accuracy,
            "intermediate_values": {point.step: point.accuracy for point in result.curve},
        }

    def test(self) -> None:
        """Test accuracy of the network that is kept: once, when the search has ended."""
        best = state.best_of(self.study, self.folder)
        known = state.attribute(self.study, state.TEST)
        if isinstance(known, dict) and known.get("sha256") == best.path.stem:
            return
        teacher = state.teacher_of(self.study, self.folder)
        test = self.dataset.test
        found = self.trainer.evaluate(best.network, test).accuracy
        first = (
            found
            if best.trial_number is None
            else self.trainer.evaluate(teacher.network, test).accuracy
        )
        about = {"sha256": best.path.stem, "accuracy": found, "teacher_accuracy": first}
        if self.held_out is not None:
            about["held_out_accuracy"] = self.trainer.evaluate(best.network, self.held_out).accuracy
        self.study.set_user_attr(state.TEST, about)

    def _wanted(self, trial: FrozenTrial) -> list[tuple[str, int]]:
        """The controls that a candidate gets, and the repeats of both with other seeds.

        None unless it is complete, else by lot: one lot for all arms, so that they meet on the
        same trials as often as can be.
        """
        if trial.state != TrialState.COMPLETE:
            return []
        controls = self.space.controls
        lot = seed_of(self.seed, state.index_of(self.study, trial.number), "controls") / 2**31
        arms = [arm for arm, fraction in controls.arms.items() if lot < fraction]
        repeated = [CANDIDATE, *arms] if arms else []
        repeats = [(arm, repeat) for repeat in range(1, controls.seeds) for arm in repeated]
        return [(arm, 0) for arm in arms] + repeats

    def _score(self, best: Best, accuracy: float) -> Score:
        """The best network on the images of the choice; its losses only if they may decide."""
        if not accuracy > best.validation_accuracy:
            return Score(best.validation_accuracy)
        name = best.path.stem
        if name not in self._scores:
            self._scores.clear()  # the best network before is of no more use
            losses = self.trainer.evaluate(best.network, self.choice).losses
            self._scores[name] = Score(best.validation_accuracy, losses)
        return self._scores[name]

    def _start(self, parent: Network, growth: Growth, spent: float = 0.0) -> Start:
        sample = self.dataset.train.images[:_SAMPLE]
        return Start(parent, growth, self.space.training.slots, sample, spent)

    def _train(
        self,
        what: str,
        network: Network,
        plan: TrainingPlan,
        seed: int,
        report: OnEvaluation | None = None,
    ) -> TrainingResult:
        def on_evaluation(point: Point) -> bool:
            self.on_event(Training(what, point.step, plan.steps, point.accuracy))
            return bool(report and report(point))

        return self.trainer.train(
            network,
            self.dataset.train,
            plan,
            evaluate_on=self.choice,
            seed=seed,
            on_evaluation=on_evaluation,
        )

    def _sampler(self, seed: int) -> BaseSampler:
        search = self.space.search
        if search.sampler == "random":
            return RandomSampler(seed=seed)
        return TPESampler(seed=seed, n_startup_trials=search.startup_trials, multivariate=True)

    def _pruner(self) -> BasePruner:
        pruning = self.space.pruning
        if pruning is None:
            return NopPruner()
        return ThresholdPruner(lower=-pruning.tolerance, n_warmup_steps=pruning.warmup_steps)


def agree(study: Study, space: SearchSpace, dataset: Dataset, seed: int, folder: Path) -> None:
    """Write down what a new run works on; hold an old run's against what is asked now.

    Raises
    ------
    RunError
        When the run was started with something else, and what.
    """
    now = {
        # The number of trials may grow from one session to the next; all else is the run.
        state.SPACE: space.model_dump(mode="json", exclude={"search": {"trials", "seed"}}),
        state.SEED: seed,
        state.DATA: {
            "name": dataset.name,
            "source": dataset.source,
            "stand_in": dataset.stand_in,
            "fingerprint": dataset.fingerprint,
        },
    }
    before = {name: state.attribute(study, name) for name in now}
    if all(value is None for value in before.values()):
        for name, value in now.items():
            study.set_user_attr(name, value)
        return
    for name, value in now.items():
        old, new = before[name], json.loads(json.dumps(value))
        if name == state.DATA:
            old = old.get("fingerprint") if old else None
            new = new["fingerprint"]
        if old is None:  # killed between two of the attributes
            study.set_user_attr(name, value)
        elif new != old:
            what = _first_difference(old, new, name)
            raise RunError(
                f"{folder}: this run was started with {what}: expected the same command to go on "
                "with it; use another --out to start a new run"
            )


def _first_difference(old: Any, new: Any, name: str) -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() | new.keys():
            if old.get(key) != new.get(key):
                return _first_difference(old.get(key), new.get(key), f"{name}.{key}")
    if name == state.DATA:
        return "other images"
    return f"{name} = {old!r}, not {new!r}"


def _description(growth: Growth, best: Best, network: Network, index: int) -> dict[str, Any]:
    """What a trial's parameters decoded to, for the dashboard and for its controls."""
    old, new = growth.sizes(best.network.architecture)
    return {
        "index": index,
        "parent": best.trial_number,
        "operation": growth.operation,
        "growth": str(growth),
        "growth_json": growth.to_json(),
        "layer": growth.place,
        "layer_kind": best.network.architecture[growth.place].layer.kind,
        "old": old,
        "new": new,
        "architecture": str(network.architecture),
        "parameters": network.parameters,
        "flops": network.architecture.flops,
    }


def learning_rates(rate: float, count: int) -> list[float]:
    """The rates that a tuned control tries: the candidate's first, then on both sides of it.

    Examples
    --------
    >>> [round(rate, 5) for rate in learning_rates(1e-3, 5)]
    [0.001, 0.00316, 0.00032, 0.01, 0.0001]
    """
    powers = [(place // 2 + 1) * (-1) ** place for place in range(count - 1)]
    return [rate, *(rate * _TUNING**power for power in powers)]


def _outcome(result: TrainingResult, plan: TrainingPlan) -> dict[str, Any]:
    """What a training took and gave."""
    flops = result.network.architecture.flops
    return {
        "curve": _curve(result.curve),
        "seconds": result.seconds,
        "images_per_second": result.images_per_second,
        state.TRAINING_FLOPS: training_flops(flops, result.final.step, plan.batch_size),
    }


def _curve(points: Sequence[Point]) -> list[list[float]]:
    return [[point.step, point.accuracy, point.loss] for point in points]
