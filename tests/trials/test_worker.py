"""Workers: what travels to them, what they keep, and what comes back."""

from __future__ import annotations

import copyreg
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from growsearch.datasets import Split, StoredImages
from growsearch.errors import DataError, NetworkFileError
from growsearch.growth import GROWTHS
from growsearch.networks import Network
from growsearch.networks.store import NetworkStore
from growsearch.space import SearchSpace
from growsearch.space.files import shipped
from growsearch.testing.drifting_trainer import DriftingTrainer
from growsearch.testing.executor_contract import ARCHITECTURE, DATA, ExecutorContract
from growsearch.trials import worker
from growsearch.trials.arms import CANDIDATE
from growsearch.trials.cutoffs import Cutoffs
from growsearch.trials.job import TrialJob
from growsearch.trials.progress import OnPoint, ProgressFolder
from growsearch.trials.worker import Crash, WorkerContext, carry_out
from tests.command_line import ROOT

CONTEXT_BYTES, JOB_BYTES = 1000, 2000


@pytest.fixture
def context(tmp_path: Path) -> WorkerContext:
    """A context as the driver makes it for other processes."""
    rng = np.random.default_rng(0)
    images = {
        part: Split(rng.random((count, 4, 4, 1), np.float32), np.arange(count) % 3)
        for part, count in (("train", 1000), ("selection", 60), ("test", 60))
    }
    stored = StoredImages.write(tmp_path / "run" / "data" / DATA, images)
    store = NetworkStore(tmp_path / "run" / "weights")
    reporter = ProgressFolder(tmp_path / "run" / "running")
    return WorkerContext(DriftingTrainer(), stored, store, DATA, reporter, memory=10**12)


def network_of(context: WorkerContext) -> str:
    return context.networks.put(Network.initial(ARCHITECTURE, rng=0))


# --- what travels ---------------------------------------------------------------------------------


def test_a_context_travels_as_a_reference(context: WorkerContext) -> None:
    """Below 1 kB, however many images and networks it has, and after jobs too."""
    sizes = [len(pickle.dumps(context))]
    for each in context.images.values():
        assert each.images.size
    context.networks.get(network_of(context))
    sizes.append(len(pickle.dumps(context)))
    assert sizes[0] == sizes[1] < CONTEXT_BYTES


def test_a_context_of_tensorflow_travels_as_a_reference(context: WorkerContext) -> None:
    """The trainer as its options."""
    from growsearch.training.slim import SlimTrainer

    sent = WorkerContext(SlimTrainer(), context.images, context.networks, DATA, context.reporter)
    assert len(pickle.dumps(sent)) < CONTEXT_BYTES


def test_a_worker_opens_a_context_once(context: WorkerContext) -> None:
    """Jobs of one session share images, networks and graphs; of several sessions two are kept."""
    data = pickle.dumps(context)
    first = pickle.loads(data)
    assert pickle.loads(data) is first
    assert first.images["train"] is pickle.loads(data).images["train"]
    others = [
        WorkerContext(context.trainer, context.images, context.networks, DATA) for _ in range(2)
    ]
    other = pickle.loads(pickle.dumps(others[0]))
    assert other is not first
    assert pickle.loads(data) is first
    pickle.loads(pickle.dumps(others[1]))
    assert pickle.loads(data) is first  # it was used since the other
    assert pickle.loads(pickle.dumps(others[0])) is not other
    assert len(worker._contexts) == 2


@pytest.mark.parametrize("name", shipped())
def test_jobs_of_the_shipped_spaces_are_small(name: str) -> None:
    """Below 2 kB, with each growth of a network that has grown a dozen times: no pipe fills."""
    space = SearchSpace.load(name)
    architecture, rng = space.architecture, np.random.default_rng(0)
    limits, choices = space.growth_limits, space.choices
    knobs = {name: high for name, (_, high) in choices.knobs.items()}
    plan = space.plan({"learning_rate": choices.learning_rate[0], **knobs})
    if not isinstance(space.limits.width_multiple, int):
        limits = space.with_width_multiple(16).growth_limits
    largest = 0
    for _ in range(12):
        sites = [
            site
            for operation in choices.operations
            for site in GROWTHS[operation].sites(architecture, limits)
        ]
        for site in sites:
            growth = site.sized(1.0, architecture, limits)
            job = TrialJob(
                name="trial 1234 scratch_compute/12",
                parent="a" * 64,
                plan=plan,
                data="b" * 64,
                start_seed=2**31,
                order_seed=2**31 - 1,
                growth=growth,
                arm=CANDIDATE,
                learning_rates=tuple(1e-3 / 3**n for n in range(5)),
                keep_above=0.97,
                cutoffs=Cutoffs(0.9, -0.05, 100, tuple((2**n, 0.01 * n) for n in range(12))),
            )
            data = pickle.dumps((carry_out, job))
            assert pickle.loads(data)[1] == job
            largest = max(largest, len(data))
        if not sites:
            break
        growth = sites[rng.integers(len(sites))].sized(0.5, architecture, limits)
        architecture = growth.grown(architecture)
    assert 0 < largest < JOB_BYTES


