"""The polish: the last training of the best network, after the search.

It is trained in cycles, each with a schedule of its own that runs through the cycle's parts. Every
part is a job, and is stored when it ends: a kill loses one part, and at any moment the best part so
far is the network of the run.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from growsearch.driver.events import Polished
from growsearch.driver.plans import AT_THE_END, UNITS
from growsearch.driver.run import Run
from growsearch.errors import NetworkFileError, RunError
from growsearch.space.trainings import Polish
from growsearch.study.attributes import Candidate, PolishAttribute
from growsearch.study.networks import Best, final_of, polish_of, warn_damaged
from growsearch.study.run_state import RunState
from growsearch.training import TrainingPlan
from growsearch.trials.job import ALWAYS, TrialJob
from growsearch.trials.measurements import EvaluationJob, SpeedJob
from growsearch.trials.outcome import TrialOutcome

WORTHWHILE = 0.1  # least share of the budget for which a finished polish begins again
_SLACK = 1.5  # how much slower the last evaluations may be than the one that was timed


def polish(run: Run, state: RunState) -> None:
    """Train the best network on, for the time that the budget leaves or for the space's steps.

    Nothing happens where the space asks for no polish, where it is done, or where no time is left.
    """
    asked = run.space.polish
    if asked is None or not (asked.steps or run.clock.budget is not None):
        return
    with run.clock.on("polish"):
        incumbent = state.incumbent
        progress = _begun(run, asked, incumbent)
        if progress is None:
            return
        number = incumbent.trial_number
        index = 0 if number is None else Candidate.read(state.trials[number]).index
        parts = asked.cycles * asked.parts
        ends = end_of_last_training(run, progress.last)
        for part in range(progress.done, parts):
            plan = _plan_of(run, asked, part, progress.last, ends)
            if plan is None:  # no time is left
                return
            outcome = run.execute(
                TrialJob(
                    name=f"polish {part + 1}",
                    parent=progress.last,
                    plan=plan,
                    data=run.data,
                    start_seed=0,  # nothing is drawn
                    order_seed=run.seed_of(index, f"polish {part}"),
                    keep_above=ALWAYS,
                ),
                "polish",
            )
            progress, is_better = _after(progress, outcome, part, parts)
            run.guard.check()
            progress.write(run.study)
            run.write_spent()
            if outcome.failure is not None:
                return
            run.on_event(Polished(part + 1, parts, outcome.final.accuracy, is_better))


def _begun(run: Run, asked: Polish, incumbent: Best) -> PolishAttribute | None:
    """Return where the polish of the incumbent stands; None if there is nothing left to do."""
    known = polish_of(run.study, incumbent)
    if known is not None and known.done >= asked.cycles * asked.parts:
        budget = run.clock.budget
        if budget is None or run.clock.left < WORTHWHILE * budget:
            return None
        known = None  # more time than before: once more from the start
    last, done = incumbent.sha256, 0
    if known is not None:
        try:
            run.store.get(known.last)
            last, done = known.last, known.done
        except NetworkFileError as error:
            warn_damaged(f"the polish begins again, its last part is passed over: {error}")
    final = final_of(run.study, run.store, incumbent)
    return PolishAttribute(
        of=incumbent.sha256,
        sha256=final.sha256,
        validation_accuracy=final.validation_accuracy,
        done=done,
        last=last,
    )


def _after(
    before: PolishAttribute, outcome: TrialOutcome, part: int, parts: int
) -> tuple[PolishAttribute, bool]:
    """Return the state of a polish after a part, and whether that made the network better."""
    if outcome.failure is not None:  # the polish ends with the best of the parts before
        changed = {"done": parts, "last": before.sha256, "failure": outcome.failure.reason}
        return PolishAttribute(**before.to_attributes() | changed), False
    if outcome.sha256 is None:
        raise RunError("polish: expected the executor to store the network, got none")
    accuracy = outcome.final.accuracy
    is_better = accuracy >= before.validation_accuracy
    return (
        PolishAttribute(
            of=before.of,
            sha256=outcome.sha256 if is_better else before.sha256,
            validation_accuracy=accuracy if is_better else before.validation_accuracy,
            done=part + 1,
            last=outcome.sha256,
        ),
        is_better,
    )


def _plan_of(
    run: Run, asked: Polish, part: int, last: str, ends: float | None
) -> TrainingPlan | None:
    """Return the plan of a part; None where no time is left for it.

    ``ends`` is the time, by ``time.monotonic``, at which the last part is to end; None is no limit.
    """
    is_last_cycle = part // asked.parts == asked.cycles - 1
    whole = run.space.training.weighted(asked.last_plan if is_last_cycle else asked.plan)
    if whole.precision == "auto":  # measured before the part's time begins to count
        speed = run.execute(SpeedJob("a measurement of the polish", last, whole), "polish")
        whole = whole if speed is None else replace(whole, precision=speed.precision)
    left = None if ends is None else ends - time.monotonic()
    if left is not None and left <= 0.0:
        return None
    return part_of(whole, part, asked.cycles, asked.parts, left, asked.t_mul)


def end_of_last_training(run: Run, network: str) -> float | None:
    """Return the time, by ``time.monotonic``, that leaves room for the evaluations that follow."""
    if run.clock.budget is None:
        return None
    job = EvaluationJob("a measurement of an evaluation", network, "selection", run.data)
    one = run.execute(job, "polish").seconds / len(run.images["selection"])
    held_out = len(run.images.get("held_out", ()))
    images = len(run.images["selection"]) + held_out + 2 * len(run.images["test"])
    return time.monotonic() + run.clock.left - _SLACK * one * images


def part_of(
    whole: TrainingPlan, part: int, cycles: int, parts: int, left: float | None, t_mul: int = 2
) -> TrainingPlan:
    """Return the plan of one part of a polish.

    Parameters
    ----------
    whole : TrainingPlan
        Of all cycles; its steps count where no time is given.
    part : int
        Which of all cycles' parts, from 0.
    cycles : int
        Each with a schedule of its own.
    parts : int
        Of one cycle.
    left : float or None
        Seconds for this part and all after it.
    t_mul : int
        Length of each cycle, in lengths of the cycle before.

    Examples
    --------
    >>> plan = part_of(TrainingPlan(300), 3, cycles=2, parts=2, left=None)
    >>> plan.steps, plan.schedule_start, plan.schedule_steps, plan.seconds
    (100, 100, 200, None)
    >>> part_of(TrainingPlan(300), 2, cycles=2, parts=2, left=60.0).seconds
    30.0
    """
    cycle = part // parts
    # In units of the first cycle's part: where each part of all cycles ends.
    ends = np.cumsum([0, *(t_mul**c for c in range(cycles) for _ in range(parts))])
    total = whole.steps if left is None else UNITS * int(ends[-1])
    steps = [int(end) * total // int(ends[-1]) for end in ends]
    first, end, start = steps[part], steps[part + 1], steps[cycle * parts]
    share = (ends[part + 1] - ends[part]) / (ends[-1] - ends[part])
    return replace(
        whole,
        steps=end - first,
        seconds=None if left is None else left * float(share),
        schedule_start=first - start,
        schedule_steps=steps[(cycle + 1) * parts] - start,
        rewarm=0 if part % parts else whole.rewarm,
        evaluate_every=AT_THE_END,
    )
