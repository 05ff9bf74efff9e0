"""What every trainer shares, without a framework: plans, schedules, batches, the protocol."""

from growsearch.training.plan import (
    DECAYS,
    Optimizer,
    Precision,
    Schedule,
    TrainingPlan,
    check_augmentation,
    no_decay,
)
from growsearch.training.speed import MeasuresSpeed, Speed, at_one_precision
from growsearch.training.trainer import (
    Evaluation,
    OnEvaluation,
    Point,
    Trainer,
    TrainingResult,
)

__all__ = [
    "DECAYS",
    "Evaluation",
    "MeasuresSpeed",
    "OnEvaluation",
    "Optimizer",
    "Point",
    "Precision",
    "Schedule",
    "Speed",
    "Trainer",
    "TrainingPlan",
    "TrainingResult",
    "at_one_precision",
    "check_augmentation",
    "no_decay",
]
