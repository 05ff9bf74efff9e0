"""From an Optuna trial to a growth: fixed names, fixed ranges, always asked, nothing conditional.

The parent changes during a run. Parameters named after its layers would change names and ranges
with it, and samplers would fall back to random draws. So every trial has the same parameters: an
operation, a position, a factor, a learning rate, and the knobs of training that the space lets
Optuna choose. They are decoded onto the legal sites of the parent.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from growsearch.growth import GROWTHS, Growth, sites_of
from growsearch.networks import Architecture
from growsearch.space import SearchSpace


def distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    """Return the parameters of every trial, with their ranges."""
    choices = space.choices
    return {
        "op": CategoricalDistribution(choices.operations),
        "position": FloatDistribution(0.0, 1.0),
        "log2_factor": FloatDistribution(*choices.log2_factor),
        "learning_rate": FloatDistribution(*choices.learning_rate, log=True),
        **{name: FloatDistribution(*bounds) for name, bounds in choices.knobs.items()},
    }


def outside(params: Mapping[str, Any], space: SearchSpace) -> str | None:
    """Return which of a trial's parameters is beyond its range, in words; None if none is.

    Optuna uses the values of an enqueued trial whatever they are.
    """
    for name, each in distributions(space).items():
        value = params[name]
        if isinstance(each, FloatDistribution) and not each.low <= value <= each.high:
            return f"{name}: expected {each.low:g} to {each.high:g}, got {value:g}"
    return None


def decode(
    params: Mapping[str, Any],
    architecture: Architecture,
    space: SearchSpace,
    tried: Container[str] = (),
) -> Growth | None:
    """Return the growth that a trial's parameters mean on this architecture.

    ``position`` picks one of the operation's legal sites, in the graph's order. Where the operation
    has no legal site, the next operation of the space's list that has one takes its place. A size
    beyond the limits becomes the nearest legal size. Where the growth is ``tried`` already, the
    next site takes its place, of any operation; where all are, it is tried again.

    Parameters
    ----------
    params : mapping
    architecture : Architecture
    space : SearchSpace
    tried : container of str
        Growths as text.

    Returns
    -------
    Growth or None
        None when no operation of the space has a legal site.
    """
    operations = space.choices.operations
    first = operations.index(params["op"])
    drawn = None
    for operation in (*operations[first:], *operations[:first]):
        legal = sites_of(GROWTHS[operation], architecture, space.growth_limits)
        place = min(int(params["position"] * len(legal)), len(legal) - 1)
        for site in (*legal[place:], *legal[:place]):
            growth = site.sized(params["log2_factor"], architecture, space.growth_limits)
            growth = growth.with_split(space.training.split, architecture)
            if str(growth) not in tried:
                return growth
            drawn = drawn or growth
    return drawn


def may_grow(architecture: Architecture, space: SearchSpace) -> bool:
    """Return whether any operation of the space has a legal site."""
    return any(
        sites_of(GROWTHS[operation], architecture, space.growth_limits)
        for operation in space.choices.operations
    )
