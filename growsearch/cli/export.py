"""The command that hands a network to other runtimes: export."""

from __future__ import annotations

from typing import Any

import click

from growsearch.cli import options, output


@click.command(
    epilog="Example: growsearch export runs/mnist --format onnx --softmax --out mnist.onnx"
)
@click.argument("source", metavar="SOURCE")
@click.option(
    "--format",
    "file_format",
    metavar="FORMAT",
    help="keras, savedmodel, onnx, tflite, tflite-int8, openvino, npz or safetensors; by default "
    "that of the suffix of --out.",
)
@click.option(
    "-o",
    "--out",
    metavar="PATH",
    help="File to write, or folder of a SavedModel; by default in the current folder, with the "
    "name of the run or file.",
)
@click.option(
    "--trial",
    type=click.IntRange(min=0),
    help="Export the network of this trial of the run, if it was kept.",
)
@click.option(
    "--within",
    type=options.Limit(),
    multiple=True,
    metavar="DEMAND=LIMIT",
    help="Of a run that keeps a front, export the most accurate network within limits: "
    "milliseconds=2. Repeatable.",
)
@click.option("--softmax", is_flag=True, help="Give probabilities: behind logits a softmax.")
@click.option(
    "--input",
    "taken",
    type=click.Choice(["uint8", "float32"]),
    help="Take bytes of pixels, 0 to 255, or floats, 0 to 1; by default bytes where the images "
    "were bytes and the format has a graph, floats in keras, npz and safetensors.",
)
@click.option(
    "--data",
    metavar="PATH",
    help="Images with labels to compare, measure and calibrate on; by default those of the run.",
)
@options.skip_unreadable
@options.storage
@options.custom_objects
@options.as_json
def export(
    source: str,
    file_format: str | None,
    out: str | None,
    trial: int | None,
    within: tuple[tuple[str, float], ...],
    softmax: bool,
    taken: Any,
    data: str | None,
    skip_unreadable: bool,
    storage: str | None,
    custom_objects: dict[str, Any],
    as_json: bool,
) -> None:
    """Write a network to a file of another runtime, and check there that it is the same.

    SOURCE is the folder of a run, whose best network is taken, or a .keras, .h5 or .safetensors
    file. The file is loaded again by its runtime and compared with the network on images; nothing
    is written where they differ. Names of classes and a model card lie beside it.
    """
    output.quiet()
    from growsearch.exports import export as exported
    from growsearch.reports import exports as report

    record = exported(
        source,
        format=file_format,
        out=out,
        trial=trial,
        within=dict(within),
        softmax=softmax,
        input=taken,
        data=data,
        skip_unreadable=skip_unreadable,
        storage=storage,
        custom_objects=custom_objects or None,
    )
    if as_json:
        output.print_json(record.to_json())
    else:
        click.echo("\n".join(report.lines(record)))
