"""The decay of the trunk: its last training, in which the learning rate falls to 0."""

from __future__ import annotations

import time
from collections.abc import Mapping

from growsearch.driver.events import Polished
from growsearch.driver.plans import decay_plan
from growsearch.driver.polish import WORTHWHILE, end_of_last_training
from growsearch.driver.run import Run
from growsearch.driver.trunk.forks import Forked, train_forks
from growsearch.driver.trunk.readings import add_reading, elapsed
from growsearch.errors import NetworkFileError
from growsearch.study.attributes import PolishAttribute, Reading, Trunk
from growsearch.study.networks import final_of, polish_of, warn_damaged
from growsearch.study.run_state import RunState
from growsearch.training import TrainingPlan
from growsearch.trials.judge import loss_gain


def decay(run: Run, state: RunState) -> None:
    """Train the trunk to the end of the run, and keep that network unless one before is better.

    The last part is trained in forks, whose average is the end. Forks that part late have fewer
    updates less than one training with all processors would have, and their average gains more
    (benchmarks/README.md). After each part the network is stored: a kill loses one part. After the
    last one nothing goes on from them; with a longer time budget the decay begins again from the
    trunk.
    """
    trunk, section = state.trunk, run.space.trunk_section
    assert trunk is not None
    with run.clock.on("polish"):
        progress = _begun(run, state)
        if progress.done >= section.parts or run.clock.left <= 0.0:
            return
        ends = end_of_last_training(run, progress.last)
        for part in range(progress.done, section.parts):
            plan = _plan_of(run, trunk, part, ends)
            if plan is None:  # no time is left
                return
            is_last = part + 1 == section.parts
            starts = progress.lasts * (section.forks if is_last else 1)
            purposes = [f"decay {part} {fork}" for fork in range(len(starts))]
            seeds = [run.seed_of(trunk.legs, purpose) for purpose in purposes]
            found = train_forks(run, f"decay {part + 1}", "polish", starts, plan, seeds)
            before = progress
            if not isinstance(found, Forked):
                failure = found.failure.reason if found.failure else ""
                changed = {"done": section.parts, "failure": failure}
                ended = {"last": before.sha256, "lasts": ()}
                run.guard.check()
                progress.model_copy(update=changed | ended).write(run.study)
                run.forget(*before.lasts)
                return
            is_better = is_last and _is_better(run, found, progress)
            cooling = before.cooling + found.seconds
            seconds = trunk.seconds + cooling - (1.0 - found.share) * found.seconds
            if is_last:
                costs = {"seconds": seconds, "cooling": cooling}
                _read(run, trunk, found, state.incumbent.network.parameters, costs)
            progress = PolishAttribute(
                of=before.of,
                sha256=found.sha256 if is_better else before.sha256,
                validation_accuracy=found.accuracy if is_better else before.validation_accuracy,
                done=part + 1,
                last=found.sha256 if is_last else found.lasts[0],
                lasts=() if is_last else found.lasts,
                validation_loss=found.loss if is_better else before.validation_loss,
                seconds=seconds if is_better else before.seconds,
                cooling=cooling,
            )
            run.guard.check()
            progress.write(run.study)
            run.write_spent()
            run.forget(*before.lasts, before.sha256, *found.lasts, *found.networks)
            run.on_event(Polished(part + 1, section.parts, found.accuracy, is_better))


def _begun(run: Run, state: RunState) -> PolishAttribute:
    """Return where the decay of the trunk stands."""
    trunk = state.trunk
    assert trunk is not None
    known, parts = polish_of(run.study, state.incumbent), run.space.trunk_section.parts
    if known is not None and known.done >= parts:
        budget = run.clock.budget
        if budget is None or run.clock.left < WORTHWHILE * budget:
            return known
    elif known is not None and known.lasts:
        try:
            for sha256 in known.lasts:
                run.store.get(sha256)
            return known
        except NetworkFileError as error:
            warn_damaged(f"the decay begins again, its last part is passed over: {error}")
    final = final_of(run.study, run.store, state.incumbent)
    return PolishAttribute(
        of=state.incumbent.sha256,
        sha256=final.sha256,
        validation_accuracy=final.validation_accuracy,
        done=0,
        last=trunk.weights,
        lasts=(trunk.weights,),
        validation_loss=final.validation_loss,
    )


def _is_better(run: Run, found: Forked, progress: PolishAttribute) -> bool:
    """Return whether the end of the decay takes the place of the best network before it.

    That was chosen out of several by its loss, so that the loss is lower than it deserves, and the
    end has had more updates: a loss that is higher by less than its standard error says nothing.
    """
    if progress.validation_loss is None or found.loss <= progress.validation_loss:
        return True
    networks = found.sha256, progress.sha256
    one, other = (run.evaluated(sha256, "polish").losses for sha256 in networks)
    if one is None or other is None:
        return False
    gain, error = loss_gain(one, other)
    return gain > -error


def _plan_of(run: Run, trunk: Trunk, part: int, ends: float | None) -> TrainingPlan | None:
    """Return the plan of a part; None where no time is left for it.

    ``ends`` is the time, by ``time.monotonic``, at which the last part is to end; None is no limit.
    """
    section = run.space.trunk_section
    parts = section.parts
    if ends is None:
        whole = max(parts, round(section.decay * section.steps / trunk.step_cost))
        return decay_plan(run.paced_space, trunk, whole, part=part, parts=parts)
    left = (ends - time.monotonic()) / (parts - part)
    if left <= 0.0:
        return None
    updates = parts * max(1, round(left / trunk.step_cost))
    return decay_plan(run.paced_space, trunk, updates, part=part, parts=parts, seconds=left)


def _read(
    run: Run, trunk: Trunk, found: Forked, parameters: int, costs: Mapping[str, float]
) -> None:
    """Add the network at the end of the run to the anytime curve."""
    add_reading(
        run,
        Reading(
            elapsed=elapsed(run, trunk),
            validation_accuracy=found.accuracy,
            validation_loss=found.loss,
            parameters=parameters,
            trial=trunk.trial,
            sha256=found.sha256,
            legs=trunk.legs,
            **costs,
        ),
    )
