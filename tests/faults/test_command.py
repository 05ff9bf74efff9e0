"""The command itself, with TensorFlow in its workers: killed, and given again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import growsearch as gs
from tests.command_line import COMMAND, ROOT, run_digits
from tests.execution.work import children
from tests.faults.law import Counts, lost_since, sqlite, stored

pytestmark = pytest.mark.faults_full
KILLS = 6


def command(folder: Path, workers: int) -> subprocess.Popen[bytes]:
    """A running command, the leader of its own session."""
    options = ("--trials", "4", "--workers", str(workers), "--pending-trials", "2")
    return subprocess.Popen(
        [*COMMAND, *run_digits(folder, *options)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )


def test_a_killed_command_goes_on(check: Callable[..., None], tmp_path: Path) -> None:
    """Real trainings on the digits: the same networks, bit for bit, as without a kill."""
    assert command(tmp_path / "whole", 0).wait() == 0
    out, rng = tmp_path / "run", random.Random(0)
    kills, before, lost = 0, stored(sqlite(out)), Counts()
    while True:
        driver = command(out, 2)
        for _ in range(2 if kills < KILLS else 0):
            time.sleep(rng.uniform(6.0, 12.0))
            if driver.poll() is None:
                os.kill(rng.choice([driver.pid, *children(of=driver.pid)]), signal.SIGKILL)
                kills += 1
        if kills < KILLS and driver.poll() is None:
            driver.kill()
            kills += 1
        status = driver.wait()
        after = stored(sqlite(out))
        before, lost = after, lost + lost_since(before, after)
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert kills
    whole, result = gs.load_result(tmp_path / "whole"), gs.load_result(out)
    check(
        "growsearch run, TensorFlow: kill -9 of a random process",
        result,
        whole,
        n=kills,
        besides=lost,
    )
