"""Figures as PNG files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from growsearch.errors import RunError
from growsearch.networks.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_png(figure: Figure, path: Path) -> Path:
    """Write a figure, whole or not at all.

    Raises
    ------
    RunError
        When the folder cannot be written to.
    """
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    try:
        write_atomically(path, picture.getvalue())
    except OSError as error:
        raise RunError(f"{path}: the plot cannot be written: {error.strerror}") from None
    return path
