"""A user's own classes and functions in Keras' configurations.

A configuration that is kept holds no code. Each own object stands in it under a key, and is looked
up when a layer is made: among the objects that the caller gives, then among those of the models
that were read in this process.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any

from growsearch.errors import ArchitectureError

_PREFIX = "own:"
_MET: dict[str, Any] = {}  # key -> object of a model read in this process
_PLAIN = ("__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__")


def put_keys(config: dict[str, Any], layer: Any) -> None:
    """Put keys in the places of own objects in a layer's configuration, which is changed.

    Raises
    ------
    ValueError
        When an entry's object is not found in the layer, or two objects have its name.
    """
    import keras

    own = config.get("config")
    if not isinstance(own, dict):
        own = {}
    known = [getattr(keras.activations, name) for name in dir(keras.activations)]
    for name, value in own.items():
        attribute = vars(layer).get(name)
        if isinstance(attribute, types.FunctionType) and attribute not in known:
            own[name] = value and _reference(attribute)  # by the object: names may be Keras' own
    candidates = _candidates(layer)
    for entry in list(entries(config)):
        if not is_own(entry) or _is_key(entry.get("registered_name")):
            continue
        is_function = entry["class_name"] == "function"
        name = str(entry["config"] if is_function else entry["class_name"]).split(">")[-1]
        found = {id(each): each for each in candidates if getattr(each, "__name__", "") == name}
        if len(found) != 1:
            what = "a lambda" if name == "__lambda__" else str(name)
            raise ValueError(f"{what}, which cannot be kept")
        (mine,) = found.values()
        if is_function:
            entry.update(_reference(mine))
        else:
            entry.update(module=None, registered_name=_key(mine))


def objects_for(config: Any, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the own objects that a configuration names, by key.

    Raises
    ------
    ArchitectureError
        Names those that are neither given nor known.
    """
    found, missing = {}, []
    for entry in entries(config):
        if not is_own(entry):
            continue
        key = str(entry.get("registered_name"))
        if not _is_key(key):
            missing.append(own_name(entry))
            continue
        mine = (given or {}).get(_short(key)) or _MET.get(key) or _of_keras(key)
        if mine is None:
            missing.append(_short(key))
        else:
            found[key] = mine
    if missing:
        raise ArchitectureError(unknown(missing, "to_keras"))
    return found


def unknown(names: list[str], function: str) -> str:
    """Return a message on own objects that are not known: what to give to a function."""
    every = sorted(set(names))
    given = ", ".join(f"{name!r}: {name}" for name in every)
    return (
        f"expected Keras' own objects, got {', '.join(every)}: give {function} "
        f"custom_objects={{{given}}}, or name each by --custom-objects module:name"
    )


def in_a_line(error: Exception) -> str:
    """Return the first sentence of what Keras or a user's class says."""
    return " ".join(str(error).split()).partition(". ")[0][:200] or type(error).__name__


def entries(config: Any) -> Iterator[dict[str, Any]]:
    """Yield every serialized object in a configuration, the outer ones first."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        for key, value in config.items():
            if key != "compile_config":  # losses and metrics are no part of a network
                yield from entries(value)
    elif isinstance(config, list | tuple):
        for value in config:
            yield from entries(value)


def is_own(entry: Mapping[str, Any]) -> bool:
    """Return whether an entry of a configuration names an object that is none of Keras'."""
    name, module = entry.get("class_name"), entry.get("module")
    if _is_key(entry.get("registered_name")):
        return True
    if not isinstance(name, str) or name in _PLAIN:
        return False
    if name.startswith("__"):
        return True
    if name == "function":
        return module not in (None, "builtins") and not _is_keras(module)
    return "module" in entry and not _is_keras(module)


def own_name(entry: Mapping[str, Any]) -> str:
    """Return the name of the object of an entry."""
    is_function = entry.get("class_name") == "function"
    return str(entry.get("config" if is_function else "class_name"))


def is_of_keras(value: Any) -> bool:
    """Return whether a class or function is part of Keras or Python."""
    module = getattr(value, "__module__", None)
    return module is None or module == "builtins" or _is_keras(module)


def _candidates(layer: Any) -> list[Any]:
    """Return the own classes and functions that a layer, or one inside it, is made of."""
    flatten = getattr(layer, "_flatten_layers", None)
    found: list[Any] = []
    for each in list(flatten()) if flatten is not None else [layer]:
        found.append(type(each))
        for value in vars(each).values():
            is_plain = isinstance(value, types.FunctionType | type)
            found.append(value if is_plain else type(value))
    return [each for each in found if not is_of_keras(each)]


def _reference(function: Any) -> dict[str, Any]:
    """Return the entry of a function that stands under a key."""
    key = _key(function)
    return {"module": "builtins", "class_name": "function", "config": key, "registered_name": key}


def _key(value: Any) -> str:
    """Return the key of an object, and remember the object."""
    stem = f"{_PREFIX}{value.__module__}.{value.__qualname__}"
    key, number = stem, 1
    while key in _MET and _MET[key] is not value:
        number += 1
        key = f"{stem}#{number}"
    _MET[key] = value
    return key


def _is_key(name: Any) -> bool:
    return isinstance(name, str) and name.startswith(_PREFIX)


def _short(key: str) -> str:
    return key.removeprefix(_PREFIX).split("#")[0].rsplit(".", 1)[-1]


def _of_keras(key: str) -> Any:
    """Return the function of Keras' that a key names, or None: ``own:keras.src.ops.nn.gelu``."""
    module, _, name = key.removeprefix(_PREFIX).rpartition(".")
    found = getattr(sys.modules.get(module), name, None) if _is_keras(module) else None
    return found if isinstance(found, types.FunctionType) else None


def _is_keras(module: Any) -> bool:
    return isinstance(module, str) and module.split(".")[0] == "keras"
