"""Cache of graphs: one for an architecture and recipe, the least recently used closed first."""

from __future__ import annotations

from collections import OrderedDict
from typing import cast

from growsearch.networks import Architecture
from growsearch.training.slim.recipe import Recipe
from growsearch.training.slim.session import EvaluationGraph, SlimGraph

GraphKey = tuple[Architecture, Recipe | None]


class GraphCache:
    """Graphs of a trainer, built when they are first asked for.

    Parameters
    ----------
    most : int
        Number of graphs in the cache.
    threads : int or None
        As of :class:`EvaluationGraph`.
    """

    def __init__(self, most: int, threads: int | None) -> None:
        self._most, self._threads = most, threads
        self._graphs: OrderedDict[GraphKey, EvaluationGraph] = OrderedDict()

    def __len__(self) -> int:
        return len(self._graphs)

    def to_train(self, architecture: Architecture, recipe: Recipe) -> SlimGraph:
        """Return the graph that trains an architecture by a recipe."""
        key = (architecture, recipe)
        if key not in self._graphs:
            self._make_room(architecture)
            self._graphs[key] = self.build(architecture, recipe)
        self._graphs.move_to_end(key)
        return cast(SlimGraph, self._graphs[key])

    def to_evaluate(self, architecture: Architecture) -> EvaluationGraph:
        """Return the latest graph of an architecture, or else a new graph that only evaluates."""
        keys = [key for key in self._graphs if key[0] == architecture]
        if not keys:
            self._make_room()
            self._graphs[(architecture, None)] = EvaluationGraph(architecture, self._threads)
            keys = [(architecture, None)]
        self._graphs.move_to_end(keys[-1])
        return self._graphs[keys[-1]]

    def build(self, architecture: Architecture, recipe: Recipe) -> SlimGraph:
        """Return a new graph, outside the cache."""
        return SlimGraph(architecture, recipe, self._threads)

    def put(self, graph: SlimGraph) -> None:
        """Put a graph into the cache, in the place of one for the same."""
        key = (graph.architecture, graph.recipe)
        if key in self._graphs:
            self._graphs.pop(key).close()
        self._make_room(graph.architecture)
        self._graphs[key] = graph

    def _make_room(self, trained: Architecture | None = None) -> None:
        """Close graphs until there is room for one, first that which only evaluates ``trained``."""
        if trained is not None and (trained, None) in self._graphs:
            self._graphs.pop((trained, None)).close()
        while len(self._graphs) >= self._most:
            _, oldest = self._graphs.popitem(last=False)
            oldest.close()
