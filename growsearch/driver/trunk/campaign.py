"""A campaign: growths tried beside the trunk, of which one or none takes its place.

It is one transaction: the outcomes of its trials are written at its end, last that of the last
trial, which carries the trunk as it is then; after that all are told. A campaign that was killed
before is repeated, with the same trials, from the same trunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from growsearch.driver.candidates import Pending, pending, propose_growth, record_failure, refused
from growsearch.driver.costs import Costs
from growsearch.driver.run import Run
from growsearch.driver.trunk.legs import Leg, advanced, leg_job, leg_of, resting
from growsearch.driver.trunk.racer import Racer, contest_job, screening
from growsearch.driver.trunk.readings import elapsed
from growsearch.driver.trunk.timetable import Campaign, Timetable
from growsearch.driver.trunk.together import Work, carry_out_together
from growsearch.errors import GrowsearchError
from growsearch.study.attributes import Candidate, Trunk
from growsearch.study.run_state import RunState, read_state
from growsearch.study.trials import conclude, give_up, refusal_of, tell_concluded
from growsearch.trials.job import TrialJob
from growsearch.trials.judge import Decision, loss_gain
from growsearch.trials.outcome import TrialOutcome
from growsearch.trials.race import Gap, contest, expected_gain, gaps, loss_at, screen, unraced
from growsearch.trials.worker import Crash

_PHASE = "candidates"
_READINGS = 3  # of a contest, besides that of its begin


@dataclass(frozen=True)
class Ground:
    """The common ground of a campaign.

    Parameters
    ----------
    run : Run
    trunk : Trunk
        At the campaign's begin.
    flops : int
        FLOPs of one image's forward pass through it.
    costs : Costs
    stage : Campaign
    left : float
        Cost until the decay of the trunk begins.
    now, total : float
        The time of the run that has passed, and the whole.
    trials : int
        Trials of the whole run, at most.
    """

    run: Run
    trunk: Trunk
    flops: int
    costs: Costs
    stage: Campaign
    left: float
    now: float
    total: float
    trials: int


def conduct(
    run: Run, state: RunState, stage: Campaign, table: Timetable, now: float, trials: int
) -> list[int]:
    """Carry out a campaign; return the numbers of its trials, which are told.

    Parameters
    ----------
    run : Run
    state : RunState
    stage : Campaign
    table : Timetable
    now : float
        The time of the run that has passed.
    trials : int
        Trials of the whole run, at most.
    """
    assert state.trunk is not None
    flops = state.incumbent.network.architecture.flops
    left = table.decay_begins - now
    ground = Ground(run, state.trunk, flops, run.costs, stage, left, now, table.total, trials)
    racers = [Racer(each) for each in _trials(ground, state)]
    if not racers:  # by now the time that is left is too short for any growth
        return []
    best: Racer | None
    if ground.stage.untested:
        best, legs = _untested(ground, racers), [resting(ground.trunk)]
    else:
        legs = _screen(ground, racers)
        if (best := _best(ground, racers, legs)) is not None:
            legs = _contest(ground, best, legs)
    _tell(ground, racers, best, legs)
    return [racer.number for racer in racers]


# --- its trials -----------------------------------------------------------------------------------


def _trials(ground: Ground, state: RunState) -> list[Pending]:
    """Return the campaign's trials: those that an earlier session left unfinished, and new ones."""
    run = ground.run
    job_of = screening(ground.trunk, ground.flops, ground.costs, ground.stage.screen)
    found: list[Pending] = []
    with run.clock.on(_PHASE):
        for trial in (each for each in state.placed if not each.state.is_finished()):
            if (reason := refusal_of(trial)) is not None:
                found.append(refused(run, trial, reason))
                continue
            try:
                found.append(pending(run, state, trial, job_of))
            except GrowsearchError:  # its trunk's file is damaged
                give_up(run.study, [trial])
        growing = [each for each in found if each.job is not None]  # a refused one takes no time
        most = ground.stage.candidates
        for late in growing[most:]:  # fewer fit by now than when it was proposed
            give_up(run.study, [late.trial])
            found.remove(late)
        while sum(each.job is not None for each in found) < most:
            state = read_state(run.study, run.store)
            if found and len(state.placed) >= ground.trials:
                break
            another = propose_growth(run, state, job_of, again=not found)
            if another is None:
                break
            found.append(another)
    return found


# --- its trainings --------------------------------------------------------------------------------


