"""Fewer units in a layer, and in every layer that is tied to it: the way back from Widen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from growsearch.checks import check_choice, whole_number
from growsearch.errors import InvalidInputError, NotExactError
from growsearch.growth.growth import Growth, Limits, Setting
from growsearch.growth.replicate import rebuild
from growsearch.growth.spare import (
    Droppable,
    absorber_of,
    activities,
    droppable,
    energy_of,
    inputs_on,
    magnitudes,
    probes,
    readers_of,
    shift_of,
    twins,
)
from growsearch.growth.ties import Cells, Ties, fewer_on, ties_of
from growsearch.net2net.fewer import keep_axis, kept_slot, merge_axis, merged_slot
from growsearch.net2net.slots import Carry
from growsearch.networks import Architecture, Network
from growsearch.networks.optimizers import OPTIMIZERS

Array = NDArray[Any]
Float = NDArray[np.float64]
By = Literal["dead", "merge", "magnitude", "activation"]
BY: tuple[By, ...] = get_args(By)
EXACT: tuple[By, ...] = ("dead", "merge")

_MEASURED = 128  # images on which activations are measured
_DROPPED = -1


@dataclass(frozen=True)
class Narrow(Growth):
    """Give ``layer`` fewer units: ``width`` of them, chosen among the old ones.

    Layers that are tied to it narrow too: by sums, norms, depthwise and grouped convolutions, a
    flatten. Exact by "dead" and by "merge", which refuse where they would not be; what
    :class:`Widen` added goes by "merge", and the old network is back bit for bit. By "magnitude"
    and by "activation" the outputs change: :func:`measure_change` tells by how much.

    Parameters
    ----------
    layer : str
        A layer with a width of its own, not the output.
    width : int
        Its units after narrowing.
    by : "dead", "merge", "magnitude" or "activation"
        The units that go. "dead": those that nothing uses, and those that are constant by their
        weights; a constant goes to the biases of the readers, or to the mean that a batch norm
        behind them subtracts. "merge": these, and copies of other units, whose readers get the sum
        of the weights. "magnitude": these, then those with the least product of the lengths of
        their weights in front and behind (gamma in front, behind a norm). "activation": these, then
        those that move their readers least, by their deviation on the ``images`` that :func:`grow`
        needs for it. With images the means of the units that go are added by the readers' biases.

    Examples
    --------
    >>> from growsearch.growth import Widen, grow
    >>> old = Network.initial(Architecture.parse("4(fc1)-2(fc2)", input_shape=(3,)), rng=0)
    >>> wide = grow(old, Widen("fc1", 7), rng=1)
    >>> grow(wide, Narrow("fc1", 4), rng=0).sha256 == old.sha256
    True
    """

    layer: str
    width: int
    by: By = "merge"

    operation: ClassVar[str] = "narrow"

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", whole_number("width", self.width, 1))
        check_choice("by", self.by, BY)

    @classmethod
    def sites(cls, architecture: Architecture, limits: Limits) -> tuple[Self, ...]:
        """Return each layer that may narrow, by the smallest step, by activation.

        A limit is none on what gets smaller; ``width_multiple`` is one.
        """
        found: list[Self] = []
        for node in architecture.nodes:
            if node.layer.is_producer and node is not architecture.output:
                widths = legal_widths(architecture, node.name, limits)
                found += [cls(node.name, width, "activation") for width in islice(widths, 1)]
        return tuple(found)

    def sized(self, log2_factor: float, architecture: Architecture, limits: Limits) -> Self:
        """Return the site's growth to ``2**-log2_factor`` of the width, or the nearest legal one.

        It is a step smaller at least.
        """
        width = nearest_width(architecture, self.layer, log2_factor, limits)
        assert width is not None, f"{self.layer}: no site within these limits"
        return replace(self, width=width)

    def grown(self, architecture: Architecture) -> Architecture:
        widths = ties_of(architecture, self.layer).widths(self.width)
        layers = {name: architecture[name].layer.widened(width) for name, width in widths.items()}
        return architecture.with_layers(layers)

    def apply(self, network: Network, setting: Setting) -> Network:
        ties = ties_of(network.architecture, self.layer)
        kept = ties.kept(self.width)
        images = None if setting.images is None else setting.images[:_MEASURED]
        inputs = None
        if self.by == "activation" and setting.fill == "net2net":
            if images is None:
                raise InvalidInputError(
                    f"{self.layer}: expected images on which to measure activations, got none: "
                    "give images (--data), or narrow by magnitude"
                )
            inputs = inputs_on(network, ties, images)
        if setting.fill == "random":
            into = _at_random(ties, kept, setting.rng)
            return _narrowed(network, self.grown(network.architecture), ties, into, {}, setting)
        spare = droppable(network, ties)
        into = self._choice(network, ties, kept, spare, inputs)
        dropped = into == _DROPPED
        if images is not None and (dropped & ~spare.may_go).any():
            inputs = inputs or inputs_on(network, ties, images)
        else:
            dropped &= spare.may_go
            inputs = None
        shifts = _shifts(network, ties, dropped, inputs)
        return _narrowed(network, self.grown(network.architecture), ties, into, shifts, setting)

    @property
    def place(self) -> str:
        return self.layer

    def sizes(self, architecture: Architecture) -> tuple[str, str]:
        return str(architecture[self.layer].layer.width), str(self.width)

    def _choice(
        self,
        network: Network,
        ties: Ties,
        kept: tuple[int, ...],
        spare: Droppable,
        inputs: dict[str, Float] | None,
    ) -> Cells:
        """Return the cell that each goes into: itself, one that it is a copy of, or none."""
        number = len(spare.may_go)
        twin = np.arange(number) if self.by == "dead" else twins(network, ties)
        if ties.balanced:
            merged = _balanced(ties, kept, twin)
            into = np.arange(number) if merged is None else merged
        else:
            into = _spare_first(ties, kept, spare, twin)
        missing = int(np.sum(into == np.arange(number))) - sum(kept)
        if missing and self.by in EXACT:
            what = "dead" if self.by == "dead" else "dead or copies of others"
            goes = f"{(number - sum(kept) - missing) * ties.groups}"
            norm = f", and {ties.balanced} merges every unit equally often" if ties.balanced else ""
            raise NotExactError(
                f"{self.layer}: expected {ties.width - self.width} of its {ties.width} units to be "
                f"{what}{norm}, got {goes}: narrow by magnitude or by activation, which change "
                "the outputs"
            )
        if missing:
            scores = (
                magnitudes(network, ties) if inputs is None else activities(network, ties, inputs)
            )
            _drop_least(ties, kept, into, scores)
        return into


def legal_widths(architecture: Architecture, layer: str, limits: Limits) -> Iterator[int]:
    """Yield the smaller widths that a layer may have, the largest first; none if it may not.

    The layer, and each layer that narrows with it, then has a multiple of ``width_multiple`` units.
    """
    try:
        ties = ties_of(architecture, layer)
    except NotExactError:
        return
    for width in range(ties.width - ties.groups, 0, -ties.groups):
        if width % limits.width_multiple == 0 and _is_legal(ties, width, limits):
            yield width


def nearest_width(
    architecture: Architecture, layer: str, log2_factor: float, limits: Limits
) -> int | None:
    """Return the smaller legal width that is nearest to ``2**-log2_factor`` of a layer's own."""
    wanted = architecture[layer].layer.width * 2.0**-log2_factor
    legal = legal_widths(architecture, layer, limits)
    return min(legal, key=lambda width: abs(width - wanted), default=None)


