"""The plot of a run's evidence: a PNG of arms that need not be known."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from growsearch.errors import InvalidInputError, RunError
from growsearch.evidence.comparison import compare
from growsearch.reports.evidence_plot import PLOT, save_plot, styles
from growsearch.trials.arms import CANDIDATE, controls
from tests.made_up_trials import trials


@pytest.mark.parametrize("count", [1, 8])
def test_the_plot_is_a_picture(count: int, tmp_path: Path) -> None:
    import matplotlib.image

    records = trials(count)
    path = save_plot(records, compare(records), tmp_path)
    assert path == tmp_path / PLOT
    pixels = matplotlib.image.imread(path)
    assert pixels.shape[0] > 500
    assert pixels.std() > 0.05


def test_nothing_to_draw_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="expected a control arm"):
        save_plot([], compare([]), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    """A run on read-only storage still has its tables."""
    records = trials(1)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"file.evidence.png: the plot cannot be written: "):
        save_plot(records, compare(records), tmp_path / "file")


def test_arms_that_nobody_knows_are_compared_and_drawn(tmp_path: Path) -> None:
    """A record's arms are what it says: no table of arms decides what can be drawn."""
    unknown = [f"arm {number}" for number in range(40)]
    records = [
        replace(each, arms={**each.arms, **dict.fromkeys(unknown, each.arms["random"])})
        for each in trials(2)
    ]
    evidence = compare(records)
    assert [each.arm for each in evidence.overall[2:]] == unknown
    path = save_plot(records, evidence, tmp_path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_each_arm_has_a_look_of_its_own() -> None:
    """A known arm looks the same whichever others run; no two of ten arms look alike."""
    unknown = [f"arm {number}" for number in range(9 - len(controls()))]
    found = styles([*unknown, "random"])
    assert len({*found.values()}) == len(found) == 10
    assert styles([])[CANDIDATE] == found[CANDIDATE]
    assert {styles([])[arm] for arm in controls()} == {found[arm] for arm in controls()}


def test_a_further_row_of_arms_needs_no_row_of_colours() -> None:
    """An arm is one row of one table: the plots import, and have a style for it."""
    code = (
        "from growsearch.trials import arms;"
        "known = len(arms.ARMS);"
        "arms.ARMS['one_more'] = arms.ARMS['random'];"
        "from growsearch.reports.evidence_plot import styles;"
        "looks = styles([]);"
        "assert len({*looks.values()}) == len(looks) == known + 1"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
