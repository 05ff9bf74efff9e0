"""The lines that every benchmark prints: the machine, the versions, the deviation of repeats."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from growsearch.machine import BFLOAT16_FLAGS, processor_flags, processor_name, processors


def processor() -> str:
    """Return the processor's name, count and bfloat16 instructions, where the system names them."""
    flags = " ".join(sorted(BFLOAT16_FLAGS & processor_flags()))
    return f"{processor_name()}, {processors()} processors, {flags or 'no bfloat16'}"


def versions(*packages: str) -> str:
    """Return the versions of Python and of some packages."""
    found = []
    for name in packages:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join([f"Python {platform.python_version()}", *found])


def deviation(values: Sequence[float] | np.ndarray[Any, Any]) -> float:
    """Return the sample standard deviation of repeats (n - 1); 0 for one alone."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
