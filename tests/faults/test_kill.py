"""kill -9 of a random process, driver or worker, again and again until the run is done."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

import growsearch as gs
from growsearch.study.result import SearchResult
from tests.faults.law import Counts, lost_since, sqlite, stored
from tests.faults.processes import Runs
from tests.faults.trainers import FaultyTrainer

# Workers of a session that are killed before it is the driver's turn: a job that loses three in one
# session fails, which is a law of its own.
TWO = 2
FAULT = "kill -9 of a random process, until the run is done (pending trials: {})"


def killed_until_done(
    runs: Runs, rng: random.Random, pause: tuple[float, float], most: int = 999
) -> tuple[int, Counts]:
    """Drive a run to its end through kills; return their number, and what was lost.

    Parameters
    ----------
    pause : (least, most)
        Seconds from a training of the session, or from the kill before, to a kill.
    most : int
        Kills in all.
    """
    url, kills, lost = sqlite(Path(runs.drive.out)), 0, Counts()
    before = stored(url)
    while True:
        driver, workers_killed = runs.start(), 0
        driver.has_begun()
        while kills < most and driver.is_running():
            time.sleep(rng.uniform(*pause))
            victim = rng.choice([driver.pid, *driver.workers()])
            if victim == driver.pid or workers_killed == TWO:
                if not driver.is_running():
                    break
                driver.kill()
                kills += 1
                assert driver.nothing_left(5.0)
                break
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
                kills, workers_killed = kills + 1, workers_killed + 1
        ended = driver.wait()
        after = stored(url)
        before, lost = after, lost + lost_since(before, after)
        if ended.status != -signal.SIGKILL:
            assert ended.status == 0, ended.err
            return kills, lost


@pytest.mark.parametrize("pending", [1, 3])
def test_kills_change_nothing(
    begin: Callable[..., Runs],
    check: Callable[..., None],
    reference: Callable[..., SearchResult],
    tmp_path: Path,
    pending: int,
) -> None:
    """A dozen kills in quick succession: the same trials, each with one result."""
    trials = 8
    runs = begin(trainer=FaultyTrainer(seconds=1.0), trials=trials, pending_trials=pending)
    kills, lost = killed_until_done(runs, random.Random(pending), (0.3, 1.0), most=12)
    assert kills == 12
    result = gs.load_result(tmp_path / "run")
    check(FAULT.format(pending), result, reference(pending, trials=trials), n=kills, besides=lost)


@pytest.mark.faults_full
@pytest.mark.parametrize("pending", [1, 3])
def test_a_hundred_kills_change_nothing(
    begin: Callable[..., Runs],
    check: Callable[..., None],
    reference: Callable[..., SearchResult],
    tmp_path: Path,
    pending: int,
) -> None:
    """Every 3 to 10 s, in one run after the other, until there were a hundred."""
    kills, rng, trials, place = 0, random.Random(pending), 40, 0
    while kills < 100:
        place += 1
        out = tmp_path / str(place)
        trainer = FaultyTrainer(seconds=1.0)
        runs = begin(trainer=trainer, trials=trials, pending_trials=pending, out=str(out))
        these, lost = killed_until_done(runs, rng, (3.0, 10.0))
        kills += these
        expected = reference(pending, trials=trials)
        check(FAULT.format(pending), gs.load_result(out), expected, n=these, besides=lost)
