"""From one network to a larger one; each operation is one class in one file."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_type_hints

import numpy as np

from growsearch.errors import InvalidInputError
from growsearch.growth.branch import AddBranch
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
from growsearch.growth.kernel import EnlargeKernel
from growsearch.growth.skip import AddSkip
from growsearch.growth.widen import Widen
from growsearch.growth.widen_all import WidenAll
from growsearch.growth.widen_deepen import WidenDeepen
from growsearch.networks import Architecture, Network

GROWTHS: dict[str, type[Growth]] = {
    growth.operation: growth
    for growth in (
        *(Widen, WidenAll, Deepen, DeepenAll, WidenDeepen),
        *(EnlargeKernel, AddSkip, AddBranch),
    )
}


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
        A batch on which new batch normalisations measure their input.

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
        growth = GROWTHS[options.pop("operation")](**options)
        hints = get_type_hints(type(growth))
        for field in fields(growth):
            name = getattr(growth, field.name)
            if hints[field.name] is str and not isinstance(name, str):
                raise TypeError(f"{field.name}: expected the name of a layer, got {name!r}")
    except (TypeError, KeyError, ValueError) as error:
        raise InvalidInputError(
            f"a growth: expected an operation among {', '.join(GROWTHS)} with its options, "
            f"got {value!r} ({error})"
        ) from None
    return growth


def sites(
    architecture: Architecture | Network, limits: Limits | None = None
) -> dict[str, tuple[Growth, ...]]:
    """Return the smallest legal growth at every place, by operation.

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
    return {name: sites_of(growth, architecture, within) for name, growth in GROWTHS.items()}


__all__ = [
    "FILLINGS",
    "GROWTHS",
    "TREATMENTS",
    "AddBranch",
    "AddSkip",
    "Compound",
    "Deepen",
    "DeepenAll",
    "EnlargeKernel",
    "Filling",
    "Growth",
    "Limits",
    "Setting",
    "Treatment",
    "Widen",
    "WidenAll",
    "WidenDeepen",
    "grow",
    "growth_from_json",
    "sites",
    "sites_of",
]
