"""Trainers that take time, and that strike at one training of a run: the same one each time."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from growsearch.datasets import Split
from growsearch.errors import DivergedError, OutOfMemoryError, TrainingFailedError
from growsearch.networks import Network
from growsearch.testing.drifting_trainer import DriftingTrainer
from growsearch.training import OnEvaluation, Point, TrainingPlan, TrainingResult
from growsearch.trials.seeds import seed_of

SEED = 0  # of every run here
SLICE = 16_000_000  # bytes that a greedy training takes at a time


@dataclass(frozen=True)
class FaultyTrainer(DriftingTrainer):
    """Drifts as its base class does, and takes a time; its fault does not change an outcome.

    Parameters
    ----------
    seconds : float
        Of each training, between its evaluations.
    only : bool
        Take that time for the trainings of one trial only, that of ``index``.
    fault : str
        What happens in the middle of the victim's training; a name of ``FAULTS``.
    index : int
        The trial whose training is the victim.
    arm : "candidate" or "control"
        The training of that trial that is the victim.
    times : int
        How often the fault strikes; then the same training ends well.
    text : str
        The reason of a failure.
    folder : str
        Where all workers note what they train, and where the victim is remembered.
    """

    seconds: float = 0.0
    only: bool = False
    fault: str = ""
    index: int = 2
    arm: str = "candidate"
    times: int = 1
    text: str = ""
    folder: str = ""

    def train(
        self,
        network: Network,
        data: Split,
        plan: TrainingPlan,
        *,
        evaluate_on: Split,
        seed: int,
        on_evaluation: OnEvaluation | None = None,
    ) -> TrainingResult:
        """Train slowly; strike after the evaluation in the middle."""
        self._note(network, seed)

        def slowly(point: Point) -> bool:
            ends = on_evaluation(point) if on_evaluation else False
            if 0 < point.step < plan.steps and self._strikes(network, seed):
                FAULTS[self.fault](self.text)
            if point.step < plan.steps and (not self.only or self._is_of_victim(seed)):
                steps = min(plan.evaluate_every, plan.steps - point.step)
                time.sleep(self.seconds * steps / plan.steps)
            return ends

        return super().train(
            network, data, plan, evaluate_on=evaluate_on, seed=seed, on_evaluation=slowly
        )

    def trained(self) -> Counter[str]:
        """The number of times that each training began, by its seed and its first network."""
        return Counter((Path(self.folder) / "trained").read_text().splitlines())

    def strikes(self) -> int:
        """The number of times that the fault has struck."""
        return len([*Path(self.folder).glob("strike-*")])

    def _note(self, network: Network, seed: int) -> None:
        if self.folder:
            line = f"{seed} {network.sha256}\n".encode()
            handle = os.open(Path(self.folder) / "trained", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.write(handle, line)
            os.close(handle)

    def _is_of_victim(self, seed: int) -> bool:
        """True if a training belongs to the trial ``index``."""
        return seed == seed_of(SEED, self.index, "order")

    def _strikes(self, network: Network, seed: int) -> bool:
        """True if this training is the victim, and is to be struck once more.

        Of the trainings of a trial, which have one seed, the candidate's comes first.
        """
        if not self.fault or not self._is_of_victim(seed):
            return False
        if self.folder:
            first = Path(self.folder) / "candidate"
            try:
                with first.open("x") as file:
                    file.write(network.sha256)
            except FileExistsError:
                pass
            if (first.read_text() == network.sha256) != (self.arm == "candidate"):
                return False
            return any(_made(Path(self.folder) / f"strike-{n}") for n in range(self.times))
        raise AssertionError("a faulty trainer needs a folder")


def _made(path: Path) -> bool:
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _kill(_: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _segfault(_: str) -> None:
    ctypes.string_at(0)


def _exit(_: str) -> None:
    os._exit(3)


def _hang(_: str) -> None:
    """Never return to Python, nor die of SIGTERM."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    ctypes.CDLL(None).sleep(10_000)


def _freeze(_: str) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _allocate(_: str) -> None:
    """Take memory until the process is ended; at most 4 GB."""
    held = []
    for _slice in range(250):
        held.append(b"x" * SLICE)
        time.sleep(0.01)
    time.sleep(100)
    raise AssertionError(len(held))


def _diverge(text: str) -> None:
    raise DivergedError(text)


def _without_room(text: str) -> None:
    raise OutOfMemoryError(text)


def _fail(text: str) -> None:
    raise TrainingFailedError(text)


def _disk(_: str) -> None:
    raise OSError(5, "Input/output error", "/a/disk")


def _bug(text: str) -> None:
    raise ZeroDivisionError(text)


FAULTS: dict[str, Callable[[str], None]] = {
    "kill": _kill,
    "segfault": _segfault,
    "exit": _exit,
    "hang": _hang,
    "freeze": _freeze,
    "allocate": _allocate,
    "diverge": _diverge,
    "no room": _without_room,
    "fail": _fail,
    "disk": _disk,
    "bug": _bug,
}
