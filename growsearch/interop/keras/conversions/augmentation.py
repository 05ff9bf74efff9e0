"""Layers of Keras that augment images, and are the identity in evaluation mode."""

from __future__ import annotations

import json
from typing import Any

from growsearch.interop.keras.conversions.conversion import Reader, Writer, Written, refuse
from growsearch.networks import layers

# The classes that give back every image in evaluation mode; RandomCrop does not.
_NAMES = (
    *("AugMix", "RandAugment", "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter"),
    *("RandomContrast", "RandomElasticTransform", "RandomErasing", "RandomFlip"),
    *("RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective"),
    *("RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness"),
    *("RandomShear", "RandomTranslation", "RandomZoom"),
)
_CENTRAL = ("name", "trainable", "dtype", "data_format")  # written for all layers by write.py


def _carried(layer: Any) -> layers.Carried:
    options = {k: v for k, v in layer.get_config().items() if k not in _CENTRAL}
    try:
        return layers.Carried(type(layer).__name__, json.dumps(options, sort_keys=True))
    except TypeError:
        refuse("expected options that are JSON values")


def _write(layer: layers.Carried) -> Written:
    if layer.of not in _NAMES:
        refuse(f"expected one of Keras' random layers, got {layer.of}")
    return Written(layer.of, layer.arguments)


READERS: dict[str, Reader] = dict.fromkeys(_NAMES, _carried)
WRITERS: dict[type, Writer] = {layers.Carried: _write}
