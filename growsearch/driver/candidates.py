"""One candidate: asked for and proposed, its job, judged, and told to the study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from growsearch.driver.costs import within_price
from growsearch.driver.cutoffs import cutoffs_of
from growsearch.driver.front import demand_of, halvings, judge_on_front, parent_for
from growsearch.driver.proposals import decode, distributions, outside
from growsearch.driver.run import Run
from growsearch.errors import RunError
from growsearch.growth import Growth
from growsearch.space import SearchSpace
from growsearch.study.attributes import Candidate
from growsearch.study.optuna_private import is_enqueued
from growsearch.study.run_state import RunState, read_state
from growsearch.study.trials import (
    begin,
    described,
    fail,
    finish,
    is_pending,
    placed,
    refuse,
)
from growsearch.trials.arms import CANDIDATE
from growsearch.trials.front import Point
from growsearch.trials.job import ALWAYS, TrialJob
from growsearch.trials.judge import Decision, Score, decide, least_accuracy, losses_may_decide
from growsearch.trials.outcome import Failure, TrialOutcome
from growsearch.trials.worker import Crash

# Makes the job of a candidate, of the trial, its description and its growth.
JobOf = Callable[[Run, RunState, FrozenTrial, Candidate, Growth], TrialJob]

_ENQUEUED = "enqueued with a value outside the space"


@dataclass(eq=False)
class Pending:
    """A trial between its proposal and its judgement, with its job and, later, its outcome.

    Parameters
    ----------
    trial : FrozenTrial
    about : Candidate
        The trial's description.
    parent_accuracy : float
    job : TrialJob or None
        None for a trial that was queued with parameters that cannot be tried.
    began : float
        The time of the run when the trial was asked for, in seconds.
    """

    trial: FrozenTrial
    about: Candidate
    parent_accuracy: float
    job: TrialJob | None
    began: float
    is_sent: bool = False
    outcome: TrialOutcome | Crash | None = field(default=None, repr=False)
    demand: float | None = None  # with two objectives, the second, when it is judged
    demand_gain: float | None = None


class NoGrowthError(RunError):
    """Nothing is left to grow, within the limits of the space and what the time allows."""


def state_for(run: Run, index: int | None = None) -> RunState:
    """Return the state that the trial of an index is proposed on; the next trial's by default.

    It knows the trials that were judged when the trial might first be asked for: all before it but
    the ``window - 1`` last. So a proposal depends on neither the number of workers nor the moment.
    """
    trials = run.study.get_trials(deepcopy=False)
    if index is None:
        index = len(placed(trials))
    before = max(0, index - run.window + 1)
    return read_state(run.study, run.store, trials=trials, before=before)


def propose(run: Run, state: RunState) -> Pending:
    """Draw the next trial's parameters, decode them onto the incumbent, and store the trial."""
    if _is_queued(state):
        return _dequeued(run, state)
    index = len(state.placed)
    params = run.sampler.propose(state.placed, index)
    return _begun(run, state, params, _description(run, state, index, params))


def propose_growth(
    run: Run, state: RunState, job_of: JobOf, *, again: bool = False
) -> Pending | None:
    """Propose a growth of the trunk as it is now; None where all its growths were tried.

    Each operation is tried once before any is drawn. With ``again`` a growth that was tried may be
    tried once more.
    """
    if _is_queued(state):
        return _dequeued(run, state, job_of)
    index, operations, tried = len(state.placed), run.space.choices.operations, _tried(state)
    params = run.sampler.propose(state.placed, index)
    if len(tried) < len(operations):
        params["op"] = operations[len(tried)]
    try:
        about = _description(run, state, index, params)
    except NoGrowthError:  # none is worth its price any more: less time is left with each proposal
        return None
    if about.growth in tried and not again:
        return None
    return _begun(run, state, params, about, job_of)


def _is_queued(state: RunState) -> bool:
    """Return whether a trial waits that was queued by ``study.enqueue_trial``."""
    return any(trial.state == TrialState.WAITING for trial in state.trials)


