"""The time of a run with a trunk: into which updates the seconds of its workers went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from growsearch.study.attributes import (
    PolishAttribute,
    Reading,
    Trunk,
    WorkersAttribute,
)


@dataclass(frozen=True)
class Shares:
    """Shares of the seconds of all workers of a run, from its begin to its end; their sum is 1.

    Parameters
    ----------
    seconds : float
        Seconds of the run, times its workers; the process of the driver alone is one.
    descent : float
        Into updates that the network of the run descends from: of the first network, the trunk,
        the growths that were kept, and the forks that it is the average of.
    deciding : float
        Into updates of the candidates that were not kept, and of the trunk whose place a growth
        took.
    controls : float
        Into updates of the controls, which the evidence needs.
    commits : float
        Into updates of forks that other commits were made of, and those after the commit that is
        the network of the run.
    around : float
        Into jobs, but not into updates: loading, compiling, evaluation, jobs that were lost.
    idle : float
        Into no job: deciding and storing, workers that started or waited.
    """

    seconds: float
    descent: float
    deciding: float
    controls: float
    commits: float
    around: float
    idle: float

    def to_json(self) -> dict[str, float]:
        """Return the shares as plain JSON values."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def shares_of(
    trunk: Trunk,
    end: Reading,
    readings: Sequence[Reading],
    decay: PolishAttribute | None,
    workers: WorkersAttribute | None,
    *,
    run: float,
    refused: float,
    controls: float,
) -> Shares | None:
    """Return the shares of a run; None before its first session has ended.

    Parameters
    ----------
    trunk : Trunk
    end : Reading
        The network of the run.
    readings : sequence of Reading
    decay : PolishAttribute or None
    workers : WorkersAttribute or None
    run : float
        Seconds of the run.
    refused, controls : float
        Seconds of the updates of the candidates that were not kept, and of the controls.
    """
    if workers is None or not workers.available:
        return None
    deciding = refused + trunk.given_up
    forks = [each.cooling for each in readings if each.mark] + [decay.cooling if decay else 0.0]
    updates = trunk.seconds + deciding + controls + sum(forks)
    commits = max(updates - deciding - controls - end.seconds, 0.0)
    busy = max(workers.busy, updates)
    # The workers are there somewhat later than the run, which may have had others in between.
    whole = max(run * max(workers.count, 1), workers.available, busy)
    parts = (end.seconds, deciding, controls, commits, busy - updates, whole - busy)
    return Shares(whole, *(part / whole for part in parts))
