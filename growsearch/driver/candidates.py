"""One candidate: proposed on the incumbent, trained as a job, judged, and told to the study."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from growsearch.driver.proposals import decode, distributions, outside
from growsearch.driver.run import Run
from growsearch.errors import GrowsearchError, RunError, TrainingFailedError
from growsearch.study.attributes import INTERRUPTED, Candidate
from growsearch.study.database import STORAGE_ERRORS
from growsearch.study.networks import Best, is_referred_to
from growsearch.study.optuna_private import is_enqueued
from growsearch.study.run_state import RunState
from growsearch.study.trials import described, fail, finish, index_of
from growsearch.training import Point
from growsearch.trials.arms import CANDIDATE
from growsearch.trials.job import TrialJob
from growsearch.trials.judge import Decision, Score, decide, least_accuracy, losses_may_decide
from growsearch.trials.outcome import TRAINING_FAILED, Failure, TrialOutcome

_ENQUEUED = "enqueued with a value outside the space"


@dataclass(frozen=True)
class Asked:
    """A new trial of the study; ``refusal`` is Optuna's reason where it refused the trial.

    Optuna refuses a queued trial with a value of another type than its parameter's.
    """

    trial: Trial | FrozenTrial
    refusal: str = ""


@dataclass(frozen=True)
class Proposal:
    """A growth of the incumbent, as the job of a trial."""

    trial: Trial | FrozenTrial
    parent: Best
    job: TrialJob


def ask(run: Run) -> Asked:
    """Ask the study for a trial."""
    try:
        return Asked(run.study.ask(distributions(run.space)))
    except ValueError as error:
        queued = run.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))[-1]
        if not is_enqueued(queued):
            raise
        return Asked(queued, f"{_ENQUEUED}: {error}")


def propose(run: Run, state: RunState, asked: Asked) -> Proposal:
    """Decode a trial onto the incumbent, store its description, and return its job.

    Raises
    ------
    TrainingFailedError or MemoryError
        When the growth that the trial asks for cannot be tried.
    """
    trial = asked.trial
    if asked.refusal:
        raise TrainingFailedError(asked.refusal)
    if (reason := outside(trial.params, run.space)) is not None:
        raise TrainingFailedError(f"{_ENQUEUED}: {reason}")
    return Proposal(trial, state.incumbent, _described(run, state, trial))


def _described(run: Run, state: RunState, trial: Trial | FrozenTrial) -> TrialJob:
    """Write down the growth that a trial's parameters mean on the incumbent, and return its job."""
    parent = state.incumbent
    before = parent.network.architecture
    growth = decode(trial.params, before, run.space)
    if growth is None:
        raise RunError("no operation of the space has a legal site on the best network")
    index = index_of(state.trials, trial.number)
    about = Candidate.described(index, parent.trial_number, growth, before)
    described(run.study, trial, about)
    return TrialJob(
        name=f"trial {trial.number}",
        parent=parent.sha256,
        growth=growth,
        arm=CANDIDATE,
        plan=run.space.plan(trial.params),
        data=run.data,
        start_seed=run.seed_of(index, CANDIDATE),
        order_seed=run.seed_of(index, "order"),
        slots=run.space.training.slots,
        step_milliseconds=run.space.limits.step_milliseconds,
        keep_above=least_accuracy(run.space.judge.rule, parent.validation_accuracy),
    )


def train(run: Run, proposal: Proposal) -> TrialOutcome:
    """Submit a proposal's job and wait for its outcome; the pruner may end it early.

    Raises
    ------
    TrainingFailedError
        When the training fails.
    """
    trial = proposal.trial
    answers: dict[int, bool] = {}  # by step: an executor may have to repeat the job

    def report(point: Point) -> bool:
        if point.step not in answers:
            # Gains compare across generations: one pruning threshold serves the whole run.
            trial.report(point.accuracy - proposal.parent.validation_accuracy, point.step)
            answers[point.step] = trial.should_prune()
        return answers[point.step]

    with run.listener.reporting(proposal.job, report):
        outcome = run.execute(proposal.job)
    if outcome.failure is not None:
        raise outcome.failure.error()
    return outcome


def judge(run: Run, proposal: Proposal, outcome: TrialOutcome) -> Decision:
    """Decide whether the candidate becomes the incumbent."""
    accuracy, parent = outcome.final.accuracy, proposal.parent
    rule = run.space.judge.rule
    # The parent's losses take an evaluation: only where they may decide.
    needed = not outcome.ended_early and losses_may_decide(
        rule, accuracy, parent.validation_accuracy
    )
    losses = run.losses_of(parent.sha256) if needed else None
    return decide(
        Score(accuracy, outcome.losses),
        Score(parent.validation_accuracy, losses),
        margin=run.space.judge.margin,
        rule=rule,
        pruned=outcome.ended_early,
    )


def record(run: Run, proposal: Proposal, outcome: TrialOutcome, decision: Decision) -> None:
    """Write the outcome of a candidate into its trial, and tell: the tell is the commit."""
    study, trial = run.study, proposal.trial
    accuracy = outcome.final.accuracy
    gain = accuracy - proposal.parent.validation_accuracy
    judged = Candidate.judged(outcome, gain=gain, kept=decision.kept, reason=decision.reason)
    value = None if outcome.ended_early else accuracy
    finish(study, trial, judged, value=value, gains={})
    if outcome.sha256 and not decision.kept and not is_referred_to(study, outcome.sha256):
        with suppress(OSError):  # a file that nothing names does no harm
            run.store.remove(outcome.sha256)


@contextmanager
def given_back(study: Study, trial: Trial | FrozenTrial) -> Iterator[None]:
    """Fail the trial if an error leaves the block.

    A training that cannot end fails its trial, and the search goes on. After any other error the
    session ends: the trial is interrupted and repeated later, or failed for good if the error is
    one of the candidate's.
    """
    try:
        yield
    except TRAINING_FAILED as error:
        fail(study, trial, Failure.of(error).reason)
    except BaseException as error:
        # If not even this can be written, the next session finds it running and repeats it.
        with suppress(Exception):
            fail(study, trial, _reason(error))
        raise


def _reason(error: BaseException) -> str:
    """Return the reason of a failed trial: interrupted, if the candidate cannot be at fault."""
    outside_of_it = (OSError, GrowsearchError, *STORAGE_ERRORS)
    if not isinstance(error, Exception) or isinstance(error, outside_of_it):
        return INTERRUPTED
    return " ".join(f"{type(error).__name__}: {error}".split())
