"""One candidate: proposed on the incumbent, trained as a job, judged, and told to the study."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from optuna.exceptions import OptunaError
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from growsearch.driver.proposals import decode, distributions, outside
from growsearch.driver.run import Run
from growsearch.errors import GrowsearchError, RunError
from growsearch.study.attributes import INTERRUPTED, Candidate
from growsearch.study.networks import Best, is_referred_to
from growsearch.study.optuna_private import is_enqueued
from growsearch.study.run_state import RunState
from growsearch.study.trials import fail, index_of
from growsearch.training import Point
from growsearch.trials.arms import CANDIDATE
from growsearch.trials.job import TrialJob
from growsearch.trials.judge import Decision, Score, decide
from growsearch.trials.outcome import TRAINING_FAILED, Failure, TrialOutcome

_ENQUEUED = "enqueued with what is none of the space's"


@dataclass(frozen=True)
class Proposal:
    """A growth of the incumbent that is to be tried.

    Parameters
    ----------
    trial : Trial or FrozenTrial
        The trial in the study; frozen where Optuna refused to open it.
    parent : Best
        The incumbent when it was proposed.
    job : TrialJob or None
        None where the proposal cannot be trained, for the reason in ``refusal``.
    refusal : str
    """

    trial: Trial | FrozenTrial
    parent: Best
    job: TrialJob | None = None
    refusal: str = ""

    @property
    def number(self) -> int:
        """The trial's number."""
        return self.trial.number


def propose(run: Run, state: RunState) -> Proposal:
    """Ask the study for a trial, and decode it onto the incumbent."""
    parent = state.incumbent
    try:
        trial = run.study.ask(distributions(run.space))
    except ValueError as error:
        queued = run.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))[-1]
        if not is_enqueued(queued):
            raise
        return Proposal(queued, parent, refusal=f"{_ENQUEUED}: {error}")
    with given_back(run.study, trial):
        if (reason := outside(trial.params, run.space)) is not None:
            return Proposal(trial, parent, refusal=f"{_ENQUEUED}: {reason}")
        try:
            return Proposal(trial, parent, _described(run, trial, parent))
        except TRAINING_FAILED as error:
            return Proposal(trial, parent, refusal=Failure.of(error).reason)


def _described(run: Run, trial: Trial, parent: Best) -> TrialJob:
    """Write down what a trial's parameters mean on its parent, and return its job."""
    before = parent.network.architecture
    growth = decode(trial.params, before, run.space)
    if growth is None:
        raise RunError("no operation of the space has a legal site on the best network")
    index = index_of(run.study, trial.number)
    described = Candidate.described(index, parent.trial_number, growth, before)
    _write(trial, described)
    rule = run.space.judge.rule
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
        # By accuracy alone the judge keeps nothing below the parent; by losses it may.
        keep_above=parent.validation_accuracy if rule == "superior" else -1.0,
    )


def train(run: Run, proposal: Proposal) -> TrialOutcome:
    """Have a proposal's job carried out; it ends early where the pruner says so."""
    trial, job = proposal.trial, proposal.job
    if job is None or not isinstance(trial, Trial):
        return TrialOutcome(failure=Failure("failed", proposal.refusal))

    reported: set[int] = set()

    def report(point: Point) -> bool:
        if point.step in reported:  # a job that an executor had to repeat
            return False
        reported.add(point.step)
        # Gains compare across generations: one pruning threshold serves the whole run.
        trial.report(point.accuracy - proposal.parent.validation_accuracy, point.step)
        return trial.should_prune()

    with run.watch.reporting(job, report):
        return run.execute(job)


def judge(run: Run, proposal: Proposal, outcome: TrialOutcome) -> Decision:
    """Decide whether the candidate becomes the incumbent."""
    if outcome.failure is not None:
        return Decision(False, outcome.failure.reason)
    accuracy, parent = outcome.final.accuracy, proposal.parent
    rule = run.space.judge.rule
    # The parent's losses take an evaluation: only where they may decide.
    losses_decide = rule != "superior" or accuracy > parent.validation_accuracy
    losses = run.losses_of(parent.sha256) if losses_decide else None
    return decide(
        Score(accuracy, outcome.losses),
        Score(parent.validation_accuracy, losses),
        margin=run.space.judge.margin,
        rule=rule,
        pruned=outcome.ended_early,
    )


def record(run: Run, proposal: Proposal, outcome: TrialOutcome, decision: Decision) -> None:
    """Write what came of a candidate into its trial, and tell: the tell is the commit."""
    study, trial = run.study, proposal.trial
    if isinstance(trial, Trial) and outcome.precision is not None:
        precision = Candidate(precision=outcome.precision)
        _write(trial, precision)
    if outcome.failure is not None or not isinstance(trial, Trial):
        fail(study, trial, decision.reason)
        return
    accuracy = outcome.final.accuracy
    gain = accuracy - proposal.parent.validation_accuracy
    _write(trial, Candidate.judged(outcome, gain=gain, kept=decision.kept, reason=decision.reason))
    if outcome.ended_early:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, accuracy)
    if outcome.sha256 and not decision.kept and not is_referred_to(study, outcome.sha256):
        run.store.remove(outcome.sha256)


def _write(trial: Trial, candidate: Candidate) -> None:
    for name, value in candidate.to_attributes().items():
        trial.set_user_attr(name, value)


@contextmanager
def given_back(study: Study, trial: Trial | FrozenTrial) -> Iterator[None]:
    """Fail the trial if an error leaves the block: as interrupted, unless what it tried is why.

    An interrupted trial is repeated by the next session.
    """
    try:
        yield
    except BaseException as error:
        # If not even this can be written, the next session finds it running and repeats it.
        with suppress(Exception):
            fail(study, trial, _reason(error))
        raise


def _reason(error: BaseException) -> str:
    """Return why a trial failed: interrupted, if what it tried cannot be the reason."""
    outside_of_it = (OSError, GrowsearchError, SQLAlchemyError, OptunaError)
    if not isinstance(error, Exception) or isinstance(error, outside_of_it):
        return INTERRUPTED
    return " ".join(f"{type(error).__name__}: {error}".split())
