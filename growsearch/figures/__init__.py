"""The figures of a run: plotly graph objects, drawn from its result alone.

Reports, the dashboard, notebooks and Python users share them. Each is a function of the result.
Marks of trials have the trial's number as ``customdata``, None for the first network. The text that
a screen reader reads out is ``figure.layout.meta["description"]``.

Plotly is loaded when a figure is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from growsearch.figures.accuracy import accuracy_parameters, accuracy_time
from growsearch.figures.classes import confusion
from growsearch.figures.curves import learning_curves
from growsearch.figures.differences import evidence
from growsearch.figures.look import THEMES, Theme, description, in_theme, template
from growsearch.figures.seconds import time_shares
from growsearch.figures.tree import lineage

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Name -> the figure, a function of a result; further arguments are optional.
FIGURES: dict[str, Callable[..., Figure]] = {
    "lineage": lineage,
    "accuracy_parameters": accuracy_parameters,
    "accuracy_time": accuracy_time,
    "learning_curves": learning_curves,
    "evidence": evidence,
    "time_shares": time_shares,
    "confusion": confusion,
}

__all__ = [
    "FIGURES",
    "THEMES",
    "Theme",
    "accuracy_parameters",
    "accuracy_time",
    "confusion",
    "description",
    "evidence",
    "in_theme",
    "learning_curves",
    "lineage",
    "template",
    "time_shares",
]
