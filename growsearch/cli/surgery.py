"""The commands that work on a model file, without a search: grow, sites."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from growsearch.checks import LARGEST_SEED
from growsearch.cli import options, output
from growsearch.cli.growths import GrowingCommand, as_option, growths_of
from growsearch.errors import InvalidInputError

if TYPE_CHECKING:
    from growsearch.growth import Growth


@click.command(
    cls=GrowingCommand,
    epilog="Example: growsearch grow my.keras --widen conv1=64 --deepen conv2 --out grown.keras",
)
@click.argument("model")
@click.option("-o", "--out", metavar="PATH", help="File to write: .keras, .h5 or .safetensors.")
@click.option("--dry-run", is_flag=True, help="Print the plan, and write nothing.")
@click.option(
    "--data",
    metavar="PATH",
    help="Images to compare the outputs on, and for what new weights measure. By default outputs "
    "are compared on random inputs, and nothing is measured.",
)
@options.skip_unreadable
@click.option(
    "--seed", type=click.IntRange(0, LARGEST_SEED), default=0, help="Seed of new weights."
)
@options.custom_objects
@options.as_json
def grow(
    model: str,
    out: str | None,
    dry_run: bool,
    data: str | None,
    skip_unreadable: bool,
    seed: int,
    custom_objects: dict[str, Any],
    as_json: bool,
    typed_growths: list[tuple[str, str]],
) -> None:
    """Grow MODEL, a .keras, .h5 or .safetensors file, and keep what it computes.

    Growths are applied in the order in which they are typed. What changed is printed, with the
    largest difference of the outputs on images of --data, or else on random inputs. A network that
    takes bytes is computed on bytes.
    """
    growths = growths_of(typed_growths)
    if not growths:
        raise InvalidInputError(
            "grow: expected at least one growth, such as --widen conv1=64, got none: "
            "growsearch sites MODEL lists what may grow"
        )
    output.quiet()
    from growsearch.growth.surgery import change_of, inputs_of, operated, planned
    from growsearch.interop.models import check_suffix, starting_network, write_model
    from growsearch.interop.pixels import as_taken, takes_bytes
    from growsearch.reports import surgery as report

    if out is not None:
        check_suffix(out, "--out")
    elif not dry_run:
        raise InvalidInputError("grow: expected --out PATH, or --dry-run, got neither")
    before = starting_network(model, custom_objects=custom_objects).network
    _, steps = planned(before.architecture, growths)
    change = after = None
    if not dry_run:
        images = None
        if data is not None:
            found = _images(data, before.architecture.input_shape, skip_unreadable)
            images = as_taken(before, found)
        inputs = inputs_of(before, images)
        if images is None:
            inputs = as_taken(before, inputs)
        after = operated(before, growths, rng=seed, images=images)
        change = change_of(before, after, growths, inputs)
        assert out is not None
        write_model(after, out)
    path = None if dry_run else out
    about = report.Report(before, after, steps, change, data, path, takes_bytes(before))
    if as_json:
        output.print_json(about.to_json())
    else:
        click.echo("\n".join(report.lines(about)))


SITES = 20  # of an operation, unless all are asked for
MEASURED = 1024  # images: their values behind a layer are held in float64, all at a time


@click.command(epilog="Example: growsearch sites my.keras")
@click.argument("model")
@click.option(
    "--all", "every", is_flag=True, help=f"List more than {SITES} places of an operation."
)
@options.custom_objects
@options.as_json
def sites(model: str, every: bool, custom_objects: dict[str, Any], as_json: bool) -> None:
    """List what may grow in MODEL: the smallest growth at each place, as an option of grow."""
    output.quiet()
    from growsearch.growth import sites as sites_of
    from growsearch.interop.models import starting_network
    from growsearch.reports import surgery as report

    architecture = starting_network(model, custom_objects=custom_objects).network.architecture
    found: dict[str, tuple[Growth, ...]] = sites_of(architecture)
    if as_json:
        listed = {name: [each.to_json() for each in legal] for name, legal in found.items()}
        output.print_json({"architecture": architecture.to_json(), "sites": listed})
        return
    most = None if every else SITES
    click.echo("\n".join(report.sites(architecture, found, as_option, most)))


def _images(data: str, input_shape: tuple[int, ...], skip_unreadable: bool) -> Any:
    """Return at most 1,024 images on which a network is measured, evenly spaced in the split."""
    import numpy as np

    from growsearch.datasets import OWN, load, pictures_for

    found = load(OWN, data, skip_unreadable=skip_unreadable, **pictures_for(input_shape))
    images = found.validation.images
    return images[np.linspace(0, len(images) - 1, min(len(images), MEASURED)).astype(int)]
