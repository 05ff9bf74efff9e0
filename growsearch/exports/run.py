"""The export as one call: written, loaded again by its runtime, compared, measured, moved."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from growsearch import __version__
from growsearch.checks import check_choice, expanded
from growsearch.errors import ArchitectureError, InvalidInputError
from growsearch.exports.agreement import compare
from growsearch.exports.card import card
from growsearch.exports.content import (
    Content,
    adds_softmax,
    check_ends,
    on_processor,
    probabilities_by,
)
from growsearch.exports.formats import FORMATS, Format, format_for
from growsearch.exports.images import Images, images_for
from growsearch.exports.measure import accuracy, milliseconds, size_of
from growsearch.exports.place import check_place, move, written_beside
from growsearch.exports.record import Export
from growsearch.exports.streams import without_chatter
from growsearch.exports.subject import Subject, subject_of
from growsearch.machine import processor_name, processors
from growsearch.networks.memory import peak_activation_bytes

Input = Literal["uint8", "float32"]
INPUTS: tuple[Input, ...] = ("uint8", "float32")

LABELS, CARD = ".labels.txt", ".card.md"  # behind the name of the file


def export(
    model: Any,
    *,
    format: str | None = None,
    out: str | os.PathLike[str] | None = None,
    trial: int | None = None,
    within: Mapping[str, float] | None = None,
    softmax: bool = False,
    input: Input | None = None,
    data: Any = None,
    skip_unreadable: bool = False,
    storage: str | None = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> Export:
    """Write a network to a file of another runtime, and check there that it is the same.

    The file is loaded again by its runtime and compared with the network on images, and nothing is
    written where they differ. The names of the classes and a model card lie beside it.

    Parameters
    ----------
    model : path, SearchResult, Network or Keras model
        The folder of a run, of which the best network is taken; a file that ends in ``.keras``,
        ``.h5`` or ``.safetensors``; or a value in memory.
    format : str, optional
        A name in ``growsearch.exports.FORMATS``; by default that of the suffix of ``out``.
    out : path, optional
        The file, or the folder of a SavedModel; by default in the current folder, with the name of
        the run or file. An earlier export there is replaced.
    trial : int, optional
        The trial of a run whose network is meant, if it was kept.
    within : mapping, optional
        Limits on demands, by name: the most accurate network within them of a run that keeps a
        front; see :func:`growsearch.pick`.
    softmax : bool
        True for probabilities: a softmax is added, unless the network ends in one or in a sigmoid.
        Otherwise the file gives what the network gives, as a rule logits.
    input : "uint8" or "float32", optional
        What the file takes: bytes of pixels from 0 to 255, which it divides by 255, or floats, of
        images from 0 to 1. By default bytes for images that were bytes, in formats that have a
        graph; floats in "keras", "npz" and "safetensors".
    data : path, arrays or Dataset, optional
        Images with labels, as of :func:`growsearch.load_data`; by default those of the run. Without
        any, outputs are compared on random inputs, and the record says so.
    skip_unreadable : bool
        Leave out files of ``data`` that cannot be read, instead of raising for the first.
    storage : str, optional
        The storage URL of the run, if it is not its folder's.
    custom_objects : mapping, optional
        Own classes and functions, by name, that a Keras file uses.

    Returns
    -------
    Export

    Raises
    ------
    GrowsearchError
        InvalidInputError for unusable input, or where a package is missing; ExportError where the
        file cannot be written or computes something else.

    Examples
    --------
    >>> export("runs/mnist", format="onnx", softmax=True).path           # doctest: +SKIP
    PosixPath('mnist.onnx')
    """
    path = _path(out)
    chosen = format_for(format, path)
    if input is not None:
        check_choice("input", input, INPUTS)
    if not chosen.holds_ends and (softmax or input == "uint8"):
        asked = "a softmax" if softmax else "the scaling of pixels"
        graphs = ", ".join(each.name for each in FORMATS.values() if each.holds_ends)
        raise InvalidInputError(
            f"export: expected a format that can hold {asked}, one of {graphs}, got {chosen.name}"
        )
    chosen.check_installed()
    subject = subject_of(
        model, trial=trial, within=within, storage=storage, custom_objects=custom_objects
    )
    check_ends(subject.network)
    has_softmax = adds_softmax(subject.network, asked=softmax)
    target = path or Path(f"{subject.name}{_ending(chosen)}")
    source = None if subject.place is None else expanded(subject.place)
    check_place(target, is_folder=not chosen.suffixes, source=source)
    images = images_for(subject, data, skip_unreadable=skip_unreadable)
    if chosen.needs_images and not images.are_real:
        raise InvalidInputError(
            f"{chosen.name}: expected images to take the ranges of activations from, but "
            f"{images.about}: name them by --data"
        )
    subject = _named(subject, images)
    content = Content(
        subject.network,
        pixels=_takes_pixels(input, chosen, subject, images),
        softmax=has_softmax,
        calibration=images.calibration,
        custom_objects=custom_objects,
    )
    options = {"trial": trial, "within": within, "data": data, "storage": storage}
    options["skip_unreadable"] = skip_unreadable
    command = _command(subject, target, chosen, content, **options)
    with written_beside(target) as folder:
        written = folder / target.name
        with without_chatter(f"{chosen.name}: the network cannot be written or read"):
            chosen.write(content, written)
            found = _measured(written, chosen, content, images)
        record = replace(
            found,
            path=target,
            source=subject.source,
            validation_accuracy=subject.validation_accuracy,
            notes=_notes(subject, images, content, softmax=softmax),
            command=command,
        )
        further = [Path(target.name).with_suffix(ending).name for ending in chosen.beside]
        beside = [*further, *_companions(folder, record, subject, images)]
        move(folder, target, beside)
    return replace(record, files=tuple(target.with_name(name) for name in beside))


def _path(out: Any) -> Path | None:
    if out is None:
        return None
    if not isinstance(out, str | os.PathLike) or not os.fspath(out):
        raise InvalidInputError(f"out: expected the path of a file, got {out!r}")
    return expanded(out)


def _ending(chosen: Format) -> str:
    """Return what follows the name of the run or file; formats of one suffix do not collide."""
    if not chosen.suffixes:
        return f"-{chosen.name}"
    return ("-int8" if chosen.value_bytes == 1 else "") + chosen.suffixes[0]


def _named(subject: Subject, images: Images) -> Subject:
    """Return the subject with names of its classes where the images have some and it has none."""
    network, names = subject.network, images.class_names
    if network.class_names is None and names is not None and len(names) == network.outputs:
        return replace(subject, network=network.named(names))
    return subject


def _takes_pixels(asked: Input | None, chosen: Format, subject: Subject, images: Images) -> bool:
    if asked is not None:
        return asked == "uint8"
    is_picture = len(subject.network.architecture.input_shape) == 3
    return chosen.takes_pixels and is_picture and images.are_bytes


def _measured(path: Path, chosen: Format, content: Content, images: Images) -> Export:
    """Load a file again, compare it with the network, and measure it."""
    predict = chosen.load(path, content)
    inputs = content.inputs_of(images.compared)
    agreement = compare(predict, content, chosen, inputs, images.kind)
    reached = searched = None
    split, outputs = images.measured, content.network.outputs
    if split is not None and int(split.labels.max()) < outputs:
        reached, searched = accuracy(predict, content, split), _searched(content, split)
    median, calls = milliseconds(predict, inputs)
    further = [path.with_suffix(ending) for ending in chosen.beside]
    architecture = content.network.architecture
    return Export(
        path=path,
        files=(),
        format=chosen.name,
        runtime=f"{chosen.runtime} {chosen.versions[chosen.packages[-1]]}",
        source="",
        parameters=architecture.parameters,
        flops=architecture.flops,
        bytes=size_of(path, *further),
        input=_input_words(chosen, content),
        output=_output_words(chosen, content),
        agreement=agreement,
        validation_accuracy=None,
        accuracy=reached,
        searched_accuracy=searched,
        measured_on="" if split is None else f"{len(split):,} {images.kind}",
        peak_activation_bytes=_peak(content, chosen),
        milliseconds=median,
        calls=calls,
        machine=f"{processor_name()}, {processors()} CPUs",
        versions={"growsearch": __version__, **chosen.versions},
    )


def _searched(content: Content, split: Any) -> float:
    """Return the accuracy of the network itself, by Keras in float32."""
    floats = replace(content, pixels=False, softmax=False)
    with on_processor():
        model = floats.model()

    def predict(inputs: Any) -> Any:
        with on_processor():
            return model(inputs, training=False)  # without a graph, which takes a second to trace

    return accuracy(predict, floats, split)


def _peak(content: Content, chosen: Format) -> int | None:
    try:
        return peak_activation_bytes(content.network.architecture, chosen.value_bytes)
    except ArchitectureError:  # of a layer of Keras' whose output has no known size
        return None


def _input_words(chosen: Format, content: Content) -> str:
    shape = ", ".join(
        ["n" if chosen.batch is None else str(chosen.batch)]
        + [str(size) for size in content.input_shape]
    )
    if content.pixels:
        return f"uint8 ({shape}), pixels from 0 to 255"
    of_pixels = ", pixels from 0 to 1" if len(content.input_shape) == 3 else ""
    return f"float32 ({shape}){of_pixels}"


def _output_words(chosen: Format, content: Content) -> str:
    network = content.network
    shape = network.architecture.shapes[network.architecture.output.name]
    sizes = ", ".join(["n" if chosen.batch is None else str(chosen.batch), *map(str, shape)])
    kind = "int8" if chosen.value_bytes == 1 else "float32"
    return f"{kind} ({sizes}), {content.gives}"


def _notes(subject: Subject, images: Images, content: Content, *, softmax: bool) -> tuple[str, ...]:
    notes = list(subject.notes)
    if not images.are_real:
        notes.append(f"compared on random inputs: {images.about}")
    if softmax and not content.softmax:
        end = probabilities_by(subject.network)
        notes.append(f"the network ends in a {end} already: no softmax was added")
    if content.pixels and not images.are_bytes:
        notes.append("the images were no bytes: they were rounded to multiples of 1/255")
    return tuple(notes)


def _companions(folder: Path, record: Export, subject: Subject, images: Images) -> list[str]:
    """Write the names of the classes and the model card; return the names of the files."""
    name = record.path.name
    network = subject.network
    names = network.class_names or tuple(map(str, range(network.outputs)))
    (folder / f"{name}{LABELS}").write_text("\n".join([*names, ""]), encoding="utf-8")
    text = card(record, subject, images, labels=f"{name}{LABELS}")
    (folder / f"{name}{CARD}").write_text(text, encoding="utf-8")
    return [f"{name}{LABELS}", f"{name}{CARD}"]


def _command(subject: Subject, target: Path, chosen: Format, content: Content, **asked: Any) -> str:
    """Return the command that exports the network again; "" where it has no path."""
    if subject.place is None or not isinstance(asked["data"], str | os.PathLike | None):
        return ""
    options = ["--format", chosen.name, "--out", str(target)]
    if asked["trial"] is not None:
        options += ["--trial", str(asked["trial"])]
    for name, limit in (asked["within"] or {}).items():
        options += ["--within", f"{name}={limit:.15g}"]
    if content.softmax:
        options.append("--softmax")
    if chosen.holds_ends:
        options += ["--input", content.input_dtype]
    if asked["data"] is not None:
        options += ["--data", str(asked["data"])]
        options += ["--skip-unreadable"] if asked["skip_unreadable"] else []
    for name, own in (content.custom_objects or {}).items():
        options += ["--custom-objects", f"{own.__module__}:{name}"]
    if asked["storage"] is not None:
        options += ["--storage", "URL"]  # it may hold a password
    return shlex.join(["growsearch", "export", subject.place, *options])
