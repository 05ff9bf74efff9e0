"""The command that examines the installation: doctor."""

from __future__ import annotations

import click

from growsearch.cli import options, output

WRONG = 1  # the exit status where something is wrong


@click.command(epilog="Example: growsearch doctor --out /data/runs")
@click.option(
    "--out",
    "folder",
    metavar="DIR",
    default="runs",
    help="The folder of runs, which need not exist; runs by default.",
)
@options.storage
@options.as_json
@click.pass_context
def doctor(context: click.Context, folder: str, storage: str | None, as_json: bool) -> None:
    """Examine this installation: what is there, what is wrong, and what to do.

    Versions, a short training and its precision, threads, GPUs, data sets, storage and disk, in
    about 10 seconds; nothing is downloaded. Exit status 0 if nothing is wrong, else 1.
    """
    output.quiet()
    from growsearch.doctor import examine
    from growsearch.reports import doctor as report

    found = examine(folder, storage)
    if as_json:
        output.print_json(found.to_json())
    else:
        click.echo("\n".join(report.lines(found)))
    if found.wrong:
        context.exit(WRONG)
