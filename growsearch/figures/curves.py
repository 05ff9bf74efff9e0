"""Learning curves: candidates, each with its controls."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from growsearch.errors import InvalidInputError
from growsearch.figures.look import arm_look, dressed, empty, lines, metric_words, shortened
from growsearch.figures.nodes import status_of
from growsearch.study.result import SearchResult
from growsearch.trials.arms import CANDIDATE
from growsearch.trials.records import ArmResult, TrialRecord

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TITLE = "Learning curves of candidates and controls"
_MOST = 6  # trials, unless the caller says which
_HEIGHT = 260  # pixels of a panel
_PANEL_TITLE = 24  # characters of a growth above its panel


def learning_curves(result: SearchResult, trials: Iterable[int] | None = None) -> Figure:
    """Draw the validation curves of candidates and of their controls, a panel a trial.

    Parameters
    ----------
    result : SearchResult
    trials : iterable of int, optional
        The numbers of the trials; by default at most six: those with controls before others, kept
        ones before those that were not, in the order of their numbers.

    Raises
    ------
    InvalidInputError
        When the run has no finished trial of a number.
    """
    shown = _chosen(result, trials)
    if not shown:
        return empty(_TITLE, "No candidate of this run has a curve.")
    from plotly.subplots import make_subplots

    columns = 1 if len(shown) == 1 else 2
    rows = -(-len(shown) // columns)
    best, words = result.best.trial_number, metric_words(result.metric)
    figure = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=[_panel(trial, best, _PANEL_TITLE * (3 - columns)) for trial in shown],
        horizontal_spacing=0.1,
        vertical_spacing=0.32 / rows,
        shared_yaxes=False,
    )
    arms = tuple(dict.fromkeys(arm for trial in shown for arm in trial.arms))
    look, named = arm_look(arms), set[str]()
    for place, trial in enumerate(shown):
        row, column = divmod(place, columns)
        for arm, found in trial.arms.items():
            if found.curve:
                trace = _curve(trial, arm, found, look[arm], named=arm not in named, words=words)
                figure.add_trace(trace, row=row + 1, col=column + 1)
                named.add(arm)
        figure.update_xaxes(title_text="updates", row=row + 1, col=column + 1)
    figure.update_yaxes(title_text=f"validation {words}", col=1)
    figure.update_annotations(font_size=12)
    return dressed(
        figure,
        _TITLE,
        " ".join(_words(trial, best, words) for trial in shown),
        height=_HEIGHT * rows + 120,
        margin={"t": 90},
    )


def _chosen(result: SearchResult, trials: Iterable[int] | None) -> list[TrialRecord]:
    known = {trial.number: trial for trial in result.trials}
    if trials is not None:
        wanted = list(dict.fromkeys(trials))
        if missing := [number for number in wanted if number not in known]:
            raise InvalidInputError(
                f"trials: expected numbers of finished trials of this run "
                f"({', '.join(map(str, known)) or 'it has none'}), got {missing[0]!r}"
            )
        return [known[number] for number in wanted if _has_curve(known[number])]
    with_curves = [trial for trial in result.trials if _has_curve(trial)]
    order = sorted(with_curves, key=lambda each: (len(each.arms) < 2, not each.kept))
    return sorted(order[:_MOST], key=lambda each: each.number)


def _has_curve(trial: TrialRecord) -> bool:
    return any(arm.curve for arm in trial.arms.values())


def _panel(trial: TrialRecord, best: int | None, most: int) -> str:
    growth = shortened(trial.growth, most)
    return f"trial {trial.number}, {status_of(trial, best)}<br>{growth}"


def _curve(
    trial: TrialRecord,
    arm: str,
    found: ArmResult,
    look: tuple[str, str],
    *,
    named: bool,
    words: str,
) -> object:
    import plotly.graph_objects as go

    colour, dash = look
    return go.Scatter(
        x=[step for step, _, _ in found.curve],
        y=[value for _, value, _ in found.curve],
        mode="lines+markers" if len(found.curve) < 12 else "lines",
        name=html.escape(arm),
        legendgroup=arm,
        showlegend=named,
        line={"color": colour, "dash": dash, "width": 3.5 if arm == CANDIDATE else 2},
        marker={"size": 6},
        customdata=[trial.number] * len(found.curve),
        hovertext=[
            lines(
                f"trial {trial.number}, {arm}",
                f"after {step:,} updates: validation {words} {value:.4f}, loss {loss:.4f}",
            )
            for step, value, loss in found.curve
        ],
        hoverinfo="text",
    )


def _words(trial: TrialRecord, best: int | None, words: str) -> str:
    """Return the end of each curve of a trial in words."""
    ends: Sequence[str] = [
        f"{arm} failed" if found.accuracy is None else f"{arm} {found.accuracy:.4f}"
        for arm, found in trial.arms.items()
    ]
    return (
        f"Trial {trial.number} ({status_of(trial, best)}), {trial.growth}: validation {words} at "
        f"the end: {', '.join(ends)}."
    )
