"""The evidence as tables that fit a terminal, and as a picture."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from growsearch.errors import InvalidInputError, RunError
from growsearch.evidence.comparison import Evidence, HeldOut, weigh
from growsearch.reports.compare import PLOT, curves, report, save_plot
from growsearch.trials.records import ArmResult, TrialRecord


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
    text = printed(weigh(trials(count), HeldOut(0.98, 0.97, 0.96, 0.955)), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert "scratch_compute" in text
    assert "Winner's curse" in text


def test_controls_that_failed_are_told() -> None:
    """By arm; where none did, nothing is said."""
    made = trials(8)
    diverged = ArmResult(None, None, 0.0, failure="the loss became nan")
    made[0] = replace(made[0], arms={**made[0].arms, "random": diverged})
    text = " ".join(printed(weigh(made), 200).split())
    assert "candidates that did not: 1 of random. They are in no pair" in text
    assert "in no pair" not in printed(weigh(trials(8)), 200)


def test_too_few_pairs_are_words_not_numbers() -> None:
    few, many = printed(weigh(trials(3)), 80), printed(weigh(trials(12)), 80)
    assert "too few pairs" in few
    assert "Too few pairs for intervals" in few
    assert "Too few pairs for intervals" not in many
    assert "widen conv" in many


def test_no_controls_say_so() -> None:
    assert "No control arm has run" in printed(weigh([]), 80)


def test_every_operation_has_all_figures() -> None:
    """Effect size, test, and how soon, overall and for each operation."""
    found = trials(12)
    text = printed(weigh([*found, replace(found[0], state="PRUNED")]), 80)
    for title in ("All trials", "widen conv", "deepen conv"):
        assert f"{title}: validation accuracy, net2net less control" in text
        assert f"{title}: first reached" in text
    assert text.count("Holm p") == text.count("d_z  ") == 3
    assert "1 candidate was given up early" in text


def test_equal_differences_are_not_too_few() -> None:
    """Eight pairs that all differ alike have no interval; the reason is named."""
    alike = {"net2net": arm(0.97), "random": arm(0.96)}
    text = printed(weigh([replace(t, arms=alike, operation="widen") for t in trials(8)]), 80)
    assert "too alike" in text
    assert "too few pairs" not in text


def test_curves_are_drawn_over_trials_with_controls_only() -> None:
    """A candidate without control has no place in the comparison."""
    with_controls = trials(4)
    without = [replace(t, arms={"net2net": arm(0.5)}) for t in trials(3)]
    assert {name: each.n for name, each in curves([*with_controls, *without]).items()} == {
        "net2net": 4,
        "random": 4,
        "scratch_compute": 4,
    }
    assert curves(without) == {}


def test_curves_are_paired() -> None:
    """An arm on a part of the trials is drawn as far below the candidates as its pairs are.

    The three trials without "random" are far better: its curve must not suffer by the comparison.
    """
    found = trials(8)
    for place in range(3):
        arms = {"net2net": arm(0.999, first=0.99), "scratch_compute": arm(0.9, steps=200)}
        found[place] = replace(found[place], arms=arms, gain=0.1)
    drawn = curves(found)
    evidence = weigh(found)
    assert (drawn["random"].n, drawn["net2net"].n) == (5, 8)
    ends = {name: each.end or each.means[-1] for name, each in drawn.items()}
    for name in ("random", "scratch_compute"):
        mean = evidence.arm(name).accuracy.mean
        assert ends["net2net"] - ends[name] == pytest.approx(mean, abs=1e-9)
    low, high = evidence.arm("scratch_compute").accuracy.interval
    assert low < evidence.arm("scratch_compute").accuracy.mean < high
    assert drawn["net2net"].steps == drawn["scratch_compute"].steps == (0, 20, 40, 60)


def test_bands_are_those_of_the_paired_differences() -> None:
    """At the end of equal trainings, curve and band are the evidence's mean and interval."""
    found = trials(8)
    drawn, accuracy = curves(found), weigh(found).arm("random").accuracy
    last = drawn["net2net"].means[-1]
    assert last - drawn["random"].high[-1] == pytest.approx(accuracy.interval[0], abs=1e-9)
    assert last - drawn["random"].low[-1] == pytest.approx(accuracy.interval[1], abs=1e-9)


def test_curves_are_means_over_seeds() -> None:
    """Repeats count in the picture as they do in the evidence."""
    again = {"net2net": {1: arm(0.98)}, "random": {1: arm(0.91)}}
    found = [replace(each, repeats=again) for each in trials(2)]
    drawn, accuracy = curves(found), weigh(found).arm("random").accuracy
    below = drawn["net2net"].means[-1] - drawn["random"].means[-1]
    assert below == pytest.approx(accuracy.mean, abs=1e-9)


def test_failed_arms_are_not_drawn() -> None:
    """A control that diverged has no curve; the others' are drawn without it."""
    failed = {"net2net": arm(0.97), "random": ArmResult(None, None, 0.0, failure="nan")}
    assert "random" not in curves([replace(t, arms=failed) for t in trials(2)])
    found = trials(4)
    found[0] = replace(found[0], arms=dict(found[0].arms) | {"random": failed["random"]})
    assert curves(found)["random"].n == 3


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


def test_a_folder_that_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    """A run on read-only storage still has its tables."""
    records = trials(1)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"file.evidence.png: the plot cannot be written: "):
        save_plot(records, weigh(records), tmp_path / "file")


def test_scratch_alone_says_what_it_does_not_have() -> None:
    """Equal steps are not equal compute: the other arm is named, unless it ran."""
    alone = [
        replace(trial, arms={"net2net": trial.arms["net2net"], "scratch": trial.arms["random"]})
        for trial in trials(8)
    ]
    assert "scratch_compute, in --arms of another run, has as much compute" in printed(
        weigh(alone), 200
    )
    assert "of another run" not in printed(weigh(trials(8)), 200)


def test_tuned_controls_are_told() -> None:
    """They have the best of several, on the images that are compared."""
    tuned = [
        replace(
            trial,
            arms={
                **trial.arms,
                "random": replace(
                    trial.arms["random"], tried=((1e-3, 0.9), (1e-2, 0.8), (1.0, None))
                ),
            },
        )
        for trial in trials(8)
    ]
    assert weigh(tuned).tuned == 3
    assert "Each control has the best of 3 learning rates" in printed(weigh(tuned), 200)
    assert "learning rates" not in printed(weigh(trials(8)), 200)


@pytest.mark.parametrize(("held_out", "said"), [(0.95, "+0.0200 too high"), (0.98, "none to be")])
def test_a_choice_that_was_not_optimistic_is_not_called_too_high(
    held_out: float, said: str
) -> None:
    """The luck may also lie on the other half."""
    evidence = weigh(trials(8), HeldOut(0.97, held_out, 0.9, 0.9))
    assert said in printed(evidence, 200)
    assert "those from scratch do not" in printed(evidence, 200)
