"""The time of a run: the shares of its seconds, by what they went into."""

from __future__ import annotations

from typing import TYPE_CHECKING

from growsearch.figures.look import BLUE, drawn, empty, lines
from growsearch.study.result import SearchResult
from growsearch.study.shares import Shares

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TITLE = "Where the time went"
_ROW = 34  # pixels
# What a phase of a run is, in the words of a reader.
_PHASES = {
    "teacher": "first network",
    "trunk": "trunk",
    "candidates": "candidates",
    "controls": "controls",
    "polish": "polish, or the trunk's decay",
    "test": "test images",
    "other": "deciding and storing",
}


def time_shares(result: SearchResult) -> Figure:
    """Draw the shares of a run's seconds.

    Of a run with a trunk they are the seconds of all workers, by what their updates were for. Of
    another run they are the seconds of its phases, on the clock.
    """
    shares = result.shares
    parts = _phases(result) if shares is None else _parts(shares)
    whole = sum(seconds for _, seconds in parts)
    if not whole > 0.0:
        return empty(_TITLE, "The run has not ended its first session: its seconds are not known.")
    import plotly.graph_objects as go

    names = [name for name, _ in parts]
    part = [seconds / whole for _, seconds in parts]
    of = "of the run" if shares is None else "of all workers"
    bar = go.Bar(
        x=[100.0 * each for each in part],
        y=list(range(len(parts))),
        orientation="h",
        marker={"color": BLUE},
        text=[f"{each:.1%}" for each in part],
        textposition="outside",
        cliponaxis=False,
        hovertext=[
            lines(name, f"{seconds:,.1f} s {of}, {each:.1%}")
            for (name, seconds), each in zip(parts, part, strict=True)
        ],
        hoverinfo="text",
    )
    text = f"Of {whole:,.0f} seconds {of}: " + ", ".join(
        f"{each:.1%} {name}" for name, each in zip(names, part, strict=True)
    )
    return drawn(
        [bar],
        _TITLE,
        f"{text}.",
        height=_ROW * len(parts) + 130,
        margin={"r": 60},
        xaxis={"title": {"text": f"per cent of {whole:,.0f} seconds {of}"}, "zeroline": True},
        yaxis={
            "range": [len(parts) - 0.5, -0.5],
            "tickvals": list(range(len(parts))),
            "ticktext": names,
            "showgrid": False,
            "zeroline": False,
        },
        bargap=0.35,
    )


def _parts(shares: Shares) -> list[tuple[str, float]]:
    named = (
        ("the network's own updates", shares.descent),
        ("deciding between growths", shares.deciding),
        ("controls", shares.controls),
        ("other commits", shares.commits),
        ("loading, evaluation", shares.around),
        ("idle", shares.idle),
    )
    return [(name, share * shares.seconds) for name, share in named]


def _phases(result: SearchResult) -> list[tuple[str, float]]:
    found = [(_PHASES.get(name, name), seconds) for name, seconds in result.spent.items()]
    return [(name, seconds) for name, seconds in found if seconds > 0.0]
