"""The commands that read runs and change nothing: runs, show, compare, dashboard."""

from __future__ import annotations

import click

from growsearch.cli import options, output


@click.command(epilog="Example: growsearch runs ~/experiments")
@click.argument("folder", metavar="[FOLDER]", default="runs")
@options.storage
@options.as_json
def runs(folder: str, storage: str | None, as_json: bool) -> None:
    """List the runs in FOLDER, runs by default; changes nothing.

    A row has space, images, state, trials, the best validation accuracy and its parameters, the
    size on disk, and when the run was changed last.
    """
    output.quiet()
    from growsearch.reports import runs as report
    from growsearch.study.runs import list_runs

    found = list_runs(folder, storage=storage)
    if as_json:
        output.print_json(found.to_json())
        return
    click.echo("\n".join(report.lines(found)))


@click.command(epilog="Example: growsearch show runs/mnist")
@click.argument("folder", metavar="DIR")
@options.storage
@options.as_json
def show(folder: str, storage: str | None, as_json: bool) -> None:
    """Show the trials and the best network of the run in DIR; changes nothing."""
    output.quiet()
    from growsearch.study.result import load_result

    output.print_result(load_result(folder, storage=storage), as_json=as_json, with_trials=True)


@click.command(epilog="Example: growsearch compare runs/evidence")
@click.argument("folder", metavar="DIR")
@options.storage
@options.as_json
def compare(folder: str, storage: str | None, as_json: bool) -> None:
    """Compare the candidates of the run in DIR with their controls.

    Prints paired differences with intervals and tests, overall and by operation, and how soon each
    arm reaches an accuracy; saves a plot in DIR.
    """
    output.quiet()
    from rich.console import Console

    from growsearch.reports import evidence as report
    from growsearch.reports.evidence_plot import save_plot
    from growsearch.study.result import load_result

    result = load_result(folder, storage=storage)
    evidence = result.evidence()
    if as_json:
        output.print_json(evidence.to_json())
        return
    console = Console()
    console.print(report.report(evidence))
    if any(each.accuracy.n for each in evidence.overall):
        output.print_plot(console, lambda: save_plot(result.trials, evidence, folder))


@click.command(epilog="Example: growsearch dashboard runs/mnist --port 8080")
@click.argument("folder", metavar="DIR")
@options.storage
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8080,
    show_default=True,
    help="Port on 127.0.0.1.",
)
def dashboard(folder: str, storage: str | None, port: int) -> None:
    """Open the Optuna dashboard on the run in DIR, for this machine only."""
    output.quiet()
    from growsearch.study.dashboard import serve

    def announce(address: str) -> None:
        click.echo(f"Optuna dashboard of {folder}: {address} (Ctrl-C ends it)")

    serve(folder, storage=storage, port=port, announce=announce)
