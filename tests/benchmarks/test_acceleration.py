"""The benchmark as a user calls it: a run on small images that ends, goes on and reports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
OPTIONS = ["--final", "x4", "--budgets", "1", "--grown-budgets", "1,2", "--configurations", "1"]
OPTIONS += ["--seeds", "0,1", "--rounds", "1", "--calibration", "1", "--precision", "float32"]


def call(*options: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, str(ROOT / "benchmarks" / "acceleration.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_run_goes_on_where_it_ended(tmp_path: Path) -> None:
    """Of a file with half a line at its end, every training is made once, the rest is kept."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (600, 28, 28), np.uint8), np.arange(600) % 10
    np.savez(
        tmp_path / "images.npz",
        x_train=images,
        y_train=labels,
        x_test=images[:50],
        y_test=labels[:50],
    )
    out = tmp_path / "rows.jsonl"
    options = [*OPTIONS, "--data", f"noise={tmp_path / 'images.npz'}", "--out", str(out)]
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
