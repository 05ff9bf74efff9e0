"""The last training of the best network: what a short budget could not give every candidate.

It is trained in parts, each stored when it ends: a kill loses one part, and at any moment the best
part so far is the network of the run. The schedule runs through all parts.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from growsearch.driver import study as state
from growsearch.driver.clock import Clock
from growsearch.driver.events import Polished
from growsearch.driver.records import Best
from growsearch.driver.run import Run
from growsearch.driver.seeds import seed_of
from growsearch.driver.space import Polish
from growsearch.errors import DivergedError
from growsearch.networks import Network
from growsearch.networks.files import fetch, store
from growsearch.trainers import TrainingPlan, at_one_precision

_WORTHWHILE = 0.1  # of the budget: less time than that is not polished with again
_AT_THE_END = 10**9
_SLACK = 1.5  # how much slower the last evaluations may be than the one that was timed


def polish(run: Run, clock: Clock) -> None:
    """Train the best network on, for the time that the budget leaves or for the space's steps.

    Nothing happens where the space asks for no polish, where it is done, or where no time is left.
    """
    asked = run.space.polish
    if asked is None:
        return
    best = state.best_of(run.study, run.folder)
    known = state.polish_of(run.study, best)
    if known is not None and known["done"] == asked.parts:
        if clock.budget is None or clock.left < _WORTHWHILE * clock.budget:
            return
        known = None  # more time than before: once more from the start
    network, done = best.network, 0
    if known is not None:
        network = fetch(known["last"], run.folder / state.WEIGHTS)
        done = known["done"]
    kept = _kept(run, best, known)
    ends = time.monotonic() + clock.left - _after(run, best.network)
    plan = at_one_precision(run.trainer, network.architecture, asked.plan)
    for part in range(done, asked.parts):
        steps = _steps(asked, part)
        seconds = None
        if clock.budget is not None:
            left = ends - time.monotonic()
            if left <= 0.0:
                break
            seconds = left * steps / (asked.steps - part * asked.steps // asked.parts)
        part_plan = replace(
            plan,
            steps=steps,
            seconds=seconds,
            schedule_start=part * asked.steps // asked.parts,
            schedule_steps=asked.steps,
            evaluate_every=_AT_THE_END,
        )
        try:
            network, accuracy, about = _train(run, best, network, part_plan, part)
        except DivergedError as error:
            run.study.set_user_attr(
                state.POLISH, {**_about(best, kept, asked.parts), "failure": str(error)}
            )
            return
        sha256 = store(network, run.folder / state.WEIGHTS)
        if accuracy >= kept[1]:
            kept = sha256, accuracy
        run.study.set_user_attr(
            state.POLISH, {**_about(best, kept, part + 1), "last": sha256, **about}
        )
        run.on_event(Polished(part + 1, asked.parts, accuracy, kept[0] == sha256))


def _kept(run: Run, best: Best, known: dict[str, Any] | None) -> tuple[str, float]:
    """Name and accuracy of the network to beat."""
    final = state.final_of(run.study, run.folder)
    if known is None and not final.polished:
        return best.path.stem, best.validation_accuracy
    return final.path.stem, final.validation_accuracy


def _about(best: Best, kept: tuple[str, float], done: int) -> dict[str, Any]:
    return {
        "of": best.path.stem,
        "sha256": kept[0],
        "last": kept[0],
        "validation_accuracy": kept[1],
        "done": done,
    }


def _steps(asked: Polish, part: int) -> int:
    """The updates of one part, of all that the space asks for."""
    return (part + 1) * asked.steps // asked.parts - part * asked.steps // asked.parts


def _train(
    run: Run, best: Best, network: Network, plan: TrainingPlan, part: int
) -> tuple[Network, float, dict[str, Any]]:
    order = seed_of(run.seed, best.trial_number or 0, f"polish {part}")
    name = f"polish {part + 1}"
    result = run.train(name, network, plan, order)
    return result.network, result.final.accuracy, {"seconds": result.seconds}


def _after(run: Run, network: Network) -> float:
    """Seconds to keep for what follows: the evaluations of the last part, held out and test."""
    began = time.monotonic()
    run.trainer.evaluate(network, run.choice)
    one = (time.monotonic() - began) / len(run.choice)
    held_out = len(run.held_out) if run.held_out else 0
    return _SLACK * one * (held_out + 2 * len(run.dataset.test))
