"""Growths of several layers at once: their steps, their sizes, their limits."""

from __future__ import annotations

import numpy as np
import pytest

from growsearch.growth import (
    TREATMENTS,
    Compound,
    Deepen,
    DeepenAll,
    Limits,
    Widen,
    WidenAll,
    WidenDeepen,
    grow,
)
from growsearch.networks import Architecture
from tests.growth_cases import (
    CASES,
    SMALL,
    every_growth,
    images_for,
    trained,
)
from tests.growth_limits import assert_within, producers


def test_all_layers_widen_by_one_factor():
    """16-32-64 by 2 is 32-64-128; with multiples of 16 no layer goes without a step."""
    chain = Architecture.parse(
        "5x5x16(conv1)-pool1-3x3x32(conv2)-pool2-3x3x64(conv3)-global_avg_pool(gap)-10(fc1)",
        (28, 28, 1),
    )
    limits = Limits(width_multiple=16)
    (site,) = WidenAll.sites(chain, limits)
    assert (site.layers, site.widths) == (("conv1", "conv2", "conv3"), (32, 48, 80))
    assert site.sized(1.0, chain, limits).widths == (32, 64, 128)
    assert site.sized(0.5, chain, limits).widths == (32, 48, 96)
    assert site.sized(1.0, chain, Limits()).widths == (32, 64, 128)
    assert site.sized(1.5, chain, Limits()).widths == (45, 91, 181)


def test_all_layers_widen_as_far_as_the_limits_go():
    """The largest common factor within them, not none at all; a layer at its limit is left out."""
    chain = Architecture.parse("8(fc1)-16(fc2)-32(fc3)-3(fc4)", (8,))
    (site,) = WidenAll.sites(chain, Limits())
    for limits in (Limits(width=64), Limits(parameters=2_500)):
        widths = site.sized(3.0, chain, limits).widths
        factors = np.array(widths) / (8, 16, 32)
        assert factors.min() > 1.5
        assert factors.max() <= 2.2
        assert max(factors) / min(factors) < 1.15
    (narrow,) = WidenAll.sites(chain, Limits(width=32))
    assert narrow.layers == ("fc1", "fc2")
    assert WidenAll.sites(chain, Limits(width=16)) == ()  # one layer alone is a Widen


@pytest.mark.parametrize("treatment", TREATMENTS)
def test_widening_all_is_widening_each(treatment):
    """Weights and slots are those of one Widen after the other, with the same draws."""
    for architecture in CASES.values():
        for growth in WidenAll.sites(architecture, SMALL):
            parent = trained(architecture)
            child = grow(parent, growth, rng=3, slots=treatment)
            rng, each = np.random.default_rng(3), parent
            for layer, width in zip(growth.layers, growth.widths, strict=True):
                each = grow(each, Widen(layer, width), rng=rng, slots=treatment)
            assert child.sha256 == each.sha256


@pytest.mark.parametrize("treatment", TREATMENTS)
def test_compounds_are_their_steps(treatment):
    """Weights and slots are those of one growth after the other, with the same draws."""
    for architecture in CASES.values():
        parent = trained(architecture)
        batch = images_for(architecture, seed=1)
        for growth in every_growth(architecture):
            if isinstance(growth, Compound):
                child = grow(parent, growth, rng=3, slots=treatment, images=batch)
                rng, each = np.random.default_rng(3), parent
                assert len(growth.steps) >= 2
                for step in growth.steps:
                    each = grow(each, step, rng=rng, slots=treatment, images=batch)
                assert child.sha256 == each.sha256


STAGES = Architecture.parse(
    "5x5x16(conv1)-pool1-3x3x32(conv2)-pool2-3x3x64(conv3)-global_avg_pool(gap)-10(fc1)",
    (28, 28, 1),
)


def test_several_stages_deepen_at_once():
    """The last two stages, or all three; behind the last layer of each, once it has several."""
    every = DeepenAll.sites(STAGES, Limits())
    assert [site.layers for site in every] == [("conv1", "conv2", "conv3"), ("conv2", "conv3")]
    deeper = every[1].grown(STAGES)
    assert list(producers(deeper)) == ["conv1", "conv2", "conv2_deep", "conv3", "conv3_deep", "fc1"]
    assert [site.layers for site in DeepenAll.sites(deeper, Limits())] == [
        ("conv1", "conv2_deep", "conv3_deep"),
        ("conv2_deep", "conv3_deep"),
    ]
    assert every[1].sizes(STAGES) == ("4 layers", "6 layers")
    mixed = Architecture.parse("3x3x4(conv1)-3x3x8(conv2)-8(fc1)-6(fc2)-3(fc3)", (6, 6, 1))
    found = [site.layers for site in DeepenAll.sites(mixed, Limits())]
    assert found == [("conv1", "conv2"), ("fc1", "fc2")]  # of one type each


def test_limits_hold_for_a_compound_as_a_whole():
    """There is no site where each layer alone has room but not both."""
    assert len(Deepen.sites(STAGES, Limits(layers=5))) == 3
    assert DeepenAll.sites(STAGES, Limits(layers=5)) == ()
    two = DeepenAll(("conv2", "conv3")).grown(STAGES)
    for limit in ("parameters", "flops"):
        exact = Limits(**{limit: getattr(two, limit)})
        assert [s.layers for s in DeepenAll.sites(STAGES, exact)] == [("conv2", "conv3")]
        assert DeepenAll.sites(STAGES, Limits(**{limit: getattr(two, limit) - 1})) == ()
    (widest,) = WidenAll.sites(STAGES, Limits())
    assert WidenDeepen.sites(STAGES, Limits(parameters=widest.grown(STAGES).parameters)) == ()


def test_wider_and_deeper_at_once_doubles_each_width_at_most():
    """By the factor asked for, up to 2; a step that more than doubles a width is no site."""
    limits = Limits(width_multiple=16)
    every = WidenDeepen.sites(STAGES, limits)
    assert [site.deepened for site in every] == ["conv1", "conv2", "conv3"]
    assert {site.widths for site in every} == {(32, 48, 80)}
    for factor, widths in ((0.5, (32, 48, 96)), (1.0, (32, 64, 128)), (3.0, (32, 64, 128))):
        assert {site.sized(factor, STAGES, limits).widths for site in every} == {widths}
    assert WidenAll.sites(STAGES, Limits(width_multiple=24))
    assert WidenDeepen.sites(STAGES, Limits(width_multiple=40)) == ()
    for factor in np.linspace(0.0, 3.0, 13):
        for limits in (Limits(), Limits(width_multiple=3), Limits(parameters=60_000)):
            for site in WidenDeepen.sites(STAGES, limits):
                grown = site.sized(factor, STAGES, limits).grown(STAGES)
                assert_within(STAGES, grown, limits)
                for name, width in producers(STAGES).items():
                    assert producers(grown)[name] <= 2 * width
