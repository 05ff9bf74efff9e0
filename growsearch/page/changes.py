"""The changes of a network along its lineage: of each layer, and by each growth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

from growsearch.networks import Architecture
from growsearch.networks.layer import Layer


@dataclass(frozen=True)
class Change:
    """One change of a layer by one growth.

    Parameters
    ----------
    step : int
        The growth's place in the lineage, from 1; 0 is the first network.
    text : str
        The change in words: "new", "16 → 32 units", "kernel 3×3 → 5×5".
    """

    step: int
    text: str


@dataclass(frozen=True)
class LayerHistory:
    """The history of a layer of the last network.

    Parameters
    ----------
    born : int
        The step that added it; 0 for a layer of the first network.
    parts : tuple of (step, units)
        The units of a layer with a width of its own, by the step that added them, in order.
    changes : tuple of Change
    """

    born: int
    parts: tuple[tuple[int, int], ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class StepChange:
    """The changes of a network by one growth.

    Parameters
    ----------
    added, removed : tuple of str
        Names of layers.
    changed : mapping
        Name of a layer -> its changes in words.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: Mapping[str, tuple[str, ...]]

    @property
    def lines(self) -> tuple[str, ...]:
        """The changes in words, a line each."""
        return (
            *([f"adds {', '.join(self.added)}"] if self.added else []),
            *([f"removes {', '.join(self.removed)}"] if self.removed else []),
            *(f"{name}: {', '.join(texts)}" for name, texts in self.changed.items()),
        )


def step_change(before: Architecture, after: Architecture) -> StepChange:
    """Return what a growth changed: layers added, removed, and of another specification.

    Examples
    --------
    >>> small, large = (
    ...     Architecture.parse(text, (8, 8, 1))
    ...     for text in ("3x3x8(conv1)-10(fc1)", "5x5x16(conv1)-3x3x16(conv2)-10(fc1)")
    ... )
    >>> step_change(small, large).lines
    ('adds conv2', 'conv1: kernel 3×3 → 5×5, 8 → 16 units')
    """
    changed = {
        node.name: tuple(_differences(before[node.name].layer, node.layer))
        for node in after.nodes
        if node.name in before and before[node.name].layer != node.layer
    }
    return StepChange(
        tuple(node.name for node in after.nodes if node.name not in before),
        tuple(node.name for node in before.nodes if node.name not in after),
        changed,
    )


def histories(lineage: Sequence[Architecture]) -> dict[str, LayerHistory]:
    """Return the history of each layer of the last network of a lineage.

    Parameters
    ----------
    lineage : sequence of Architecture
        The first network, then the network after each growth.
    """
    first = lineage[0]
    known = {node.name: LayerHistory(0, _parts(0, node.layer)) for node in first.nodes}
    for step, (before, after) in enumerate(pairwise(lineage), 1):
        changed = step_change(before, after).changed
        now = {}
        for node in after.nodes:
            if node.name not in before:
                now[node.name] = LayerHistory(
                    step, _parts(step, node.layer), (Change(step, "new"),)
                )
                continue
            found = known[node.name]
            texts = changed.get(node.name, ())
            now[node.name] = replace(
                found,
                parts=_resized(found.parts, step, node.layer),
                changes=(*found.changes, *(Change(step, text) for text in texts)),
            )
        known = now
    return known


def _parts(step: int, layer: Layer) -> tuple[tuple[int, int], ...]:
    return ((step, layer.width),) if layer.is_producer else ()


def _resized(
    parts: tuple[tuple[int, int], ...], step: int, layer: Layer
) -> tuple[tuple[int, int], ...]:
    """Return the parts of a width after a step; fewer units are taken from the last parts."""
    if not layer.is_producer:
        return ()
    more = layer.width - sum(units for _, units in parts)
    if more > 0:
        return (*parts, (step, more))
    left, kept = layer.width, []
    for since, units in parts:
        if left > 0:
            kept.append((since, min(units, left)))
        left -= units
    return tuple(kept)


def _differences(old: Layer, new: Layer) -> Iterator[str]:
    """Yield each option that differs, in words."""
    if type(old) is not type(new):
        yield f"{old.kind} → {new.kind}"
        return
    for option in fields(new):
        before, after = getattr(old, option.name), getattr(new, option.name)
        if before == after:
            continue
        if option.name == new.width_option:
            yield f"{before} → {after} units"
        else:
            yield f"{option.name.replace('_', ' ')} {text_of(before)} → {text_of(after)}"


def text_of(value: Any) -> str:
    """Return a layer's option as text: sizes with a cross between them."""
    if isinstance(value, tuple):
        return "×".join(map(str, value))
    return str(value)
