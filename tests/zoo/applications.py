"""The models of keras.applications, with random weights, at the smallest sizes that they take."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from growsearch.training.slim.backend import tf

keras = tf.keras
applications = keras.applications

# Name -> pixels along each axis: small, but enough for every pooling on the way.
SIZES = {
    "VGG16": 32,
    "VGG19": 32,
    "ResNet50": 32,
    "ResNet101": 32,
    "ResNet50V2": 32,
    "ResNet101V2": 32,
    "MobileNet": 32,
    "MobileNetV2": 32,
    "MobileNetV3Small": 32,
    "MobileNetV3Large": 32,
    "DenseNet121": 32,
    "DenseNet169": 32,
    "EfficientNetB0": 32,
    "EfficientNetB1": 32,
    "EfficientNetV2B0": 32,
    "EfficientNetV2S": 32,
    "ConvNeXtTiny": 32,
    "NASNetMobile": 32,
    "InceptionV3": 75,
    "Xception": 71,
    "InceptionResNetV2": 75,
}
CLASSES = 10


def _application(name: str, *, has_head: bool) -> Any:
    size = SIZES[name]
    options: dict[str, Any] = {"classes": CLASSES} if has_head else {"pooling": "avg"}
    return getattr(applications, name)(
        weights=None, include_top=has_head, input_shape=(size, size, 3), **options
    )


APPLICATIONS: dict[str, Callable[[], Any]] = {
    f"{name}{'' if has_head else ', no head'}": partial(_application, name, has_head=has_head)
    for name in SIZES
    for has_head in (True, False)
}
