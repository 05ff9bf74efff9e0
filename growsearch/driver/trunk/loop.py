"""The search by a trunk: train it, try growths beside it, commit, until its decay begins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from growsearch.driver.budget import Goal, reason_for_no_trial
from growsearch.driver.controls import ControlTask, controls_for, lacking, record_control
from growsearch.driver.costs import Costs
from growsearch.driver.finish import Callback, finish
from growsearch.driver.run import Run
from growsearch.driver.trunk.campaign import conduct
from growsearch.driver.trunk.cool import cool
from growsearch.driver.trunk.legs import LegFailedError, forget, leg_job, leg_of, store_trunk
from growsearch.driver.trunk.readings import read_trunk
from growsearch.driver.trunk.timetable import Alone, Campaign, Progress, Timetable
from growsearch.driver.trunk.together import Work, carry_out_together
from growsearch.study.attributes import ReadingsAttribute, TeacherAttribute, Trunk
from growsearch.study.optuna_private import stoppable
from growsearch.study.run_state import RunState, read_state

_ENDED = "the decay of the trunk began"
_RETRIES = 3  # of a training of the trunk that diverged, each at half the learning rate


def grow_trunk(run: Run, trials: int, callbacks: Sequence[Callback]) -> str:
    """Train the trunk and try growths of it, until its decay begins; return why no more is tried.

    Raises
    ------
    TrainingFailedError
        When the trunk cannot be trained, also at lower learning rates.
    """
    with stoppable(run.study):
        goal = Goal(trials, len(read_state(run.study, run.store).counted))
        costs = Costs(run.space.architecture.flops, measured=run.clock.budget is not None)
        table = timetable_of(run)
        _begin(run, costs)
        failures, ended = 0, ""
        while True:
            _finish_told(run, goal, callbacks)
            state = read_state(run.study, run.store)
            assert state.trunk is not None
            ended = reason_for_no_trial(state, goal, run.space, run.study) or ended
            progress = progress_of(run, state.trunk)
            stage = table.next(progress, may_grow=not ended)
            if stage is None:
                return ended or _ENDED
            try:
                if isinstance(stage, Campaign):
                    conduct(run, state, costs, stage, table.decay_begins - progress.now)
                elif isinstance(stage, Alone):
                    _train_alone(run, state, costs, stage.cost)
                else:
                    cool(run, state, stage)
            except LegFailedError:
                failures += 1
                if failures > _RETRIES:
                    raise
                _slow_down(run, state.trunk)


def timetable_of(run: Run) -> Timetable:
    """Return the timetable of a run: by time where it has a budget, else by updates."""
    section, budget = run.space.trunk_section, run.clock.budget
    if budget is None:
        return Timetable.of_updates(section)
    return Timetable.of_seconds(section, budget, run.dispatcher.workers)


def progress_of(run: Run, trunk: Trunk) -> Progress:
    """Return how far the trunk is, by the unit of the run's costs."""
    readings = ReadingsAttribute.read(run.study)
    marks = [each.mark for each in readings.value] if readings else []
    return Progress(
        now=trunk.trained if run.clock.budget is None else run.clock.passed,
        trained=trunk.trained,
        deciding=trunk.deciding,
        campaigns=trunk.campaigns,
        cooled=max(marks, default=0.0),
    )


def _begin(run: Run, costs: Costs) -> None:
    """Store the first network as the trunk, unless an earlier session did."""
    if read_state(run.study, run.store).trunk is not None:
        return
    teacher = TeacherAttribute.read(run.study)
    assert teacher is not None
    steps, _, loss = teacher.curve[-1]
    cost = teacher.seconds / steps if costs.measured and teacher.seconds else 1.0
    trunk = Trunk(
        weights=teacher.last or teacher.sha256,
        average=teacher.sha256,
        validation_accuracy=teacher.validation_accuracy,
        validation_loss=loss,
        learning_rate=run.space.teacher.learning_rate,
        updates=steps,
        seconds=teacher.seconds,
        training_flops=teacher.training_flops,
        step_cost=cost,
        trained=steps * cost,
        precision=teacher.precision or "float32",
        measured=costs.measured,
    )
    store_trunk(run, trunk)
    read_trunk(run, trunk)


def _train_alone(run: Run, state: RunState, costs: Costs, cost: float) -> None:
    """Train the trunk on, with the controls that are lacking beside it."""
    trunk = state.trunk
    assert trunk is not None
    flops = state.incumbent.network.architecture.flops

    def on() -> Work:
        updates = costs.updates(cost, trunk.step_cost)
        outcome = yield leg_job(run, trunk, updates), "trunk"
        after = leg_of(costs, trunk, outcome, flops).trunk
        store_trunk(run, after)
        read_trunk(run, after)
        forget(run, trunk.weights, trunk.average)

    carry_out_together(run.dispatcher, [on(), *(_control(run, each) for each in _lacking(run))])
    run.write_spent()


def _lacking(run: Run) -> list[ControlTask]:
    """Return the controls that finished trials lack."""
    state = read_state(run.study, run.store)
    numbers = lacking(run, state)
    return [task for number in numbers for task in controls_for(run, state, state.trials[number])]


def _control(run: Run, task: ControlTask) -> Work:
    """Train and store a control."""
    task.began = datetime.now()
    outcome = yield task.job, "controls"
    with run.clock.on("controls"):
        record_control(run, task, outcome)


def _finish_told(run: Run, goal: Goal, callbacks: Sequence[Callback]) -> None:
    """Note and announce the trials that were told, up to the first that lacks controls."""
    state = read_state(run.study, run.store)
    waiting = set(lacking(run, state))
    for trial in state.counted:
        if trial.number in waiting:
            return
        if trial.number > state.laps.last:
            finish(run, trial.number, run.clock.passed, goal, callbacks)


def _slow_down(run: Run, trunk: Trunk) -> None:
    """Halve the trunk's learning rate, since a training diverged at it."""
    changed = {"learning_rate": trunk.learning_rate / 2.0, "version": trunk.version + 1}
    store_trunk(run, trunk.model_copy(update=changed))