def _screen(ground: Ground, racers: Sequence[Racer]) -> list[Leg]:
    """Train every candidate for the same cost, and the trunk beside them.

    The trunk goes on for as long as all candidates take together, since it most often stays.
    Where the best of them is kept without a contest, it is trained only as long as each of them.
    """
    legs: list[Leg] = []
    planned = [_planned(ground, racer) for racer in racers]
    readings, cost = 1, max(planned)
    if ground.stage.contest > 0.0:
        readings, cost = len(racers), sum(planned)
    jobs = [racer.pending.job for racer in racers if racer.pending.job is not None]
    average = max((job.plan.ema for job in jobs), default=None)
    carry_out_together(
        ground.run.dispatcher,
        [
            _trunk_on(ground, legs, cost, readings=readings, average=average),
            *(_training(ground, racer, racer.pending.job) for racer in racers),
        ],
    )
    return legs


def _untested(ground: Ground, racers: Sequence[Racer]) -> Racer | None:
    """Train a growth with nothing beside it, and keep it if it works; return it.

    So early a comparison takes as long as all training before it, and a larger network has the
    time to pay (benchmarks/README.md, "The first minutes"). Others are queued and were refused.
    """
    carry_out_together(
        ground.run.dispatcher, [_training(ground, racer, racer.pending.job) for racer in racers]
    )
    best = next((racer for racer in racers if racer.failure is None), None)
    if best is not None:
        tolerance, before = ground.run.space.trunk_section.tolerance, ground.trunk.validation_loss
        best.decision = unraced(best.readings[-1][1], before, tolerance)
    return best


def _contest(ground: Ground, best: Racer, legs: list[Leg]) -> list[Leg]:
    """Train the best candidate on, and the trunk beside it, and decide; return all legs."""
    assert best.decision is not None
    if not ground.stage.contest > 0.0:
        best.decision = Decision(True, f"now: {best.decision.reason}")
        return legs
    one = ground.costs.of_update(best.pending.about.flops, best.outcomes[-1])
    updates = ground.costs.updates(ground.stage.contest, one, least=_READINGS)
    job = contest_job(ground.run, ground.trunk, best, updates, _READINGS)
    average, on = job.plan.ema, list(legs)
    carry_out_together(
        ground.run.dispatcher,
        [
            _trunk_on(ground, on, ground.stage.contest, readings=_READINGS, average=average),
            _training(ground, best, job),
        ],
    )
    if best.failure is None:
        unit = "s" if ground.costs.measured else "updates of the first network"
        left = max(ground.left - sum(leg.cost for leg in on), 0.0)
        best.decision = contest(
            _gaps(best, on), left, unit, noise=_noise(best, on), expected=_expected(ground, best)
        )
    return on


def _planned(ground: Ground, racer: Racer) -> float:
    """Return the cost of a first training: its re-warming may need more than the timetable says."""
    if racer.pending.job is None:
        return ground.stage.screen
    flops = racer.pending.about.flops
    one = ground.costs.expected(ground.trunk.step_cost, flops, ground.flops)
    return max(racer.pending.job.plan.steps * one, ground.stage.screen)


def _trunk_on(
    ground: Ground, legs: list[Leg], cost: float, *, readings: int, average: float | None
) -> Work:
    """Train the trunk on for a cost; the leg is added to ``legs``.

    It is read by averages over as many updates as the candidates are, if there are any: at a warm
    rate a longer average has the lower loss, whatever the network.
    """
    run, costs = ground.run, ground.costs
    trunk = legs[-1].trunk if legs else ground.trunk
    updates = costs.updates(cost, trunk.step_cost, least=readings)
    job = leg_job(run, trunk, updates, readings=readings)
    if average is not None:
        job = replace(job, plan=replace(job.plan, ema=average))
    outcome = yield job, "trunk"
    legs.append(leg_of(costs, trunk, outcome, ground.flops))


def _training(ground: Ground, racer: Racer, job: TrialJob | None) -> Work:
    """Train a candidate by a job; one that was queued and refused has none.

    A trial in whose training a bug was met is failed: the same command would only repeat it.
    """
    if job is None:
        assert isinstance(racer.pending.outcome, TrialOutcome)
        racer.take(racer.pending.outcome, ground.costs)
        return
    try:
        racer.take((yield job, _PHASE), ground.costs)
    except Exception as error:
        crash = Crash.of(error)
        if crash.is_bug:
            record_failure(ground.run, racer.pending, crash.reason)
        raise


# --- its decisions --------------------------------------------------------------------------------


