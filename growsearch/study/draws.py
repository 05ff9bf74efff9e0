"""The figures of a result as its methods, which load plotly when they are called."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from growsearch.figures import Theme


class DrawsItself:
    """The methods of a result that return its figures: those of :mod:`growsearch.figures`."""

    def plot_lineage(self, theme: Theme = "light") -> Figure:
        """Draw the tree from the first network to the best, every candidate a node.

        This and the other ``plot_`` methods return a plotly figure, "light" or "dark": those of
        :mod:`growsearch.figures`.
        """
        return self._drawn("lineage", theme)

    def plot_accuracy_parameters(self, theme: Theme = "light") -> Figure:
        """Draw accuracy against parameters, with the Pareto front."""
        return self._drawn("accuracy_parameters", theme)

    def plot_accuracy_time(self, theme: Theme = "light") -> Figure:
        """Draw accuracy against time."""
        return self._drawn("accuracy_time", theme)

    def plot_learning_curves(
        self, trials: Iterable[int] | None = None, theme: Theme = "light"
    ) -> Figure:
        """Draw the curves of candidates and their controls, of some trials or of at most six."""
        return self._drawn("learning_curves", theme, trials=trials)

    def plot_evidence(self, theme: Theme = "light") -> Figure:
        """Draw the paired differences to each control arm, with their intervals."""
        return self._drawn("evidence", theme)

    def plot_time_shares(self, theme: Theme = "light") -> Figure:
        """Draw what the time of the run went into."""
        return self._drawn("time_shares", theme)

    def plot_confusion(self, theme: Theme = "light") -> Figure:
        """Draw the confusion matrix of the best network."""
        return self._drawn("confusion", theme)

    def _drawn(self, name: str, theme: Theme, **options: Any) -> Figure:
        from growsearch import figures

        return figures.in_theme(figures.FIGURES[name](self, **options), theme)
