"""Refusals, as a search begins or goes on: one line that names the value."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import growsearch as gs
from growsearch.datasets import Dataset, Split
from growsearch.errors import InvalidInputError, RunError
from growsearch.study.result import SearchResult
from tests.fake_trainer import FakeTrainer, images, outcome, space
from tests.messages import one_line
from tests.small_search import search, studies

pytestmark = pytest.mark.usefixtures("quick_sqlite")


@pytest.mark.parametrize(
    ("overrides", "options", "named"),
    [
        ((), {"seed": 1}, "seed = 0, not 1"),
        (("training.steps=6",), {}, "space.training.steps = 4, not 6"),
        (('choices.operations=["widen"]',), {}, "space.choices.operations"),
        (('name="other"',), {}, "space.name = 'digits', not 'other'"),
        ((), {"data": images(seed=1)}, "other images"),
    ],
)
def test_a_run_goes_on_with_what_it_was_started_with_only(
    copy: Path, finished: SearchResult, overrides: tuple[str, ...], options: Any, named: str
) -> None:
    """Another seed, space or data is one line that names it; the run is still whole."""
    with pytest.raises(RunError) as caught:
        search(copy, *overrides, **options)
    line = one_line(caught)
    assert named in line
    assert str(copy) in line
    assert outcome(search(copy)) == outcome(finished)


def test_the_first_difference_in_the_order_of_the_space_is_named(copy: Path) -> None:
    """Of several always the same, whatever the hash seed."""
    others = ("training.slots='reset'", "judge.margin=2.0", "training.ema=0.5", "teacher.steps=3")
    with pytest.raises(RunError, match=r"space\.teacher\.steps = 2, not 3"):
        search(copy, *others)
    with pytest.raises(RunError, match=r"space\.training\.ema = 0\.0, not 0\.5"):
        search(copy, *others[:3])


def test_a_run_from_before_a_key_goes_on_with_its_default(
    copy: Path, finished: SearchResult
) -> None:
    """A space that was stored by an older version lacks what came later."""
    study, _ = studies(copy)
    stored = study.user_attrs["space"]
    del stored["judge"], stored["training"]["ema"], stored["polish"]
    del stored["trunk"], stored["training"]["rewarm"], stored["training"]["timescale"]
    study.set_user_attr("space", stored)
    assert outcome(search(copy)) == outcome(finished)
    with pytest.raises(RunError, match=r"space\.training\.ema = 0\.0, not 0\.5"):
        search(copy, "training.ema=0.5")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"trials": -1}, "trials: expected a whole number of at least 0, got -1"),
        ({"trials": 1.5}, "trials"),
        ({"trials": True}, "trials"),
        ({"seed": -1}, "seed"),
        ({"time_budget": 0.0}, "time_budget"),
        ({"time_budget": float("nan")}, "time_budget"),
        ({"time_budget": -float("inf")}, "time_budget"),
        ({"storage": 5}, "storage: expected the URL of a database, got 5"),
        ({"out": 5}, "out: expected the path of a folder, got 5"),
        ({"out": ""}, "out: expected the path of a folder, got ''"),
        ({"data": ""}, "data: expected a path, got ''"),
    ],
)
def test_unusable_options_are_one_line(tmp_path: Path, options: Any, named: str) -> None:
    """Named, before anything is written."""
    with pytest.raises(InvalidInputError) as caught:
        gs.search(space(), **{"out": tmp_path / "run", "data": images(), **options})
    assert named in one_line(caught)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("what", [5, ["mnist"]])
def test_what_is_no_space_is_one_line(what: Any) -> None:
    """Neither a space nor the name or path of one."""
    with pytest.raises(InvalidInputError, match="space: expected a SearchSpace"):
        gs.search(what)


def _with(dataset: Dataset, shape: tuple[int, int], classes: int) -> Dataset:
    split = Split(np.zeros((6, *shape, 1), np.float32), np.arange(6) % classes)
    return replace(dataset, train=split, validation=split, test=split, classes=classes)


@pytest.mark.parametrize(
    ("dataset", "named"),
    [
        (_with(images(), (5, 4), 3), "(5, 4, 1)"),
        (_with(images(), (4, 4), 2), "expected 2 outputs"),
    ],
)
def test_data_that_do_not_fit_are_one_line(tmp_path: Path, dataset: Dataset, named: str) -> None:
    """Wrong images or classes are refused before the run folder exists."""
    with pytest.raises(InvalidInputError) as caught:
        search(tmp_path / "run", data=dataset)
    assert named in one_line(caught)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("section", ["teacher", "training", "polish"])
def test_a_batch_larger_than_the_training_images_is_one_line(tmp_path: Path, section: str) -> None:
    """It names the section; as many as there are images are enough."""
    steps = {"steps": 2} if section == "polish" else {}
    for size in (61, 10**9):
        with pytest.raises(InvalidInputError) as caught:
            gs.search(
                space(**{section: {"batch_size": size, **steps}}),
                out=tmp_path / "run",
                data=images(),
                trainer=FakeTrainer(),
                trials=0,
            )
        assert f"{section}.batch_size: expected at most 60" in one_line(caught)
    assert not (tmp_path / "run").exists()
    search(tmp_path / "run", "training.batch_size=60", trials=0)
