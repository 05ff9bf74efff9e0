"""The command that goes on from the network of a run with new images: continue."""

from __future__ import annotations

import click

from growsearch.cli import options, output
from growsearch.cli.progress import Shown, how_to_show
from growsearch.cli.workers import Workers, where_to_train


@click.command(
    "continue",
    epilog="Example: growsearch continue runs/may --data may/ --data june/ --out runs/june",
)
@click.argument("folder", metavar="DIR")
@click.option(
    "--data",
    required=True,
    multiple=True,
    metavar="PATH",
    help="The new images. Repeatable: name the old ones too, so that the network keeps what it "
    "knows.",
)
@options.skip_unreadable
@click.option(
    "--out", metavar="DIR", help="Folder of the new run; by default DIR-2, DIR-3, … as is free."
)
@options.storage
@click.option("--trials", type=click.IntRange(min=0), help="Trials of the new run in all.")
@click.option(
    "--time-budget",
    type=options.TimeBudget(),
    metavar="SPAN",
    help="Time for the whole new run: 90s, 10m; by default the space's. none is no limit.",
)
@options.seed
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a value of the run's search space: limits.parameters=2000000. Repeatable.",
)
@click.option(
    "--arms",
    cls=options.ArmsOption,
    type=options.Arms(),
    metavar="LIST",
    help="Control arms with fractions of the trials; continued:0.5,scratch_compute:0.25 by "
    "default.",
)
@where_to_train
@options.log
@how_to_show
def continue_run(
    folder: str,
    data: tuple[str, ...],
    skip_unreadable: bool,
    out: str | None,
    storage: str | None,
    trials: int | None,
    time_budget: float | None,
    seed: int | None,
    overrides: tuple[str, ...],
    arms: dict[str, float] | None,
    workers: Workers,
    logs: tuple[str, ...],
    shown: Shown,
) -> None:
    """Go on from the best network of the run in DIR with new images, in a run of its own.

    Controls tell whether growing was needed: the network trained on without growth, and one from
    random weights on all these images. The same command continues an interrupted run.
    """
    from growsearch.space import Override

    changes = list(map(Override.parse, overrides))
    if arms is not None:
        changes.append(Override("controls.arms", arms, "--arms"))
    shown.announce(in_process=not workers.are_processes)
    output.quiet()
    from growsearch.continuation import continue_search
    from growsearch.tracking import tracker_named

    trackers = [tracker_named(each) for each in logs]
    with shown.listening() as listener, workers.started() as (executor, count):
        result = continue_search(
            folder,
            data=list(data),
            skip_unreadable=skip_unreadable,
            out=out,
            overrides=changes,
            storage=storage,
            trials=trials,
            time_budget=time_budget,
            seed=seed,
            workers=count,
            executor=executor,
            callbacks=trackers,
            on_event=listener,
            began=options.BEGAN,
            **workers.limits,
        )
    listener.finish(result)
