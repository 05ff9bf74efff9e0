"""A process of its own that trains: TensorFlow may end the one that imports it.

A TensorFlow that was built for another processor dies of an illegal instruction, and the driver of
a GPU may hang.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from growsearch.doctor.finding import Finding
from growsearch.machine import gpus, processor_name

SECONDS = 90.0  # that it may take; it takes about 6

_SCRIPT = "from growsearch.doctor.probe import main; main()"


def main() -> None:
    """Print what TensorFlow finds, and how fast it trains the first network of "mnist"."""
    from growsearch.space import SearchSpace
    from growsearch.training.plan import TrainingPlan
    from growsearch.training.slim import SlimTrainer
    from growsearch.training.slim.ability import ability

    found = ability()
    network = SearchSpace.load("mnist").architecture
    speed = SlimTrainer().speed_of(network, TrainingPlan(1, batch_size=128, precision="auto"))
    measured = {"precision": speed.precision, "milliseconds": 1000.0 * speed.step_seconds}
    print(json.dumps(found | measured))


@contextmanager
def probed() -> Iterator[subprocess.Popen[str]]:
    """Start the process for the block, which examines other things meanwhile."""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", _SCRIPT],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def training(process: subprocess.Popen[str]) -> Iterator[Finding]:
    """Yield the findings on TensorFlow, on the precision of trainings here, and on GPUs."""
    try:
        printed, _ = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        advice = "look at the driver of the GPU; CUDA_VISIBLE_DEVICES=-1 trains without it"
        yield Finding("training", "TensorFlow", "wrong", f"no answer in {SECONDS:.0f} s", advice)
        return
    if process.returncode:
        advice = "install it anew: pip install --force-reinstall tensorflow; see " + (
            "the error: python -c 'import tensorflow'"
        )
        yield Finding("training", "TensorFlow", "wrong", _ended(process.returncode), advice)
        return
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    yield Finding("training", "TensorFlow", "ok", f"{found['tensorflow']}, trains")
    native = "has bfloat16 natively" if found["bfloat16"] else "has no native bfloat16"
    device = found["gpus"][0] if found["gpus"] else processor_name()
    yield Finding(
        "training",
        "precision",
        "ok",
        f"{found['precision']} on the first network of mnist ({found['milliseconds']:.1f} ms an "
        f"update of 128 images); {device} {native}",
    )
    yield _gpus(found["gpus"])


def _ended(status: int) -> str:
    """Return the end of a process that failed, in words."""
    return f"its process ended by signal {-status}" if status < 0 else "cannot train"


def _gpus(seen: list[str]) -> Finding:
    """Return the finding on the GPUs that TensorFlow sees, against those that the driver lists."""
    listed = gpus()
    if len(seen) < len(listed):
        advice = "pip install 'tensorflow[and-cuda]', whose CUDA the driver must be new enough for"
        told = f"TensorFlow sees {len(seen)} of {len(listed)}"
        return Finding("GPU", "GPUs", "wrong", told, advice)
    if not seen:
        return Finding("GPU", "GPUs", "ok", "none: trainings use the processors")
    return Finding("GPU", "GPUs", "ok", ", ".join(seen))
