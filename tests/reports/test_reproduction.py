"""The report of a reproduction: every number, shortfall and caveat, and who wins."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from growsearch.datasets import Dataset
from growsearch.errors import GrowsearchError, InvalidInputError, RunError
from growsearch.reports.reproduction import (
    PAIRED_EXPERIMENTS,
    differences_table,
    paired_differences,
    report,
    table,
    to_json,
)
from growsearch.reports.reproduction_plot import save_plot
from growsearch.reports.reproduction_summary import Shortfall, shortfalls, summary
from growsearch.reproduction.experiments import EXPERIMENTS
from growsearch.reproduction.result import Reproduction
from growsearch.reproduction.run import reproduce
from tests.fake_reproduction import PUBLISHED, Recorder, synthetic

# Third parties' own: TensorFlow's Keras warns about its own layers.
pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated:UserWarning")


def printed(renderable: Any, width: int = 80) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(renderable)
    return stream.getvalue()


def test_arms_are_compared_with_confidence_only_where_there_are_seeds() -> None:
    """Two seeds: differences and counts; eight: intervals too, that hold the true difference."""
    few = synthetic(lambda name, _: 0.01 if name == "wider" else 0.0)
    assert "too few seeds" in " ".join(printed(differences_table(few)).split())
    assert "±" not in printed(differences_table(few), 120).split("carried", 1)[1]

    many = synthetic(lambda name, step: 1e-6 * step if name == "wider" else 0.0, seeds=8)
    found = paired_differences(many)["wider − random pad"][9]
    published = {e.name: e.published.get(900, 0.0) for e in EXPERIMENTS}
    assert found.ahead == 8
    assert found.mean == pytest.approx(published["wider"] - published["random pad"] + 9e-4)


def test_sure_differences_are_marked_in_plain_text() -> None:
    """A star marks an interval without zero, in files too; there is none with few seeds."""
    many = synthetic(seeds=8)
    rng = np.random.default_rng(0)
    repeats = tuple(
        dataclasses.replace(
            repeat,
            curves=tuple(
                dataclasses.replace(
                    curve,
                    accuracy=tuple(float(a - rng.uniform(0.0, 0.03)) for a in curve.accuracy),
                )
                for curve in repeat.curves
            ),
        )
        for repeat in many.repeats
    )
    found = dataclasses.replace(many, repeats=repeats)
    every = [each for row in paired_differences(found).values() for each in row]
    sure = [low > 0.0 or high < 0.0 for low, high in (each.interval for each in every)]
    assert 0 < sum(sure) < len(sure)
    text = printed(differences_table(found))
    assert text.count("*") == sum(sure) + 1  # one is the legend
    assert "* where the interval is without 0" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "*" not in printed(differences_table(synthetic()))


def test_shortfalls_are_exactly_the_figures_not_reached() -> None:
    """Means below the published figure, to four digits, are listed with the difference."""
    low = {("teacher", 300): -0.0123, ("deeper", 900): -0.00006, ("wider", 100): -0.00004}
    found = synthetic(lambda name, step: low.get((name, step), 0.002))
    assert shortfalls(found) == (
        Shortfall("teacher", 300, 0.0123),
        Shortfall("deeper", 900, 0.0001),
    )
    assert summary(found).startswith(
        "Below the published figure at 2 of 45 evaluations:\n"
        "  teacher: at 300 by .0123\n"
        "  deeper: at 900 by .0001\n"
        "At or above it elsewhere. The published figures are one run each; ours are means over 2 "
        "seeds. 1 of the 2 lie within two of our standard deviations.\n"
    )


def test_no_shortfall_is_said_too() -> None:
    """With every mean at the published figure or above, nothing is listed, and it says so."""
    for shift in (0.0, 0.003):
        found = synthetic(shift)
        assert shortfalls(found) == ()
        assert "At or above the published figure at all 45" in summary(found)


def test_summary_compares_with_the_random_baselines() -> None:
    """The summary says how often Net2Net's weights beat random ones, in ours and as published."""
    text = summary(synthetic(lambda name, _: -0.5 if name == "wider" else 0.0))
    assert "Wider above random pad at 0 of 9 evaluations" in text
    assert "published: at 8 of 9" in text
    assert "Deeper above random init at 9 of 9" in text


def test_tables_show_every_number_in_80_columns() -> None:
    """Each table has every mean, deviation, published figure and difference, none cut short."""
    found = synthetic(-0.0011)
    for experiment in EXPERIMENTS:
        text = printed(table(found, experiment))
        assert "…" not in text
        assert "3 seeds" in printed(table(synthetic(seeds=3), experiment))
        for step, published in experiment.published.items():
            (line,) = (line for line in text.splitlines() if f"[Iter: {step}]" in line)
            assert f"[Iter: {step}] Accuracy: {published - 0.0011:.4f} ± 0.0014" in line
            assert f" {published:.4f} " in line
            assert "-0.0011" in line
            assert line.count("± 0.0014") == len(experiment.treatments)


