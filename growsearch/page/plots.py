"""The figures of the page: plotly's, as plain values, with their titles and descriptions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from growsearch.figures import FIGURES, THEMES, description, template
from growsearch.figures.curves import learning_curves
from growsearch.figures.look import arm_look, metric_words
from growsearch.page.trials import outcome_of
from growsearch.reports.trials import sizes
from growsearch.study.result import SearchResult

_DIGITS = 6  # of an accuracy in a curve


@dataclass(frozen=True)
class Plot:
    """A figure of the page.

    Parameters
    ----------
    name : str
    title : str
    description : str
        What it shows, for readers who do not see it; why there is none, where it is empty.
    figure : mapping or None
        Plotly's data and layout, without template and title; None of an empty figure.
    height : int
        Pixels.
    """

    name: str
    title: str
    description: str
    figure: dict[str, Any] | None
    height: int


def plots(result: SearchResult) -> dict[str, Plot]:
    """Return every figure of a run by its name, apart from the learning curves."""
    made = (
        plot(name, draw(result)) for name, draw in FIGURES.items() if draw is not learning_curves
    )
    return {each.name: each for each in made}


def plot(name: str, figure: Any) -> Plot:
    """Return a figure as the page has it, without the title and the colours, which the page has."""
    values = json.loads(figure.to_json())
    layout = values["layout"]
    layout.pop("template", None)
    layout.pop("meta", None)
    height = int(layout.get("height", 420))
    title = str(layout.pop("title", {}).get("text", name))
    return Plot(
        name,
        title,
        description(figure),
        {"data": values["data"], "layout": layout} if values["data"] else None,
        height,
    )


def templates() -> dict[str, Any]:
    """Return plotly's template of each theme, by its name."""
    return {theme: json.loads(template(theme).to_json()) for theme in THEMES}


def curves(result: SearchResult) -> dict[str, Any]:
    """Return the learning curves of every trial, from which the page draws those that are chosen.

    They are numbers alone: plotly's own objects would be ten times as large, and slow for a run of
    hundreds of trials.
    """
    trials = [trial for trial in result.trials if any(arm.curve for arm in trial.arms.values())]
    look = arm_look(tuple(dict.fromkeys(arm for trial in trials for arm in trial.arms)))
    return {
        "words": metric_words(result.metric),
        "look": {arm: {"color": colour, "dash": dash} for arm, (colour, dash) in look.items()},
        "trials": [
            {
                "number": trial.number,
                "outcome": outcome_of(trial, result.best.trial_number),
                "growth": sizes(trial) if trial.operation else trial.growth,
                "arms": [
                    {
                        "name": arm,
                        "steps": [step for step, _, _ in found.curve],
                        "values": [round(value, _DIGITS) for _, value, _ in found.curve],
                        "losses": [round(loss, _DIGITS) for _, _, loss in found.curve],
                    }
                    for arm, found in trial.arms.items()
                    if found.curve
                ],
            }
            for trial in trials
        ],
    }
