"""The attributes of a run's studies and trials: their names, their checks, both directions.

One class a thing that is stored; no attribute's name stands anywhere else.
"""

from growsearch.study.attributes.base import AttributesNow, HoldsAttributes
from growsearch.study.attributes.of_machine import MachineAttribute
from growsearch.study.attributes.of_study import (
    DataAttribute,
    FreedAttribute,
    FrontTestAttribute,
    LapsAttribute,
    LengthAttribute,
    MemberFigures,
    PendingTrialsAttribute,
    RunIdAttribute,
    SeedAttribute,
    SessionAttribute,
    SpaceAttribute,
    SpentAttribute,
    StartAttribute,
    TeacherAttribute,
    TestAttribute,
    TrackingAttribute,
    WidthMultipleAttribute,
    WorkersAttribute,
)
from growsearch.study.attributes.of_trials import (
    FAILURE,
    INTERRUPTED,
    OUTCOME,
    Candidate,
    Control,
    arm_result,
    control_outcome,
)
from growsearch.study.attributes.of_trunk import (
    PolishAttribute,
    Reading,
    ReadingsAttribute,
    Trunk,
    TrunkAttribute,
)

__all__ = [
    "FAILURE",
    "INTERRUPTED",
    "OUTCOME",
    "AttributesNow",
    "Candidate",
    "Control",
    "DataAttribute",
    "FreedAttribute",
    "FrontTestAttribute",
    "HoldsAttributes",
    "LapsAttribute",
    "LengthAttribute",
    "MachineAttribute",
    "MemberFigures",
    "PendingTrialsAttribute",
    "PolishAttribute",
    "Reading",
    "ReadingsAttribute",
    "RunIdAttribute",
    "SeedAttribute",
    "SessionAttribute",
    "SpaceAttribute",
    "SpentAttribute",
    "StartAttribute",
    "TeacherAttribute",
    "TestAttribute",
    "TrackingAttribute",
    "Trunk",
    "TrunkAttribute",
    "WidthMultipleAttribute",
    "WorkersAttribute",
    "arm_result",
    "control_outcome",
]
