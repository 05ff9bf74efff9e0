"""Training without a framework: plan, protocol and results, schedules, batches, speed."""

from growsearch.training.augmentation import Augmentation
from growsearch.training.plan import TrainingPlan, no_decay
from growsearch.training.registry import TRAINERS, trainer_named
from growsearch.training.speed import MeasuresSpeed, Speed, at_one_precision
from growsearch.training.trainer import (
    Evaluation,
    OnEvaluation,
    Point,
    Trainer,
    TrainingResult,
    WarmsUp,
)

__all__ = [
    "TRAINERS",
    "Augmentation",
    "Evaluation",
    "MeasuresSpeed",
    "OnEvaluation",
    "Point",
    "Speed",
    "Trainer",
    "TrainingPlan",
    "TrainingResult",
    "WarmsUp",
    "at_one_precision",
    "no_decay",
    "trainer_named",
]
