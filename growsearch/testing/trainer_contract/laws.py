"""Base of the contract's parts: the trainer that is held against it."""

from __future__ import annotations

import pytest

from growsearch.training import Trainer


class Laws:
    """A part of the contract; every law is about results, none about how they are computed."""

    @staticmethod
    def make_trainer() -> Trainer:
        """Return a new trainer."""
        raise NotImplementedError("TrainerContract: expected a subclass with make_trainer()")

    @pytest.fixture
    def trainer(self, request: pytest.FixtureRequest) -> Trainer:
        """Return one trainer for all tests of a class: no test may depend on those before."""
        cls = request.cls
        if "_trainer" not in vars(cls):
            cls._trainer = cls.make_trainer()
        made: Trainer = cls._trainer
        return made
