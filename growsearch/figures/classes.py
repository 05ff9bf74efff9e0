"""The confusion matrix of the best network, and how it is on each class."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import numpy as np

from growsearch.figures.look import drawn, empty, lines, shortened
from growsearch.study.result import SearchResult
from growsearch.trials.confusion import Confusion

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TITLE = "Confusion matrix of the best network"
_NUMBERED = 16  # classes up to which the cells have their numbers
_NAMED = 40  # classes up to which each has its name on the axes
_NAME = 14  # characters of a class
_WORDS = 5  # classes and pairs in the description
_SHARES = (0.0, 0.01, 0.05, 0.2, 0.5, 1.0)  # of a class, on the colour bar


def confusion(result: SearchResult) -> Figure:
    """Draw how many images of each class the best network takes for which class.

    They are the test images; where those have no matrix, the held-out validation images. Colour is
    the square root of the share of the true class, so that rare mistakes are seen.
    """
    found, on = result.confusion("test"), "test images"
    if found is None:
        found, on = result.confusion("held_out"), "held-out validation images"
    if found is None:
        return empty(_TITLE, "There is no confusion matrix before the search has ended.")
    import plotly.graph_objects as go

    counts = found.counts
    shares = counts / np.maximum(found.images[:, None], 1)
    names = [found.name(number) for number in range(found.classes)]
    labels = [shortened(name, _NAME) for name in names]
    cells = go.Heatmap(
        z=np.sqrt(shares).tolist(),
        zmin=0.0,
        zmax=1.0,
        colorscale="Cividis",
        xgap=1,
        ygap=1,
        text=[[f"{n}" if n else "" for n in row] for row in counts.tolist()]
        if found.classes <= _NUMBERED
        else None,
        texttemplate="%{text}" if found.classes <= _NUMBERED else None,
        hovertext=[
            [
                lines(
                    f"{names[true]}, taken for {names[other]}",
                    f"{counts[true, other]:,} images, {shares[true, other]:.1%} of the class",
                )
                for other in range(found.classes)
            ]
            for true in range(found.classes)
        ],
        hoverinfo="text",
        colorbar={
            "title": {"text": "of the class", "side": "right"},
            "tickvals": [float(np.sqrt(share)) for share in _SHARES],
            "ticktext": [f"{share:.0%}" for share in _SHARES],
            "thickness": 14,
            "outlinewidth": 0,
        },
    )
    ticks = {"tickvals": list(range(found.classes)), "ticktext": labels}
    if found.classes > _NAMED:
        ticks = {}
    square = {"showgrid": False, "zeroline": False, **ticks}
    return drawn(
        [cells],
        _TITLE,
        _text(found, on),
        height=min(28 * found.classes, 640) + 190,
        xaxis={"title": {"text": f"taken for (n = {found.images.sum():,} {on})"}, **square},
        yaxis={"title": {"text": "true class"}, "autorange": "reversed", **square},
    )


def _text(found: Confusion, on: str) -> str:
    """Return the matrix in words: its worst classes, and the pairs that are mixed up most."""
    worst = ", ".join(
        f"{found.name(each)} {found.by_class[each]:.1%}" for each in found.worst(_WORDS)
    )
    pairs = "; ".join(
        f"{found.name(true)} taken for {found.name(other)}, {n} images"
        for true, other, n in found.confused(_WORDS)
    )
    return html.unescape(
        f"On {found.images.sum():,} {on} the best network is right in {found.accuracy:.2%}. "
        f"Classes with the lowest accuracy: {worst}. "
        + (f"Mixed up most: {pairs}." if pairs else "No image is classified wrong.")
    )
