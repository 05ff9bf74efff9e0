"""The last training of the best network: what a short budget could not give every candidate.

It is trained in cycles, each with a schedule of its own that runs through the cycle's parts. Every
part is stored when it ends: a kill loses one part, and at any moment the best part so far is the
network of the run.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from growsearch.driver.budget import Clock
from growsearch.driver.events import Polished
from growsearch.driver.run import Run
from growsearch.errors import NetworkFileError
from growsearch.networks import Network
from growsearch.networks.files import fetch, store
from growsearch.study import networks as kept
from growsearch.study import study as state
from growsearch.study.networks import Best, warn_damaged
from growsearch.training import TrainingPlan, at_one_precision
from growsearch.trials.seeds import seed_of

_WORTHWHILE = 0.1  # of the budget: less time than that is not polished with again
_AT_THE_END = 10**9
_UNITS = 10_000  # of a part's schedule, where it runs over time
_SLACK = 1.5  # how much slower the last evaluations may be than the one that was timed


def polish(run: Run, clock: Clock) -> None:
    """Train the best network on, for the time that the budget leaves or for the space's steps.

    Nothing happens where the space asks for no polish, where it is done, or where no time is left.
    """
    asked = run.space.polish
    if asked is None or not (asked.steps or clock.budget is not None):
        return
    best = kept.best_of(run.study, run.folder)
    known = kept.polish_of(run.study, best)
    parts = asked.cycles * asked.parts
    if known is not None and known["done"] >= parts:
        if clock.budget is None or clock.left < _WORTHWHILE * clock.budget:
            return
        known = None  # more time than before: once more from the start
    network, done = best.network, 0
    if known is not None:
        try:
            network, done = fetch(known["last"], run.folder / state.WEIGHTS), known["done"]
        except NetworkFileError as error:
            warn_damaged(f"the polish begins again, its last part is passed over: {error}")
    final = kept.final_of(run.study, run.folder)
    progress = _Progress(best, final.path.stem, final.validation_accuracy)
    index = 0 if best.trial_number is None else state.index_of(run.study, best.trial_number)
    ends = time.monotonic() + clock.left - _after(run, network)
    for part in range(done, parts):
        is_last = part // asked.parts == asked.cycles - 1
        whole = asked.last_plan if is_last else asked.plan
        whole = at_one_precision(run.trainer, network.architecture, whole)
        left = ends - time.monotonic() if clock.budget is not None else None
        if left is not None and left <= 0.0:
            return
        order = seed_of(run.seed, index, f"polish {part}")
        plan = part_of(whole, part, asked.cycles, asked.parts, left, asked.t_mul)
        try:
            result = run.train(f"polish {part + 1}", network, plan, order)
        except state.TRAINING_FAILED as error:
            about = progress.after(parts, progress.sha256)
            run.study.set_user_attr(state.POLISH, about | {state.FAILURE: state.failure_of(error)})
            run.study.set_user_attr(state.SPENT, clock.spent())
            return
        network, accuracy = result.network, result.final.accuracy
        last = store(network, run.folder / state.WEIGHTS)
        is_better = accuracy >= progress.accuracy
        if is_better:
            progress = replace(progress, sha256=last, accuracy=accuracy)
        run.study.set_user_attr(state.POLISH, progress.after(part + 1, last))
        run.study.set_user_attr(state.SPENT, clock.spent())
        run.on_event(Polished(part + 1, parts, accuracy, is_better))


@dataclass(frozen=True)
class _Progress:
    """What is stored of a polish: whose it is, the best network so far, and how good that is."""

    of: Best
    sha256: str
    accuracy: float

    def after(self, parts: int, last: str) -> dict[str, Any]:
        """The attribute after some parts, the last of which gave ``last``."""
        return {
            "of": self.of.path.stem,
            "sha256": self.sha256,
            "validation_accuracy": self.accuracy,
            "done": parts,
            "last": last,
        }


def part_of(
    whole: TrainingPlan, part: int, cycles: int, parts: int, left: float | None, t_mul: int = 2
) -> TrainingPlan:
    """The plan of one part of a polish.

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
        How many times as long as the cycle before each cycle is.

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
    total = whole.steps if left is None else _UNITS * int(ends[-1])
    steps = [int(end) * total // int(ends[-1]) for end in ends]
    first, end, start = steps[part], steps[part + 1], steps[cycle * parts]
    share = (ends[part + 1] - ends[part]) / (ends[-1] - ends[part])
    return replace(
        whole,
        steps=end - first,
        seconds=None if left is None else left * float(share),
        schedule_start=first - start,
        schedule_steps=steps[(cycle + 1) * parts] - start,
        evaluate_every=_AT_THE_END,
    )


def _after(run: Run, network: Network) -> float:
    """Seconds to keep for what follows: the evaluations of the last part, held out and test."""
    began = time.monotonic()
    run.trainer.evaluate(network, run.choice)
    one = (time.monotonic() - began) / len(run.choice)
    held_out = len(run.held_out) if run.held_out else 0
    return _SLACK * one * (len(run.choice) + held_out + 2 * len(run.dataset.test))
