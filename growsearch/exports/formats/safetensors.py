"""Files of growsearch, .safetensors: the network with its optimizer slots, as a run stores it."""

from __future__ import annotations

from pathlib import Path

from growsearch.exports.content import Content
from growsearch.exports.formats.format import Format, Predict
from growsearch.networks import Network


def write(content: Content, path: Path) -> None:
    """Save the network."""
    content.network.save(path)


def load(path: Path, content: Content) -> Predict:
    """Read the file as untrusted input; it is computed by the reference in float64."""
    del content
    return Network.load(path).forward


FORMAT = Format(
    "safetensors",
    suffixes=(".safetensors",),
    runtime="growsearch",
    packages=("numpy", "growsearch"),
    write=write,
    load=load,
    holds_ends=False,
    takes_pixels=False,
)
