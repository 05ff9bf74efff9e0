"""The workers of a session: begun before there is work, and ended with it."""

from __future__ import annotations

import os

import pytest

from growsearch.execution.in_process import InProcessExecutor
from growsearch.execution.workers import begun
from growsearch.training.registry import trainer_named
from tests.execution import work
from tests.fake_trainer import FakeTrainer

SECONDS = 120  # for TensorFlow to be loaded


class LocalTrainer(FakeTrainer):
    """A trainer with libraries to load that cannot be pickled."""

    def warm_up(self) -> None:
        """Load nothing."""

    def __reduce__(self) -> str:
        raise TypeError("not this one")


def test_the_first_of_some_workers_loads_the_trainers_libraries() -> None:
    """In the process that gets the first call; the others are not started before they have one."""
    before = work.children()
    with begun(None, 2, trainer_named("slim")) as executor:
        assert executor is not None
        assert len(started := work.children() - before) == 1
        assert executor.submit(work.loaded, "tensorflow").result(SECONDS)
        assert {executor.submit(os.getpid).result(SECONDS)} == started
    assert work.children() - before == set()


def test_an_error_ends_workers_that_were_begun() -> None:
    """At once: what they load is not waited for."""
    before = work.children()
    with pytest.raises(ValueError, match="bad images"), begun(None, 2, trainer_named("slim")):
        raise ValueError("bad images")
    assert work.children() - before == set()


def test_only_processes_of_ours_are_begun() -> None:
    """Not where this process trains, nor in an executor of the caller's."""
    before, own = work.children(), InProcessExecutor()
    with begun(None, 0, FakeTrainer()) as executor:
        assert executor is None
    with begun(own, 2, FakeTrainer()) as executor:
        assert executor is own
    assert work.children() - before == set()


@pytest.mark.parametrize("trainer", [FakeTrainer(), LocalTrainer()])
def test_a_trainer_without_libraries_or_copies_is_no_error_here(trainer: FakeTrainer) -> None:
    """A trainer that cannot be pickled is refused when the workers need it, by its name."""
    with begun(None, 1, trainer) as executor:
        assert executor is not None
        assert executor.submit(abs, -1).result(SECONDS) == 1
