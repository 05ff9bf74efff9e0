"""The base of all sections of a search space: frozen, strict, checked to the last key."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

LARGEST_COUNT = 10**9
Count = Annotated[int, Field(ge=1, le=LARGEST_COUNT)]


class SectionError(ValueError):
    """An error of one key that a check of the whole section finds."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


class Section(BaseModel):
    """A table of a search space: frozen; unknown keys and values of other types are errors.

    numpy's whole and real numbers are read as Python's, in a list or table of numbers too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _numbers_of_python(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {key: _with_pythons_numbers(value) for key, value in values.items()}


def _with_pythons_numbers(value: Any) -> Any:
    """Return a number as Python's; a list, tuple or dict with its numbers as Python's."""
    if isinstance(value, list):
        return [_number(each) for each in value]
    if isinstance(value, tuple):
        return tuple(_number(each) for each in value)
    if isinstance(value, dict):
        return {key: _number(each) for key, each in value.items()}
    return _number(value)


def _number(value: Any) -> Any:
    if isinstance(value, np.integer):
        return int(value)
    return float(value) if isinstance(value, np.floating) else value
