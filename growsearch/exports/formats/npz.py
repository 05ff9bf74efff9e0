"""numpy's archives, .npz: the arrays by their paths, the architecture as JSON, the classes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from growsearch.exports.content import Content
from growsearch.exports.formats.format import Format, Predict
from growsearch.networks import Architecture, Network

_ARCHITECTURE, _CLASSES = "architecture", "class_names"


def write(content: Content, path: Path) -> None:
    """Save the weights, without the slots of an optimizer."""
    network = Network(content.network.architecture, content.network.weights)
    texts = {_ARCHITECTURE: json.dumps(network.architecture.to_json())}
    if content.network.class_names is not None:
        texts[_CLASSES] = json.dumps(content.network.class_names)
    np.savez_compressed(path, allow_pickle=False, **network.flat(), **texts)


def load(path: Path, content: Content) -> Predict:
    """Read the archive without pickle; it is computed by the reference in float64."""
    del content
    with np.load(path, allow_pickle=False) as archive:
        arrays = dict(archive)
    architecture = Architecture.from_json(str(arrays[_ARCHITECTURE]))
    return Network.from_flat(architecture, arrays).forward


FORMAT = Format(
    "npz",
    suffixes=(".npz",),
    runtime="numpy",
    packages=("growsearch", "numpy"),
    write=write,
    load=load,
    holds_ends=False,
    takes_pixels=False,
)
