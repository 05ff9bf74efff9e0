"""kill -9 of a random process of a run with a trunk, again and again until the run is done."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

import growsearch as gs
from growsearch.networks.store import NetworkStore
from growsearch.study.attributes import PolishAttribute
from growsearch.study.named import networks_named
from tests.fake_trainer import images
from tests.faults.processes import Runs
from tests.faults.test_kill import killed_until_done
from tests.faults.trainers import SEED, FaultyTrainer
from tests.trunk_search import TRIALS, TRUNK, outcome, space

FAULT = "kill -9 of a random process of a run with a trunk, until the run is done"


@pytest.mark.parametrize(
    ("kills", "pause"),
    [(12, (0.3, 1.5)), pytest.param(40, (0.3, 4.0), marks=pytest.mark.faults_full)],
)
def test_kills_of_a_trunk_change_nothing(
    begin: Callable[..., Runs],
    check: Callable[..., None],
    tmp_path: Path,
    kills: int,
    pause: tuple[float, float],
) -> None:
    """The same trunk, commits and decay, the same trials; and no file that nothing names."""
    trainer, campaign = FaultyTrainer(seconds=1.0), space().trunk_section.candidates
    runs = begin(trainer=trainer, trials=TRIALS, pending_trials=campaign, overrides=TRUNK)
    found, lost = killed_until_done(runs, random.Random(kills), pause, most=kills)
    assert found == kills
    result = gs.load_result(tmp_path / "run")
    expected = gs.search(
        space(),
        trials=TRIALS,
        out=tmp_path / "expected",
        data=images(),
        seed=SEED,
        trainer=FaultyTrainer(folder=str(tmp_path)),
        workers=0,
    )
    assert any(record.kept for record in expected.trials)
    check(FAULT, result, expected, n=found, besides=lost)
    assert outcome(result) == outcome(expected)
    polish = PolishAttribute.read(result.study)
    assert polish is not None
    assert polish.done == space().trunk_section.parts
    assert NetworkStore(tmp_path / "run" / "weights").sizes().keys() == networks_named(result.study)
