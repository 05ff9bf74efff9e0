"""Forks of the trunk, trained side by side in different orders of the images, and averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from growsearch.driver.run import Run
from growsearch.driver.trunk.together import Work, carry_out_together
from growsearch.errors import RunError
from growsearch.training import TrainingPlan
from growsearch.trials.average import AverageJob
from growsearch.trials.job import ALWAYS, TrialJob
from growsearch.trials.outcome import TrialOutcome


@dataclass(frozen=True)
class Forked:
    """The outcome of forks: the best of them and of their average, by its loss.

    Parameters
    ----------
    sha256 : str
    accuracy, loss : float
        On the selection images.
    share : float
        The share of the updates of all forks that the network descends from.
    lasts : tuple of str
        The SHA-256 of each fork's last update, from which its training can go on.
    networks : tuple of str
        The SHA-256 of each network that was stored to be read: of the forks, and of their average.
    outcomes : tuple of TrialOutcome
        Of the forks that ended.
    """

    sha256: str
    accuracy: float
    loss: float
    share: float
    lasts: tuple[str, ...]
    networks: tuple[str, ...]
    outcomes: tuple[TrialOutcome, ...]

    @property
    def seconds(self) -> float:
        """Seconds of the updates of all forks."""
        return sum(each.seconds for each in self.outcomes)


def train_forks(
    run: Run, name: str, phase: str, starts: Sequence[str], plan: TrainingPlan, seeds: Sequence[int]
) -> Forked | TrialOutcome:
    """Train forks side by side by one plan, and average them.

    Parameters
    ----------
    run : Run
    name, phase : str
        Of the jobs.
    starts : sequence of str
        The SHA-256 of the network that each goes on from.
    plan : TrainingPlan
    seeds : sequence of int
        Of the order of the images, one for each.

    Returns
    -------
    Forked, or the TrialOutcome of a failure where no fork ended
    """
    found: dict[int, TrialOutcome] = {}

    def fork(place: int) -> Work:
        found[place] = yield (
            TrialJob(
                name=f"{name} {place + 1}" if len(starts) > 1 else name,
                parent=starts[place],
                plan=plan,
                data=run.data,
                start_seed=0,  # nothing is drawn
                order_seed=seeds[place],
                keep_above=ALWAYS,
                goes_on=True,
            ),
            phase,
        )

    carry_out_together(run.dispatcher, [fork(place) for place in range(len(starts))])
    outcomes = tuple(found[place] for place in sorted(found))
    ended = tuple(each for each in outcomes if each.failure is None)
    if not ended:
        return outcomes[0]
    lasts = tuple(each.last for each in ended if each.last is not None)
    networks = [
        (each.final.loss, each.final.accuracy, each.sha256) for each in ended if each.sha256
    ]
    if len(lasts) != len(ended) or len(networks) != len(ended):
        raise RunError(f"{name}: expected the executor to store the networks, got none")
    share = 1.0 / len(ended)
    if len(ended) > 1:
        names = tuple(sha256 for _, _, sha256 in networks)
        job = AverageJob(f"{name} average", names, run.data, plan.class_weight)
        averaged = run.execute(job, phase)
        networks.append((averaged.loss, averaged.accuracy, averaged.sha256))
    loss, accuracy, sha256 = min(networks)
    if (loss, accuracy, sha256) == networks[-1]:
        share = 1.0  # of the average
    stored = tuple(each for _, _, each in networks)
    return Forked(sha256, accuracy, loss, share, lasts, stored, ended)
