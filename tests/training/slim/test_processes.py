"""Trainers and processes: when TensorFlow is loaded, forks, and shares of a GPU."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from growsearch import machine
from tests.command_line import ROOT

SECONDS = 120


def run(code: str) -> str:
    """Return what a Python printed that has ended well, and without an error."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=SECONDS,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout


MADE = """
import pickle, sys

def is_loaded():
    return any(name.split(".")[0] in {"tensorflow", "tf_slim"} for name in sys.modules)

import numpy as np
from growsearch import Architecture, Network, TrainingPlan
from growsearch.datasets import Split
from growsearch.training.slim import SlimTrainer

trainer = pickle.loads(pickle.dumps(SlimTrainer(cached_graphs=2, threads=1)))
network = Network.initial(Architecture.parse("3x3x4(conv1)-pool1-3(fc1)", (8, 8, 1)), rng=0)
data = Split(np.zeros((9, 8, 8, 1)), np.arange(9) % 3)
plan = TrainingPlan(2, 3)
"""


def test_a_trainer_is_made_without_tensorflow() -> None:
    """A driver makes a trainer and pickles it; TensorFlow is loaded with the first training."""
    code = """
print(is_loaded())
trainer.train(network, data, plan, evaluate_on=data, seed=0)
print(is_loaded(), pickle.loads(pickle.dumps(trainer))._cached_graphs)
"""
    assert run(MADE + code).split() == ["False", "True", "2"]


@pytest.mark.parametrize(
    "use",
    [
        "evaluate(network, data)",
        "logits(network, data.images)",
        "speed_of(network.architecture, plan)",
        "train(network, data, plan, evaluate_on=data, seed=0)",
    ],
)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_fork_after_a_training_is_refused_in_one_line(use: str) -> None:
    """Another trainer is refused too; a fork before the first use of TensorFlow works."""
    code = f"""
import os
from growsearch.errors import GrowsearchError

def in_a_fork():
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            for used in (trainer, SlimTrainer()):
                used.{use}
            print("worked", flush=True)
        except GrowsearchError as error:
            print(error, flush=True)
        os._exit(0)
    os.waitpid(pid, 0)

in_a_fork()
trainer.evaluate(network, data)
in_a_fork()
trainer.evaluate(network, data)
"""
    worked, refused = run(MADE + code).splitlines()
    assert worked == "worked"
    assert refused.startswith("TensorFlow does not survive a fork: use spawn or forkserver")


def test_a_session_has_its_share_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads and the fraction of a GPU's memory are those that the environment names."""
    from growsearch.training.slim.session import session_config

    monkeypatch.setenv(machine.THREADS, "1")
    monkeypatch.setenv(machine.GPU_MEMORY, "0.25")
    config = session_config()
    assert config.intra_op_parallelism_threads == 1
    assert config.gpu_options.per_process_gpu_memory_fraction == 0.25
    assert config.gpu_options.allow_growth
    monkeypatch.delenv(machine.GPU_MEMORY)
    assert session_config(3).gpu_options.per_process_gpu_memory_fraction == 0.0  # no limit
    assert session_config(3).intra_op_parallelism_threads == 3
