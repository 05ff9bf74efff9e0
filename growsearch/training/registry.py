"""The trainers by name, each loaded when it is asked for: a framework takes seconds to import."""

from __future__ import annotations

from importlib import import_module

from growsearch.checks import check_choice
from growsearch.training.trainer import Trainer

# Name -> module and class. The first is the default.
TRAINERS = {"slim": ("growsearch.training.slim", "SlimTrainer")}


def trainer_named(name: str = "slim") -> Trainer:
    """Return a new trainer, with its default options.

    Raises
    ------
    InvalidInputError
        When there is no trainer of that name.
    """
    check_choice("trainer", name, TRAINERS)
    module, trainer = TRAINERS[name]
    made: Trainer = getattr(import_module(module), trainer)()
    return made
