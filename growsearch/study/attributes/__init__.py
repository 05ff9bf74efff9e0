"""The attributes of a run's studies and trials: their names, their checks, both directions.

One class a thing that is stored; no attribute's name stands anywhere else.
"""

from growsearch.study.attributes.of_study import (
    DataAttribute,
    FreedAttribute,
    LapsAttribute,
    PolishAttribute,
    RunIdAttribute,
    SeedAttribute,
    SpaceAttribute,
    SpentAttribute,
    TeacherAttribute,
    TestAttribute,
    WidthMultipleAttribute,
)
from growsearch.study.attributes.of_trials import (
    FAILURE,
    INTERRUPTED,
    Candidate,
    Control,
    arm_result,
    control_outcome,
)

__all__ = [
    "FAILURE",
    "INTERRUPTED",
    "Candidate",
    "Control",
    "DataAttribute",
    "FreedAttribute",
    "LapsAttribute",
    "PolishAttribute",
    "RunIdAttribute",
    "SeedAttribute",
    "SpaceAttribute",
    "SpentAttribute",
    "TeacherAttribute",
    "TestAttribute",
    "WidthMultipleAttribute",
    "arm_result",
    "control_outcome",
]
