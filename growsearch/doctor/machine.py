"""Processors and memory: how many threads a search has, and what limits them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator

from growsearch.doctor.finding import Finding
from growsearch.machine import THREADS, physical_memory, processor_name, processors

_LEAST = 2e9  # bytes of memory: TensorFlow in two workers takes about 1 GB


def threads() -> Iterator[Finding]:
    """Yield the findings on processors and memory."""
    usable, whole = processors(), os.cpu_count() or 1
    told = f"{usable} of {whole}, {processor_name()}"
    if named := os.environ.get(THREADS):
        told += f"; {THREADS}={named}"
    advice = ""
    if named and not named.isdecimal():
        advice = f"{THREADS}: expected a whole number, got {named!r}: it is ignored"
    yield Finding("threads", "processors", "note" if advice else "ok", told, advice)
    memory = physical_memory()
    if math.isinf(memory):
        yield Finding("threads", "memory", "note", "unknown")
    elif memory < _LEAST:
        advice = "use --workers 1, or 0 for trainings in one process"
        yield Finding("threads", "memory", "note", f"{memory / 1e9:.1f} GB", advice)
    else:
        yield Finding("threads", "memory", "ok", f"{memory / 1e9:.1f} GB")
