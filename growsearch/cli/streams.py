"""The output streams of a command: a failed write is remembered."""

from __future__ import annotations

import io
import os
import sys


class Output(io.TextIOWrapper):
    """A stream that remembers the first error of writing to it.

    Parameters
    ----------
    stream : io.TextIOWrapper
        It writes to the same place, and a question mark for what the encoding lacks.
    """

    def __init__(self, stream: io.TextIOWrapper) -> None:
        super().__init__(
            stream.buffer,
            encoding=stream.encoding,
            errors="replace",
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        """Write a text."""
        try:
            return super().write(text)
        except OSError as error:
            self.failure = self.failure or error
            raise

    def flush(self) -> None:
        """Write what has been kept back."""
        try:
            super().flush()
        except OSError as error:
            self.failure = self.failure or error
            raise


def watch() -> None:
    """Make the streams of this process remember their errors."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = Output(sys.stdout)
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = Output(sys.stderr)


def failure() -> OSError | None:
    """Return the first error of writing the output; None where there was none."""
    # Click may have wrapped them.
    failures = (getattr(stream, "failure", None) for stream in (sys.stdout, sys.stderr))
    return next((error for error in failures if error is not None), None)


def silence() -> None:
    """Redirect streams that cannot be written; else Python complains at its exit."""
    for stream in (sys.stdout, sys.stderr):
        if getattr(stream, "failure", None) is not None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
