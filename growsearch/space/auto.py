"""A search space around a network that is given: its first network, and limits that follow."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from growsearch.growth import GROWTHS, Limits
from growsearch.networks import Architecture
from growsearch.space.files import AUTO
from growsearch.space.override import Override

# In the order in which trials try them first: one layer at a time, then several.
_OPERATIONS = ("widen", "deepen", "widen_all", "deepen_all", "widen_deepen")
_LARGER = 4  # times the width, parameters and FLOPs of the network
_LEAST_WIDTH = 32  # of the limit on widths
_MULTIPLE = 16  # processors compute multiples of it several times faster


def around(
    values: Mapping[str, Any], first: Architecture, changes: Iterable[Override]
) -> dict[str, Any]:
    """Return the values of a space, with its first network in place of the file's.

    In the space ``auto`` limits and operations that it leaves out follow from the network, and
    there is no polish beside a trunk or two objectives that are asked for.

    Parameters
    ----------
    values : mapping
        Of the file, unchecked.
    first : Architecture
    changes : iterable of Override
    """
    result = dict(values)
    teacher = result.get("teacher")
    result["teacher"] = (teacher if isinstance(teacher, dict) else {}) | teacher_of(first)
    if result.get("name") != AUTO:
        return result
    limits = limits_of(first)
    operations = operations_of(first, Limits(**limits))
    result["limits"] = _filled(result.get("limits"), limits)
    result["choices"] = _filled(result.get("choices"), {"operations": list(operations)})
    if any(_takes_the_place_of_a_polish(change) for change in changes):
        result.pop("polish", None)
    return result


def _takes_the_place_of_a_polish(change: Override) -> bool:
    """Return whether a change asks for a trunk, or for two objectives."""
    section = change.key.split(".")[0]
    has_two = change.key == "search.objective" and not isinstance(change.value, str)
    return section == "trunk" or has_two


def _filled(table: Any, defaults: dict[str, Any]) -> Any:
    """Return a table with defaults for keys that it lacks; what is no table stays as it is."""
    if table is None:
        return defaults
    return defaults | table if isinstance(table, dict) else table


def teacher_of(first: Architecture) -> dict[str, Any]:
    """Return the keys of a first network in the section of the teacher."""
    return {"architecture": json.dumps(first.to_json()), "input_shape": list(first.input_shape)}


def limits_of(architecture: Architecture) -> dict[str, int]:
    """Return limits for the growth of a network, by their keys.

    Examples
    --------
    >>> limits_of(Architecture.parse("3x3x24(conv1)-pool1-10(fc1)", (8, 8, 1)))["width"]
    96
    """
    hidden = [
        node.layer.width
        for node in architecture.nodes
        if node.layer.is_producer and node is not architecture.output
    ]
    return {
        "layers": 2 * (len(hidden) + 1) + 2,
        "width": _LARGER * max([*hidden, _LEAST_WIDTH // _LARGER]),
        "parameters": _LARGER * max(architecture.parameters, 1),
        "flops": _LARGER * max(architecture.flops, 1),
        "width_multiple": math.gcd(_MULTIPLE, *hidden),
    }


def following(
    limits: Mapping[str, Any], before: Architecture, after: Architecture
) -> dict[str, Any]:
    """Return limits of the space ``auto`` around one network for another network.

    Those that followed from the one follow from the other; those that were given stay.

    Examples
    --------
    >>> one, other = (Architecture.parse(f"{width}(fc1)-3(fc2)", (4,)) for width in (16, 32))
    >>> found = following(limits_of(one) | {"parameters": 999}, one, other)
    >>> found["width"], found["parameters"]
    (128, 999)
    """
    old, new = limits_of(before), limits_of(after)
    return {**limits, **{key: new[key] for key in new if limits.get(key) == old[key]}}


def operations_of(architecture: Architecture, limits: Limits) -> tuple[str, ...]:
    """Return the operations with a place in a network; those of every network if it has none.

    Examples
    --------
    >>> operations_of(Architecture.parse("8(fc1)-10(fc2)", (4,)), Limits())
    ('widen', 'deepen')
    """
    legal = (name for name in _OPERATIONS if GROWTHS[name].sites(architecture, limits))
    return tuple(legal) or _OPERATIONS[:2]
