"""The laws of the trainer in JAX, in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.command_line import ROOT

LAWS = Path(__file__).with_name("jax_trainer_laws.py")


def test_its_laws_hold() -> None:
    """JAX warns of every fork of a process that it computes in, as of those that start Ray."""
    command = [sys.executable, "-m", "pytest", "-q", str(LAWS)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("PYTEST_ADDOPTS", None)
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
