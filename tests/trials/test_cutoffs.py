"""Cutoffs as a value of a job: the worker ends the training by them alone."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from growsearch.datasets import Split
from growsearch.networks import Network
from growsearch.networks.store import NetworkStore
from growsearch.testing.executor_contract import ARCHITECTURE, DATA, PLAN, ExecutorContract
from growsearch.trials.cutoffs import Cutoffs
from growsearch.trials.outcome import TrialOutcome
from growsearch.trials.worker import WorkerContext
from tests.fake_trainer import FakeTrainer


@pytest.mark.parametrize(
    ("cutoffs", "points", "ends"),
    [
        (Cutoffs(0.5), [(0, 0.0), (10, -9.0)], [False, False]),
        (Cutoffs(0.5, -0.1), [(0, 0.4), (1, 0.39)], [False, True]),
        (Cutoffs(0.5, -0.25, 5), [(0, 0.0), (4, 0.0), (5, 0.25), (6, 0.2)], [0, 0, 0, 1]),
        (Cutoffs(0.5, rungs=((5, 0.25),)), [(4, 0.0), (5, 0.75), (6, 0.0)], [0, 0, 0]),
        (Cutoffs(0.5, rungs=((5, 0.25),)), [(4, 0.0), (7, 0.7)], [0, 1]),
        (Cutoffs(0.5, rungs=((2, 0.0), (4, 0.2))), [(9, 0.6)], [True]),  # two rungs at once
        (Cutoffs(0.5, -1.0), [(0, math.nan)], [True]),
        (Cutoffs(0.5, rungs=((0, -math.inf),)), [(0, 0.1)], [False]),
    ],
)
def test_a_point_below_them_ends_the_training(
    cutoffs: Cutoffs, points: list[tuple[int, float]], ends: list[bool]
) -> None:
    """From the warm-up on; a rung counts at the first point at or after it, and at no other."""
    steps = [-1, *(step for step, _ in points)]
    found = [cutoffs.end(a, step, before) for (step, a), before in zip(points, steps, strict=False)]
    assert found == [bool(each) for each in ends]


@pytest.mark.parametrize("end", [0, 2, 4])
def test_a_job_ends_where_they_say(tmp_path: Path, end: int) -> None:
    """Nothing of it is stored; an end at the last step is no early one."""
    rng = np.random.default_rng(0)
    images = {
        part: Split(rng.random((6, 4, 4, 1), np.float32), np.arange(6) % 3)
        for part in ("train", "selection")
    }
    store = NetworkStore(tmp_path)
    context = WorkerContext(FakeTrainer(), images, store, DATA)
    parent = store.put(Network.initial(ARCHITECTURE, rng=0))
    job = ExecutorContract.job(parent)
    whole: TrialOutcome = job.carry_out(context, lambda _: None)
    cut = replace(job, cutoffs=Cutoffs(0.0, rungs=((end, 2.0),)))
    heard: list[int] = []
    outcome = cut.carry_out(context, lambda point: heard.append(point.step))
    assert heard == [step for step in (0, 2, 4) if step <= end]
    assert outcome.curve == whole.curve[: len(heard)]
    assert outcome.ended_early is (end < PLAN.steps)
    assert (outcome.sha256 is None) is outcome.ended_early


def test_they_travel_with_the_job() -> None:
    """Also those of a long training: a rung for each power of the reduction."""
    cutoffs = Cutoffs(0.9, -0.05, 100, tuple((2**n, 0.01 * n) for n in range(20)))
    job = ExecutorContract.job("a" * 64, cutoffs=cutoffs)
    assert pickle.loads(pickle.dumps(job)) == job
    assert len(pickle.dumps(job)) < 2000
