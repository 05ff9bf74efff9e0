"""A candidate of a campaign: its job, its trainings, and its readings since the growth."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from optuna.trial import FrozenTrial

from growsearch.driver.candidates import JobOf, Pending
from growsearch.driver.costs import Costs
from growsearch.driver.plans import candidate_plan
from growsearch.driver.run import Run
from growsearch.growth import Growth
from growsearch.study.attributes import Candidate, Trunk
from growsearch.study.run_state import RunState
from growsearch.trials.arms import CANDIDATE
from growsearch.trials.job import ALWAYS, TrialJob
from growsearch.trials.judge import Decision
from growsearch.trials.outcome import TrialOutcome
from growsearch.trials.race import Reading

_REWARMED = 1.5  # a screening has at least this many times the updates of its re-warming
_DEARER = 1.3  # an update of a growth, in those of the trunk: most cost 1.05 to 1.6 times as much


@dataclass(eq=False)
class Racer:
    """A candidate of a campaign.

    Parameters
    ----------
    pending : Pending
    outcomes : list of TrialOutcome
        Of its screening, then of its contest.
    readings : list of (cost, loss)
        Since the growth.
    decision : Decision or None
        None before the campaign has decided.
    """

    pending: Pending
    outcomes: list[TrialOutcome] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    decision: Decision | None = None

    @property
    def number(self) -> int:
        """The number of its trial."""
        return self.pending.trial.number

    @property
    def failure(self) -> str | None:
        """The reason that its training could not end; None if it could."""
        failures = [each.failure.reason for each in self.outcomes if each.failure is not None]
        return failures[0] if failures else None

    @property
    def is_kept(self) -> bool:
        """True if it takes the trunk's place."""
        return self.failure is None and self.decision is not None and self.decision.kept

    @property
    def cost(self) -> float:
        """The cost of its trainings that ended."""
        return self.readings[-1][0] if self.readings else 0.0

    def take(self, outcome: TrialOutcome, costs: Costs) -> None:
        """Take the outcome of a training."""
        before = self.cost
        self.outcomes.append(outcome)
        if outcome.failure is None:
            one = costs.of_update(self.pending.about.flops, outcome)
            self.readings += [(before + p.step * one, p.loss) for p in outcome.trained]

    def outcome(self) -> TrialOutcome:
        """Return its trainings as one, with the networks of the last."""
        first, last = self.outcomes[0], self.outcomes[-1]
        if first is last:
            return last
        on = (replace(p, step=first.final.step + p.step) for p in last.trained)
        return replace(
            last,
            curve=(*first.curve, *on),
            seconds=first.seconds + last.seconds,
            training_flops=first.training_flops + last.training_flops,
        )


def screening(trunk: Trunk, flops: int, costs: Costs, cost: float) -> JobOf:
    """Return the function that makes the job of a candidate's first training.

    Parameters
    ----------
    trunk : Trunk
        That grows.
    flops : int
        FLOPs of one image's forward pass through it.
    costs : Costs
    cost : float
        Of the training.
    """

    def job(
        run: Run, state: RunState, trial: FrozenTrial, about: Candidate, growth: Growth
    ) -> TrialJob:
        del state
        space = run.paced_space
        plan = replace(space.plan(trial.params), precision=trunk.precision)
        one = costs.expected(trunk.step_cost, about.flops, flops)
        updates = costs.updates(cost, one, least=_least(plan.rewarm))
        return TrialJob(
            name=f"trial {trial.number}",
            parent=about.start,
            growth=growth,
            arm=CANDIDATE,
            plan=candidate_plan(plan, space, trunk.updates, updates),
            data=run.data,
            start_seed=run.seed_of(about.index, CANDIDATE),
            order_seed=run.seed_of(about.index, "order"),
            slots=run.space.training.slots,
            step_milliseconds=run.space.limits.step_milliseconds,
            keep_above=ALWAYS,
            goes_on=True,
        )

    return job


def _least(rewarm: int) -> int:
    """Return the least updates of a first training, by those of its re-warming."""
    return max(round(_REWARMED * rewarm), 1)


def least_screening(rewarm: int, trunk: Trunk) -> float:
    """Return the cost to expect of the shortest first training of a growth of the trunk."""
    return _least(rewarm) * _DEARER * trunk.step_cost


def contest_job(run: Run, trunk: Trunk, racer: Racer, updates: int, readings: int) -> TrialJob:
    """Return the job that trains a candidate on after its screening."""
    screened = racer.outcomes[-1]
    assert racer.pending.job is not None
    assert screened.last is not None
    plan = racer.pending.job.plan
    start = trunk.updates + screened.final.step
    plan = candidate_plan(plan, run.space, start, updates, readings=readings)
    return replace(
        racer.pending.job,
        name=f"trial {racer.number} contest",
        parent=screened.last,
        growth=None,
        plan=replace(plan, rewarm=0, evaluate_start=False),
        order_seed=run.seed_of(racer.pending.about.index, "contest"),
        step_milliseconds=None,
    )
