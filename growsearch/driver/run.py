"""One open run: teacher, candidates and test, each step ending in the study."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from optuna.exceptions import OptunaError
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from growsearch.datasets import Dataset, Split
from growsearch.driver.events import OnEvent, TeacherReady, Training
from growsearch.driver.proposals import decode, distributions, outside
from growsearch.driver.pruner import GainPruner
from growsearch.driver.sampler import GainSampler
from growsearch.driver.width_probe import fast_multiple
from growsearch.errors import GrowsearchError, RunError, TrainingFailedError
from growsearch.growth import Growth
from growsearch.networks import Network
from growsearch.networks.files import store
from growsearch.space import SearchSpace
from growsearch.space.sections import WIDTH_MULTIPLE
from growsearch.study import networks as kept
from growsearch.study import read as reading
from growsearch.study import study as state
from growsearch.study.networks import Best
from growsearch.training import (
    MeasuresSpeed,
    OnEvaluation,
    Point,
    Trainer,
    TrainingPlan,
    TrainingResult,
    at_one_precision,
)
from growsearch.trials.arms import CANDIDATE, Start, training_flops
from growsearch.trials.judge import Score, decide
from growsearch.trials.seeds import rng_of, seed_of

_ENQUEUED = "enqueued with what is none of the space's"
_SAMPLE = 256  # training images on which new batch normalisations measure their statistics


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
            gain=_OBJECTIVES[self.space.search.objective],
            index=state.index_of,
        )
        self.study.pruner = self._pruner()

    def teach(self) -> bool:
        """Train the first network, unless an earlier session did.

        Returns whether it did.
        """
        is_new = state.attribute(self.study, state.TEACHER) is None
        if is_new:
            teacher = self.space.teacher
            network = Network.initial(
                self.space.architecture,
                rng=rng_of(self.seed, 0, "teacher"),
                initializer=teacher.initializer,
            )
            order = seed_of(self.seed, 0, "teacher order")
            plan = at_one_precision(self.trainer, network.architecture, teacher.plan)
            try:
                result = self.train("teacher", network, plan, order)
            except TrainingFailedError as error:
                raise type(error)(f"teacher: {error}") from None
            sha256 = store(result.network, self.folder / state.WEIGHTS)
            about = {
                "sha256": sha256,
                "validation_accuracy": result.final.accuracy,
                "architecture": str(network.architecture),
                "parameters": network.parameters,
                **outcome(result, teacher.plan),
            }
            self.study.set_user_attr(state.TEACHER, about)
        ready = kept.teacher_of(self.study, self.folder)
        seconds = state.attribute(self.study, state.TEACHER).get("seconds")
        self.on_event(
            TeacherReady(
                str(ready.network.architecture),
                ready.network.parameters,
                ready.validation_accuracy,
                float(seconds) if isinstance(seconds, int | float) else 0.0,
            )
        )
        return is_new

    def next_trial(self, best: Best) -> int:
        """Ask for a trial, grow the best network as it says, train it, judge it, tell.

        A training that cannot end fails the trial, and the search goes on. Any other error ends the
        session; the same command repeats the trial where the error was not of its making.

        Returns
        -------
        int
            The trial's number.
        """
        try:
            trial = self.study.ask(distributions(self.space))
        except ValueError as error:
            queued = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))[-1]
            if "fixed_params" not in queued.system_attrs:  # Optuna's, of a trial that was enqueued
                raise
            state.fail(self.study, queued, f"{_ENQUEUED}: {error}")
            return queued.number
        try:
            self._candidate(trial, best)
        except state.TRAINING_FAILED as error:
            state.fail(self.study, trial, state.failure_of(error))
        except BaseException as error:
            # If not even this can be written, the next session finds it running and repeats it.
            with contextlib.suppress(Exception):
                state.fail(self.study, trial, _failure(error))
            raise
        return trial.number

    def _candidate(self, trial: Trial, best: Best) -> None:
        if (reason := outside(trial.params, self.space)) is not None:
            state.fail(self.study, trial, f"{_ENQUEUED}: {reason}")
            return
        growth = decode(trial.params, best.network.architecture, self.space)
        if growth is None:
            raise RunError("no operation of the space has a legal site on the best network")
        index = state.index_of(self.study, trial.number)
        plan = self.space.plan(trial.params)
        start = self.start(best.network, growth)
        network = start.network(CANDIDATE, rng=rng_of(self.seed, index, CANDIDATE))
        for name, value in _description(growth, best, network, index).items():
            trial.set_user_attr(name, value)
        # Timed once for all arms of a trial: they are compared at one precision.
        plan, slow = self._timed(network, plan)
        trial.set_user_attr(state.PRECISION, plan.precision)
        if slow:
            state.fail(self.study, trial, slow)
            return

        def report(point: Point) -> bool:
            # Gains compare across generations: one pruning threshold serves the whole run.
            trial.report(point.accuracy - best.validation_accuracy, point.step)
            return trial.should_prune()

        order = seed_of(self.seed, index, "order")
        result = self.train(f"trial {trial.number}", network, plan, order, report)
        accuracy = result.final.accuracy
        decision = decide(
            Score(accuracy, result.losses),
            self._score(best, accuracy),
            margin=self.space.judge.margin,
            rule=self.space.judge.rule,
            given_up=result.final.step < plan.steps,
        )
        if decision.kept:
            trial.set_user_attr("sha256", store(result.network, self.folder / state.WEIGHTS))
        found = {
            **outcome(result, plan),
            "gain": accuracy - best.validation_accuracy,
            "kept": decision.kept,
            "reason": decision.reason,
        }
        for name, value in found.items():
            trial.set_user_attr(name, value)
        if result.final.step < plan.steps:
            self.study.tell(trial, state=TrialState.PRUNED)
        else:
            self.study.tell(trial, accuracy)

    def test(self) -> bool:
        """Test accuracy of the network that is kept: once, when the search has ended.

        Returns whether it was not known before.
        """
        best = kept.final_of(self.study, self.folder)
        if kept.test_of(self.study, best):
            return False
        teacher = kept.teacher_of(self.study, self.folder)
        about: dict[str, Any] = {"sha256": best.path.stem}
        for name, images in (("accuracy", self.dataset.test), ("held_out_accuracy", self.held_out)):
            if images is None:
                continue
            found = self.trainer.evaluate(best.network, images).accuracy
            is_teacher = best.path == teacher.path
            first = found if is_teacher else self.trainer.evaluate(teacher.network, images).accuracy
            about |= {name: found, f"teacher_{name}": first}
        self.study.set_user_attr(state.TEST, about)
        return True

    def _timed(self, network: Network, plan: TrainingPlan) -> tuple[TrainingPlan, str]:
        """The plan at one precision, and why the network is too slow to train, if it is."""
        limit = self.space.limits.step_milliseconds
        if limit is not None and isinstance(self.trainer, MeasuresSpeed):
            speed = self.trainer.speed_of(network.architecture, plan)
            plan = replace(plan, precision=speed.precision)
            if speed.step_seconds * 1000.0 > limit:
                return plan, (
                    f"too slow: {speed.step_seconds * 1000.0:.1f} ms an update, over "
                    f"limits.step_milliseconds = {limit:g}"
                )
        return at_one_precision(self.trainer, network.architecture, plan), ""

    def _score(self, best: Best, accuracy: float) -> Score:
        """The best network on the images of the choice; its losses only if they may decide."""
        if self.space.judge.rule == "superior" and not accuracy > best.validation_accuracy:
            return Score(best.validation_accuracy)
        name = best.path.stem
        if name not in self._scores:
            self._scores.clear()  # the best network before is of no more use
            losses = self.trainer.evaluate(best.network, self.choice).losses
            self._scores[name] = Score(best.validation_accuracy, losses)
        return self._scores[name]

    def start(self, parent: Network, growth: Growth, spent: float = 0.0) -> Start:
        """What the arms of one trial have in common."""
        sample = self.dataset.train.images[:_SAMPLE]
        return Start(parent, growth, self.space.training.slots, sample, spent)

    def train(
        self,
        what: str,
        network: Network,
        plan: TrainingPlan,
        seed: int,
        report: OnEvaluation | None = None,
    ) -> TrainingResult:
        """Train on the run's images, and say how far it is."""

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
        return GainPruner(pruning.tolerance, pruning.warmup_steps, pruning.reduction)


def width_multiple(study: Study, space: SearchSpace, trainer: Trainer) -> int:
    """The space's, or what was measured for "auto": once a run, so that its parts agree."""
    asked = space.limits.width_multiple
    if asked != "auto":
        return asked
    if (known := state.attribute(study, state.MULTIPLE)) is None:
        known = WIDTH_MULTIPLE
        if isinstance(trainer, MeasuresSpeed):
            known = fast_multiple(trainer, space.teacher.plan)
        study.set_user_attr(state.MULTIPLE, known)
    return int(known)


def _failure(error: BaseException) -> str:
    """Why a trial failed: interrupted, if what it tried cannot be the reason."""
    outside = (OSError, GrowsearchError, SQLAlchemyError, OptunaError)
    if not isinstance(error, Exception) or isinstance(error, outside):
        return state.INTERRUPTED
    return " ".join(f"{type(error).__name__}: {error}".split())


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


# What the sampler is fitted on.
_OBJECTIVES = {"gain": reading.gain_of, "gain_per_second": reading.gain_per_second_of}


def outcome(result: TrainingResult, plan: TrainingPlan) -> dict[str, Any]:
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
