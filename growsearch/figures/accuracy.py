"""Accuracy against parameters, with the Pareto front, and against time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from growsearch.figures.look import (
    BLUE,
    GREY,
    count_ticks,
    drawn,
    empty,
    lines,
    metric_words,
)
from growsearch.figures.nodes import Node, ancestors, counted, marks, nodes_of
from growsearch.study.anytime import Anytime
from growsearch.study.result import SearchResult

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def accuracy_parameters(result: SearchResult) -> Figure:
    """Draw the accuracy of every network of a run against its parameters, with the Pareto front.

    A network is on the front if no network that is at most as large is more accurate. The networks
    are the first one, the candidates after their brief training, the commits of a trunk, and the
    best network at its end.
    """
    words = metric_words(result.metric)
    title = f"{metric_words(result.metric, capital=True)} against parameters"
    nodes = [node for node in (*_without_best(result), *_commits(result), _best(result)) if node]
    known = [node for node in nodes if node.accuracy is not None and node.parameters]
    if not known:
        return empty(title, "The sizes of this run's networks are not known.")
    sizes = [float(node.parameters or 0) for node in known]
    values = [float(node.accuracy or 0.0) for node in known]
    front = pareto(sizes, values)
    best = result.best
    text = (
        f"{len(known)} networks of {min(sizes):,.0f} to {max(sizes):,.0f} parameters. "
        f"On the Pareto front: "
        + "; ".join(f"{sizes[i]:,.0f} parameters with {words} {values[i]:.4f}" for i in front)
        + f". The best network has {best.network.parameters:,} parameters and validation {words} "
        f"{best.validation_accuracy:.4f}."
    )
    return drawn(
        [_front_line(sizes, values, front), *marks(known, sizes, values)],
        title,
        text,
        xaxis={
            "type": "log",
            "title": {"text": "parameters"},
            **count_ticks(min(sizes), max(sizes)),
        },
        yaxis={"title": {"text": f"validation {words}"}},
    )


def pareto(sizes: Sequence[float], values: Sequence[float]) -> list[int]:
    """Return the places of the points that no smaller or equal one equals or exceeds in value.

    Examples
    --------
    >>> pareto([3, 1, 2, 2], [0.9, 0.5, 0.4, 0.7])
    [1, 3, 0]
    """
    found: list[int] = []
    for place in sorted(range(len(sizes)), key=lambda each: (sizes[each], -values[each])):
        if not found or values[place] > values[found[-1]]:
            found.append(place)
    return found


def _front_line(sizes: Sequence[float], values: Sequence[float], front: list[int]) -> Any:
    import plotly.graph_objects as go

    return go.Scatter(
        x=[sizes[place] for place in front] + [max(sizes)],
        y=[values[place] for place in front] + [values[front[-1]]],
        mode="lines",
        name="Pareto front",
        line={"color": BLUE, "width": 2, "dash": "dot", "shape": "hv"},
        hoverinfo="skip",
    )


def _without_best(result: SearchResult) -> list[Node]:
    """Return the nodes of a run; the best one as it was after its brief training: as kept."""
    found = []
    for node in nodes_of(result):
        status = node.status
        if status == "best":
            status = "first network" if node.trial is None else "kept"
        found.append(Node(node.trial, status, node.accuracy, node.parameters, node.hover))
    return found


def _best(result: SearchResult) -> Node:
    best, words = result.best, metric_words(result.metric)
    grown = {node.number: node for node in nodes_of(result)}.get(best.trial_number)
    hover = lines(
        "the best network, at the end",
        f"validation {words} {best.validation_accuracy:.4f}",
        f"{best.network.parameters:,} parameters",
        "the first network" if best.trial_number is None else f"grown in trial {best.trial_number}",
    )
    trial = None if grown is None else grown.trial
    return Node(trial, "best", best.validation_accuracy, best.network.parameters, hover)


def _commits(result: SearchResult) -> list[Node]:
    """Return the commits of a trunk, each as a network of the trial that it descends from."""
    course = result.anytime
    if course is None:
        return []
    trials = {trial.number: trial for trial in result.trials}
    words = metric_words(result.metric)
    return [
        Node(
            None if reading.trial is None else trials.get(reading.trial),
            "commit",
            reading.validation_accuracy,
            reading.parameters,
            lines(
                f"commit at {_moment(reading.elapsed, course)}",
                f"validation {words} {reading.validation_accuracy:.4f}, "
                f"loss {reading.validation_loss:.4f}",
                f"{reading.parameters:,} parameters",
            ),
        )
        for reading in course.readings
        if reading.mark
    ]


# -- against time --------------------------------------------------------------------------------


def accuracy_time(result: SearchResult) -> Figure:
    """Draw the accuracy of a run against time.

    Of a run with a trunk it is the anytime curve, with commits and growths. Of another run it is
    the best accuracy so far against the seconds of training, with every candidate.
    """
    if result.anytime is not None:
        return _of_trunk(result, result.anytime)
    return _of_trials(result)


def _of_trunk(result: SearchResult, course: Anytime) -> Figure:
    words, title = metric_words(result.metric), _title(result)
    readings = [each for each in course.readings if not (course.end and _same(each, course.end))]
    if course.end is not None:
        readings.append(course.end)
    if not readings:
        return empty(title, "The trunk has not been read yet.")
    import plotly.graph_objects as go

    x = [each.elapsed for each in readings]
    y = [each.validation_accuracy for each in readings]
    curve = go.Scatter(
        x=x,
        y=y,
        mode="lines+markers",
        name="trunk",
        line={"color": BLUE, "width": 2.5},
        marker={"size": 5},
        customdata=[each.trial for each in readings],
        hovertext=[
            lines(
                f"at {_moment(each.elapsed, course)}",
                f"validation {words} {each.validation_accuracy:.4f}, loss "
                f"{each.validation_loss:.4f}",
                f"{each.parameters:,} parameters",
            )
            for each in readings
        ],
        hoverinfo="text",
    )
    commits = _commits(result)
    at = [each.elapsed for each in course.readings if each.mark]
    best = [_best(result)] if course.end is not None else []
    nodes = [*commits, *best]
    times = [*at, *(each.elapsed for each in (course.end,) if each is not None)]
    grown = [each for each in course.lineage if each.elapsed is not None]
    text = (
        f"The network of the run at {len(readings)} moments: validation {words} {y[0]:.4f} at "
        f"{_moment(x[0], course)}, {y[-1]:.4f} at {_moment(x[-1], course)}. "
        + (
            "It grew at "
            + ", ".join(f"{_moment(e.elapsed or 0.0, course)} ({e.growth})" for e in grown)
            if grown
            else "It did not grow"
        )
        + "."
    )
    return drawn(
        [curve, *marks(nodes, times, [float(each.accuracy or 0.0) for each in nodes])],
        title,
        text,
        xaxis={"title": {"text": _unit(course)}, "rangemode": "tozero", "zeroline": False},
        yaxis={"title": {"text": f"validation {words}"}},
        shapes=[
            {"type": "line", "xref": "x", "yref": "paper", "x0": at, "x1": at, "y0": 0, "y1": 1}
            | {"line": {"color": GREY, "width": 1, "dash": "dot"}, "layer": "below"}
            for at in (each.elapsed for each in grown)
        ],
        annotations=[
            {"x": each.elapsed, "y": 0.0, "xref": "x", "yref": "paper", "showarrow": False}
            | {"text": f"trial {each.trial}", "textangle": -90, "xanchor": "left"}
            | {"yanchor": "bottom", "font": {"size": 11}, "hovertext": lines(each.growth)}
            for each in grown
        ],
    )


def _same(one: Any, other: Any) -> bool:
    """Return whether two readings are of one network at one time."""
    return bool(one.elapsed == other.elapsed and one.sha256 == other.sha256)


def _moment(elapsed: float, course: Anytime) -> str:
    return f"{elapsed:,.0f} s" if course.in_seconds else f"{elapsed:,.0f} updates"


def _unit(course: Anytime) -> str:
    return "seconds" if course.in_seconds else "updates of the first network"


def _title(result: SearchResult) -> str:
    return f"{metric_words(result.metric, capital=True)} against time"


def _of_trials(result: SearchResult) -> Figure:
    import plotly.graph_objects as go

    words = metric_words(result.metric)
    nodes = _without_best(result)
    path = ancestors(result)
    passed = float(result.spent.get("teacher", 0.0))
    times = [passed]
    for node in nodes[1:]:
        assert node.trial is not None
        passed += node.trial.seconds
        times.append(passed)
    reached = [(times[0], result.teacher_accuracy)]
    for node, at in zip(nodes[1:], times[1:], strict=True):
        if node.accuracy is not None and node.trial and node.trial.kept:
            reached.append((at, max(reached[-1][1], node.accuracy)))
    end = passed + float(result.spent.get("polish", 0.0))
    final = result.best.validation_accuracy
    reached += [(end, final)]
    known = [(node, at) for node, at in zip(nodes, times, strict=True) if node.accuracy is not None]
    known.append((_best(result), end))
    steps = go.Scatter(
        x=[at for at, _ in reached],
        y=[value for _, value in reached],
        mode="lines",
        name="best so far",
        line={"color": BLUE, "width": 2.5, "shape": "hv"},
        hoverinfo="skip",
    )
    text = (
        f"{len(nodes) - 1} candidates in {end:,.0f} seconds of training, their controls included: "
        f"{counted(nodes)}. Validation {words} rose from {result.teacher_accuracy:.4f} to "
        f"{final:.4f} with {len(path) - 1} growth{'s' * (len(path) != 2)}."
    )
    found = [node for node, _ in known]
    return drawn(
        [
            steps,
            *marks(found, [at for _, at in known], [float(node.accuracy or 0.0) for node in found]),
        ],
        _title(result),
        text,
        xaxis={
            "title": {"text": "seconds of training, controls included"},
            "rangemode": "tozero",
            "zeroline": False,
        },
        yaxis={"title": {"text": f"validation {words}"}},
    )
