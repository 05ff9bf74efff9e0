"""Layers that fit outputs to one another: joins, averages, projections; and the default norm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from growsearch.networks.layer import Layer, Shape
from growsearch.networks.layers.convolutions import Conv
from growsearch.networks.layers.dense import Dense
from growsearch.networks.layers.joins import Add, Concat
from growsearch.networks.layers.norms import BatchNorm
from growsearch.networks.layers.pooling import AvgPool, GlobalAvgPool
from growsearch.networks.layers.sequences import GlobalAvgPool1D

Join = Literal["sum", "concat"]
JOINS: Mapping[Join, Layer] = {"sum": Add(), "concat": Concat()}
NORM = BatchNorm()


def averaging(here: Shape, there: Shape) -> Layer | None:
    """Return the pooling by means from one shape's positions to another's; None if they are alike.

    Raises
    ------
    ValueError
        When features would become images, or images larger.
    """
    is_known = all(len(shape) in (1, 2, 3) and 0 not in shape for shape in (here, there))
    if is_known and here[:-1] == there[:-1]:
        return None
    if is_known and (len(here), len(there)) == (3, 1):
        return GlobalAvgPool()
    if is_known and (len(here), len(there)) == (2, 1):
        return GlobalAvgPool1D()
    if not is_known or (len(here), len(there)) != (3, 3):
        raise ValueError(
            f"expected images at both ends or features at the target, got {here} and {there}"
        )
    if here[0] < there[0] or here[1] < there[1]:
        raise ValueError(
            f"expected a source at least as large as the target, got {here[0]}x{here[1]} and "
            f"{there[0]}x{there[1]} pixels"
        )
    stride = (here[0] // there[0], here[1] // there[1])
    size = (here[0] - (there[0] - 1) * stride[0], here[1] - (there[1] - 1) * stride[1])
    return AvgPool(size, stride, "valid")


def projection(shape: Shape) -> Layer:
    """Return the linear layer to the channels of ``shape``, of each position alone."""
    if len(shape) != 3:
        return Dense(shape[-1], "linear", use_bias=False)
    return Conv((1, 1), shape[2], activation="linear", use_bias=False)
