"""Augmentation: random changes of the training images, one value inside a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from growsearch.errors import InvalidInputError
from growsearch.training.fields import InImage, Interval, Key, Switch, Whole, check_fields, knobs_of

IN_SPACES = Key.TRAINING | Key.LAST


@dataclass(frozen=True)
class Augmentation:
    """Random changes of the training images, drawn for each image anew; 0 or False is none.

    Parameters
    ----------
    shift : int
        Largest shift along each axis, in whole pixels; zeros follow.
    rotate : float
        Largest angle of a rotation about the centre, in degrees; bilinear.
    zoom : float
        Scaling about the centre, along each axis by a factor of its own, from 1 / (1 + zoom) to
        1 + zoom; 0 <= zoom <= 1.
    erase : int
        Side in pixels of a square inside the image that becomes 0.
    flip : bool
        True to mirror each image left to right with probability 1/2.

    Raises
    ------
    InvalidInputError
        Names the field, what was expected and what came.

    Examples
    --------
    >>> Augmentation(shift=2).check_images((28, 28, 1))
    >>> Augmentation(shift=28).check_images((28, 28, 1))
    Traceback (most recent call last):
    growsearch.errors.InvalidInputError: shift: expected at most 27 pixels for ...
    """

    shift: Annotated[int, Whole(0, space_most=1000), InImage(room=1), IN_SPACES] = 0
    rotate: Annotated[float, Interval(0.0, 180.0, unit="degrees"), IN_SPACES] = 0.0
    zoom: Annotated[float, Interval(0.0, 1.0), IN_SPACES] = 0.0
    erase: Annotated[int, Whole(0, space_most=1000), InImage(room=0), IN_SPACES] = 0
    flip: Annotated[bool, Switch(), IN_SPACES] = False

    def __post_init__(self) -> None:
        check_fields(self)

    def check_images(self, shape: tuple[int, ...]) -> None:
        """Refuse inputs of a shape that cannot be changed so.

        Parameters
        ----------
        shape : tuple of int
            (height, width, channels) of one image.

        Raises
        ------
        InvalidInputError
            Names the field, what was expected and what came.
        """
        for knob in knobs_of(Augmentation):
            value = getattr(self, knob.name)
            if value and len(shape) != 3:
                raise InvalidInputError(
                    f"{knob.name}: expected images, got inputs of shape {shape}"
                )
            if knob.room is not None and value > (most := min(shape[:2]) - knob.room):
                raise InvalidInputError(
                    f"{knob.name}: expected at most {most} pixels for images of "
                    f"{shape[0]} x {shape[1]}, got {value}"
                )


NO_AUGMENTATION = Augmentation()
