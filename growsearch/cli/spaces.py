"""The command that prints the shipped search spaces: spaces."""

from __future__ import annotations

import click

from growsearch.cli import options


@click.command(epilog="Example: growsearch spaces mnist > my_space.toml")
@click.argument("name", required=False, callback=options.current_space)
def spaces(name: str | None) -> None:
    """List the shipped search spaces, or print the one called NAME."""
    from growsearch.space import ALIASES, AUTO, SearchSpace, read_shipped

    if name is not None:
        click.echo(read_shipped(name), nl=False)
        return
    for each in (*SearchSpace.shipped(), AUTO):
        first = read_shipped(each).splitlines()[0].lstrip("# ")
        click.echo(f"{each:<16}{first}")
    for alias, successor in ALIASES.items():
        click.echo(f"{alias:<16}Replaced by {successor}.")
