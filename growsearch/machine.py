"""The machine that this process runs on: its processors, their abilities, its memory."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")  # on Linux
BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})


def processors() -> int:
    """Return how many processors this process may use.

    Examples
    --------
    >>> processors() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):  # not every system restricts processes
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor_name() -> str:
    """Return the processor's model name, or the name that Python knows it by."""
    # On Linux Python knows no more than "x86_64".
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def processor_flags() -> frozenset[str]:
    """Return the names of the processor's instruction sets; none where the system is silent."""
    return frozenset(_cpuinfo("flags").split())


def processor_has_bfloat16() -> bool:
    """Return whether the processor lists instructions for bfloat16."""
    return not BFLOAT16_FLAGS.isdisjoint(processor_flags())


def physical_memory() -> float:
    """Return the bytes of this machine's memory; infinite where the system is silent."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return float("inf")


def _cpuinfo(key: str) -> str:
    """Return the first value of a key in the system's list of processors, or nothing."""
    try:
        text = CPUINFO.read_text(errors="replace")
    except OSError:  # not Linux
        return ""
    found = re.search(rf"^{key}[ \t]*:(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else ""