def _best(ground: Ground, racers: Sequence[Racer], legs: Sequence[Leg]) -> Racer | None:
    """Refuse the candidates that are too far behind; return the one with the best prospect."""
    tolerance = ground.run.space.trunk_section.tolerance
    sound = [racer for racer in racers if racer.failure is None]
    for racer in sound:
        gap = _gaps(racer, legs)[-1]
        racer.decision = screen(gap, loss_at(_read(legs), gap.cost), tolerance)
    left = [racer for racer in sound if racer.decision is not None and racer.decision.kept]

    def prospect(racer: Racer) -> float:
        return _expected(ground, racer) - _gaps(racer, legs)[-1].loss

    best = max(left, key=prospect, default=None)
    for racer in left:
        if racer is not best and racer.decision is not None and best is not None:
            better = f"trial {best.number} has the better prospect"
            racer.decision = Decision(False, f"{racer.decision.reason}: {better}")
    return best


def _expected(ground: Ground, racer: Racer) -> float:
    """Return the gain of a candidate to expect by the end of the run, in nats."""
    dearer = ground.costs.expected(1.0, racer.pending.about.flops, ground.flops)
    return expected_gain(ground.trunk.validation_loss, dearer, ground.now, ground.total)


def _gaps(racer: Racer, legs: Sequence[Leg]) -> tuple[Gap, ...]:
    return gaps(racer.readings, _read(legs))


def _noise(racer: Racer, legs: Sequence[Leg]) -> float:
    """Return the standard error of a gap, by the losses of the single images; 0 without them."""
    one, other = racer.outcomes[-1].losses, legs[-1].losses
    return 0.0 if one is None or other is None else loss_gain(one, other)[1]


def _read(legs: Sequence[Leg]) -> list[tuple[float, float]]:
    """Return the readings of the trunk since the campaign began."""
    found, before = list(legs[0].readings[:1]), 0.0
    for leg in legs:
        found += [(before + cost, loss) for cost, loss in leg.readings[1:]]
        before += leg.cost
    return found


# --- its end --------------------------------------------------------------------------------------


def _tell(ground: Ground, racers: Sequence[Racer], best: Racer | None, legs: Sequence[Leg]) -> None:
    """Write the outcomes of all trials, the last of which carries the trunk, and tell them."""
    run = ground.run
    kept = best if best is not None and best.is_kept else None
    trunk = _after(ground, racers, kept, legs)
    now = elapsed(run, trunk)
    with run.clock.on(_PHASE):
        for racer in racers:
            carried: dict[str, Any] = {"trunk": trunk} if racer is racers[-1] else {}
            judged = _judged(ground, racer, legs, now, kept=racer is kept, **carried)
            run.guard.check()
            conclude(run.study, racer.pending.trial, judged, racer.failure)
        tell_concluded(run.study)
    trained = [outcome for racer in racers for outcome in racer.outcomes]
    run.forget(*(sha256 for each in trained for sha256 in (each.sha256, each.last)))
    trunks = (ground.trunk, *(leg.trunk for leg in legs))
    run.forget(*(sha256 for each in trunks for sha256 in (each.weights, each.average)))


def _after(
    ground: Ground, racers: Sequence[Racer], kept: Racer | None, legs: Sequence[Leg]
) -> Trunk:
    """Return the trunk after the campaign."""
    last, before = legs[-1].trunk, ground.trunk
    own = kept.cost if kept is not None and ground.stage.untested else 0.0  # nothing was compared
    changed = {
        "version": before.version + 1,
        "trained": last.trained + own,
        "deciding": before.deciding + sum(racer.cost for racer in racers) - own,
        "campaigns": before.campaigns + 1,
        "legs": last.legs,
    }
    if kept is None:
        return last.model_copy(update=changed)
    outcome = kept.outcome()
    job = kept.pending.job
    assert job is not None
    return advanced(
        before,
        outcome,
        **changed,
        given_up=before.given_up + last.seconds - before.seconds,
        trial=kept.number,
        learning_rate=job.plan.learning_rate,
        step_cost=ground.costs.of_update(kept.pending.about.flops, kept.outcomes[-1]),
    )


def _judged(
    ground: Ground, racer: Racer, legs: Sequence[Leg], now: float, *, kept: bool, **further: Any
) -> Candidate:
    """Return the outcome of a candidate as it is stored."""
    if racer.failure is not None:
        return Candidate(**further)
    outcome, decision = racer.outcome(), racer.decision
    assert decision is not None
    further["elapsed"] = now
    if not (kept and ground.stage.untested):  # that was compared with nothing
        further["loss_gain"] = -_gaps(racer, legs)[-1].loss
    if len(racer.outcomes) > 1:
        further["compared_at"] = racer.outcomes[0].final.step
    gain = outcome.final.accuracy - ground.trunk.validation_accuracy
    return Candidate.judged(outcome, gain=gain, kept=kept, reason=decision.reason, **further)
