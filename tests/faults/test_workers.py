"""Workers that die, hang, freeze or take too much memory, and trainings that cannot end."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import growsearch as gs
from growsearch.driver.events import JobLost
from growsearch.errors import RunError
from growsearch.study.result import SearchResult
from tests.execution.work import children
from tests.faults.conftest import search
from tests.faults.trainers import FaultyTrainer

HOW = {
    "kill": "its worker died (signal 9, as the kernel does when memory runs out)",
    "segfault": "its worker died (signal 11, a segmentation fault)",
    "exit": "its worker died (exit status 3)",
}
LIMIT = 10.0  # seconds of a trial: more than the start of a worker takes on a busy machine
full = pytest.mark.faults_full

Check = Callable[..., None]
Reference = Callable[..., SearchResult]


@dataclass
class Struck:
    """A run in which a fault has struck, its trainer, and the jobs that were lost."""

    result: SearchResult
    trainer: FaultyTrainer
    lost: list[JobLost] = field(default_factory=list)

    def reason(self) -> str:
        """The reason why the victim's trial failed; any other trial has not."""
        failed = [record for record in self.result.trials if record.state == "FAIL"]
        assert [record.number for record in failed] == [self.trainer.index]
        return str(failed[0].reason)

    def spared_the_others(self) -> bool:
        """True if every training but the victim's began once."""
        repeated = [times for times in self.trainer.trained().values() if times > 1]
        return len(repeated) <= 1


@pytest.fixture
def struck(tmp_path: Path) -> Callable[..., Struck]:
    """Search on two workers, with a fault."""

    def searched(
        fault: str,
        *,
        pending: int = 1,
        index: int = 2,
        arm: str = "candidate",
        times: int = 1_000,
        text: str = "",
        **options: Any,
    ) -> Struck:
        trainer = FaultyTrainer(
            seconds=0.1,
            fault=fault,
            index=index,
            arm=arm,
            times=times,
            text=text,
            folder=str(tmp_path),
        )
        lost: list[JobLost] = []

        def on_event(event: Any) -> None:
            if isinstance(event, JobLost):
                lost.append(event)

        out = tmp_path / "run"
        before = children()
        result = search(
            out,
            trainer=trainer,
            workers=2,
            pending_trials=pending,
            on_event=on_event,
            **options,
        )
        assert children() <= before
        assert not [*(out / "running").glob("*")]
        return Struck(result, trainer, lost)

    return searched


# --- workers that die -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "pending", "arm", "times"),
    [
        ("kill", 1, "candidate", 1),
        ("segfault", 3, "candidate", 2),
        ("exit", 1, "control", 2),
        *(
            pytest.param(fault, pending, arm, times, marks=full)
            for fault in HOW
            for pending in (1, 3)
            for arm in ("candidate", "control")
            for times in (1, 2)
            if (fault, times) not in (("kill", 1), ("segfault", 2))
        ),
    ],
)
def test_a_training_whose_worker_dies_is_repeated(
    struck: Callable[..., Struck],
    check: Check,
    reference: Reference,
    fault: str,
    pending: int,
    arm: str,
    times: int,
) -> None:
    """Up to twice; the same trials come of it, and the trainings beside it go on."""
    run = struck(fault, pending=pending, arm=arm, times=times)
    assert [event.time for event in run.lost] == [*range(1, times + 1)]
    assert {event.reason for event in run.lost} == {HOW[fault]}
    assert run.trainer.strikes() == times
    assert run.spared_the_others()
    check("worker dies, its job is repeated", run.result, reference(pending), n=times)


@pytest.mark.parametrize(
    ("fault", "pending"),
    [
        ("kill", 3),
        *(pytest.param(fault, 1, marks=full) for fault in HOW),
    ],
)
def test_a_candidate_that_kills_three_workers_fails(
    struck: Callable[..., Struck],
    check: Check,
    reference: Reference,
    fault: str,
    pending: int,
) -> None:
    """With the reason; all other trials are those of a run in which its training failed."""
    run = struck(fault, pending=pending)
    assert run.reason() == f"{HOW[fault]}, 3 times"
    assert run.trainer.strikes() == 3
    assert run.spared_the_others()
    check(
        "worker dies 3 times, the trial fails",
        run.result,
        reference(pending, text=run.reason()),
        n=3,
    )