def _begun(
    run: Run,
    state: RunState,
    params: dict[str, Any],
    about: Candidate,
    job_of: JobOf | None = None,
) -> Pending:
    """Store a trial that was described, and return it with its job."""
    run.guard.check()
    trial = begin(run.study, params, distributions(run.space), about)
    return pending(run, state, trial, job_of)


def _dequeued(run: Run, state: RunState, job_of: JobOf | None = None) -> Pending:
    """Take a trial that was queued by ``study.enqueue_trial``.

    Where its values are outside the space, its failure is told when its turn comes.
    """
    try:
        trial = run.study.ask(distributions(run.space))
        number, refusal = trial.number, outside(trial.params, run.space)
    except ValueError as error:
        # Optuna refuses a queued value of another type than its parameter's, and the trial runs.
        running = run.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        queued = [each for each in running if is_enqueued(each) and not is_pending(each)]
        if not queued:
            raise
        number, refusal = queued[-1].number, str(error)
    frozen = run.study.get_trials(deepcopy=False)[number]
    if refusal is not None:
        reason = f"{_ENQUEUED}: {refusal}"
        refuse(run.study, frozen, reason)
        return refused(run, frozen, reason)
    try:
        about = _description(run, state, len(state.placed), frozen.params)
    except NoGrowthError as error:
        refuse(run.study, frozen, str(error))
        return refused(run, frozen, str(error))
    described(run.study, frozen, about)
    return pending(run, state, run.study.get_trials(deepcopy=False)[number], job_of)


def refused(run: Run, trial: FrozenTrial, reason: str) -> Pending:
    """Return a queued trial that cannot be tried: pending, with its failure as the outcome."""
    found = Pending(trial, Candidate(), 0.0, None, run.clock.passed, is_sent=True)
    found.outcome = TrialOutcome(failure=Failure("failed", reason))
    return found


def _description(run: Run, state: RunState, index: int, params: dict[str, Any]) -> Candidate:
    """Return the growth that parameters mean on the incumbent, as the trial's description."""
    parent, trunk = parent_for(state, run, index), state.trunk
    before, tried = parent.network.architecture, _tried(state, index, parent.trial_number)
    growth = decode(params, before, space_of_growths(run, state), tried)
    if growth is None:
        raise NoGrowthError("no operation of the space has a legal site on the best network")
    return Candidate.described(index, parent.trial_number, growth, before, trunk)


def space_of_growths(run: Run, state: RunState) -> SearchSpace:
    """Return the space of the next growth: of a trunk, without what costs too much by now."""
    space, trunk = run.space, state.trunk
    if trunk is None:
        return space
    left = space.trunk_section.steps - trunk.trained
    if run.clock.budget is not None:
        left = run.clock.left / run.first_update
    flops = state.incumbent.network.architecture.flops
    epoch = len(run.images["train"]) / space.training.batch_size
    return within_price(space, flops, run.costs, left=left, epoch=epoch)


def _tried(state: RunState, index: int | None = None, parent: int | None = None) -> set[str]:
    """Return the growths that were tried: of the trunk as it is now, or of a front's member."""
    if state.front:
        others = map(Candidate.read, state.placed[:index])
        return {each.growth for each in others if each.parent == parent}
    if state.trunk is None:
        return set()
    others = map(Candidate.read, state.placed)
    return {each.growth for each in others if each.start == state.trunk.weights}


def pending(run: Run, state: RunState, trial: FrozenTrial, job_of: JobOf | None = None) -> Pending:
    """Return a described trial with its job, a function of what the study holds.

    Parameters
    ----------
    run : Run
    state : RunState
        The state that the trial was proposed on.
    trial : FrozenTrial
    job_of : callable, optional
        Makes the job; by default it is a brief training.

    Raises
    ------
    GrowsearchError
        When its parent's network is damaged, or the trial is not what growsearch writes.
    """
    about = Candidate.read(trial)
    accuracy = state.incumbent.validation_accuracy
    if not about.start:
        accuracy = state.accuracy_of(about.parent)
    growth = about.grown_from(run.store.get(start_of(state, about)).architecture, trial.number)
    job = (job_of or _brief)(run, state, trial, about, growth)
    return Pending(trial, about, accuracy, job, run.clock.passed)


