"""What every benchmark prints: the machine, the versions, and how far repeats are apart."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np


def processor() -> str:
    """Its name and what of it speeds up bfloat16, where the system says."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    found = dict(line.replace("\t", "").split(":", 1) for line in lines if ":" in line)
    flags = {"avx512_bf16", "amx_bf16"} & set(found.get("flags", "").split())
    name = found.get("model name", platform.processor()).strip()
    return f"{name}, {os.cpu_count()} processors, {' '.join(sorted(flags)) or 'no bfloat16'}"


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
