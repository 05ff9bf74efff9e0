"""The commands that look after a run: verify, gc."""

from __future__ import annotations

import click

from growsearch.cli import options, output
from growsearch.errors import DamagedRunError


@click.command(epilog="Example: growsearch verify runs/mnist")
@click.argument("folder", metavar="DIR")
@options.storage
@options.as_json
def verify(folder: str, storage: str | None, as_json: bool) -> None:
    """Check every promise on the run in DIR; changes nothing.

    Exit status 0 if all are kept, 3 if one is broken, 2 if there is no run.
    """
    output.quiet()
    from growsearch.reports import upkeep as report
    from growsearch.upkeep.verify import verify as verify_run

    found = verify_run(folder, storage=storage)
    if as_json:
        output.print_json(found.to_json())
    else:
        click.echo("\n".join(report.verification(found)))
    if not found.is_good:
        raise DamagedRunError(report.verdict(found))


@click.command(epilog="Example: growsearch gc runs/mnist --dry-run")
@click.argument("folder", metavar="DIR")
@options.storage
@click.option("--dry-run", is_flag=True, help="Print what would be freed, and free nothing.")
@options.as_json
def gc(folder: str, storage: str | None, dry_run: bool, as_json: bool) -> None:
    """Free the disk space that the run in DIR does not need.

    Networks that no trial names, files of killed processes, stored images, which the next session
    writes again, and optimizer slots from which nothing will be trained.
    """
    output.quiet()
    from growsearch.reports import upkeep as report
    from growsearch.upkeep.gc import collect

    freed = collect(folder, storage=storage, dry_run=dry_run)
    if as_json:
        output.print_json(freed.to_json())
    else:
        click.echo("\n".join(report.freed(freed)))
    if freed.damaged:
        raise DamagedRunError(report.left_alone(freed))
