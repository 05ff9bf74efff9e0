"""What every benchmark prints: the machine, the versions, and how far repeats are apart."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from growsearch.machine import BFLOAT16_FLAGS, processor_flags, processor_name, processors


def processor() -> str:
    """Its name and what of it speeds up bfloat16, where the system says."""
    flags = " ".join(sorted(BFLOAT16_FLAGS & processor_flags()))
    return f"{processor_name()}, {processors()} processors, {flags or 'no bfloat16'}"


def versions(*packages: str) -> str:
    """Python's and those of some packages."""
    found = []
    for name in packages:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join([f"Python {platform.python_version()}", *found])


def deviation(values: Sequence[float] | np.ndarray[Any, Any]) -> float:
    """The standard deviation of repeats, estimated from them (n - 1); 0 for one alone."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
