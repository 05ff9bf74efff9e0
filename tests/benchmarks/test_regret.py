"""The plan of the table of regret: which rows are made, and which are there already."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.command_line import ROOT

SIZES = ("16-32-64", "32-64-128", "64-128-256")


@pytest.fixture
def regret(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The command's module, whose neighbours lie beside it."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("regret")


@pytest.fixture
def asked(regret: ModuleType, tmp_path: Path) -> Any:
    """Two data sets, three sizes, two marks, three seeds."""
    return regret.Asked(
        data={"mnist": "mnist=/a", "fashion_mnist": "fashion_mnist=/b"},
        out=tmp_path / "rows.jsonl",
        parts=("ours", "fixed"),
        sizes=SIZES,
        contenders=("expert",),
        marks=(1.0, 4.0),
        seeds=(0, 1, 2),
    )


def trained(asked: Any, part: str, size: str, loss: float, **more: Any) -> Any:
    regrets = importlib.import_module("regrets")
    row = asked.row(part, "mnist", size, 1.0, 0)
    return replace(row, points=(regrets.Point(60.0, 0.9, loss),), **more)


def test_one_run_is_read_at_all_marks(regret: ModuleType, asked: Any) -> None:
    """A search of the largest mark for each seed, and one for each smaller mark that it knew."""
    ours, knew = regret.searches(asked, "ours"), regret.searches(asked, "knew")
    assert len(ours) == len(knew) == 6
    assert {row.minutes for row in ours} == {4.0}
    assert {row.minutes for row in knew} == {1.0}
    assert {row.minutes for row in regret.others(asked)} == {4.0}
    assert len({row.key for row in [*ours, *knew, *regret.others(asked)]}) == 18


def test_rates_are_tuned_with_a_seed_of_their_own(regret: ModuleType, asked: Any) -> None:
    """Each size and data set has a grid of three rates, on a seed that no row of the table has."""
    tunings = regret.tunings(asked)
    assert len({row.key for row in tunings}) == len(tunings) == 2 * 3 * 3
    assert {row.seed for row in tunings}.isdisjoint(asked.seeds)
    assert regret.costs(asked) == []
    assert len(regret.costs(replace(asked, emulate=True))) == 6


def test_a_fixed_size_waits_for_its_rate(regret: ModuleType, asked: Any) -> None:
    """A size without a tuned rate has no rows yet; with one, a row for each mark and seed."""
    assert regret.fixed(asked, (0,), []) == []
    rows = [
        trained(asked, "tune", SIZES[0], loss, rate=rate) for loss, rate in ((3, 0.2), (2, 0.8))
    ]
    found = regret.fixed(asked, (0, 1), rows)
    assert {row.rate for row in found} == {0.8}
    assert [(row.data, row.minutes, row.seed) for row in found] == [
        ("mnist", minutes, seed) for minutes in (1.0, 4.0) for seed in (0, 1)
    ]


def test_only_leaders_have_further_seeds(regret: ModuleType, asked: Any) -> None:
    """The first seed is trained in all sizes, the others in those that led at the mark."""
    rows = [trained(asked, "tune", size, 1.0, rate=0.4) for size in SIZES]
    rows += [
        trained(asked, "fixed", size, loss) for size, loss in zip(SIZES, (3, 1, 2), strict=True)
    ]
    few = replace(asked, leaders=2, marks=(1.0,))
    assert {row.contender for row in regret.fixed(few, (0,), rows)} == set(SIZES)
    assert [row.contender for row in regret.fixed(few, (1,), rows)] == [SIZES[1], SIZES[2]]


def test_a_row_that_is_there_is_not_made_again(
    regret: ModuleType, asked: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file with half a line at its end keeps its whole rows, and none of them is measured."""
    row = trained(asked, "fixed", SIZES[0], 0.2, rate=0.4)
    whole = json.dumps(row.to_json()) + "\n"
    asked.out.write_text(whole + whole[:30])
    assert asked.rows() == [row]
    assert "half a line" in capsys.readouterr().err
    regret.complete(asked, "fixed", [replace(row, points=(), about={}, rate=0.8)])
    assert "fixed: 0 of 1 rows" in capsys.readouterr().out
    assert asked.out.read_text() == whole + whole[:30]


def test_the_command_of_a_search(regret: ModuleType) -> None:
    """A data set that the command knows is searched by the command, another one from Python."""
    assert regret  # its neighbours can be imported
    anytime = importlib.import_module("anytime")
    known = anytime.command_of("fashion_mnist=/b", 10.0, 3, Path("out"))
    assert known[1:5] == ["-m", "growsearch", "run", "fashion_mnist"]
    assert known[known.index("--time-budget") + 1] == "600s"
    assert known[known.index("--data") + 1] == "/b"
    assert "--data" not in anytime.command_of("mnist=", 0.2, 3, Path("out"))
    other = anytime.command_of("pets=/c.npz", 0.5, 3, Path("out"))
    assert other[1:3] == [str(ROOT / "benchmarks" / "anytime.py"), "search"]
    assert other[other.index("--minutes") + 1] == "0.5"


def test_on_a_gpu_the_seeds_of_a_size_are_trained_at_once(regret: ModuleType, asked: Any) -> None:
    """Rows of one size, time and rate make a group there; elsewhere each is alone."""
    rows = [trained(asked, "tune", size, 1.0, rate=0.4) for size in SIZES]
    wanted = regret.fixed(asked, (1, 2), rows)
    assert [len(group) for group in regret.grouped(asked, wanted)] == [1] * len(wanted)
    groups = regret.grouped(replace(asked, emulate=True, trainer="jax"), wanted)
    assert all([row.seed for row in group] == [1, 2] for group in groups)
    assert sum(map(len, groups)) == len(wanted)
    searches = regret.searches(asked, "ours")
    alone = regret.grouped(replace(asked, emulate=True, trainer="jax"), searches)
    assert [len(group) for group in alone] == [1] * len(searches)


def test_seeds_that_are_trained_at_once_keep_their_results(
    regret: ModuleType, asked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first result is the first seed's; the child is asked for both."""
    given = []

    def train(_asked: Any, _row: Any, options: list[str]) -> list[dict[str, Any]]:
        given.append(options)
        reached = {"validation_loss": 0.1, "validation_accuracy": 0.9, "parameters": 7}
        return [{**reached, "test_accuracy": accuracy} for accuracy in (0.91, 0.92)]

    monkeypatch.setattr(regret, "_train", train)
    rows = [replace(asked.row("fixed", "mnist", SIZES[0], 1.0, seed), rate=0.4) for seed in (1, 2)]
    made = regret.make(asked, rows)
    assert [(row.seed, row.points[0].test_accuracy) for row in made] == [(1, 0.91), (2, 0.92)]
    assert given[0][given[0].index("--seeds") + 1] == "1,2"


def test_costs_are_not_measured_beside_a_gpu(regret: ModuleType, asked: Any) -> None:
    """They are those of the machine whose times are emulated."""
    emulated = replace(asked, emulate=True, trainer="jax")
    with pytest.raises(SystemExit, match="measure them with --trainer slim first"):
        regret.check_costs(emulated)
    lines = [json.dumps(row.to_json()) for row in regret.costs(emulated)]
    asked.out.write_text("\n".join(lines))
    regret.check_costs(emulated)
