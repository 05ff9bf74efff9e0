"""The benchmark as a user calls it: a run on small images that ends, goes on and reports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
OPTIONS = ["--final", "x4", "--budgets", "1", "--grown-budgets", "1,2", "--configurations", "1"]
OPTIONS += ["--seeds", "0,1", "--rounds", "1", "--calibration", "1", "--precision", "float32"]


def called(*options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, str(ROOT / "benchmarks" / "acceleration.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def call(*options: str) -> str:
    done = called(*options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Six hundred images of noise, as NAME=PATH."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (600, 28, 28), np.uint8), np.arange(600) % 10
    np.savez(
        tmp_path / "images.npz",
        x_train=images,
        y_train=labels,
        x_test=images[:50],
        y_test=labels[:50],
    )
    return f"noise={tmp_path / 'images.npz'}"


def test_a_run_goes_on_where_it_ended(tmp_path: Path, data: str) -> None:
    """Of a file with half a line at its end, every training is made once, the rest is kept."""
    out = tmp_path / "rows.jsonl"
    options = [*OPTIONS, "--data", data, "--out", str(out)]
    told = call(*options)
    assert "tune: 3 trainings" in told
    assert "run: 6 trainings" in told
    assert "noise, x4: test accuracy, n = 2 seeds; 1 configurations on 1 tuning seed(s)" in told
    whole = out.read_text().splitlines(keepends=True)
    rows = [json.loads(line) for line in whole]
    assert [row["part"] for row in rows] == ["costs", *["tune"] * 3, *["run"] * 6]
    assert all(("test_accuracy" in row) == (row["part"] == "run") for row in rows)
    grown = next(row for row in rows if row.get("contender") == "grown")
    assert len(grown["updates"]) == 3
    assert grown["flops"] > 0
    out.write_text("".join(whole[:-1]) + whole[-1][:20])
    again = call(*options)
    assert "tune: 0 trainings" in again
    assert "run: 1 trainings" in again
    lines = [line for line in out.read_text().splitlines() if line.endswith("}")]
    assert len(lines) == len(whole)
    last = json.loads(lines[-1])
    timed = {"measured": 0.0}
    assert {**last, **timed} == {**rows[-1], **timed}


def rows_in(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_jax_makes_the_updates_of_costs_that_are_there(tmp_path: Path, data: str) -> None:
    """It refuses a file without costs; of one with them it makes the rows of the other trainer.

    What they reach differs, by the images' changes. Seeds that are trained at once are not mixed.
    """
    options = [*OPTIONS, "--budgets", "1", "--grown-budgets", "1", "--data", data]
    theirs, ours, alone = (tmp_path / f"{name}.jsonl" for name in ("slim", "jax", "alone"))
    jax = ["--trainer", "jax", "--out", str(ours)]
    refused = called(*options, *jax)
    assert refused.returncode == 1
    assert "run --part costs --trainer slim first" in refused.stderr
    call(*options, "--part", "costs", "--out", str(theirs))
    (row,) = rows_in(theirs)  # whose costs would give other numbers of updates each time
    row["costs"] = {name: 0.01 * (i + 1) for i, name in enumerate(row["costs"])}
    for file in (theirs, ours):
        file.write_text(json.dumps(row) + "\n")
    call(*options, "--out", str(theirs))
    call(*options, *jax)
    reached = {"validation_accuracy", "validation_loss", "test_accuracy", "test_loss"}
    circumstances = {"trainer", "measured"}

    def told(file: Path) -> list[str]:
        some = reached | circumstances
        plain = [{k: v for k, v in row.items() if k not in some} for row in rows_in(file)]
        return sorted(map(json.dumps, plain))

    assert told(ours) == told(theirs)
    alone.write_text("".join(ours.read_text().splitlines(keepends=True)[:3]))  # costs, both tuned
    call(*options, "--trainer", "jax", "--seeds", "1", "--out", str(alone))
    named = ("part", "contender", "seed")
    every = {tuple(row.get(name) for name in named): row for row in rows_in(ours)}
    found = [row for row in rows_in(alone) if row["part"] == "run"]
    assert len(found) == 2
    for row in found:
        same = every[tuple(row[name] for name in named)]
        other = every["run", row["contender"], 0]
        assert row["test_loss"] == pytest.approx(same["test_loss"], rel=1e-3)
        assert row["test_loss"] != pytest.approx(other["test_loss"], rel=1e-3)
