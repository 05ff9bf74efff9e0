"""Layers of the tf-slim graph: one builder a layer type, one file a family."""

from growsearch.training.slim.builders import (
    convolutions,
    functions,
    joins,
    norms,
    sequences,
    shapes,
)
from growsearch.training.slim.builders.activations import ACTIVATIONS
from growsearch.training.slim.builders.base import Mode, build

FAMILIES = (  # importing them registers builders
    *(convolutions, functions, joins),
    *(norms, sequences, shapes),
)

__all__ = ["ACTIVATIONS", "FAMILIES", "Mode", "build"]
