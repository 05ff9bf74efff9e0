"""TensorFlow's messages about itself stay off the screen; errors, and what others print, do not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from growsearch import quiet as module
from growsearch.quiet import LEVEL, quiet, without_noise

ROOT = Path(__file__).parents[1]

PREAMBLE = (
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
)
INFORMATION = (
    b"I0000 00:00:1795424862.634122   24063 port.cc:153] oneDNN custom operations are on.\n"
)
WARNING = b"W1122 09:07:40.123456   24063 device.cc:12] low on memory\n"
ERROR = b"E0000 00:00:1795424867.888163   24063 cuda_dnn.cc:52] Could not create handle\n"
NO_GPU = b"E0000 00:00:1795424867.888163   24063 cuda_platform.cc:52] failed call to cuInit: 303\n"
OTHERS = b"50%|####      | I0000 of somebody else\n\x1b[2K\xff"
EVERYTHING = PREAMBLE + INFORMATION + WARNING + ERROR + NO_GPU + OTHERS


@pytest.fixture(autouse=True)
def level(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the environment as it was; no test's outcome depends on this machine's devices."""
    monkeypatch.setenv(LEVEL, "2")
    monkeypatch.setattr(module, "_GPU_DEVICES", ())


@pytest.mark.parametrize(
    ("level", "seen"),
    [
        ("0", EVERYTHING),
        ("1", WARNING + ERROR + OTHERS),
        ("2", ERROR + OTHERS),
        ("3", OTHERS),
        ("9", OTHERS),
        ("nonsense", EVERYTHING),
    ],
)
def test_the_level_decides(monkeypatch: pytest.MonkeyPatch, level: str, seen: bytes) -> None:
    """TF_CPP_MIN_LOG_LEVEL decides which of TensorFlow's lines are hidden; no others are."""
    monkeypatch.setenv(LEVEL, level)
    assert without_noise(EVERYTHING) == seen


def test_a_broken_gpu_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """That no GPU was found is hidden only where there is none."""
    monkeypatch.setattr(module, "_GPU_DEVICES", (os.devnull,))
    assert without_noise(EVERYTHING) == ERROR + NO_GPU + OTHERS


def test_what_is_not_noise_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """Lines written inside the block come out after it, once, in their order."""
    with quiet():
        os.write(2, b"mine\n" + INFORMATION + ERROR)
        with quiet():
            os.write(2, b"inner\n")
        assert capfd.readouterr().err == ""
    assert capfd.readouterr().err.encode() == b"mine\n" + ERROR + b"inner\n"
    os.write(2, INFORMATION)
    assert capfd.readouterr().err.encode() == INFORMATION


def test_everything_is_printed_when_the_block_fails(capfd: pytest.CaptureFixture[str]) -> None:
    """An import that fails shows all that was printed before it."""

    def fail() -> None:
        with quiet():
            os.write(2, PREAMBLE + INFORMATION)
            raise ImportError("libcudart")

    with pytest.raises(ImportError, match="libcudart"):
        fail()
    assert capfd.readouterr().err.encode() == PREAMBLE + INFORMATION


def test_ctrl_c_is_no_failure(capfd: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C during an import prints no log of it."""

    def interrupted() -> None:
        with quiet():
            os.write(2, PREAMBLE + INFORMATION + b"mine\n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert capfd.readouterr().err.encode() == b"mine\n"


def test_threads_give_stderr_back(capfd: pytest.CaptureFixture[str]) -> None:
    """However blocks of several threads overlap, the descriptor is itself again in the end."""

    def work(number: int) -> None:
        for _ in range(20):
            with quiet():
                os.write(2, b"%d\n" % number)

    before = os.fstat(2)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert os.path.samestat(os.fstat(2), before)
    assert Counter(capfd.readouterr().err.split()) == dict.fromkeys("0123", 20)


def test_no_room_for_a_file_is_no_reason_to_fail(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """On a full disk the messages are seen, and that is all."""

    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "TemporaryFile", full)
    with quiet():
        os.write(2, INFORMATION)
    assert capfd.readouterr().err.encode() == INFORMATION


TRAIN = """
import numpy as np
from growsearch import Architecture, Network, SlimTrainer, TrainingPlan
from growsearch.datasets import Split

network = Network.initial(Architecture.parse("3x3x4(conv1)-pool1-3(fc1)", (8, 8, 1)), rng=0)
data = Split(np.zeros((9, 8, 8, 1)), np.arange(9) % 3)
SlimTrainer().train(network, data, TrainingPlan(2, 3), evaluate_on=data, seed=0)
print("trained")
"""


def run(code: str, level: str | None = None, **options: object) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != LEVEL}
    environment |= {LEVEL: level} if level else {}
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=False,
        **options,
    )


def test_a_library_user_sees_nothing() -> None:
    """Importing TensorFlow, opening a session, training: not a line on stderr."""
    done = run(TRAIN)
    assert (done.returncode, done.stdout, done.stderr) == (0, "trained\n", "")


def test_a_level_of_the_users_shows_everything() -> None:
    """A level that the user has set is the user's."""
    done = run("import growsearch.training.slim.backend", level="0")
    assert done.returncode == 0
    assert "port.cc" in done.stderr or "cpu_feature_guard" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="closes a descriptor")
def test_a_closed_stderr_is_no_reason_to_fail() -> None:
    """A daemon without stderr trains like any other process."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, TRAIN],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "trained\n")
