"""The command that writes the report of a run: report."""

from __future__ import annotations

import click

from growsearch.cli import options, output


@click.command(epilog="Example: growsearch report runs/mnist --out mnist.html")
@click.argument("folder", metavar="DIR")
@options.storage
@click.option("--out", metavar="FILE", help="The HTML file; by default report.html in DIR.")
def report(folder: str, storage: str | None, out: str | None) -> None:
    """Write the report of the run in DIR as one HTML file, which needs no network.

    Result, lineage, learning curves, evidence, the network layer by layer, time, and how to repeat
    it. A run that has not ended has a report too.
    """
    output.quiet()
    from growsearch.page import write_report
    from growsearch.study.result import load_result

    click.echo(f"report: {write_report(load_result(folder, storage=storage), out)}")
