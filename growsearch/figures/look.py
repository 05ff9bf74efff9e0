"""The look of all figures: a light and a dark template, colours, symbols, texts.

The colours of data are the same in both templates: each has a contrast of at least 3 to 1 to the
light and to the dark background (WCAG 2.2, 1.4.11), and readers who cannot tell red from green can
tell them apart (after Okabe and Ito). No figure tells things apart by colour alone.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from growsearch.checks import check_choice
from growsearch.trials.arms import CANDIDATE, controls
from growsearch.trials.metrics import METRICS

if TYPE_CHECKING:
    from plotly.graph_objects import Figure
    from plotly.graph_objects.layout import Template

Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = get_args(Theme)

BLUE, ORANGE, PINK, BROWN, GREEN, GREY = (
    "#0072B2",
    "#D55E00",
    "#C2649A",
    "#9A6A00",
    "#008F68",
    "#7A7A7A",
)
PALETTE = (BLUE, ORANGE, PINK, BROWN, GREEN, GREY)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
# Background, text, grid lines.
_SHADES: dict[Theme, tuple[str, str, str]] = {
    "light": ("#ffffff", "#1f2328", "#e3e6ea"),
    "dark": ("#16191d", "#e6e8eb", "#31363d"),
}
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_HOVER_WIDTH = 64  # characters of a line


@dataclass(frozen=True)
class Mark:
    """The look of a network in a figure: plotly's symbol, a colour, pixels."""

    symbol: str
    colour: str
    size: int = 12


# Of a network, in the order of the legend.
MARKS: dict[str, Mark] = {
    "first network": Mark("square", GREY),
    "kept": Mark("circle", BLUE),
    "best": Mark("star", GREEN, 17),
    "not kept": Mark("circle-open", GREY),
    "pruned": Mark("triangle-down-open", BROWN),
    "failed": Mark("x", ORANGE, 11),
    "commit": Mark("diamond", PINK),
}


def template(theme: Theme = "light") -> Template:
    """Return the plotly template of a theme, which has every colour that is not of data."""
    import plotly.graph_objects as go

    check_choice("theme", theme, THEMES)
    paper, ink, lines = _SHADES[theme]
    axis: dict[str, Any] = {
        "gridcolor": lines,
        "linecolor": lines,
        "zerolinecolor": GREY,
        "zerolinewidth": 1,
        "zeroline": False,
        "ticks": "",
        "automargin": True,
        "title": {"standoff": 10},
    }
    return go.layout.Template(
        layout={
            "paper_bgcolor": paper,
            "plot_bgcolor": paper,
            "font": {"color": ink, "family": _FONT, "size": 13},
            "title": {"x": 0, "xref": "container", "xanchor": "left", "pad": {"l": 12}},
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {
                "bgcolor": paper,
                "bordercolor": GREY,
                "font": {"color": ink, "family": _FONT, "size": 13},
                "align": "left",
            },
            "legend": {
                "orientation": "h",
                "x": 0,
                "y": 0,
                "yref": "container",
                "yanchor": "bottom",
            },
            "margin": {"l": 12, "r": 12, "t": 56, "b": 12},
            "hovermode": "closest",
            "colorway": list(PALETTE),
        }
    )


def in_theme(figure: Figure, theme: Theme) -> Figure:
    """Return a copy of a figure in another theme."""
    import plotly.graph_objects as go

    return go.Figure(figure).update_layout(template=template(theme))


def description(figure: Figure) -> str:
    """Return the text that says what a figure shows, for readers who do not see it."""
    return str(figure.layout.meta["description"])


def drawn(
    traces: Sequence[Any], title: str, text: str, *, height: int = 420, **layout: Any
) -> Figure:
    """Return a figure in the light theme.

    Parameters
    ----------
    traces : sequence of plotly traces
    title : str
    text : str
        The figure in words.
    height : int
        Pixels.
    """
    import plotly.graph_objects as go

    figure = go.Figure(list(traces))
    return dressed(figure, title, text, height=height, **layout)


def dressed(figure: Figure, title: str, text: str, *, height: int = 420, **layout: Any) -> Figure:
    """Give a figure its template, title, text and size."""
    return figure.update_layout(
        template=template(),
        title_text=title,
        meta={"description": text},
        height=height,
        **layout,
    )


def empty(title: str, why: str) -> Figure:
    """Return a figure without data, which says why there is none."""
    return drawn(
        (),
        title,
        why,
        height=180,
        xaxis={"visible": False},
        yaxis={"visible": False},
        annotations=[
            {"text": html.escape(why), "showarrow": False, "xref": "paper", "yref": "paper"}
            | {"x": 0, "y": 0.5, "xanchor": "left", "align": "left"}
        ],
    )


def lines(*texts: str) -> str:
    """Return texts as the lines of a hover box: safe as HTML, and folded where they are long."""
    folded = (part for text in texts if text for part in textwrap.wrap(text, _HOVER_WIDTH))
    return "<br>".join(html.escape(part, quote=False) for part in folded)


def shortened(text: str, most: int) -> str:
    """Return a text, safe as HTML, with its end left out where it is long.

    Examples
    --------
    >>> shortened("widen(conv1, 64)", 9), shortened("a < b", 9)
    ('widen(co…', 'a &lt; b')
    """
    return html.escape(text if len(text) <= most else f"{text[: most - 1]}…", quote=False)


def metric_words(metric: str, *, capital: bool = False) -> str:
    """Return the name of a run's metric, such as "accuracy"."""
    words = METRICS[metric].words
    return words[0].upper() + words[1:] if capital else words


def arm_look(arms: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return colour and dashes of each arm, by its place among the known arms, then the others.

    Examples
    --------
    >>> arm_look(["net2net"])
    {'net2net': ('#0072B2', 'solid')}
    """
    ordered = tuple(dict.fromkeys((CANDIDATE, *controls(), *arms)))
    places = {arm: ordered.index(arm) for arm in arms}
    return {
        arm: (PALETTE[place % len(PALETTE)], DASHES[place % len(DASHES)])
        for arm, place in places.items()
    }


def count_ticks(low: float, high: float) -> dict[str, Any]:
    """Return the ticks of a logarithmic axis of counts, at 1, 2 and 5 times each power of ten.

    Examples
    --------
    >>> count_ticks(24_000, 210_000)["ticktext"]
    ['20 k', '50 k', '100 k', '200 k', '500 k']
    """
    steps = [part * 10.0**power for power in range(13) for part in (1, 2, 5)]
    below = [step for step in steps if step <= low][-1:]
    above = [step for step in steps if step >= high][:1]
    found = sorted({*below, *(step for step in steps if low < step < high), *above})
    return {"tickvals": found, "ticktext": [_short(each) for each in found], "tickmode": "array"}


def _short(count: float) -> str:
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if count >= size:
            return f"{count / size:g}{letter}"
    return f"{count:g}"