@full
def test_a_control_that_kills_three_workers_fails(
    struck: Callable[..., Struck], check: Check, reference: Reference
) -> None:
    """A control's failure is its own: the candidate stays."""
    run = struck("kill", arm="control")
    assert {record.state for record in run.result.trials} <= {"COMPLETE", "PRUNED"}
    expected = reference(1, text=f"{HOW['kill']}, 3 times", arm="control")
    check("worker dies 3 times, the trial fails", run.result, expected, n=3)


# --- workers that are ended -----------------------------------------------------------------------


@pytest.mark.parametrize("pending", [1, pytest.param(3, marks=full)])
def test_a_candidate_over_the_memory_limit_fails(
    struck: Callable[..., Struck], check: Check, reference: Reference, pending: int
) -> None:
    """It is repeated once, alone in a new process; the reason names what it took, and may take."""
    run = struck("allocate", pending=pending, memory_per_worker=1_500_000_000)
    assert re.fullmatch(
        r"took 1,\d{3} MB, over the 1,500 MB that each worker may take: use fewer workers, or .*",
        run.reason(),
    )
    assert run.trainer.strikes() == 2
    assert [event.what for event in run.lost] == [f"trial {run.trainer.index}"]
    check("memory limit, the trial fails", run.result, reference(pending, text=run.reason()))


@pytest.mark.parametrize(
    ("fault", "pending"),
    [
        ("hang", 1),
        ("freeze", 3),
        pytest.param("hang", 3, marks=full),
        pytest.param("freeze", 1, marks=full),
    ],
)
def test_a_candidate_that_never_ends_fails_at_its_time_limit(
    struck: Callable[..., Struck], check: Check, reference: Reference, fault: str, pending: int
) -> None:
    """In a call in C that ignores SIGTERM, or stopped by SIGSTOP: its worker is killed."""
    run = struck(fault, pending=pending, trial_time_limit=LIMIT)
    assert run.reason() == f"took longer than {LIMIT:.0f} s, the time limit"
    assert run.trainer.strikes() == 1
    assert run.lost == []
    row = {"hang": "worker hangs in C, time limit", "freeze": "worker frozen (SIGSTOP), time limit"}
    check(row[fault], run.result, reference(pending, text=run.reason()))


# --- trainings that cannot end --------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["diverge", "no room"])
def test_a_training_that_cannot_end_fails_and_is_not_repeated(
    struck: Callable[..., Struck], check: Check, reference: Reference, fault: str
) -> None:
    """NaN, or no room for a tensor: the candidate is to blame, and no worker is."""
    run = struck(fault, text="the reason in words")
    assert run.reason() == "the reason in words"
    assert run.trainer.strikes() == 1
    assert run.spared_the_others()
    assert run.lost == []
    expected = reference(1, text=run.reason())
    check("NaN, no room for a tensor: the trial fails", run.result, expected)


# --- bugs and broken machines ---------------------------------------------------------------------


@pytest.mark.parametrize("pending", [1, pytest.param(3, marks=full)])
def test_a_bug_in_a_worker_ends_the_session(
    struck: Callable[..., Struck],
    check: Check,
    reference: Reference,
    tmp_path: Path,
    pending: int,
) -> None:
    """With the worker's traceback; the trial has failed, and the next session goes on."""
    text = "a bug of ours"
    with pytest.raises(ZeroDivisionError, match=text) as caught:
        struck("bug", pending=pending, text=text)
    assert "in _bug" in "".join(traceback.format_exception(caught.value))
    partial = gs.load_result(tmp_path / "run")
    assert [r.reason for r in partial.trials if r.state == "FAIL"] == [f"ZeroDivisionError: {text}"]
    # A session whose trainer still has the bug does not meet it again.
    trainer = FaultyTrainer(fault="bug", times=1_000, folder=str(tmp_path))
    result = search(tmp_path / "run", trainer=trainer, workers=2, pending_trials=pending)
    expected = reference(pending, text=f"ZeroDivisionError: {text}")
    check("bug in a worker, the session ends", result, expected)


def test_a_failing_disk_of_a_worker_ends_the_session(
    struck: Callable[..., Struck], check: Check, reference: Reference, tmp_path: Path
) -> None:
    """In one line; the trial stays pending, and the same command carries its job out."""
    with pytest.raises(RunError, match="/a/disk: cannot be written: Input/output error") as caught:
        struck("disk", times=1)
    assert "\n" not in str(caught.value)
    states = [trial.state.name for trial in gs.load_result(tmp_path / "run").study.trials]
    assert states.count("RUNNING") == 1
    result = search(tmp_path / "run", trainer=FaultyTrainer(), workers=2)
    assert len(result.study.trials) == 5
    check("failing disk of a worker, the session ends", result, reference())