def test_a_job_loads_neither_optuna_nor_tensorflow(context: WorkerContext, tmp_path: Path) -> None:
    """With a trainer in numpy a worker is numpy; the context is opened and a job carried out."""
    job = ExecutorContract.job(network_of(context))
    sent = tmp_path / "sent"
    sent.write_bytes(pickle.dumps((carry_out, context, job)))
    code = """
        import pickle, sys
        function, context, job = pickle.load(open(sys.argv[1], "rb"))
        outcome = function(context, job)
        heavy = {"tensorflow", "optuna", "sqlalchemy", "ray", "click", "rich"} & set(sys.modules)
        print(sorted(heavy), outcome.sha256)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(sent)]
    done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == f"[] {job.carry_out(context, lambda _: None).sha256}\n"


# --- what comes back ------------------------------------------------------------------------------


class Failing:
    """A job that raises."""

    name = "fails"

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def carry_out(self, context: WorkerContext, on_point: OnPoint) -> Any:
        """Raise the error."""
        del context, on_point
        raise self.error


class DemandingError(Exception):
    """It can be pickled, and not read again."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} and {other}")


def local_error() -> Exception:
    class LocalError(Exception):
        """A class that no other process finds."""

    return LocalError("a local fault")


def returned(context: WorkerContext, error: Exception) -> Crash:
    """The crash as it comes back from another process."""
    crash = pickle.loads(pickle.dumps(carry_out(context, Failing(error))))
    assert isinstance(crash, Crash)
    return crash


@pytest.mark.parametrize("error", [DemandingError(1, 2), local_error(), RuntimeError(lambda: None)])
def test_a_crash_that_cannot_be_pickled_comes_back_as_text(
    context: WorkerContext, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the class in its text, and the traceback."""
    # Dask teaches pickle the exceptions that there are when it is imported, by another test.
    monkeypatch.delitem(copyreg.dispatch_table, type(error), raising=False)
    crash = returned(context, error)
    assert type(crash.error) is RuntimeError
    assert str(crash.error) == f"{type(error).__name__}: {error}"
    assert "in carry_out\n" in crash.traceback
    assert crash.is_bug
    assert str(crash.raised().__cause__).endswith(crash.traceback)


@pytest.mark.parametrize(
    ("error", "is_bug"),
    [
        (ZeroDivisionError("a\nbug"), True),
        (KeyError("a"), True),
        (OSError(28, "No space left on device"), False),
        (NetworkFileError("damaged"), False),
        (DataError("damaged"), False),
    ],
)
def test_a_crash_says_who_may_be_to_blame(
    context: WorkerContext, error: Exception, is_bug: bool
) -> None:
    """The program, or the machine with its run folder."""
    crash = returned(context, error)
    assert type(crash.error) is type(error)
    assert crash.error.args == error.args
    assert crash.is_bug is is_bug
    assert "\n" not in crash.reason
    assert crash.reason.startswith(type(error).__name__)


def test_an_error_of_this_process_keeps_its_own_traceback(context: WorkerContext) -> None:
    """In-process it needs no cause: it is raised as it was."""
    error = ZeroDivisionError("a bug")
    crash = carry_out(context, Failing(error))
    assert isinstance(crash, Crash)
    assert crash.raised() is error
    assert error.__cause__ is None


def test_ctrl_c_is_no_crash(context: WorkerContext) -> None:
    """It ends the call."""
    with pytest.raises(KeyboardInterrupt):
        carry_out(context, Failing(KeyboardInterrupt()))
