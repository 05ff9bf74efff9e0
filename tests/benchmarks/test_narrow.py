"""The benchmark of narrowing: the narrowed network has the share of FLOPs that was asked for."""

from __future__ import annotations

import importlib

import pytest

from growsearch.growth import Limits, NarrowAll
from growsearch.networks import Architecture
from tests.command_line import ROOT

CHAIN = Architecture.parse("3x3x16(conv1)-3x3x24(conv2)-pool1-10(fc1)")


@pytest.mark.parametrize("share", [0.75, 0.5, 0.1])
def test_the_share_of_flops_is_kept_and_used(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most the share; one step less of narrowing, and it is more."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    growth = importlib.import_module("narrow").narrowing(CHAIN, share)
    assert growth.grown(CHAIN).flops <= share * CHAIN.flops
    wider = NarrowAll(growth.layers, tuple(width + 1 for width in growth.widths))
    assert wider.grown(CHAIN).flops > share * CHAIN.flops
    assert NarrowAll.sites(CHAIN, Limits())[0].layers == growth.layers
