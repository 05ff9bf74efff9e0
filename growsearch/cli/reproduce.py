"""The command that repeats the original's experiments: reproduce."""

from __future__ import annotations

import click

from growsearch.cli import options, output
from growsearch.machine import processors

_BESIDE = 2  # trainings at once: one uses a second processor badly


@click.command(epilog="Example: growsearch reproduce --iterations 1000 --seeds 3")
@click.option(
    "--iterations",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Iterations of each training, as the original counts them.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Number of seeds; every experiment is trained once with each.",
)
@options.data
@click.option(
    "--out",
    metavar="DIR",
    default="runs/reproduce",
    show_default=True,
    help="Folder of report and plot.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    metavar="N",
    help="Trainings at once, each in a process of its own; 0 is this process. By default 2, or 0 "
    "on a machine with one processor.",
)
@options.as_json
def reproduce(
    iterations: int, seeds: int, data: str | None, out: str, workers: int | None, as_json: bool
) -> None:
    """Repeat the five experiments of the original Net2Net repository.

    All accuracies are of the test images, as in the original. Every training is stored when it
    ends; the same command continues an interrupted reproduction.
    """
    output.announce(as_json=as_json)
    output.quiet()
    from rich.console import Console

    from growsearch.reports import reproduction as report
    from growsearch.reports.progress import ReproductionDisplay
    from growsearch.reports.reproduction_plot import save_plot
    from growsearch.reproduction.run import reproduce as run_experiments

    console = Console(stderr=as_json)
    try:
        with ReproductionDisplay(console) as display:
            found = run_experiments(
                iterations=iterations,
                seeds=seeds,
                data=data,
                out=out,
                workers=_workers() if workers is None else workers,
                on_progress=display,
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "Finished trainings are stored, those in progress are not"
        ) from None
    if as_json:
        output.print_json(report.to_json(found))
    else:
        console.print(report.report(found))
    output.print_plot(console, lambda: save_plot(found, out))


def _workers() -> int:
    """Return the default number of processes: two where there are processors for them."""
    return _BESIDE if processors() >= _BESIDE else 0
