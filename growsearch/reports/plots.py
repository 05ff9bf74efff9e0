"""The look of plots, the same in every report, and their PNG files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from growsearch.atomic import write_atomically
from growsearch.checks import expanded
from growsearch.errors import RunError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plain_axes(ax: Axes, title: str) -> None:
    """Give a panel its title, a light grid behind the data, and no frame above and on the right."""
    ax.set_title(title, loc="left", fontsize=11, fontweight="bold")
    ax.grid(color="#dddddd", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def save_png(figure: Figure, path: Path) -> Path:
    """Write a figure, whole or not at all.

    Raises
    ------
    RunError
        When the folder cannot be written to.
    """
    path = expanded(path)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    try:
        write_atomically(path, picture.getvalue())
    except OSError as error:
        raise RunError(f"{path}: the plot cannot be written: {error.strerror}") from None
    return path
