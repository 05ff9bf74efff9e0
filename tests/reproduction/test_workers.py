"""A reproduction on several workers: the same to the last bit, killed or not."""

from __future__ import annotations

import dataclasses
import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

import growsearch as gs
from growsearch.errors import DivergedError, InvalidInputError
from growsearch.execution import InProcessExecutor
from growsearch.networks import Architecture, Network
from growsearch.reproduction.finished import FILE, Finished
from growsearch.reproduction.job import ExperimentJob, Trained
from growsearch.reproduction.progress import ReproductionProgress
from growsearch.reproduction.result import AccuracyCurve, Reproduction
from growsearch.reproduction.run import reproduce
from growsearch.training import TrainingPlan, TrainingResult
from growsearch.trials.job import First
from tests.command_line import ROOT, SECONDS
from tests.fake_reproduction import (
    TRAININGS_A_SEED,
    DiesOnce,
    Pausing,
    Recorder,
    noise,
)

pytestmark = pytest.mark.usefixtures("small_architecture")

SEEDS = 2
USUAL: dict[str, Any] = {"iterations": 30, "every": 10, "seeds": SEEDS, "data": noise()}


def accuracies(found: Reproduction) -> list[Any]:
    """All that must be the same in two reproductions, to the last bit."""
    return [(repeat.seed, repeat.curves) for repeat in found.repeats]


@pytest.fixture
def here() -> Reproduction:
    """The reproduction in this process."""
    return reproduce(trainer=Recorder(), **USUAL)


def test_workers_change_nothing(here: Reproduction, tmp_path: Path) -> None:
    """Accuracies are those of one process; the folder has the file, and nothing that is in it."""
    events: list[ReproductionProgress] = []
    found = gs.reproduce(
        trainer=Recorder(), workers=2, out=tmp_path, on_progress=events.append, **USUAL
    )
    assert accuracies(found) == accuracies(here)
    assert {path.name for path in tmp_path.iterdir()} == {FILE, ".lock"}
    done = [event.done for event in events]
    assert done == sorted(done)
    assert done[-1] == pytest.approx(events[-1].total)
    assert sum(event.milestone for event in events) == 1 + SEEDS * TRAININGS_A_SEED


def test_a_foreign_executor_is_enough(here: Reproduction) -> None:
    """Any pool of processes will do, without a folder too; it is not shut down."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        found = reproduce(trainer=Recorder(), executor=pool, **USUAL)
        assert pool.submit(len, "more").result() == 4
    assert accuracies(found) == accuracies(here)


def test_a_lost_worker_costs_its_training_once(here: Reproduction, tmp_path: Path) -> None:
    """It is made again, and the progress says so."""
    events: list[ReproductionProgress] = []
    trainer = DiesOnce(tmp_path / "died")
    found = reproduce(trainer=trainer, workers=2, on_progress=events.append, **USUAL)
    assert accuracies(found) == accuracies(here)
    (lost,) = [event for event in events if "begins again" in event.label]
    assert "signal 9" in lost.label
    assert lost.milestone
    assert events[-1].done == pytest.approx(events[-1].total)


class Diverges(Recorder):
    """Cannot train a deeper network."""

    def train(self, network: Network, *args: Any, **options: Any) -> TrainingResult:
        if "-5x5x32(conv1" in str(network.architecture):
            raise DivergedError("the loss became nan")
        return super().train(network, *args, **options)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_of_a_training_ends_the_session(workers: int, tmp_path: Path) -> None:
    """As it was raised; what is finished is stored."""
    with pytest.raises(DivergedError, match="became nan"):
        reproduce(trainer=Diverges(), workers=workers, out=tmp_path, **USUAL)
    assert (tmp_path / FILE).is_file()


UNGUARDED = """
import sys
from growsearch.reproduction.run import reproduce
from tests.fake_reproduction import Recorder
from tests.reproduction.test_workers import USUAL

