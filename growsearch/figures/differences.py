"""The evidence: paired differences between candidates and each control arm, with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from growsearch.evidence.comparison import ALL, Comparison
from growsearch.figures.look import arm_look, drawn, empty, lines, metric_words
from growsearch.study.result import SearchResult
from growsearch.trials.arms import CANDIDATE

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_ROW = 30  # pixels


def evidence(result: SearchResult) -> Figure:
    """Draw the mean paired difference to each control arm, with its 95 % interval.

    Above, over all trials; below, for each operation and kind of layer. A hollow mark has no
    interval: there are too few pairs, or their differences are too alike.
    """
    words = metric_words(result.metric)
    title = "Evidence: candidates less controls"
    found = result.evidence()
    shown = [each for each in (*found.overall, *found.by_operation) if each.accuracy.n]
    if not shown:
        return empty(title, "No control has run beside a candidate of this run.")
    rows, labels, place = [], [], 0
    group = ""
    for each in shown:
        if each.group != group:
            group = each.group
            labels.append((place, f"<b>{'all trials' if group == ALL else group}</b>"))
            place += 1
        labels.append((place, f"{each.arm} (n = {each.accuracy.n})"))
        rows.append(place)
        place += 1
    look = arm_look(tuple(dict.fromkeys(each.arm for each in shown)))
    return drawn(
        [_mark(each, row, look[each.arm][0]) for each, row in zip(shown, rows, strict=True)],
        title,
        " ".join(f"{_group(each)}: {each}." for each in shown),
        height=_ROW * place + 150,
        showlegend=False,
        xaxis={
            "title": {
                "text": f"{words}, mean paired difference<br>right of 0: {CANDIDATE} is better"
            },
            "zeroline": True,
            "rangemode": "tozero",
            "tickformat": "+.3~f",
        },
        yaxis={
            "range": [place - 0.5, -0.5],
            "tickvals": [at for at, _ in labels],
            "ticktext": [text for _, text in labels],
            "showgrid": False,
            "zeroline": False,
        },
    )


def _group(each: Comparison) -> str:
    return "All trials" if each.group == ALL else each.group


def _mark(each: Comparison, row: int, colour: str) -> Any:
    import plotly.graph_objects as go

    mean, interval = each.accuracy.mean or 0.0, each.accuracy.interval
    bars = None
    if interval is not None:
        bars = {
            "type": "data",
            "symmetric": False,
            "array": [interval[1] - mean],
            "arrayminus": [mean - interval[0]],
            "color": colour,
            "thickness": 2.5,
            "width": 5,
        }
    return go.Scatter(
        x=[mean],
        y=[row],
        mode="markers",
        error_x=bars,
        marker={
            "color": colour,
            "size": 11,
            "symbol": "circle" if interval is not None else "circle-open",
            "line": {"width": 2, "color": colour},
        },
        hovertext=[lines(_group(each), str(each))],
        hoverinfo="text",
        name=each.arm,
        cliponaxis=False,
    )
