"""The first network of a run: trained once, before the first trial, or given and measured."""

from __future__ import annotations

import math
from dataclasses import replace
from threading import Thread

from growsearch.driver.events import TeacherReady
from growsearch.driver.front import demand_of
from growsearch.driver.plans import average_over
from growsearch.driver.run import Run
from growsearch.errors import InvalidInputError, RunError
from growsearch.networks.outline import outline
from growsearch.study.attributes import StartAttribute, TeacherAttribute
from growsearch.study.networks import teacher_of
from growsearch.study.notes import preload
from growsearch.training import TrainingPlan
from growsearch.trials.arms import training_flops
from growsearch.trials.job import ALWAYS, First, TrialJob
from growsearch.trials.measurements import EvaluationJob, SpeedJob

MOST_OF_TIME = 0.2
"""The largest share of a time budget that the first network of a trunk is trained for; an update is
measured before a training that may take longer, the first network's or a trial's."""

_SURE_FLOPS = 6e10  # a second, of most machines: what fits at this speed is not measured


def teach(run: Run) -> None:
    """Train or measure the first network, unless an earlier session did, and say that it is ready.

    Raises
    ------
    TrainingFailedError
        When its training cannot end.
    """
    with run.clock.on("teacher"):
        teacher = TeacherAttribute.read(run.study)
        is_new = teacher is None
        if teacher is None:
            is_trained = run.space.teacher.steps > 0
            Thread(target=preload).start()  # the driver has nothing else to do
            teacher = _trained(run) if is_trained else _measured(run)
            demand = demand_of(run, run.space.architecture)
            if demand is not None:
                teacher = teacher.model_copy(update={"demand": demand})
            run.guard.check()
            teacher.write(run.study)
        ready = teacher_of(run.study, run.store)
        run.on_event(
            TeacherReady(
                str(ready.network.architecture),
                ready.network.parameters,
                ready.validation_accuracy,
                teacher.seconds,
                outline(ready.network.architecture),
                "" if run.start is None else run.start.source,
            )
        )
    if is_new:
        run.write_spent()


def _plan_of(run: Run) -> TrainingPlan:
    """Return the plan of its training; one from which a trunk goes on is read by averages."""
    plan = run.space.training.weighted(run.space.teacher.plan)
    if run.space.trunk is None:
        return plan
    plan = _in_time(run, plan)
    average = plan.ema or average_over(plan.steps, run.space.trunk.average)
    return replace(plan, ema=average)


def _in_time(run: Run, plan: TrainingPlan) -> TrainingPlan:
    """Return the plan with as many updates as fit into a share of the time before a trunk.

    The update is measured where it may be too dear, as of large images or on a slow machine.
    """
    if run.clock.budget is None or _surely_fits(run, plan):
        return plan
    seconds = MOST_OF_TIME * run.clock.budget
    job = SpeedJob("the speed of the first network", run.space.architecture, plan)
    speed = run.execute(job, "teacher")
    if speed is None:
        return plan
    steps = max(1, min(plan.steps, int(seconds / speed.step_seconds)))
    every = min(plan.evaluate_every, steps)
    return replace(plan.with_steps(steps), evaluate_every=every, precision=speed.precision)


def _surely_fits(run: Run, plan: TrainingPlan) -> bool:
    """Return whether a training of the first network is short on most machines."""
    if run.clock.budget is None:
        return True
    flops = training_flops(run.space.architecture.flops, plan.steps, plan.batch_size)
    return flops <= MOST_OF_TIME * run.clock.budget * _SURE_FLOPS


def _trained(run: Run) -> TeacherAttribute:
    """Train the first network and store it; one that was given is trained on."""
    teacher, architecture = run.space.teacher, run.space.architecture
    start = StartAttribute.read(run.study)
    first = First(architecture, teacher.initializer)
    outcome = run.execute(
        TrialJob(
            name="teacher",
            parent=first if start is None else start.sha256,
            plan=_plan_of(run),
            data=run.data,
            start_seed=run.seed_of(0, "teacher"),
            order_seed=run.seed_of(0, "teacher order"),
            keep_above=ALWAYS,
            goes_on=run.space.trunk is not None,
        ),
        "teacher",
    )
    if outcome.failure is not None:
        raise outcome.failure.error("teacher")
    if outcome.sha256 is None:
        raise RunError("teacher: expected the executor to store the network, got none")
    trained = TeacherAttribute.of(outcome, architecture)
    if start is None:
        return trained
    return trained.model_copy(
        update={"training_flops": trained.training_flops + start.training_flops}
    )


def _measured(run: Run) -> TeacherAttribute:
    """Measure the network that was given, which is taken as it is.

    Raises
    ------
    InvalidInputError
        When its outputs on the images are not finite.
    """
    start, architecture = StartAttribute.read(run.study), run.space.architecture
    if start is None:
        raise RunError("teacher.steps: expected at least 1, as no network was given, got 0")
    weights = run.space.training.class_weight
    job = EvaluationJob("teacher", start.sha256, "selection", run.data, weights)
    found = run.execute(job, "teacher")
    if not math.isfinite(found.loss):
        raise InvalidInputError(
            f"{start.source}: expected finite outputs on the validation images, got a loss of "
            f"{found.loss}"
        )
    plan = run.space.training.plan_at(run.space.teacher.learning_rate)
    precision, step_seconds = plan.precision, 0.0
    # A trunk trains on by costs that are known; else a first trial may not fit into the time.
    if run.space.trunk is not None or not _surely_fits(run, plan):
        speed = run.execute(SpeedJob("the speed of the teacher", start.sha256, plan), "teacher")
        if speed is not None:
            precision, step_seconds = speed.precision, speed.step_seconds
        elif precision == "auto":
            precision = "float32"
    return TeacherAttribute(
        sha256=start.sha256,
        precision=precision,
        validation_accuracy=found.score,
        architecture=str(architecture),
        parameters=architecture.parameters,
        curve=((0, found.score, float(found.loss)),),
        training_flops=start.training_flops,
        step_seconds=step_seconds,
    )
