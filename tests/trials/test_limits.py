"""The memory limit of a job, in a real process: it ends, and its last words say why."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from growsearch.networks.store import NetworkStore
from growsearch.testing.drifting_trainer import DriftingTrainer
from growsearch.trials.limits import STATUS, own_memory, within_memory
from growsearch.trials.progress import ProgressFolder
from growsearch.trials.worker import WorkerContext
from tests.command_line import ROOT

MEGABYTE = 10**6

CODE = """
    import sys, time
    from pathlib import Path
    import numpy as np, psutil
    from growsearch.networks.store import NetworkStore
    from growsearch.testing.drifting_trainer import DriftingTrainer
    from growsearch.trials.limits import own_memory
    from growsearch.trials.progress import ProgressFolder
    from growsearch.trials.worker import WorkerContext, carry_out

    folder, more, taken, mapped = Path(sys.argv[1]), *map(int, sys.argv[2:])

    class Takes:
        name = "trial 1"

        def carry_out(self, context, on_point):
            pages = np.lib.format.open_memmap(folder / "images.npy", mode="r")
            total = float(pages[:mapped].sum())
            own = bytes([1]) * taken  # holds the GIL: the watch looks before it or after it
            time.sleep(0.7)
            return total + own[0]

    limit = own_memory(psutil.Process()) + more
    store, reporter = NetworkStore(folder), ProgressFolder(folder / "running")
    context = WorkerContext(DriftingTrainer(), {}, store, "", reporter, memory=limit)
    print(carry_out(context, Takes()))
"""


def run(
    folder: Path, *, more: int, taken: int, mapped: int = 0
) -> subprocess.CompletedProcess[str]:
    """A job that takes memory, in a process that may take so many bytes more than at its start."""
    np.save(folder / "images.npy", np.ones(300 * MEGABYTE, np.uint8))
    arguments = [str(folder), *map(str, (more, taken, mapped))]
    command = [sys.executable, "-c", textwrap.dedent(CODE), *arguments]
    return subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)


def test_a_job_that_takes_too_much_ends_with_last_words(tmp_path: Path) -> None:
    """Its process ends with a status of its own; both figures are in its progress."""
    done = run(tmp_path, more=100 * MEGABYTE, taken=300 * MEGABYTE)
    assert (done.returncode, done.stdout) == (STATUS, ""), done.stderr
    progress = ProgressFolder(tmp_path / "running").read("trial 1")
    assert progress is not None
    assert progress.out_of_memory is not None
    taken, limit = progress.out_of_memory
    assert 100 * MEGABYTE < limit < taken
    assert taken - limit > 100 * MEGABYTE


def test_a_job_below_the_limit_goes_on(tmp_path: Path) -> None:
    """Images that are mapped from a file are not counted: all workers share them."""
    done = run(tmp_path, more=200 * MEGABYTE, taken=20 * MEGABYTE, mapped=300 * MEGABYTE)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == 300 * MEGABYTE + 1


@pytest.mark.parametrize("memory", [None, 10**15])
def test_the_watch_ends_with_its_job(tmp_path: Path, memory: int | None) -> None:
    """Also with one that raises; without a limit there is none."""
    store, reporter = NetworkStore(tmp_path), ProgressFolder(tmp_path)
    context = WorkerContext(DriftingTrainer(), {}, store, "", reporter, memory=memory)
    before = threading.active_count()
    watched: list[int] = []

    def work() -> None:
        with within_memory(context.memory, partial(context.reporter.out_of_memory, "trial 1")):
            watched.append(threading.active_count() - before)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert watched == [memory is not None]
    assert threading.active_count() == before
    assert reporter.read("trial 1") is None


def test_own_memory_is_a_part_of_what_is_resident() -> None:
    process = psutil.Process()
    assert 0 < own_memory(process) < process.memory_info().rss
