"""The attributes of a trunk and of a polish: their states, and the anytime curve."""

from __future__ import annotations

from typing import ClassVar

from pydantic import StrictBool, StrictFloat, StrictStr

from growsearch.study.attributes.base import Count, OneValue, Sha256, Stored, StudyAttribute


class Trunk(Stored):
    """The state of a trunk between two of its trainings.

    Parameters
    ----------
    version : int
        Rises with every change.
    weights : str
        SHA-256 of the network of the last update, with its slots.
    average : str
        SHA-256 of the averages of its weights: the network that the trunk is read by.
    validation_accuracy, validation_loss
        Of the averages, on the selection images.
    trial : int or None
        The last growth that the network descends from; None is the first network.
    learning_rate : float
        The highest rate of its schedule.
    updates : int
        Updates that the network descends from.
    seconds, training_flops : float
        Of these updates.
    step_cost : float
        Cost of an update: seconds in a run with a time budget, else updates of the first network.
    trained : float
        Cost of the trunk's own training, also where a growth took its place.
    deciding : float
        Cost of the training of candidates.
    given_up : float
        Seconds of updates of the trunk whose place a growth took.
    campaigns, legs : int
        Campaigns and trainings of the trunk so far.
    failures : int
        Trainings that diverged since the last that ended; each halved the learning rate.
    measured : bool
        True if costs are seconds.
    precision : str
        Of all updates.
    """

    version: Count = 0
    weights: Sha256
    average: Sha256
    validation_accuracy: StrictFloat
    validation_loss: StrictFloat
    trial: Count | None = None
    learning_rate: StrictFloat
    updates: Count = 0
    seconds: StrictFloat = 0.0
    training_flops: StrictFloat = 0.0
    step_cost: StrictFloat = 0.0
    trained: StrictFloat = 0.0
    deciding: StrictFloat = 0.0
    given_up: StrictFloat = 0.0
    campaigns: Count = 0
    legs: Count = 0
    failures: Count = 0
    measured: StrictBool = False
    precision: StrictStr = "float32"


class TrunkAttribute(Trunk, StudyAttribute):
    """The trunk of a run after it was trained alone; ``growsearch.study.trunk`` reads it."""

    attribute: ClassVar[str] = "trunk"


class Reading(Stored):
    """The best network of a run at a moment: a point of its anytime curve.

    Parameters
    ----------
    elapsed : float
        Seconds since the run began; without a time budget, updates of the first network.
    validation_accuracy, validation_loss, parameters
        Of the network.
    trial : int or None
        The last growth that it descends from.
    sha256 : str
        Of a network that is kept; "" of one that was only read.
    mark : float
        The time for which a commit was due; 0 of any other reading.
    legs : int
        Trainings of the trunk so far.
    seconds : float
        Seconds of the updates that the network descends from.
    cooling : float
        Seconds of the updates of all forks that were cooled for it.
    """

    elapsed: StrictFloat
    validation_accuracy: StrictFloat
    validation_loss: StrictFloat
    parameters: Count
    trial: Count | None = None
    sha256: StrictStr = ""
    mark: StrictFloat = 0.0
    legs: Count = 0
    seconds: StrictFloat = 0.0
    cooling: StrictFloat = 0.0


class ReadingsAttribute(OneValue):
    """The anytime curve of a run with a trunk."""

    attribute: ClassVar[str] = "readings"
    value: tuple[Reading, ...] = ()

    @property
    def commits(self) -> tuple[Reading, ...]:
        """The readings whose networks are kept."""
        return tuple(each for each in self.value if each.sha256)


class PolishAttribute(StudyAttribute):
    """The state of a polish.

    Parameters
    ----------
    of : str
        SHA-256 of the network that is polished.
    sha256, validation_accuracy
        Of the best network so far.
    done : int
        Parts that are finished.
    last : str
        SHA-256 of the last part's network, from which the next part goes on.
    failure : str
        Why the polish ended before its last part.
    lasts : tuple of str
        Of a trunk's decay: SHA-256 of each fork's network, from which its next part goes on; none
        after the last part.
    validation_loss, seconds, cooling
        Of a trunk's decay: the loss of the best network so far; the seconds of the updates that it
        descends from; those of the updates of all forks.
    """

    attribute: ClassVar[str] = "polish"
    of: StrictStr = ""
    sha256: StrictStr
    validation_accuracy: StrictFloat
    done: Count
    last: StrictStr
    failure: StrictStr = ""
    lasts: tuple[Sha256, ...] = ()
    validation_loss: StrictFloat | None = None
    seconds: StrictFloat = 0.0
    cooling: StrictFloat = 0.0
