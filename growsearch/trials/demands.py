"""Demands: what a network asks of a device, of which a search with a front keeps one small."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from growsearch.errors import ArchitectureError
from growsearch.networks import Architecture
from growsearch.networks.memory import peak_activation_bytes, stored_bytes
from growsearch.training import Speed

DemandName = Literal["parameters", "milliseconds", "flash_bytes", "arena_bytes"]
_DIGITS = 2  # significant digits of a measured time: more are noise


@dataclass(frozen=True)
class Demand:
    """One row of the table of demands.

    Parameters
    ----------
    words : str
        The name in reports, behind a number.
    column : str
        The heading of a column.
    of : callable or None
        From an architecture to the demand; None where it is measured.
    """

    words: str
    column: str
    of: Callable[[Architecture], float] | None

    def text(self, value: float) -> str:
        """Return a value with its unit.

        Examples
        --------
        >>> DEMANDS["parameters"].text(12345.0), DEMANDS["milliseconds"].text(0.031)
        ('12,345 parameters', '0.031 ms an image in training')
        """
        return f"{self.number(value)} {self.words}"

    def number(self, value: float) -> str:
        """Return a value without its unit."""
        return f"{value:g}" if self.of is None else f"{value:,.0f}"


def _parameters(architecture: Architecture) -> int:
    return architecture.parameters


DEMANDS: dict[DemandName, Demand] = {
    "parameters": Demand("parameters", "parameters", _parameters),
    "milliseconds": Demand("ms an image in training", "ms, training", None),
    "flash_bytes": Demand("bytes of flash", "flash, B", stored_bytes),
    "arena_bytes": Demand("bytes of arena", "arena, B", peak_activation_bytes),
}


def milliseconds_of(speed: Speed, batch_size: int) -> float:
    """Return the milliseconds that an image of a training takes, to two significant digits.

    Times that differ by less than their noise are equal then.

    Examples
    --------
    >>> milliseconds_of(Speed("float32", 0.0123), batch_size=32)
    0.38
    """
    value = 1000.0 * speed.step_seconds / batch_size
    digits = _DIGITS - 1 - math.floor(math.log10(value)) if value > 0.0 else 0
    return round(value, digits)


def known_demands(architecture: Architecture) -> dict[str, float]:
    """Return the demands that follow from an architecture, by name.

    Of a network whose activations cannot be counted, ``arena_bytes`` is missing.
    """
    found: dict[str, float] = {}
    for name, demand in DEMANDS.items():
        if demand.of is not None:
            try:
                found[name] = demand.of(architecture)
            except ArchitectureError:
                continue
    return found