def _is_legal(ties: Ties, width: int, limits: Limits) -> bool:
    try:
        widths = ties.widths(width)
    except NotExactError:
        return False
    return all(
        after % limits.width_multiple == 0 or after == len(ties.cells[name])
        for name, after in widths.items()
    )


def _at_random(ties: Ties, kept: tuple[int, ...], rng: np.random.Generator) -> Cells:
    """Choose the cells that stay at random: the baseline."""
    into = np.full(ties.segments[-1].stop, _DROPPED)
    for segment, stay in zip(ties.segments, kept, strict=True):
        chosen = rng.choice(segment, stay, replace=False)
        into[chosen] = chosen
    return into


def _spare_first(ties: Ties, kept: tuple[int, ...], spare: Droppable, twin: Cells) -> Cells:
    """Let cells go that can, the last ones first, up to the number that is to go.

    A widening puts new units last. Those of before thus stay, whatever else could go.
    """
    may_go = spare.may_go
    into = np.arange(len(may_go))
    for segment, stay in zip(ties.segments, kept, strict=True):
        excess = len(segment) - stay
        for cell in reversed(segment):
            if not excess:
                break
            # A copy is merged though it could be dropped, for the unit that it goes into may stay.
            if twin[cell] != cell:
                into[cell] = twin[cell]
            elif may_go[into == cell].all():
                into[into == cell] = _DROPPED
            else:
                continue
            excess -= 1
    while (held := spare.held_back(into == _DROPPED)).any():
        into[held] = np.flatnonzero(held)
    return into