def start_of(state: RunState, about: Candidate) -> str:
    """Return the SHA-256 of the network that a trial grows."""
    return state.freed.stored(about.start) if about.start else state.sha256_of(about.parent)


def _brief(
    run: Run, state: RunState, trial: FrozenTrial, about: Candidate, growth: Growth
) -> TrialJob:
    """Return the job of a candidate that gets the space's brief training."""
    accuracy, space = state.accuracy_of(about.parent), run.space
    plan = space.plan(trial.params)
    judged = [each for each in state.judged if each.number < trial.number]
    return TrialJob(
        name=f"trial {trial.number}",
        parent=start_of(state, about),
        growth=growth,
        arm=CANDIDATE,
        plan=plan,
        data=run.data,
        start_seed=run.seed_of(about.index, CANDIDATE),
        order_seed=run.seed_of(about.index, "order"),
        slots=space.training.slots,
        step_milliseconds=space.limits.step_milliseconds,
        keep_above=ALWAYS if state.front else least_accuracy(space.judge.rule, accuracy),
        cutoffs=cutoffs_of(space, judged, accuracy, plan.steps),
    )


def judge(run: Run, state: RunState, candidate: Pending, outcome: TrialOutcome) -> Decision:
    """Decide whether a candidate becomes the incumbent, against the incumbent of now.

    With two objectives: whether it joins the front of now.

    A candidate whose parent has been replaced since must be superior, whatever the space's rule:
    of two siblings that are both "not worse" the second would undo the growth of the first.
    """
    incumbent, accuracy = state.incumbent, outcome.final.accuracy
    if state.front:
        job = candidate.job
        assert job is not None
        assert job.growth is not None
        assert isinstance(job.parent, str)
        grown = job.growth.grown(run.store.get(job.parent).architecture)
        candidate.demand = demand_of(run, grown)
        parent = candidate.about.parent
        candidate.demand_gain = halvings(run, state, parent, candidate.demand)
        if not outcome.ended_early:
            assert candidate.demand is not None
            point = Point(candidate.trial.number, accuracy, candidate.demand)
            return judge_on_front(run, state, point, outcome)
    rule, best = run.space.judge.rule, incumbent.validation_accuracy
    # A network below its own parent was not stored; that parent's file may be damaged since.
    best = max(best, least_accuracy(rule, candidate.parent_accuracy))
    if candidate.about.parent != incumbent.trial_number:
        rule = "superior"
    # The incumbent's losses, or shares, take an evaluation: only where they may decide.
    needed = not outcome.ended_early and losses_may_decide(rule, accuracy, best)
    known = run.evaluated(incumbent.sha256) if needed else None
    against = candidate.parent_accuracy if outcome.ended_early else best
    return decide(
        Score(accuracy, outcome.losses, outcome.shares),
        Score(against) if known is None else Score(against, known.losses, known.shares),
        margin=run.space.judge.margin,
        rule=rule,
        pruned=outcome.ended_early,
    )


def record(run: Run, candidate: Pending, outcome: TrialOutcome, decision: Decision) -> None:
    """Write the outcome of a candidate into its trial, and tell: the tell is the commit."""
    gains = {p.step: p.accuracy - candidate.parent_accuracy for p in outcome.curve}
    accuracy = outcome.final.accuracy
    gain = accuracy - candidate.parent_accuracy
    further = {} if candidate.demand is None else {"demand_gain": candidate.demand_gain}
    judged = Candidate.judged(
        outcome, gain=gain, kept=decision.kept, reason=decision.reason, **further
    )
    run.guard.check()
    told = [accuracy] if candidate.demand is None else [accuracy, candidate.demand]
    value = None if outcome.ended_early else told
    finish(run.study, candidate.trial, judged, value=value, gains=gains)
    if not decision.kept:
        run.forget(outcome.sha256)


def record_failure(run: Run, candidate: Pending, reason: str) -> None:
    """Tell that a candidate's training could not end."""
    run.guard.check()
    fail(run.study, candidate.trial, reason)
