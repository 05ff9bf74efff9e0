"""A driver and its workers as a test sees them: events, processes, signals, the exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from tests.command_line import ROOT
from tests.execution.work import children, is_alive
from tests.faults.drive import Drive, as_json

SECONDS = 120.0  # for what takes a few


@dataclass(frozen=True)
class Ended:
    """The end of a driver: its exit status, what it printed, the seconds that it took to end."""

    status: int
    out: str
    err: str
    seconds: float


class Driver:
    """A running driver, the leader of its own session and process group."""

    def __init__(self, drive: Drive) -> None:
        self.events_file = Path(drive.events)
        self.events_file.touch()
        self._told = self.events_file.stat().st_size
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.drive", as_json(drive)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
        self.pid = self.process.pid

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of this driver."""
        with self.events_file.open() as file:
            file.seek(self._told)
            return [json.loads(line) for line in file if line.endswith("\n")]

    def until(self, event: str = "Training", **values: Any) -> dict[str, Any]:
        """Wait for an event with some values; return it."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for found in self.events:
                if found["event"] == event and values.items() <= found.items():
                    return found
            if self.process.poll() is not None:
                out, err = self.process.communicate()
                raise AssertionError(f"no {event} {values}: ended with {out}{err}")
            time.sleep(0.02)
        raise AssertionError(f"no {event} {values} in {SECONDS} s")

    def has_begun(self) -> None:
        """Wait until a training tells of itself, or the driver ends."""
        while self.is_running() and not any(e["event"] == "Training" for e in self.events):
            time.sleep(0.02)

    def worker_of(self, what: str, **values: Any) -> int:
        """Wait for a point of a training in a worker; return the worker's process id."""
        return int(self.until(what=what, **values)["worker"].rpartition(":")[2])

    def workers(self) -> list[int]:
        """The worker processes that are there now."""
        try:
            return sorted(children(of=self.pid))
        except psutil.NoSuchProcess:
            return []

    def left(self) -> list[int]:
        """The processes of the driver's session that are alive."""
        found = []
        for pid in psutil.pids():
            try:
                if os.getsid(pid) == self.pid and is_alive(pid):
                    found.append(pid)
            except (ProcessLookupError, psutil.NoSuchProcess):
                continue
        return found

    def nothing_left(self, seconds: float) -> bool:
        """Wait until no process of the driver's session is left; False if one still is."""
        end = time.monotonic() + seconds
        while self.left():
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def is_running(self) -> bool:
        """True until the driver has ended."""
        return self.process.poll() is None

    def kill(self) -> None:
        """Kill -9 the driver, and no worker; wait for its end only."""
        self.process.kill()
        self.process.wait()

    def wait(self, seconds: float = SECONDS) -> Ended:
        """Wait for the end."""
        began = time.monotonic()
        try:
            out, err = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            last = "\n".join(map(str, self.events[-5:]))
            raise AssertionError(f"no end in {seconds:g} s: {out}{err}\n{last}") from None
        return Ended(self.process.returncode, out, err, time.monotonic() - began)

    def end(self) -> None:
        """Leave nothing behind."""
        for pid in {self.pid, *self.left()}:
            try:
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.communicate()


class Runs:
    """Starts the drivers of one run, which all get the same call."""

    def __init__(self, drive: Drive) -> None:
        self.drive = drive
        self.drivers: list[Driver] = []

    def start(self, **changes: Any) -> Driver:
        """Start a driver: the same call as before, but for some options."""
        self.drivers.append(Driver(replace(self.drive, **changes)))
        return self.drivers[-1]

    def finish(self, **changes: Any) -> Ended:
        """Start a driver, and wait until the run is done."""
        ended = self.start(**changes).wait()
        assert ended.status == 0, ended.err
        return ended


@contextmanager
def runs(drive: Drive) -> Iterator[Runs]:
    """The drivers of a run, all of them ended when the block is."""
    found = Runs(drive)
    try:
        yield found
    finally:
        for driver in found.drivers:
            driver.end()
