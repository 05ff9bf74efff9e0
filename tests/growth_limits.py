"""Limits of growths: read anew from their documentation, to hold architectures against."""

from __future__ import annotations

from growsearch.growth import Limits
from growsearch.networks import Architecture


def producers(architecture: Architecture) -> dict[str, int]:
    """The width of every layer that has one of its own."""
    return {n.name: n.layer.width for n in architecture.nodes if n.layer.is_producer}


def kernels(architecture: Architecture) -> dict[str, tuple[int, int]]:
    windows = {node.name: node.layer.window for node in architecture.nodes}
    return {name: window.kernel for name, window in windows.items() if window is not None}


def assert_within(before: Architecture, after: Architecture, limits: Limits) -> None:
    """The limits, read anew from their documentation."""
    if limits.layers is not None:
        assert len(producers(after)) <= limits.layers
    if limits.parameters is not None:
        assert after.parameters <= limits.parameters
    if limits.flops is not None:
        assert after.flops <= limits.flops
    for name, width in producers(after).items():
        if producers(before).get(name) != width:
            assert limits.width is None or width <= limits.width
            assert name not in before or width % limits.width_multiple == 0
    for name, kernel in kernels(after).items():
        if kernels(before).get(name) != kernel:
            assert limits.kernel is None or max(kernel) <= limits.kernel
