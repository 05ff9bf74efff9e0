"""The networks of a run as figures need them: the first one, each candidate, the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from growsearch.figures.look import MARKS, lines, metric_words
from growsearch.study.result import SearchResult
from growsearch.trials.records import TrialRecord

if TYPE_CHECKING:
    from plotly.graph_objects import Scatter


@dataclass(frozen=True)
class Node:
    """A network of a run: the first one, or the candidate of a trial.

    Parameters
    ----------
    trial : TrialRecord or None
        None is the first network.
    status : str
        A name in ``growsearch.figures.look.MARKS``.
    accuracy : float or None
        Validation accuracy, or the value of the run's metric.
    parameters : int or None
    hover : str
        The lines of its hover box.
    """

    trial: TrialRecord | None
    status: str
    accuracy: float | None
    parameters: int | None
    hover: str

    @property
    def number(self) -> int | None:
        """The number of the trial; None of the first network."""
        return None if self.trial is None else self.trial.number


def nodes_of(result: SearchResult) -> tuple[Node, ...]:
    """Return the first network and every candidate, in the order of the trials."""
    first = result.teacher_architecture
    parameters = None if first is None else first.parameters
    best = result.best.trial_number
    words = metric_words(result.metric)
    hover = lines(
        "the first network" + (", the best" if best is None else ""),
        f"validation {words} {result.teacher_accuracy:.4f}",
        "" if parameters is None else f"{parameters:,} parameters",
        "" if first is None else str(first),
    )
    status = "best" if best is None else "first network"
    start = Node(None, status, result.teacher_accuracy, parameters, hover)
    return (start, *(_candidate(trial, best, words) for trial in result.trials))


def ancestors(result: SearchResult) -> frozenset[int | None]:
    """Return the trials that the best network descends from, its own and None included."""
    parents = {trial.number: trial.parent for trial in result.trials}
    found: set[int | None] = {None}
    last = result.best.trial_number
    while last is not None and last not in found:
        found.add(last)
        last = parents.get(last)
    return frozenset(found)


def _candidate(trial: TrialRecord, best: int | None, words: str) -> Node:
    status = status_of(trial, best)
    accuracy = trial.validation_accuracy
    gain = "" if trial.gain is None else f" ({trial.gain:+.4f} to its parent)"
    parent = "the first network" if trial.parent is None else f"trial {trial.parent}"
    hover = lines(
        f"trial {trial.number}, {status}: {trial.growth}",
        f"grown from {parent}: {trial.old_size} → {trial.new_size}",
        "" if accuracy is None else f"validation {words} {accuracy:.4f}{gain}",
        f"{trial.parameters:,} parameters",
        trial.reason,
    )
    return Node(trial, status, accuracy, trial.parameters, hover)


def status_of(trial: TrialRecord, best: int | None) -> str:
    """Return the status of a trial in a figure: "best", "kept", "not kept", "pruned" or "failed".

    Parameters
    ----------
    trial : TrialRecord
    best : int or None
        The trial of the best network.
    """
    if trial.number == best:
        return "best"
    if trial.state == "FAIL":
        return "failed"
    if trial.kept:
        return "kept"
    return "pruned" if trial.state == "PRUNED" else "not kept"


def marks(nodes: Sequence[Node], x: Sequence[float], y: Sequence[float], **more: Any) -> list[Any]:
    """Return nodes as plotly traces, one a status, each with the trials' numbers to click on."""
    import plotly.graph_objects as go

    made: list[Scatter] = []
    for status, mark in MARKS.items():
        places = [place for place, node in enumerate(nodes) if node.status == status]
        if places:
            made.append(
                go.Scatter(
                    x=[x[place] for place in places],
                    y=[y[place] for place in places],
                    mode="markers",
                    name=status,
                    marker={
                        "symbol": mark.symbol,
                        "color": mark.colour,
                        "size": mark.size,
                        "line": {"width": 2, "color": mark.colour},
                    },
                    customdata=[nodes[place].number for place in places],
                    hovertext=[nodes[place].hover for place in places],
                    hoverinfo="text",
                    cliponaxis=False,
                    **more,
                )
            )
    return made


def counted(nodes: Sequence[Node]) -> str:
    """Return how many candidates there were of each status: "2 kept, 5 not kept"."""
    names = ["best" if each.status == "best" else each.status for each in nodes if each.trial]
    kept = sum(name in ("best", "kept") for name in names)
    others = {name: names.count(name) for name in ("not kept", "pruned", "failed")}
    found = [f"{kept} kept", *(f"{count} {name}" for name, count in others.items() if count)]
    return ", ".join(found)
