"""A search's result as a value: pickled, copied, kept; it holds no trainer."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import growsearch as gs
from growsearch.driver.events import Started
from growsearch.study.result import SearchResult
from tests.fake_trainer import FakeTrainer, outcome
from tests.small_search import TRIALS, search, studies

pytestmark = pytest.mark.usefixtures("quick_sqlite")

COPIES: dict[str, Callable[[SearchResult], SearchResult]] = {
    "pickle": lambda result: pickle.loads(pickle.dumps(result)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "load_result": lambda result: gs.load_result(result.folder),
}
STUDIES = ("study", "control_study")


class UnpicklableTrainer(FakeTrainer):
    """A trainer like TensorFlow's, whose graphs can be neither pickled nor copied."""

    def __reduce_ex__(self, _protocol: Any) -> Any:
        raise TypeError("cannot pickle 'Graph' object")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, quick_sqlite: None) -> SearchResult:
    """The result of a search whose trainer cannot be pickled, with callbacks and displays."""
    del quick_sqlite
    return search(
        tmp_path_factory.mktemp("result") / "run",
        trainer=UnpicklableTrainer(),
        callbacks=lambda *_: None,
        on_event=lambda _: None,
    )


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_is_equal(result: SearchResult, way: str) -> None:
    """Best network, trials, accuracies, times: all but the objects of the studies."""
    other = COPIES[way](result)
    for name in (field.name for field in fields(result) if field.name not in (*STUDIES, "best")):
        if (name, way) != ("ended", "load_result"):  # which knows of no session
            assert getattr(other, name) == getattr(result, name), name
    for name in ("sha256", "validation_accuracy", "trial_number", "path", "polished"):
        assert getattr(other.best, name) == getattr(result.best, name), name
    assert other.best.network.sha256 == result.best.network.sha256
    assert outcome(other) == outcome(result)
    assert other.evidence() == result.evidence()


@pytest.mark.parametrize("way", COPIES)
def test_the_studies_of_a_copy_can_be_read(result: SearchResult, way: str) -> None:
    """They are those of the run."""
    other = COPIES[way](result)
    for name in STUDIES:
        one, stored = getattr(other, name), getattr(result, name)
        assert one.study_name == stored.study_name
        assert one.trials == stored.trials
        assert one.user_attrs == stored.user_attrs
    assert other.study.best_value == result.study.best_value


def test_a_copy_sees_the_trials_that_were_made_since(tmp_path: Path) -> None:
    """Its study is that of the folder, not of the moment."""
    before = search(tmp_path, trials=1)
    copied = pickle.loads(pickle.dumps(before))
    search(tmp_path, trials=2)
    assert len(copied.trials) == 1
    assert len(copied.study.trials) == 2


def test_a_pickle_of_another_storage_can_be_read(tmp_path: Path) -> None:
    """A storage that was named by its URL."""
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    found = search(tmp_path / "run", trials=1, storage=url)
    assert outcome(pickle.loads(pickle.dumps(found))) == outcome(found)


def test_a_study_of_a_result_goes_on(tmp_path: Path) -> None:
    """A caller may queue trials through it, for the next session."""
    found = search(tmp_path, trials=1)
    params = {**found.study.trials[0].params, "position": 0.25}
    found.study.enqueue_trial(params)
    assert search(tmp_path, trials=2).study.trials[1].params == params


def test_results_hold_no_trainer(tmp_path: Path) -> None:
    """Nor what trainers hold, such as the graphs of all architectures; kept results stay small."""
    kept: list[SearchResult] = []
    trainers: list[weakref.ref[FakeTrainer]] = []
    for place in range(3):
        trainer = FakeTrainer()
        trainers.append(weakref.ref(trainer))
        kept.append(search(tmp_path / str(place), trials=2, trainer=trainer))
        del trainer
    gc.collect()
    assert [each() for each in trainers] == [None, None, None]
    assert [len(each.trials) for each in kept] == [2, 2, 2]


def test_results_hold_no_display_and_no_callback(tmp_path: Path) -> None:
    """A notebook's display, and what its callbacks close over, can go."""

    class Display:
        def __init__(self) -> None:
            self.seen: list[str] = []

        def __call__(self, event: Any) -> None:
            if isinstance(event, Started):
                self.seen.append(event.name)

        def callback(self, study: Any, trial: Any) -> None:
            self.seen.append(f"{study.study_name} {trial.number}")

    display = Display()
    found = search(tmp_path, trials=1, on_event=display, callbacks=display.callback)
    assert display.seen == ["digits", "digits 0"]
    reference = weakref.ref(display)
    del display
    gc.collect()
    assert reference() is None
    assert len(found.trials) == 1


def test_a_finished_search_leaves_the_database_to_others(result: SearchResult) -> None:
    """The result's connections hold no lock."""
    studies(result.folder)[0].set_user_attr("mine", 1)
    assert result.study.user_attrs["mine"] == 1
    assert len(result.trials) == TRIALS
