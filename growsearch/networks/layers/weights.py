"""Weights that several layer types have."""

from __future__ import annotations

from growsearch.networks.layer import Axis, Weight

OUT = Axis("copy", "out")
SAME_UNITS = Axis("copy", "in")


def with_bias(weights: dict[str, Weight], width: int, use_bias: bool) -> dict[str, Weight]:
    """Return a layer's weights with its bias, if it has one."""
    return {**weights, "bias": Weight((width,), "bias", {0: OUT})} if use_bias else weights
