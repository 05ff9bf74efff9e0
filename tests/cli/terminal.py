"""A process on a terminal of its own, and the screen that a person would see."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from typing import Self

import pyte


class Terminal:
    """A process on a pseudo-terminal, whose output is drawn on a screen.

    Parameters
    ----------
    command : list of str
    columns, rows : int
    environment : variables of the process, beside this one's
    """

    def __init__(
        self, command: list[str], columns: int = 100, rows: int = 30, **environment: str
    ) -> None:
        self.screen = pyte.HistoryScreen(columns, rows, history=1000)
        self.written = b""
        self._stream = pyte.ByteStream(self.screen)
        self._handle, other = pty.openpty()
        self._size(columns, rows)
        self.process = subprocess.Popen(
            command,
            stdin=other,
            stdout=other,
            stderr=other,
            env=os.environ | {"TERM": "xterm-256color"} | environment,
            start_new_session=True,
        )
        os.close(other)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._handle)

    def _size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._handle, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the window, which terminals tell their processes."""
        self._size(columns, rows)
        self.screen.resize(rows, columns)
        os.killpg(self.process.pid, signal.SIGWINCH)

    def press_ctrl_c(self) -> None:
        """Interrupt the process."""
        os.killpg(self.process.pid, signal.SIGINT)

    @property
    def lines(self) -> list[str]:
        """The lines of the screen, without empty ones at the end."""
        lines = [line.rstrip() for line in self.screen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def scrolled(self) -> list[str]:
        """The lines that have left the screen at its top."""
        width = self.screen.columns
        return [
            "".join(row[column].data for column in range(width)).rstrip()
            for row in self.screen.history.top
        ]

    def watch(self, until: Callable[[list[str]], bool], seconds: float = 120.0) -> list[str]:
        """Read until the screen is as wanted, or the process has ended; return the lines."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if until(self.lines):
                break
            ready, _, _ = select.select([self._handle], [], [], 0.2)
            if not ready:
                continue
            try:
                data = os.read(self._handle, 65536)
            except OSError:  # the process has ended
                break
            if not data:
                break
            self.written += data
            self._stream.feed(data)
        return self.lines

    def wait(self) -> int:
        """Read to the end; return the exit status."""
        self.watch(lambda _: False)
        return self.process.wait(timeout=60)
