"""Attributes of Keras' for a layer that is ours: name, training, regularizers, precision."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any

from growsearch.errors import ArchitectureError
from growsearch.interop.keras.graph import Step
from growsearch.interop.keras.own_objects import objects_for, put_keys
from growsearch.networks.node import is_name

_ENDINGS = ("_regularizer", "_constraint")
_KEYS = {"name": str, "trainable": bool, "dtype": str, "training": bool, "options": dict}


def attributes_of(step: Step, *, with_dtype: bool) -> str:
    """Return a layer's attributes as JSON text; empty where all are Keras' defaults.

    Raises
    ------
    ValueError
        When a regularizer or constraint has no configuration.
    """
    layer = step.operation
    found: dict[str, Any] = {}
    if not is_name(layer.name):
        found["name"] = layer.name
    if getattr(layer, "trainable", True) is False:
        found["trainable"] = False
    if with_dtype and hasattr(layer, "dtype_policy"):  # an operation has the one of its inputs
        found["dtype"] = dtype_of(layer)
    if training_of(step) is False:
        found["training"] = False
    options = {
        name: value
        for name, value in layer.get_config().items()
        if name.endswith(_ENDINGS) and value is not None
    }
    put_keys({"config": options}, layer)
    if options:
        found["options"] = options
    return json.dumps(found, sort_keys=True) if found else ""


def training_of(step: Step) -> Any:
    """Return the mode that a call asks for; None where it is the default, which Keras records."""
    call = inspect.signature(type(step.operation).call).parameters.get("training")
    told = step.kwargs.get("training")
    return None if call is not None and told == call.default else told


def dtype_of(layer: Any) -> str:
    """Return the name of a layer's policy: ``float32``, ``mixed_float16``, …."""
    policy = getattr(layer, "dtype_policy", None)
    return str(getattr(policy, "name", "float32"))


def parsed(text: str, name: str) -> dict[str, Any]:
    """Return a node's attributes, which are untrusted.

    Raises
    ------
    ArchitectureError
        Names the node and what is wrong.
    """
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or any(
        not isinstance(value, _KEYS.get(key, ())) for key, value in found.items()
    ):
        raise ArchitectureError(f"{name}: expected Keras' attributes, got {text[:60]!r}")
    return found


def options_of(
    attributes: Mapping[str, Any], name: str, custom_objects: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the regularizers and constraints among attributes, as Keras' objects."""
    import keras

    config = attributes.get("options", {})
    try:
        with keras.saving.custom_object_scope(objects_for(config, custom_objects)):
            return {
                key: keras.saving.deserialize_keras_object(value, safe_mode=True)
                for key, value in config.items()
                if key.endswith(_ENDINGS)
            }
    except ArchitectureError as error:
        raise ArchitectureError(f"{name}: {error}") from None
