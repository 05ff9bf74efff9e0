"""The record of an export: its files, how far it agrees with the network, and its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from growsearch.exports.agreement import Agreement


@dataclass(frozen=True)
class Export:
    """An exported network, loaded again and compared.

    Parameters
    ----------
    path : Path
        The file, or the folder of a SavedModel.
    files : tuple of Path
        What lies beside it: further files of the format, the names of the classes, the model card.
    format, runtime : str
    source : str
        The origin of the network.
    parameters, flops : int
        FLOPs of one image's forward pass.
    bytes : int
        Of the file and further files of the format.
    input, output : str
        What the file takes and gives.
    agreement : Agreement
    validation_accuracy : float or None
        The network's by the run's metric, on the images that it was chosen on.
    accuracy, searched_accuracy : float or None
        Accuracy of the file, and of the searched network in float32, on the same images; None
        where there are no images with labels.
    measured_on : str
        What these images are.
    peak_activation_bytes : int or None
        The most memory that the values of one image take at a time, by the graph; None where the
        size of a layer's output is unknown.
    milliseconds : float
        Median time of one image, in a call of its own, on this machine.
    calls : int
        Calls that the median is of.
    machine : str
    versions : mapping
        Package -> version.
    notes : tuple of str
    command : str
        What exports it again.
    """

    path: Path
    files: tuple[Path, ...]
    format: str
    runtime: str
    source: str
    parameters: int
    flops: int
    bytes: int
    input: str
    output: str
    agreement: Agreement
    validation_accuracy: float | None
    accuracy: float | None
    searched_accuracy: float | None
    measured_on: str
    peak_activation_bytes: int | None
    milliseconds: float
    calls: int
    machine: str
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    command: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain JSON values."""
        values = asdict(self) | {"versions": dict(self.versions), "notes": list(self.notes)}
        return values | {"path": str(self.path), "files": [str(each) for each in self.files]}
