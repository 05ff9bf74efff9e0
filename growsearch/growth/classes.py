"""More classes: new outputs beside the old ones, whose logits stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from growsearch.checks import check_choice, number, whole_number
from growsearch.errors import InvalidInputError, NotExactError
from growsearch.growth.growth import Growth, Limits, Setting
from growsearch.growth.replicate import fresh, rebuild, unlearnt
from growsearch.net2net import Units
from growsearch.networks import INPUT, Architecture, Network, Node
from growsearch.networks.class_names import checked_names
from growsearch.networks.compute import compute
from growsearch.networks.layer import TiedUnitsError, Weight
from growsearch.networks.reference import forward

Array = NDArray[Any]
Float = NDArray[np.float64]
FirstClasses = Literal["zero", "mean", "random"]
FIRST_CLASSES: tuple[FirstClasses, ...] = get_args(FirstClasses)

_WIDEST = 700.0  # of a bias that is searched for: beyond it exponentials overflow


@dataclass(frozen=True)
class AddClasses(Growth):
    """Give the output ``n`` more classes: "I trained with A and B, now I need C too".

    The weights of the old logits stay as they are, bit for bit. New classes come behind the old
    ones, in the dense layer or convolution that makes the logits; pooling, flatten, batch norm, sum
    and softmax may follow it. Behind a softmax, and in a loss, old classes give up the probability
    that new ones take.

    Parameters
    ----------
    n : int
        Number of new classes; that of ``names`` by default.
    init : "zero", "mean" or "random"
        The weights in front of a new class: zeros; the mean of those of the old classes; or
        random, as long as those. The first two are alike for all new classes until they are
        trained.
    prior : float or None
        The probability of each new class at first, which its bias sets: on average over ``images``
        where :func:`grow` gets some, else on an image for whose logits the exponentials sum to 1.
        None leaves the bias at 0, or at the mean of the old ones with ``init="mean"``.
    names : sequence of str or None
        Names of the new classes. Old classes without names are named by their numbers.

    Examples
    --------
    >>> parent = Network.initial(Architecture.parse("4(fc1)-2(fc2)", input_shape=(3,)), rng=0)
    >>> from growsearch.growth import grow
    >>> child = grow(parent, AddClasses(names=("cat",)), rng=0)
    >>> child.class_names, child.forward(np.ones((1, 3))).shape
    (('0', '1', 'cat'), (1, 3))
    """

    n: int = 0
    init: FirstClasses = "zero"
    prior: float | None = None
    names: tuple[str, ...] | None = None

    operation: ClassVar[str] = "add_classes"

    def __post_init__(self) -> None:
        if self.names is not None:
            names = checked_names("names", self.names, self.n or None)
            object.__setattr__(self, "names", names)
            object.__setattr__(self, "n", self.n or len(names))
        object.__setattr__(self, "n", whole_number("n", self.n, 1))
        check_choice("init", self.init, FIRST_CLASSES)
        if self.prior is not None:
            most = 1.0 / self.n
            prior = number("prior", self.prior, 0.0, most, above=True, below=True)
            object.__setattr__(self, "prior", prior)

    @classmethod
    def sites(cls, architecture: Architecture, limits: Limits) -> tuple[Self, ...]:
        """Return one more class, where the output may have it; a limit on widths is none here."""
        site = cls(1)
        try:
            grown = site.grown(architecture)
        except NotExactError:
            return ()
        return (site,) if limits.allow(grown) else ()

    def grown(self, architecture: Architecture) -> Architecture:
        heads = (node for node in _ends(architecture, self.n) if node.layer.is_producer)
        wider = {node.name: node.layer.widened(node.layer.width + self.n) for node in heads}
        return architecture.with_layers(wider)

    def apply(self, network: Network, setting: Setting) -> Network:
        grown = self.grown(network.architecture)
        ends = _ends(network.architecture, self.n)

        def changed(layer: str, name: str, array: Array, new: Callable[[Weight], Array]) -> Array:
            weight = grown.weights[layer][name]
            if weight.shape == array.shape:
                return array
            result = new(weight)
            result[tuple(map(slice, array.shape))] = array
            return result

        def change(layer: str, name: str, array: Array) -> Array:
            return changed(layer, name, array, lambda weight: self._started(weight, array, setting))

        def change_slot(layer: str, name: str, array: Array, degree: int, optimizer: str) -> Array:
            del optimizer

            def unmoved(weight: Weight) -> Array:
                return np.full(weight.shape, unlearnt(array, degree, weight, setting), array.dtype)

            return changed(layer, name, array, unmoved)

        child = rebuild(network.named(None), grown, change, change_slot, setting)
        if self.prior is not None and setting.fill == "net2net":
            child = _with_prior(child, ends, self.n, self.prior, setting.images)
        return child.named(self._all_names(network))

    @property
    def place(self) -> str:
        return "output"

    def sizes(self, architecture: Architecture) -> tuple[str, str]:
        old = architecture.shapes[architecture.output.name][-1]
        return f"{old} classes", f"{old + self.n} classes"

    def _all_names(self, network: Network) -> tuple[str, ...] | None:
        if self.names is None and network.class_names is None:
            return None
        old = network.outputs
        numbers = tuple(map(str, range(old + self.n)))
        return (network.class_names or numbers[:old]) + (self.names or numbers[old:])

    def _started(self, weight: Weight, old: Array, setting: Setting) -> Array:
        """Return a weight of the new shape, of which the old values are yet to be put in."""
        shape = weight.shape
        if setting.fill == "random":
            return fresh(weight, shape, old.dtype, setting.rng)
        if self.init == "mean":
            axes = tuple(axis for axis, size in enumerate(shape) if size != old.shape[axis])
            mean = old.mean(axis=axes, keepdims=True, dtype=np.float64)
            return np.broadcast_to(mean.astype(old.dtype), shape).copy()
        if self.init == "random" and weight.fill == "kernel":
            length = float(np.sqrt(np.mean(np.square(old, dtype=np.float64))))
            return (length * setting.rng.standard_normal(shape)).astype(old.dtype)
        return np.full(shape, 1.0 if weight.fill == "ones" else 0.0, old.dtype)


def _with_prior(
    child: Network, ends: tuple[Node, ...], new: int, prior: float, images: Any
) -> Network:
    """Return the child with a bias of its new classes that gives each of them its probability."""
    head = next(node.name for node in ends if node.layer.is_producer)
    if "bias" not in child.weights[head]:
        raise InvalidInputError(
            f"prior: expected a bias of {head} to set it by, got a layer without: leave it out"
        )
    if images is None:
        is_alone = child.architecture.output.layer.activation_behind("linear") == "sigmoid"
        shift = float(np.log(prior / (1.0 - (1 if is_alone else new) * prior)))
    else:
        shift = _shift_on(child, ends, head, new, prior, images)
    arrays = {**child.weights[head], "bias": _shifted(child.weights[head]["bias"], new, shift)}
    return replace(child, weights={**child.weights, head: arrays})


def _shift_on(
    child: Network, ends: tuple[Node, ...], head: str, new: int, prior: float, images: Any
) -> float:
    """Search the shift of the new biases at which new classes have their prior on average."""
    from scipy.optimize import brentq

    inside = {node.name for node in ends}
    outside = {name for node in ends for name in node.inputs if name not in inside}
    known = {
        name: np.asarray(images, np.float64) if name == INPUT else forward(child, images, at=name)
        for name in outside
    }
    last = child.architecture.output.layer
    is_shared = any(node.layer.mixes_units for node in ends)
    are_shares = is_shared or last.activation_behind("linear") == "sigmoid"

    def mean(shift: float) -> float:
        outputs = _through(child, reversed(ends), known, head, new, shift)
        shares = outputs if are_shares else softmax(outputs, axis=-1)
        return float(shares[..., -new:].mean())

    least, most = mean(-_WIDEST), mean(_WIDEST)
    if not least < prior < most:
        raise InvalidInputError(
            f"prior: expected a probability that a bias of {head} can give on these images, "
            f"above {least:g} and below {most:g}, got {prior:g}"
        )
    return float(brentq(lambda shift: mean(shift) - prior, -_WIDEST, _WIDEST, xtol=1e-9))


def _through(
    network: Network,
    nodes: Iterable[Node],
    known: Mapping[str, Float],
    head: str,
    new: int,
    shift: float,
) -> Float:
    """Return the network's outputs, from known ones on, with shifted biases of new classes."""
    values = dict(known)
    for node in nodes:
        arrays = network.weights.get(node.name, {})
        weights = {name: np.asarray(array, np.float64) for name, array in arrays.items()}
        if node.name == head:
            weights["bias"] = _shifted(weights["bias"], new, shift)
        layer = network.architecture[node.name].layer
        values[node.name] = compute(layer, [values[name] for name in node.inputs], weights)
    return values[network.architecture.output.name]