def test_report_names_the_test_set_and_the_hardware() -> None:
    """The report says that these are test accuracies, on which images, seeds and machine."""
    text = " ".join(printed(report(synthetic())).split())
    for part in ("10,000 TEST images", "made up", "Seeds: 0, 1", "a machine", "2.0 min"):
        assert part in text
    assert "All of these are test accuracies" in text
    assert "NOT COMPARABLE" not in text


def test_one_seed_has_no_deviation() -> None:
    """With one seed no deviation is claimed, in the tables or in the summary."""
    text = printed(report(synthetic(-0.01, seeds=1)))
    assert "±" not in text
    assert "standard deviations" not in text
    assert "Below the published figure at 45 of 45" in text


@pytest.mark.usefixtures("small_architecture")
def test_stand_in_is_marked_not_comparable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Digits stand in for MNIST that cannot be had: marked everywhere, no difference is taken."""
    monkeypatch.delenv("GROWSEARCH_DATA", raising=False)
    monkeypatch.setenv("GROWSEARCH_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = reproduce(trainer=Recorder(), seeds=1)
    assert found.stand_in
    assert not found.comparable
    assert found.to_json()["comparable"] is False
    assert shortfalls(found) == ()
    text = printed(report(found))
    assert "NOT COMPARABLE with the published figures: the images stand in" in text.replace(
        "\n", " "
    )
    assert text.count("not comparable") == len(PUBLISHED)
    assert "(0.9136)" in text
    assert "+0." not in text
    assert "-0." not in text
    assert "…" not in text
    with pytest.raises(GrowsearchError):
        reproduce(trainer=Recorder(), seeds=1, stand_in=None)


@pytest.mark.usefixtures("small_architecture")
def test_other_images_and_iterations_are_marked(digits: Dataset) -> None:
    """Images that are not MNIST's, and a teacher trained longer or shorter, cannot be compared."""
    other = dataclasses.replace(digits, name="mnist", stand_in=False)
    found = reproduce(trainer=Recorder(), iterations=800, seeds=1, data=other)
    assert len(found.caveats) == 2
    assert "not MNIST's" in found.caveats[0]
    assert "700 updates" in found.caveats[1]


@pytest.mark.usefixtures("small_architecture")
def test_mnist_is_comparable(mnist_folder: Path) -> None:
    """On MNIST itself, with the original's iterations, the published figures are a measure."""
    found = reproduce(trainer=Recorder(), seeds=1, data=mnist_folder, stand_in=None)
    assert found.caveats == ()
    assert found.test_images == 10_000


def test_plot_is_a_picture(measured: tuple[Reproduction, Path], tmp_path: Path) -> None:
    """The plot is written as one PNG, on any data, with one seed or several."""
    caveats = ("the images stand in for MNIST",)
    for found in (measured[0], synthetic(), synthetic(seeds=1), synthetic(caveats=caveats)):
        path = save_plot(found, tmp_path)
        assert path == tmp_path / "reproduction.png"
        assert path.read_bytes().startswith(b"\x89PNG")
        assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_folder_that_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    """The measurements are stored already; only the plot is missing."""
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="the plot cannot be written"):
        save_plot(synthetic(), tmp_path / "file")


def test_nothing_measured_is_said() -> None:
    """A reproduction without seeds has a report, and no plot."""
    nothing = synthetic(repeats=())
    assert "Nothing was measured" in printed(report(nothing))
    with pytest.raises(InvalidInputError, match="at least one seed"):
        save_plot(nothing, "nowhere")


def test_who_wins_is_plain_json_too() -> None:
    """Each comparison at each iteration, beside all else; it is read back as what it was."""
    found = synthetic(seeds=8)
    value = json.loads(json.dumps(to_json(found), allow_nan=False))
    wins = value.pop("who_wins")
    assert len(wins) == len(PAIRED_EXPERIMENTS) * len(found.steps)
    (last,) = [
        each
        for each in wins
        if (each["title"], each["iteration"]) == ("wider − random pad", found.steps[-1])
    ]
    expected = paired_differences(found)["wider − random pad"][-1]
    assert (last["mean"], last["ahead"], last["n"]) == (expected.mean, expected.ahead, 8)
    assert last["slots"] == "reset"
    assert value == json.loads(json.dumps(found.to_json()))
