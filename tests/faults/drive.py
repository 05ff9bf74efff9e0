"""A driver in a process of its own, with the exit statuses of the command line.

``python -m tests.faults.drive OPTIONS``, where the options are those of :class:`Drive`, as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Drive:
    """One call of ``growsearch.search``, as a value.

    Parameters
    ----------
    out, events : str
        The run folder, and the file to which each event is appended.
    trainer : dict
        The options of a ``FaultyTrainer``.
    patience : float or None
        Seconds that the driver waits for its database; the product's own by default.
    ray : str or None
        The address of a cluster, instead of processes of this machine.
    broken : bool
        An executor of the standard library that breaks with its first lost worker.
    """

    out: str
    events: str
    trials: int
    trainer: dict[str, Any]
    storage: str | None = None
    workers: int = 2
    pending_trials: int = 1
    trial_time_limit: float | None = None
    memory_per_worker: int | None = None
    patience: float | None = None
    ray: str | None = None
    broken: bool = False
    overrides: tuple[str, ...] = ()


def main() -> None:
    """Search, and exit as the command line does."""
    from growsearch.cli import main

    drive = Drive(**json.loads(sys.argv[1]))

    def call(*_: Any, **__: Any) -> None:
        search(drive)

    sys.exit(main([], call=call))


def search(drive: Drive) -> None:
    """Call ``growsearch.search``; write events."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    import optuna
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    import growsearch as gs
    from growsearch.study import patience
    from tests.fake_trainer import images, space, without_fsync
    from tests.faults.trainers import SEED, FaultyTrainer

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    event.listen(Engine, "connect", without_fsync)
    if drive.patience is not None:
        patience.SECONDS = drive.patience
    options: dict[str, Any] = {"workers": drive.workers}
    if drive.ray is not None:
        options["executor"] = gs.RayExecutor(drive.ray, workers=drive.workers)
    elif drive.broken:
        options["executor"] = ProcessPoolExecutor(drive.workers, get_context("spawn"))
    with Path(drive.events).open("a") as file:

        def on_event(event: Any) -> None:
            names = {each.name for each in fields(event)} & {"what", "step", "worker", "reason"}
            values = {name: getattr(event, name) for name in sorted(names)}
            line = {"event": type(event).__name__, "time": time.time(), **values}
            file.write(json.dumps(line) + "\n")
            file.flush()

        gs.search(
            space(*(drive.overrides or ('controls.arms=["random"]',))),
            trials=drive.trials,
            out=drive.out,
            storage=drive.storage,
            data=images(),
            seed=SEED,
            trainer=FaultyTrainer(**drive.trainer),
            pending_trials=drive.pending_trials,
            trial_time_limit=drive.trial_time_limit,
            memory_per_worker=drive.memory_per_worker,
            on_event=on_event,
            **options,
        )


def as_json(drive: Drive) -> str:
    """The command's argument."""
    return json.dumps(asdict(drive))


if __name__ == "__main__":
    main()
