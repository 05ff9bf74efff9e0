"""TensorFlow's log messages, kept off the screen unless they report an error."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile

LEVEL = "TF_CPP_MIN_LOG_LEVEL"  # 0: everything, 1: no information, 2: no warnings, 3: no errors

_PREAMBLE = b"WARNING: All log messages before absl::InitializeLog()"
_LOG_LINE = re.compile(rb"([IWEF])\d{4} [\d:.]+ +\d+ [^ ]+:\d+\] ")
_NO_GPU = b"failed call to cuInit"
_GPU_DEVICES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg")

_alone = threading.RLock()  # two threads that swap one descriptor would restore the wrong one


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back TensorFlow's log messages while it is imported or opens its devices.

    ``TF_CPP_MIN_LOG_LEVEL`` is set to 2 unless it is set. TensorFlow prints some lines before it
    reads that level; they come from C++ and can only be caught at the file descriptor. After the
    block, the lines that the level lets pass are printed: TensorFlow's errors, and all lines of
    other origin. On a machine without a GPU the error that there is none is left out. If the block
    raises an exception other than ``KeyboardInterrupt``, every line is printed.

    Examples
    --------
    >>> with quiet():
    ...     import json
    """
    os.environ.setdefault(LEVEL, "2")
    with _alone:
        try:
            stderr = os.dup(2)
        except OSError:  # closed: nothing can be printed
            yield
            return
        try:
            caught = TemporaryFile()  # noqa: SIM115  not a pipe: a full one would block
        except OSError:  # a full disk must not end an import
            os.close(stderr)
            yield
            return
        _flush()
        os.dup2(caught.fileno(), 2)
        failed = False
        try:
            yield
        except Exception:
            failed = True
            raise
        finally:
            _flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            with caught:
                caught.seek(0)
                text = caught.read()
            with suppress(OSError):
                os.write(2, text if failed else without_noise(text))


def without_noise(text: bytes) -> bytes:
    """Return the lines of ``text`` that the level in the environment lets pass."""
    level = os.environ.get(LEVEL, "")
    hidden = "IWEF"[: min(int(level), 3)] if level.isdigit() else ""
    if not hidden:
        return text
    has_gpu = any(Path(device).exists() for device in _GPU_DEVICES)
    seen = []
    for line in text.splitlines(keepends=True):
        log = _LOG_LINE.match(line)
        is_hidden = log is not None and log[1].decode() in hidden
        is_no_gpu = log is not None and _NO_GPU in line and not has_gpu
        if not (is_hidden or is_no_gpu or line.startswith(_PREAMBLE)):
            seen.append(line)
    return b"".join(seen)


def _flush() -> None:
    with suppress(OSError, ValueError, AttributeError):  # closed, None, or replaced
        sys.stderr.flush()
