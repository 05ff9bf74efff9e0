"""The small search that the driver's tests run with the fake trainer, and interrupt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna

import growsearch as gs
from growsearch.driver.events import Training
from growsearch.study.result import SearchResult
from tests.fake_trainer import FakeTrainer, images, space

TRIALS = 5


def search(out: Path, *overrides: str, trials: int = TRIALS, **options: Any) -> SearchResult:
    """A search of the small space, with some of its values and of the options changed."""
    options = {"data": images(), "trainer": FakeTrainer(), "seed": 0, **options}
    searched = options.pop("space", None) or space(*overrides)
    return gs.search(searched, trials=trials, out=out, **options)


def what(event: Any) -> str | None:
    """The training that an event is about."""
    return event.what if isinstance(event, Training) else None


def interrupt(training: str, step: int) -> Callable[[Any], None]:
    """Ctrl-C at a step of a training."""

    def on_event(event: Any) -> None:
        if what(event) == training and event.step == step:
            raise KeyboardInterrupt

    return on_event


def studies(folder: Path) -> tuple[optuna.Study, optuna.Study]:
    """The candidates' study of a run, and the controls'."""
    url = f"sqlite:///{folder / 'study.db'}"
    study, control = (
        optuna.load_study(study_name=name, storage=url) for name in ("digits", "digits-control")
    )
    return study, control
