"""Experiment trackers: TensorBoard, MLflow and Weights & Biases, as callbacks of a search."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from growsearch.checks import check_choice
from growsearch.tracking.tracker import Tracker, TrackingWarning

if TYPE_CHECKING:
    from growsearch.tracking.mlflow import MLflow
    from growsearch.tracking.tensorboard import TensorBoard
    from growsearch.tracking.wandb import WandB

__all__ = ["TRACKERS", "MLflow", "TensorBoard", "Tracker", "TrackingWarning", "WandB"]
__all__ += ["tracker_named"]

# Name on the command line -> module and class. A package is imported when its tracker is made.
TRACKERS = {
    "tensorboard": ("growsearch.tracking.tensorboard", "TensorBoard"),
    "mlflow": ("growsearch.tracking.mlflow", "MLflow"),
    "wandb": ("growsearch.tracking.wandb", "WandB"),
}
_MODULES = {name: module for module, name in TRACKERS.values()}


def tracker_named(text: str) -> Tracker:
    """Return a tracker by its name: ``tensorboard``, or with its place ``mlflow=http://host:5000``.

    The place is a folder of TensorBoard, a tracking URI of MLflow, or a project of
    Weights & Biases.

    Raises
    ------
    InvalidInputError
        When there is no tracker of that name, or its package is not installed.
    """
    name, equals, place = text.partition("=")
    check_choice("log", name, TRACKERS)
    module, kind = TRACKERS[name]
    made: Tracker = getattr(import_module(module), kind)(*([place] if equals else []))
    return made


def __getattr__(name: str) -> Any:
    """Load a tracker's module when it is asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
