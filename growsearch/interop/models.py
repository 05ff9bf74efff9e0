"""Files of models: networks of Keras' files and of our own, read and written by their suffix."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from growsearch.atomic import PARTIAL, write_atomically
from growsearch.checks import expanded
from growsearch.errors import (
    ArchitectureError,
    InvalidInputError,
    NetworkFileError,
    RunError,
    disk_errors,
)
from growsearch.interop.pixels import entrances, for_unit_pixels
from growsearch.networks import Architecture, Network
from growsearch.networks.layers import KerasEnds

OURS = ".safetensors"
KERAS = (".keras", ".h5")
SUFFIXES = (*KERAS, OURS)


@dataclass(frozen=True)
class StartingNetwork:
    """A network that a search starts from, and its origin.

    Parameters
    ----------
    network : Network
    source : str
        The path of its file, or in words where it has none.
    file_sha256 : str
        SHA-256 of the file's bytes; "" without a file.
    training_flops : float
        FLOPs of the trainings that it descends from; 0 where they are unknown.
    notes : tuple of str
        What was done to it, a line each.
    """

    network: Network
    source: str
    file_sha256: str = ""
    training_flops: float = 0.0
    notes: tuple[str, ...] = ()

    def named(self, class_names: Sequence[str] | None) -> Self:
        """Return it with names of its classes; as it is where they are None or not as many."""
        if class_names is None or len(class_names) != self.network.outputs:
            return self
        return replace(self, network=self.network.named(class_names))


def network_to_search_from(
    model: Any, *, custom_objects: Mapping[str, Any] | None = None
) -> StartingNetwork:
    """Return the network of a model as a search takes it: trained here, on pixels from 0 to 1.

    The parameters are those of :func:`starting_network`.

    Raises
    ------
    InvalidInputError
        As there, and where a layer cannot be computed without Keras: names it.
    """
    start = _with_plain_ends(starting_network(model, custom_objects=custom_objects))
    try:
        start.network.architecture.check_computable()
    except ArchitectureError as error:
        raise ArchitectureError(
            f"{start.source}: {error}; growsearch grow grows it without a search"
        ) from None
    shape = start.network.architecture.input_shape
    if len(shape) != 3:
        raise ArchitectureError(
            f"{start.source}: expected an input of (height, width, channels) for images, got "
            f"{shape}: put keras.Input of the images and keras.layers.Flatten in front"
        )
    network, note = for_unit_pixels(start.network)
    if not note:
        return start
    return replace(start, network=network, notes=(*start.notes, f"{start.source}: {note}"))


def _with_plain_ends(start: StartingNetwork) -> StartingNetwork:
    """Return it with one input and one output that are arrays of floats, without names.

    Raises
    ------
    ArchitectureError
        When it has several inputs or outputs: names them.
    """
    nodes, inputs = start.network.architecture.nodes, entrances(start.network.architecture)
    last = start.network.architecture.output
    outputs = list(last.inputs) if isinstance(last.layer, KerasEnds) else [last.name]
    for names, kind in ((inputs, "input"), (outputs, "output")):
        if len(names) > 1:
            raise ArchitectureError(
                f"{start.source}: expected a network of one {kind}, got {len(names)}: "
                f"{', '.join(names)}: make a keras.Model of one; growsearch grow grows all of it "
                "without a search"
            )
    if not isinstance(last.layer, KerasEnds):
        return start
    network = start.network
    inner = sorted((n for n in nodes if n is not last), key=lambda node: node.name in last.inputs)
    architecture = Architecture(network.architecture.input_shape, tuple(inner))
    note = (
        f"{start.source}: its input and its output are one array each, of floats and without "
        "names, in this run"
    )
    network = Network(architecture, network.weights, class_names=network.class_names)
    return replace(start, network=network, notes=(*start.notes, note))


def starting_network(
    model: Any, *, custom_objects: Mapping[str, Any] | None = None
) -> StartingNetwork:
    """Return the network of a model that was made elsewhere, as it is.

    Parameters
    ----------
    model : Network, Keras model, path or StartingNetwork
        A path ends in ``.keras``, ``.h5`` or ``.safetensors``. A file is untrusted input: no code
        in it or named by it runs.
    custom_objects : mapping, optional
        Classes and functions by name, which a Keras file may use beside Keras' own.

    Raises
    ------
    InvalidInputError
        When it is none of these, or cannot be read: names the file, or the layer.
    """
    if isinstance(model, StartingNetwork):
        return model
    if isinstance(model, Network):
        return StartingNetwork(model, "a network in memory")
    if isinstance(model, str | os.PathLike):
        return _read(_checked(model, "model"), custom_objects)
    if not hasattr(model, "get_config") or not hasattr(model, "get_weights"):
        raise InvalidInputError(
            f"model: expected a growsearch Network, a Keras model, or the path of a file "
            f"{_one_of()}, got {type(model).__name__}"
        )
    from growsearch.interop.keras import from_keras

    return StartingNetwork(from_keras(model), f"the Keras model {model.name}")


def write_model(network: Network, path: str | Path) -> Path:
    """Write a network to a file, atomically, in the format that its suffix names; return the path.

    Raises
    ------
    InvalidInputError
        When the suffix is unknown.
    RunError
        When the file cannot be written; names path and reason.
    """
    path = _checked(path, "out")
    try:
        with disk_errors(path.parent):
            if path.suffix == OURS:
                return network.save(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent, prefix=PARTIAL) as folder:
                written = Path(folder) / path.name
                network.to_keras().save(written)
                write_atomically(path, written.read_bytes())
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror or error}") from None
    return path


def check_suffix(path: str | Path, name: str) -> None:
    """Refuse a path that no model can be written to.

    Raises
    ------
    InvalidInputError
        Names the suffixes that are expected.
    """
    _checked(path, name)


def _checked(path: str | os.PathLike[str], name: str) -> Path:
    found = expanded(path)
    if found.suffix not in SUFFIXES:
        raise InvalidInputError(f"{name}: expected a path that ends in {_one_of()}, got {path!s}")
    if found.is_dir():
        raise InvalidInputError(f"{name}: expected the path of a file, got the folder {path!s}")
    return found


def _one_of() -> str:
    return f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"


def _read(path: Path, custom_objects: Mapping[str, Any] | None) -> StartingNetwork:
    """Read a file, and hash its bytes."""
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise NetworkFileError(f"{path}: cannot be read: {error.strerror}") from None
    if path.suffix == OURS:
        network = Network.load(path)
    else:
        from growsearch.interop.keras import from_keras

        network = from_keras(path, custom_objects=custom_objects)
    return StartingNetwork(network, str(path), sha256)
