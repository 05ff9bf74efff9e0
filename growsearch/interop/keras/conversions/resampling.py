"""Images of another size, as Keras has them."""

from __future__ import annotations

from typing import Any

from growsearch.interop.keras.conversions.conversion import Reader, Writer, Written, expect
from growsearch.networks import layers
from growsearch.networks.layers.resampling import INTERPOLATIONS


def _up_sampling(layer: Any) -> layers.UpSample:
    expect("interpolation", layer.interpolation, *INTERPOLATIONS)
    return layers.UpSample(layer.size, layer.interpolation)


def _resizing(layer: Any) -> layers.Resize:
    expect("interpolation", layer.interpolation, *INTERPOLATIONS)
    for option in ("crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias"):
        expect(option, bool(getattr(layer, option, False)), False)
    return layers.Resize((layer.height, layer.width), layer.interpolation)


def _write_resizing(layer: layers.Resize) -> Written:
    height, width = layer.size
    options = {"height": height, "width": width, "interpolation": layer.interpolation}
    return Written("Resizing", options)


READERS: dict[str, Reader] = {"UpSampling2D": _up_sampling, "Resizing": _resizing}
WRITERS: dict[type, Writer] = {
    layers.UpSample: lambda layer: Written(
        "UpSampling2D", {"size": layer.size, "interpolation": layer.interpolation}
    ),
    layers.Resize: _write_resizing,
}