reproduce(trainer=Recorder(), out=sys.argv[1], workers=2, **USUAL)
"""


def test_a_script_without_a_main_guard_is_told_so(tmp_path: Path) -> None:
    """Its workers, which import it, do not start reproductions of their own."""
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "out")],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=SECONDS,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 1
    assert 'if __name__ == "__main__":' in done.stderr.splitlines()[-1]
    assert done.stderr.count("Traceback") == 1


class Names(InProcessExecutor):
    """Remembers the names of the jobs that it gets."""

    workers = 3

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def submit(self, fn: Any, /, *args: Any, **options: Any) -> Any:
        self.names.append(args[-1].name)
        return super().submit(fn, *args, **options)


def test_teachers_of_other_seeds_are_trained_beside_students() -> None:
    """A worker that has nothing to do for the first seed works for the next ones."""
    executor = Names()
    reproduce(trainer=Recorder(), executor=executor, **USUAL | {"seeds": 4})
    assert executor.names[:6] == [
        *(f"seed {seed}: teacher" for seed in range(3)),
        *("seed 0: wider", "seed 0: wider, slots carried", "seed 0: random pad"),
    ]
    place = executor.names.index("seed 3: teacher")
    assert executor.names.index("seed 2: continued, slots carried") == place - 1
    assert len(set(executor.names)) == len(executor.names) == 4 * TRAININGS_A_SEED


KILLED = """
import sys
from growsearch.reproduction import run
from tests.fake_reproduction import Pausing
from tests.reproduction.test_workers import SMALL, USUAL

def show(progress):
    if progress.milestone:
        print(progress.label, flush=True)

if __name__ == "__main__":
    run.ARCHITECTURE = SMALL
    workers = int(sys.argv[2])
    run.reproduce(trainer=Pausing(), out=sys.argv[1], workers=workers, on_progress=show, **USUAL)
"""
SMALL = "5x5x32(conv1)-pool1-5x5x4(conv2)-pool2-10(fc2)"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
@pytest.mark.parametrize("workers", [0, 2])
def test_kill_9_loses_what_is_in_flight_only(
    workers: int, here: Reproduction, tmp_path: Path
) -> None:
    """Trainings that were told as finished are stored; the same call goes on, and ends the same."""
    script, out = tmp_path / "script.py", tmp_path / "out"
    script.write_text(KILLED)
    told: set[str] = set()
    for milestones in (1, 12):
        with subprocess.Popen(
            [sys.executable, str(script), str(out), str(workers)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("images: ")
            told |= {process.stdout.readline().partition(", 20: ")[0] for _ in range(milestones)}
            process.kill()
            process.wait(SECONDS)
        kept = Finished.read(out / FILE, dataclasses.replace(here, repeats=()))
        missing = {
            f"seed {seed}: {e.name}{', slots carried' * (slots == 'carry')}"
            for seed in range(SEEDS)
            for e, slots in kept.missing(seed)
        }
        assert not told & missing
    assert 0 < len(missing) < SEEDS * TRAININGS_A_SEED - 12
    rest = Recorder()
    found = reproduce(trainer=rest, out=out, **USUAL)
    assert len(rest.calls) == len(missing)
    assert accuracies(found) == accuracies(here)
    assert {path.name for path in out.iterdir()} == {FILE, ".lock"}


def test_a_job_is_a_small_value() -> None:
    """Pickled, equal, hashable, below 2 kB; its name is that of its outcome."""
    teacher = Architecture.parse(SMALL, (8, 8, 1))
    plan = TrainingPlan(900, 50, 1e-4, "adam", evaluate_every=100)
    for parent in ("a" * 64, First(teacher, "truncated_normal")):
        job = ExperimentJob(7, "wider", "carry", parent, plan, "b" * 64)
        data = pickle.dumps(job)
        assert len(data) < 2000
        assert pickle.loads(data) == job
        assert hash(pickle.loads(data)) == hash(job)
        curve = AccuracyCurve("wider", "carry", ())
        assert job.name == Trained(7, curve, 0.0, "", "").name == "seed 7: wider, slots carried"


@pytest.mark.parametrize(
    "wrong", [{"workers": -1}, {"workers": 1.5}, {"executor": "here"}], ids=str
)
def test_impossible_workers_are_refused(wrong: dict[str, Any]) -> None:
    """Before anything is trained."""
    trainer = Pausing()
    with pytest.raises(InvalidInputError, match=next(iter(wrong))):
        reproduce(trainer=trainer, **USUAL | wrong)
    assert not trainer.calls
