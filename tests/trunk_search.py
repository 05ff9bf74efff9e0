"""The small search by a trunk that tests run with a trainer in numpy, and interrupt."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import InMemoryStorage

import growsearch as gs
from growsearch.driver import opening
from growsearch.driver.events import Training
from growsearch.space import SearchSpace
from growsearch.study.attributes import PolishAttribute, ReadingsAttribute, Trunk
from growsearch.study.result import SearchResult
from growsearch.study.trunk import trunk_of
from tests import fake_trainer
from tests.averaging_trainer import AveragingTrainer
from tests.fake_trainer import images

TRIALS = 1000  # more than fit
TRUNK = (
    "trunk={steps = 200, candidates = 2, screen = 0.02, contest = 0.1, deciding = 1.0}",
    "teacher.steps=10",
    "teacher.learning_rate=0.01",
    "limits.width=16",
    "limits.layers=6",
    "choices.log2_factor=[0.3, 1.0]",
    'search.objective="loss_gain"',
    "controls.arms={random = 0.5, continued = 0.3}",
)


def search(out: Path, *overrides: str, trials: int = TRIALS, **options: Any) -> SearchResult:
    """A search by a trunk, with some values of its space and of the options changed."""
    options = {"data": images(), "trainer": AveragingTrainer(), "seed": 1, **options}
    return gs.search(space(*overrides), trials=trials, out=out, **options)


def space(*overrides: str) -> SearchSpace:
    """The small space with a trunk, changed by texts as of ``--set``."""
    return fake_trainer.space(*TRUNK, *overrides)


def interrupt(training: str) -> Callable[[Any], None]:
    """Ctrl-C in the middle of a training, named by a pattern as of a shell."""

    def on_event(event: Any) -> None:
        if isinstance(event, Training) and event.step and fnmatchcase(event.what, training):
            raise KeyboardInterrupt

    return on_event


class Memory(InMemoryStorage):
    """A storage in memory: a tenth of the time that SQLite takes. Ctrl-C after ``left`` writes."""

    left = 0

    def wrote(self) -> None:
        """Count a write."""
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

    def create_new_trial(self, *args: Any, **options: Any) -> Any:
        """Write, and count."""
        found = super().create_new_trial(*args, **options)
        self.wrote()
        return found

    def set_study_user_attr(self, *args: Any) -> None:
        """Write, and count."""
        super().set_study_user_attr(*args)
        self.wrote()

    def set_trial_user_attr(self, *args: Any) -> None:
        """Write, and count."""
        super().set_trial_user_attr(*args)
        self.wrote()

    def set_trial_intermediate_value(self, *args: Any) -> None:
        """Write, and count."""
        super().set_trial_intermediate_value(*args)
        self.wrote()

    def set_trial_state_values(self, *args: Any, **options: Any) -> Any:
        """Write, and count."""
        found = super().set_trial_state_values(*args, **options)
        self.wrote()
        return found

    def study(self) -> optuna.Study:
        """The study of the candidates."""
        return optuna.load_study(study_name="digits", storage=self)


@contextmanager
def folder(memory: Memory | None = None) -> Iterator[Path]:
    """A folder for one run, whose study is in memory."""
    storage, shm = memory or Memory(), "/dev/shm"  # where nothing waits for a disk
    place = shm if Path(shm).is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "open_storage", lambda _: storage)
        yield Path(name) / "run"


def trunk(result: SearchResult) -> Trunk:
    """The trunk of a run."""
    found = trunk_of(result.study, result.study.get_trials(deepcopy=False))
    assert found is not None
    return found


def outcome(result: SearchResult) -> Any:
    """All that must be the same in two runs of one command, however often one was interrupted."""
    place = {record.number: place for place, record in enumerate(result.trials)} | {None: None}
    readings, last = ReadingsAttribute.read(result.study), trunk(result)
    assert readings is not None
    return (
        fake_trainer.outcome(result),
        last.model_copy(update={"trial": place[last.trial]}).model_dump(),
        [each.model_dump() | {"trial": place[each.trial]} for each in readings.value],
        PolishAttribute.read(result.study),
    )
