"""A new arm: one row of the table, and everything else follows from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from growsearch.cli import main
from growsearch.networks import Network
from growsearch.reports.evidence_plot import save_plot
from growsearch.trials.arms import ARMS, Arm, Start
from tests.small_search import search

pytestmark = pytest.mark.usefixtures("quick_sqlite")


def _noisy(start: Start, rng: np.random.Generator) -> Network:
    """Start from the grown network, every weight of it moved by noise."""
    grown = start.grown(rng, "net2net")
    weights = {
        layer: {
            name: array + np.float32(0.01) * rng.standard_normal(array.shape, np.float32)
            for name, array in named.items()
        }
        for layer, named in grown.weights.items()
    }
    return Network(grown.architecture, weights, grown.slots)


def test_a_row_is_all_that_an_arm_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The space accepts it, trials run it, evidence and plot have it, the help names it."""
    monkeypatch.setitem(ARMS, "noisy", Arm("does noise hurt what is preserved?", _noisy))
    result = search(tmp_path, "controls.arms={noisy = 1.0, random = 1.0}")
    assert all({"noisy", "random"} < set(record.arms) for record in result.trials)
    accuracies = {record.arms["noisy"].accuracy for record in result.trials}
    assert len(accuracies) == len(result.trials)
    evidence = result.evidence()
    assert evidence.arm("noisy").accuracy.n == len(result.trials)
    picture = save_plot(result.trials, evidence, tmp_path)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main(["run", "--help"]) == 0
    assert "noisy" in capsys.readouterr().out
