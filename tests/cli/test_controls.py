"""Control arms on the command line: chosen by options, compared, refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from growsearch.cli import main
from tests.command_line import refused, run_digits

pytestmark = pytest.mark.usefixtures("own_machine")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--arms", "no_arm"], ["growsearch: --arms: controls.arms", "random, scratch"]),
        (["--arms", "random:2"], ["growsearch: --arms: controls.arms.random", "2"]),
        (["--arms", "random:often"], ["--arms", "random:0.5", "'random:often'"]),
        (["--arms", "random,random"], ["--arms", "each arm once"]),
        (["--set", "judge.margin=-1"], ["growsearch: --set: judge.margin"]),
        (["--control-seeds", "0"], ["growsearch: --control-seeds: controls.seeds", "got 0"]),
        (["--control-seeds", "1001"], ["growsearch: --control-seeds: controls.seeds", "1000"]),
        (["--control-seeds", "many"], ["--control-seeds", "'many'"]),
        (["--control-tuned", "99"], ["growsearch: --control-tuned: controls.tuned", "15"]),
        (["--seed", "4294967296"], ["--seed", "4294967295"]),
    ],
)
def test_impossible_controls_are_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    line = refused(capsys, *run_digits(tmp_path / "run"), *arguments)
    assert all(word in line for word in words), line
    assert not (tmp_path / "run").exists()


def test_arms_seeds_and_tuning_are_carried_out_and_compared(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """``run`` takes them, its summary points to ``compare``, which prints tables and a picture."""
    folder = tmp_path / "run"
    options = ["--arms", "random, continued:1.0", "--control-seeds", "2", "--control-tuned", "2"]
    assert main([*run_digits(folder, "--trials", "1"), *options, "--json"]) == 0
    (trial,) = json.loads(capsys.readouterr().out)["trials"]
    assert set(trial["arms"]) == {"net2net", "random", "continued"}
    assert set(trial["repeats"]) == {"net2net", "random", "continued"}
    assert len(trial["arms"]["random"]["tried"]) == 2

    assert main(["compare", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "validation accuracy, net2net less control" in text
    assert "too few pairs" in text
    assert (folder / "evidence.png").stat().st_size > 10_000

    assert main(["compare", str(folder), "--json"]) == 0
    evidence = json.loads(capsys.readouterr().out)
    assert [each["arm"] for each in evidence["overall"]] == ["random", "continued"]


def test_without_controls_there_is_nothing_to_compare(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """``--arms none`` runs none, the summary and ``compare`` say so, and no picture is drawn."""
    folder = tmp_path / "run"
    assert main([*run_digits(folder, "--trials", "1"), "--arms", "none"]) == 0
    assert "off; --arms random" in capsys.readouterr().out
    assert main(["compare", str(folder)]) == 0
    assert "No control arm has run" in capsys.readouterr().out
    assert not (folder / "evidence.png").exists()
