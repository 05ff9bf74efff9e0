"""The command that searches: run."""

from __future__ import annotations

from typing import Any

import click

from growsearch.cli import options, output
from growsearch.cli.progress import Shown, how_to_show
from growsearch.cli.workers import Workers, where_to_train


@click.command(epilog="Example: growsearch run fashion_mnist --time-budget 10m --out runs/fashion")
@click.argument("space", required=False, callback=options.current_space)
@options.model
@options.custom_objects
@click.option(
    "--trials",
    type=click.IntRange(min=0),
    help="Trials in all, earlier ones included; of a space with a trunk, growths that are tried.",
)
@click.option(
    "--time-budget",
    type=options.TimeBudget(),
    metavar="SPAN",
    help="Time for the whole run: 90s, 10m. By default the space's search.time_budget, which is 5m "
    "of mnist and fashion_mnist; none is no limit.",
)
@click.option(
    "--out", metavar="DIR", help="Run folder; runs/SPACE, runs/IMAGES or runs/MODEL by default."
)
@options.storage
@options.data
@options.image_size
@options.skip_unreadable
@options.seed
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a value of the search space: training.steps=100. Repeatable.",
)
@click.option(
    "--arms",
    cls=options.ArmsOption,
    type=options.Arms(),
    metavar="LIST",
    help="Control arms, each with the fraction of the trials it runs on: random,scratch:0.5; none "
    "for no controls.",
)
@click.option(
    "--control-seeds",
    type=int,
    metavar="K",
    help="Train candidate and controls once with each of K seeds.",
)
@click.option(
    "--control-tuned",
    type=int,
    metavar="N",
    help="Give each control the best of N learning rates.",
)
@where_to_train
@options.log
@how_to_show
def run(
    space: str | None,
    model: str | None,
    custom_objects: dict[str, Any],
    arms: dict[str, float] | None,
    control_seeds: int | None,
    control_tuned: int | None,
    trials: int | None,
    time_budget: float | None,
    out: str | None,
    storage: str | None,
    data: str | None,
    image_size: tuple[int, int] | None,
    skip_unreadable: bool,
    seed: int | None,
    overrides: tuple[str, ...],
    workers: Workers,
    logs: tuple[str, ...],
    shown: Shown,
) -> None:
    """Grow the best network of SPACE, a shipped name or a TOML file; mnist by default.

    With --model the search starts from a network of your own, in the space auto by default. The
    same command continues an interrupted run.
    """
    from growsearch.space import AUTO, Override, SearchSpace

    controls = (
        Override("controls.arms", arms, "--arms"),
        Override("controls.seeds", control_seeds, "--control-seeds"),
        Override("controls.tuned", control_tuned, "--control-tuned"),
    )
    given = [override for override in controls if override.value is not None]
    changes = [*map(Override.parse, overrides), *given]
    loaded = None if model is not None else SearchSpace.load(space or "mnist", changes)
    shown.announce(in_process=model is not None or not workers.are_processes)
    output.quiet()
    from growsearch.api import search
    from growsearch.interop.models import network_to_search_from
    from growsearch.tracking import tracker_named

    start = None
    if model is not None:
        start = network_to_search_from(model, custom_objects=custom_objects)
        loaded = SearchSpace.load(space or AUTO, changes, first=start.network.architecture)
    trackers = [tracker_named(each) for each in logs]
    with shown.listening() as listener, workers.started() as (executor, count):
        result = search(
            loaded,
            network=start,
            trials=trials,
            time_budget=time_budget,
            out=out,
            storage=storage,
            data=data,
            image_size=image_size,
            skip_unreadable=skip_unreadable,
            seed=seed,
            workers=count,
            executor=executor,
            callbacks=trackers,
            on_event=listener,
            **workers.limits,
            began=options.BEGAN,
        )
    listener.finish(result)
