"""Files of Keras models, which are untrusted: looked at before they are loaded in safe mode."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from growsearch.checks import expanded
from growsearch.errors import ArchitectureError
from growsearch.interop.keras.activations import gelu_tanh
from growsearch.interop.keras.own_objects import (
    entries,
    in_a_line,
    is_own,
    own_name,
    unknown,
)
from growsearch.quiet import quiet

_UNKNOWN = re.compile("Could not locate|Unknown (layer|object)")
_CONFIG = "config.json"
_LARGEST = 1 << 27  # bytes of a configuration


def load(path: Path, custom_objects: Mapping[str, Any] | None) -> Any:
    """Return the model of a ``.keras`` or ``.h5`` file, not compiled; no code of it is run.

    Raises
    ------
    ArchitectureError
        Names the file, and every class of its that is not Keras' own and was not given.
    """
    with quiet():
        import keras

    path = expanded(path, error=ArchitectureError)
    if not path.is_file():
        raise ArchitectureError(f"{path}: expected the file of a Keras model, found none")
    gelu_tanh()  # a grown model may have it
    config = _configuration(path)
    known = {**keras.saving.get_custom_objects(), **(custom_objects or {})}
    lambdas: set[str] = set()
    own: list[str] = []
    has_code = False
    for entry in entries(config):
        if entry.get("class_name") == "Lambda":
            function = _function_of(entry)
            if function is None:
                lambdas.add(_name_of(entry))
            elif function not in known:
                own.append(function)
        elif entry.get("class_name") == "__lambda__":
            has_code = True
        elif is_own(entry) and not {entry.get("registered_name"), own_name(entry)} & set(known):
            own.append(own_name(entry))
    if has_code or lambdas:
        named = f" layers: {', '.join(sorted(lambdas))}" if lambdas else " functions"
        raise ArchitectureError(
            f"{path}: expected no code in a file, got Lambda{named}: give its function a name, "
            "save it again, and name the function by custom_objects= or --custom-objects "
            "module:name; or, if you trust the file, load it yourself and give the model"
        )
    if own:
        raise ArchitectureError(f"{path}: {unknown(own, 'from_keras')}")
    try:
        return keras.saving.load_model(
            path, custom_objects=custom_objects, compile=False, safe_mode=True
        )
    except Exception as error:  # Keras raises many kinds for files that are damaged
        reason = in_a_line(error)
        if _UNKNOWN.search(str(error)):  # of .h5 files, which do not say whose a class is
            reason += ": name each class and function of your own by custom_objects= or "
            reason += "--custom-objects module:name"
        raise ArchitectureError(f"{path}: Keras cannot load the model: {reason}") from None


def _function_of(entry: Mapping[str, Any]) -> str | None:
    """Return the name of the function of a Lambda layer's entry; None where it is code."""
    about = entry.get("config")
    function = about.get("function") if isinstance(about, dict) else None
    is_named = isinstance(function, dict) and function.get("class_name") == "function"
    return str(function.get("config")) if is_named else None  # type: ignore[union-attr]


def _name_of(entry: Mapping[str, Any]) -> str:
    about = entry.get("config")
    return str(about.get("name")) if isinstance(about, dict) else "Lambda"


def _configuration(path: Path) -> Any:
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if archive.getinfo(_CONFIG).file_size > _LARGEST:
                    raise ValueError("its configuration is too large")
                return json.loads(archive.read(_CONFIG))
        import h5py

        with h5py.File(path, "r") as file:
            return json.loads(file.attrs["model_config"])
    except (OSError, KeyError, ValueError, TypeError, RecursionError, zipfile.BadZipFile) as error:
        raise ArchitectureError(
            f"{path}: expected a Keras model saved as .keras or .h5, got something else ({error})"
        ) from None
