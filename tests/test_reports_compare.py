"""The evidence as tables that fit a terminal, and as a picture."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from growsearch.driver.evidence import Evidence, HeldOut, weigh
from growsearch.driver.records import ArmResult, TrialRecord
from growsearch.errors import InvalidInputError
from growsearch.reports.compare import PLOT, curves, report, save_plot


def arm(last: float, *, steps: int = 60, first: float = 0.1) -> ArmResult:
    curve = tuple(
        (step, float(first + (last - first) * step / steps), 0.5)
        for step in range(0, steps + 1, 20)
    )
    return ArmResult(last, 0.5, 2.0, curve, flops=1e10)


def trials(count: int) -> list[TrialRecord]:
    rng = np.random.default_rng(0)
    return [
        TrialRecord(
            number=number,
            state="COMPLETE",
            parent=None,
            growth="",
            operation=("widen", "deepen")[number % 2],
            layer="conv1",
            layer_kind="conv",
            old_size="",
            new_size="",
            learning_rate=1e-3,
            architecture="",
            parameters=0,
            flops=0,
            arms={
                "net2net": arm(0.97 + 0.01 * rng.random(), first=0.96),
                "random": arm(0.96 + 0.01 * rng.random()),
                "scratch_compute": arm(0.9 + 0.01 * rng.random(), steps=200),
            },
            gain=0.01,
            seconds=2.0,
            kept=True,
            reason="",
        )
        for number in range(count)
    ]


def printed(evidence: Evidence, width: int) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(report(evidence))
    return stream.getvalue()


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("count", [1, 12, 200])
def test_tables_fit_the_terminal(count: int, width: int) -> None:
    """No line is longer than it, no cell cut: every figure can be read."""
    text = printed(weigh(trials(count), HeldOut(0.98, 0.97)), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert "scratch_compute" in text
    assert "Winner's curse" in text


def test_too_few_pairs_are_words_not_numbers() -> None:
    few, many = printed(weigh(trials(3)), 80), printed(weigh(trials(12)), 80)
    assert "too few pairs" in few
    assert "Too few pairs for intervals" in few
    assert "Too few pairs for intervals" not in many
    assert "widen conv" in many


def test_no_controls_say_so() -> None:
    assert "No control arm has run" in printed(weigh([]), 80)


def test_curves_are_drawn_over_trials_with_controls_only() -> None:
    """A candidate without control has no place in the comparison."""
    with_controls = trials(4)
    without = [TrialRecord(**{**vars(t), "arms": {"net2net": arm(0.5)}}) for t in trials(3)]
    assert {name: len(each) for name, each in curves([*with_controls, *without]).items()} == {
        "net2net": 4,
        "random": 4,
        "scratch_compute": 4,
    }


@pytest.mark.parametrize("count", [1, 8])
def test_the_plot_is_a_picture(count: int, tmp_path: Path) -> None:
    import matplotlib.image

    records = trials(count)
    path = save_plot(records, weigh(records), tmp_path)
    assert path == tmp_path / PLOT
    pixels = matplotlib.image.imread(path)
    assert pixels.shape[0] > 500
    assert pixels.std() > 0.05


def test_nothing_to_draw_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="expected a control arm"):
        save_plot([], weigh([]), tmp_path)
    assert not list(tmp_path.iterdir())
