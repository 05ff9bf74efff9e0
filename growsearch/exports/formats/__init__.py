"""The formats of files, one file each; a new one is a file and a line here."""

from __future__ import annotations

from pathlib import Path

from growsearch.checks import check_choice
from growsearch.errors import InvalidInputError
from growsearch.exports.formats import keras, litert, npz, onnx, openvino, safetensors, savedmodel
from growsearch.exports.formats.format import Format, Predict

__all__ = ["FORMATS", "Format", "Predict", "format_for"]

FORMATS: dict[str, Format] = {
    each.name: each
    for each in (
        *(keras.FORMAT, savedmodel.FORMAT, onnx.FORMAT, litert.FLOAT32, litert.INT8),
        *(openvino.FORMAT, npz.FORMAT, safetensors.FORMAT),
    )
}


def format_for(name: str | None, out: Path | None) -> Format:
    """Return the format of a name; without one, the first that the suffix of a path names.

    Raises
    ------
    InvalidInputError
        When there is no such format, or name and suffix do not fit.
    """
    if name is not None:
        check_choice("format", name, FORMATS)
        found = FORMATS[name]
        if out is not None and not _fits(found, out):
            ends = " or ".join(found.suffixes) or "no suffix, since it is a folder"
            raise InvalidInputError(
                f"out: expected a path that ends in {ends} for the format {name}, got {out}"
            )
        return found
    if out is None:
        raise InvalidInputError(
            f"export: expected a format, one of {', '.join(FORMATS)}, or the path of a file whose "
            "suffix names one, got neither"
        )
    for each in FORMATS.values():
        if out.suffix in each.suffixes:
            return each
    suffixes = list(dict.fromkeys(suffix for each in FORMATS.values() for suffix in each.suffixes))
    raise InvalidInputError(
        f"out: expected a path that ends in {', '.join(suffixes[:-1])} or {suffixes[-1]}, or a "
        f"format beside it, got {out}"
    )


def _fits(found: Format, out: Path) -> bool:
    if found.suffixes:
        return out.suffix in found.suffixes
    return not any(out.suffix in each.suffixes for each in FORMATS.values())
