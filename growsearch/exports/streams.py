"""The chatter of converters, which print from C++: caught, and told only where one fails."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryFile

from growsearch.errors import ExportError, GrowsearchError

_LONGEST = 300  # characters of a reason


@contextmanager
def without_chatter(doing: str) -> Iterator[None]:
    """Hide what is printed in the block; turn an error of a converter or runtime into one line.

    Raises
    ------
    ExportError
        Says what was done and the reason, which may stand in the last line that was printed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with _caught() as printed:
            try:
                yield
                return
            except (GrowsearchError, OSError):
                raise
            except Exception as error:  # of any kind, as converters raise them
                reason = " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST]
                said = [line for line in printed() if "error" in line.lower()]
                more = f" ({said[0][:_LONGEST]})" if said else ""
                failed = ExportError(f"{doing}: {reason}{more}")
    raise failed from None


@contextmanager
def _caught() -> Iterator[Callable[[], list[str]]]:
    """Send both streams of this process into a file; yield a function that reads its lines."""
    streams = [stream for stream in (sys.stdout, sys.stderr) if stream is not None]
    with suppress(OSError, ValueError):
        for stream in streams:
            stream.flush()
    kept: dict[int, int] = {}
    with TemporaryFile() as file:

        def lines() -> list[str]:
            file.seek(0)
            return file.read().decode(errors="replace").splitlines()

        for number in (1, 2):
            with suppress(OSError):  # closed
                kept[number] = os.dup(number)
                os.dup2(file.fileno(), number)
        try:
            yield lines
        finally:
            with suppress(OSError, ValueError):
                for stream in streams:
                    stream.flush()
            for number, before in kept.items():
                os.dup2(before, number)
                os.close(before)
