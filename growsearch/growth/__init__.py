"""From one network to another; each operation is one class in one file."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_type_hints

import numpy as np

from growsearch.errors import InvalidInputError
from growsearch.growth.branch import AddBranch
from growsearch.growth.change import Change, measure_change
from growsearch.growth.classes import AddClasses
from growsearch.growth.compound import Compound
from growsearch.growth.deepen import Deepen
from growsearch.growth.deepen_all import DeepenAll
from growsearch.growth.growth import (
    FILLINGS,
    TREATMENTS,
    Filling,
    Growth,
    Limits,
    Setting,
    Treatment,
    sites_of,
)
from growsearch.growth.inputs import AddInputs
from growsearch.growth.kernel import EnlargeKernel
from growsearch.growth.narrow import Narrow
from growsearch.growth.narrow_all import NarrowAll
from growsearch.growth.remove import Remove
from growsearch.growth.skip import AddSkip
from growsearch.growth.widen import Widen
from growsearch.growth.widen_all import WidenAll
from growsearch.growth.widen_deepen import WidenDeepen
from growsearch.networks import Architecture, Network

# Exact, and to a larger network with the same inputs and outputs.
GROWTHS: dict[str, type[Growth]] = {
    growth.operation: growth
    for growth in (
        *(Widen, WidenAll, Deepen, DeepenAll, WidenDeepen),
        *(EnlargeKernel, AddSkip, AddBranch),
    )
}
# To a smaller network, exactly or not; a search may use them too.
SHRINKS: dict[str, type[Growth]] = {each.operation: each for each in (Narrow, NarrowAll, Remove)}
SEARCHED: dict[str, type[Growth]] = {**GROWTHS, **SHRINKS}
# To another number of inputs or outputs, which the data of a search do not have.
ENDS: dict[str, type[Growth]] = {each.operation: each for each in (AddClasses, AddInputs)}
OPERATIONS: dict[str, type[Growth]] = {**SEARCHED, **ENDS}


def grow(
    network: Network,
    growth: Growth,
    *,
    rng: np.random.Generator | int,
    fill: Filling = "net2net",
    slots: Treatment = "carry-rescaled",
    images: Any = None,
) -> Network:
    """Apply a growth to a network; returns a new one and leaves the parent as it is.

    :func:`measure_change` compares the two, where the growth is not exact.

    Parameters
    ----------
    network : Network
    growth : Growth
        ``Widen("conv1", 128)``, ``Deepen("conv1")``, ….
    rng : numpy.random.Generator or int
        Draws the units that are copied and all random weights; an int is a seed.
    fill : "net2net" or "random"
        "net2net" keeps the outputs of the network; "random" is the baseline: the same larger
        architecture, old weights inherited, new ones random.
    slots : "reset", "carry", "carry-rescaled" or "carry-old"
        Treatment of the optimizer's slots, as growth/replicate.py defines. The default loses least
        in the first 100 updates (benchmarks/README.md).
    images : array, optional
        A batch on which new batch normalisations measure their input, and ``Narrow`` the
        activations of the units.

    Raises
    ------
    NotExactError
        When the growth cannot keep the function at this place; names the reason.
    OutOfMemoryError
        When the larger network needs more memory than this machine has; raised before any
        allocation.

    Examples
    --------
    >>> architecture = Architecture.parse("3x3x4(conv1)-pool1-10(fc1)", input_shape=(8, 8, 1))
    >>> parent = Network.initial(architecture, rng=0)
    >>> child = grow(parent, Widen("conv1", 6), rng=0)
    >>> image = np.ones((1, 8, 8, 1))
    >>> str(child.architecture), bool(np.allclose(child.forward(image), parent.forward(image)))
    ('3x3x6(conv1)-pool1-10(fc1)', True)
    """
    if not isinstance(growth, Growth):
        raise TypeError(f"growth: expected a Growth such as Widen('conv1', 64), got {growth!r}")
    if not isinstance(network, Network):
        raise TypeError(f"network: expected a Network, got {_shown(network)}")
    return growth.apply(network, Setting(np.random.default_rng(rng), fill, slots, images))


def _shown(given: Any) -> str:
    """Return a value of a wrong type as text, with a way on for Keras' models."""
    modules = (each.__module__ for each in type(given).__mro__)
    if any(module.partition(".")[0] == "keras" for module in modules):
        return f"a Keras {type(given).__name__}: growsearch.from_keras makes a network of it"
    return repr(given)


def growth_from_json(value: Any) -> Growth:
    """Read what :meth:`Growth.to_json` wrote, as untrusted input.

    Raises
    ------
    InvalidInputError
        For anything that is not exactly a growth.
    """
    try:
        options = dict(value)
        growth = OPERATIONS[options.pop("operation")](**options)
        hints = get_type_hints(type(growth))
        for field in fields(growth):
            name = getattr(growth, field.name)
            if hints[field.name] is str and not isinstance(name, str):
                raise TypeError(f"{field.name}: expected the name of a layer, got {name!r}")
    except (TypeError, KeyError, ValueError) as error:
        raise InvalidInputError(
            f"a growth: expected an operation among {', '.join(OPERATIONS)} with its options, "
            f"got {value!r} ({error})"
        ) from None
    return growth


def sites(
    architecture: Architecture | Network, limits: Limits | None = None
) -> dict[str, tuple[Growth, ...]]:
    """Return the smallest legal growth at every place, by operation.

    Those of ``GROWTHS`` are exact. Those of ``SHRINKS`` make the network smaller and are mostly
    not: a search judges them by what they reach.

    Parameters
    ----------
    architecture : Architecture or Network
        A network stands for its architecture.
    limits : Limits, optional
        None is no limit.

    Examples
    --------
    >>> architecture = Architecture.parse("3x3x4(conv1)-pool1-10(fc1)", input_shape=(8, 8, 1))
    >>> sites(Network.initial(architecture, rng=0))["widen"]
    (Widen(layer='conv1', width=5, split=None, noise=0.0, zero_sum=0.0),)
    """
    if isinstance(architecture, Network):
        architecture = architecture.architecture
    if not isinstance(architecture, Architecture):
        raise TypeError(
            f"architecture: expected an Architecture or a Network, got {_shown(architecture)}"
        )
    within = limits or Limits()
    return {name: sites_of(growth, architecture, within) for name, growth in OPERATIONS.items()}


__all__ = [
    "ENDS",
    "FILLINGS",
    "GROWTHS",
    "OPERATIONS",
    "SEARCHED",
    "SHRINKS",
    "TREATMENTS",
    "AddBranch",
    "AddClasses",
    "AddInputs",
    "AddSkip",
    "Change",
    "Compound",
    "Deepen",
    "DeepenAll",
    "EnlargeKernel",
    "Filling",
    "Growth",
    "Limits",
    "Narrow",
    "NarrowAll",
    "Remove",
    "Setting",
    "Treatment",
    "Widen",
    "WidenAll",
    "WidenDeepen",
    "grow",
    "growth_from_json",
    "measure_change",
    "sites",
    "sites_of",
]
