"""The small search by a trunk that tests run with a trainer in numpy, and interrupt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import growsearch as gs
from growsearch.space import SearchSpace
from growsearch.study.attributes import PolishAttribute, ReadingsAttribute
from growsearch.study.result import SearchResult
from growsearch.study.trunk import trunk_of
from tests import fake_trainer
from tests.averaging_trainer import AveragingTrainer
from tests.fake_trainer import images

TRIALS = 1000
TRUNK = (
    "trunk={steps = 200, candidates = 2, screen = 0.03, untested = 0.2}",
    "teacher.steps=10",
    "teacher.learning_rate=0.01",
    "limits.width=16",
    "limits.layers=6",
    'search.objective="loss_gain"',
    "controls.arms={random = 0.5, continued = 0.3}",
)


def space(*overrides: str) -> SearchSpace:
    """The small space with a trunk, changed by texts as of ``--set``."""
    return fake_trainer.space(*TRUNK, *overrides)


def search(out: Path, *overrides: str, trials: int = TRIALS, **options: Any) -> SearchResult:
    """A search by a trunk, with some values of its space and of the options changed."""
    options = {"data": images(), "trainer": AveragingTrainer(), "seed": 1, **options}
    return gs.search(space(*overrides), trials=trials, out=out, **options)


def outcome(result: SearchResult) -> Any:
    """All that must be the same in two runs of one command, however often one was interrupted."""
    trials = result.study.get_trials(deepcopy=False)
    place = {record.number: place for place, record in enumerate(result.trials)} | {None: None}
    trunk = trunk_of(result.study, trials)
    readings, polish = ReadingsAttribute.read(result.study), PolishAttribute.read(result.study)
    assert trunk is not None
    assert readings is not None
    placed = {"trial": place[trunk.trial], "version": 0}
    return (
        fake_trainer.outcome(result),
        trunk.model_copy(update=placed),
        [each.model_copy(update={"trial": place[each.trial]}) for each in readings.value],
        polish,
    )