def _balanced(ties: Ties, kept: tuple[int, ...], twin: Cells) -> Cells | None:
    """Merge every unit equally often, as a norm needs it; None where there are no such copies."""
    into = np.arange(len(twin))
    for segment, stay in zip(ties.segments, kept, strict=True):
        if len(segment) % stay:
            return None
        times = len(segment) // stay
        for first in np.unique(twin[segment.start : segment.stop]):
            alike = np.flatnonzero(twin == first)
            if len(alike) % times:
                return None
            stays = alike[: len(alike) // times]
            into[alike] = np.tile(stays, times)
    return into


def _drop_least(ties: Ties, kept: tuple[int, ...], into: Cells, scores: Float) -> None:
    """Drop the cells with the least scores until enough are gone; those merged into them go too."""
    sums = np.bincount(into[into >= 0], weights=scores[into >= 0], minlength=len(into))
    for segment, stay in zip(ties.segments, kept, strict=True):
        stays = [cell for cell in segment if into[cell] == cell]
        least = sorted(stays, key=lambda cell: (sums[cell], -cell))[: len(stays) - stay]
        into[np.isin(into, least)] = _DROPPED


def _shifts(
    network: Network, ties: Ties, dropped: NDArray[np.bool_], inputs: dict[str, Float] | None
) -> dict[tuple[str, str], Float]:
    """Return what to add to arrays, by layer and name, in the place of what is dropped."""
    shifts: dict[tuple[str, str], Float] = {}
    used = [r for r in readers_of(network, ties) if energy_of(network, ties, r)[dropped].any()]
    if used and inputs is None:
        inputs = probes(network, ties)
    for reader in used:
        assert inputs is not None
        if (absorber := absorber_of(network, reader)) is not None:
            layer, name, sign = absorber
            added = shift_of(network, ties, reader, dropped, inputs[reader.source])
            mean = added.reshape(-1, added.shape[-1]).mean(axis=0)
            if mean.any():
                shifts[layer, name] = sign * mean
    return shifts


def _narrowed(
    network: Network,
    architecture: Architecture,
    ties: Ties,
    into: Cells,
    shifts: dict[tuple[str, str], Float],
    setting: Setting,
) -> Network:
    """Return the network on the narrower architecture, its slots too."""
    old = network.architecture

    def change(layer: str, name: str, array: Array) -> Array:
        if (layer, name) in shifts:
            array = (array + shifts[layer, name]).astype(array.dtype)
        for axis, rule, cells in ties.axes(old, layer, old.weights[layer][name]):
            narrow = keep_axis if rule.role == "copy" else merge_axis
            array = narrow(array, fewer_on(cells, into), axis)
        return array

    def change_slot(layer: str, name: str, array: Array, degree: int, optimizer: str) -> Array:
        treatment: Carry = "carry" if setting.slots == "reset" else setting.slots
        for axis, rule, cells in ties.axes(old, layer, old.weights[layer][name]):
            fewer = fewer_on(cells, into)
            if rule.role == "copy":
                array = kept_slot(array, fewer, axis, degree=degree, treatment=treatment)
            else:
                adaptive = OPTIMIZERS[optimizer].adaptive
                array = merged_slot(
                    array, fewer, axis, degree=degree, treatment=treatment, adaptive=adaptive
                )
        return array

    return rebuild(network, architecture, change, change_slot, setting)