def _shifted(bias: Array, new: int, shift: float) -> Array:
    """Return a bias whose last values are larger by the shift."""
    result = bias.copy()
    result[-new:] += np.asarray(shift, bias.dtype)
    return result


def _ends(architecture: Architecture, extra: int) -> tuple[Node, ...]:
    """Return the layers from the output back to those that make the logits, which can all widen.

    Raises
    ------
    NotExactError
        When more classes would change the old logits, or do not fit; names the reason.
    """
    old = architecture.shapes[architecture.output.name][-1]
    # As if copied from the last class: behind a concatenation, the last branch has the new ones.
    source = np.concatenate([np.arange(old), np.full(extra, old - 1)])
    share = np.concatenate([np.ones(old), np.zeros(extra)])
    wanted = {architecture.output.name: Units(source, share, old)}
    found: list[Node] = []
    for node in reversed(architecture.nodes):
        if (units := wanted.get(node.name)) is None:
            continue
        known = {each.name for each in found}
        for reader in architecture.consumers[node.name]:
            if reader.name not in known or reader.layer.is_producer:
                raise NotExactError(f"{node.name}: expected logits that no other layer reads")
        found.append(node)
        for name, need in zip(node.inputs, _required(architecture, node, units), strict=True):
            if len(need) == need.old:
                continue
            if name == INPUT:
                raise NotExactError(f"{node.name}: expected logits that a layer makes, got inputs")
            if wanted.setdefault(name, need) != need:
                raise NotExactError(f"{name}: expected logits at one place, got several")
    return tuple(found)


def _required(architecture: Architecture, node: Node, units: Units) -> tuple[Units, ...]:
    """Return the units that a node's inputs must have for its output to have ``units``."""
    layer = node.layer
    if layer.is_producer:
        if layer.needs:
            raise NotExactError(f"{node.name}: its units stand in groups, which more would change")
        return tuple(Units.unchanged(shape[-1]) for shape in architecture.input_shapes(node))
    shapes = architecture.input_shapes(node)
    try:
        required = layer.required(units, *shapes)
        layer.through(required, *shapes)
    except TiedUnitsError as tied:
        raise NotExactError(f"{node.name}: more classes do not pass it: {tied}") from None
    for need in required:
        more, kept = len(need) - need.old, need.source[: need.old]
        if more not in (0, len(units) - units.old) or (kept != np.arange(need.old)).any():
            raise NotExactError(
                f"{node.name}: more classes do not pass it: it mixes units and positions"
            )
    return required
