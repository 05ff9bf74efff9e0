"""The first network of a run: trained once, before the first trial."""

from __future__ import annotations

from dataclasses import replace

from growsearch.driver.events import TeacherReady
from growsearch.driver.plans import average_over
from growsearch.driver.run import Run
from growsearch.errors import RunError
from growsearch.networks.outline import outline
from growsearch.study.attributes import TeacherAttribute
from growsearch.study.networks import teacher_of
from growsearch.training import TrainingPlan
from growsearch.trials.job import ALWAYS, First, TrialJob


def teach(run: Run) -> None:
    """Train the first network, unless an earlier session did, and say that it is ready.

    Raises
    ------
    TrainingFailedError
        When its training cannot end.
    """
    with run.clock.on("teacher"):
        teacher = TeacherAttribute.read(run.study)
        is_new = teacher is None
        if teacher is None:
            teacher = _trained(run)
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
            )
        )
    if is_new:
        run.write_spent()


def _plan_of(run: Run) -> TrainingPlan:
    """Return the plan of its training; one from which a trunk goes on is read by averages."""
    plan = run.space.training.weighted(run.space.teacher.plan)
    if run.space.trunk is None or plan.ema:
        return plan
    return replace(plan, ema=average_over(plan.steps, run.space.trunk.average))


def _trained(run: Run) -> TeacherAttribute:
    """Train the first network and store it."""
    teacher, architecture = run.space.teacher, run.space.architecture
    outcome = run.execute(
        TrialJob(
            name="teacher",
            parent=First(architecture, teacher.initializer),
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
    return TeacherAttribute.of(outcome, architecture)
