"""The sites of growths and their sizes: within every limit, and the nearest legal ones."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from growsearch.errors import InvalidInputError, NotExactError
from growsearch.growth import (
    FILLINGS,
    GROWTHS,
    Deepen,
    EnlargeKernel,
    Growth,
    Limits,
    Widen,
    WidenAll,
    grow,
)
from growsearch.networks import Architecture
from growsearch.networks.layers import (
    Add,
    Conv,
    Dense,
    GroupNorm,
    LayerNorm,
)
from tests.growth_cases import (
    CASES,
    case,
    change,
    every_growth,
    random_architecture,
    trained,
)
from tests.growth_limits import assert_within, producers
from tests.strategies import seeds


def is_legal(growth: Growth, architecture: Architecture, limits: Limits) -> bool:
    try:
        assert_within(architecture, growth.grown(architecture), limits)
    except (NotExactError, AssertionError):
        return False
    return True


@st.composite
def some_limits(draw: st.DrawFn, architecture: Architecture) -> Limits:
    """Limits that bite: about as large as the architecture, on some of what can be limited."""

    def maybe(value: float) -> int | None:
        return draw(st.none() | st.just(math.ceil(value)))

    slack = draw(st.floats(1.0, 3.0))
    return Limits(
        layers=maybe(len(producers(architecture)) * slack),
        width=maybe(max(producers(architecture).values()) * slack),
        kernel=maybe(3 * slack),
        parameters=maybe(architecture.parameters * slack),
        flops=maybe(architecture.flops * slack),
        width_multiple=draw(st.sampled_from([1, 1, 2, 3, 8])),
    )


@settings(max_examples=80)
@given(st.data(), seeds, st.floats(-1.0, 4.0))
def test_sites_and_sizes_stay_within_every_limit(data, seed, log2_factor):
    """Layers, width (of tied layers too), multiple, kernel, parameters, FLOPs: none is passed."""
    architecture = random_architecture(seed)
    limits = data.draw(some_limits(architecture))
    for operation in GROWTHS.values():
        legal = operation.sites(architecture, limits)
        for site in legal:
            assert_within(architecture, site.grown(architecture), limits)
            sized = site.sized(log2_factor, architecture, limits)
            assert_within(architecture, sized.grown(architecture), limits)
            assert sized.place == site.place


@settings(max_examples=40)
@given(seeds)
def test_no_growth_touches_input_or_output(seed):
    """The network takes the same images and gives as many logits; its output keeps its width."""
    architecture = random_architecture(seed)
    for growth in every_growth(architecture, seed=seed):
        grown = growth.grown(architecture)
        assert grown.input_shape == architecture.input_shape
        assert grown.shapes[grown.output.name] == architecture.shapes[architecture.output.name]
        assert grown.output.name == architecture.output.name
        assert grown.output.layer == architecture.output.layer


@settings(max_examples=40)
@given(seeds, seeds)
def test_what_is_grown_does_not_depend_on_chance(seed, draw):
    """Every fill and seed give exactly the architecture that ``grown`` names, a larger one."""
    architecture = random_architecture(seed)
    parent = trained(architecture)
    for growth in every_growth(architecture, seed=seed):
        grown = growth.grown(architecture)
        assert grown.parameters > architecture.parameters
        for fill in FILLINGS:
            assert grow(parent, growth, rng=draw, fill=fill).architecture == grown, growth


def test_a_sum_with_a_concatenation_grows_alike_for_every_seed():
    """Tied branches share the new units in proportion, whichever units are drawn."""
    architecture = CASES["sum with concatenation"]
    (tied,) = (n.inputs[1] for n in architecture.nodes if isinstance(n.layer, Add))
    growth = Widen(tied, 8)
    parent = trained(architecture)
    grown = {grow(parent, growth, rng=seed).architecture for seed in range(20)}
    assert grown == {growth.grown(architecture)}
    (widened,) = grown
    assert [producers(widened)[name] for name in ("conv1", "conv2", tied)] == [2, 6, 8]


@pytest.mark.parametrize("operation", GROWTHS)
@pytest.mark.parametrize(
    "limits", [Limits(parameters=1), Limits(flops=1), Limits(layers=1, width=1, kernel=1)]
)
def test_no_legal_site_is_a_normal_answer(operation, limits):
    """Beyond the limits nothing may grow: the answer is empty, and no error."""
    for architecture in CASES.values():
        assert GROWTHS[operation].sites(architecture, limits) == ()


def test_a_network_of_one_layer_has_no_site():
    """The output layer alone: nothing to widen, deepen or branch from."""
    assert Widen.sites(case(shape=(4,)), Limits()) == ()
    assert Deepen.sites(case(shape=(4,)), Limits()) == ()


def test_widths_of_tied_layers_count():
    """A sum ties two layers; the one behind a concatenation grows past the limit first."""
    architecture = CASES["sum with concatenation"]
    assert producers(architecture) == {"conv0": 3, "conv1": 1, "conv2": 3, "conv4": 4, "dense7": 3}
    found = {site.layer for site in Widen.sites(architecture, Limits(width=4))}
    assert found == {"conv0"}
    found = {site.layer for site in Widen.sites(architecture, Limits(width=5))}
    assert found == {"conv0", "conv1", "conv2"}


def test_widths_are_multiples():
    """From 3 units with a multiple of 8: to 8, and to 16 by a factor of 5, never to 15."""
    architecture, limits = CASES["conv-flatten-dense"], Limits(width_multiple=8)
    site = Widen.sites(architecture, limits)[0]
    assert site.width == 8
    assert site.sized(math.log2(5.0), architecture, limits).width == 16


def test_deepen_keeps_to_the_kernel_and_width_of_the_limits():
    """An even kernel of 4 would be followed by one of 5, a layer of 5 units by another."""
    architecture = case(Conv((4, 4), 5))
    assert Deepen.sites(architecture, Limits(kernel=5, width=5))
    assert Deepen.sites(architecture, Limits(kernel=4)) == ()
    assert Deepen.sites(architecture, Limits(width=4)) == ()


def test_kernels_grow_along_one_axis_where_both_may_not():
    """At the limit along one axis, or where a valid window has room for one pixel more."""
    flat = case(Conv((3, 1), 2))
    (site,) = EnlargeKernel.sites(flat, Limits(kernel=3))
    assert site.kernel == (3, 3)
    assert site.sized(3.0, flat, Limits(kernel=3)) == site
    (site,) = EnlargeKernel.sites(flat, Limits(kernel=9))
    assert site.kernel == (5, 3)
    assert site.sized(1.4, flat, Limits(kernel=9)).kernel == (7, 5)
    roomy = case(Conv((2, 2), 2, stride=(2, 2), padding="valid"), shape=(5, 5, 1))
    (site,) = EnlargeKernel.sites(roomy, Limits())
    assert site.kernel == (3, 3)
    parent = trained(roomy)
    assert change(parent, grow(parent, site, rng=0)) <= 1e-9
    roomy = case(Conv((2, 2), 2, stride=(2, 2), padding="valid"), shape=(5, 4, 1))
    assert [site.kernel for site in EnlargeKernel.sites(roomy, Limits())] == [(3, 2)]
    full = case(Conv((2, 2), 2, padding="valid"))
    assert EnlargeKernel.sites(full, Limits()) == ()


def assert_grows_no_less(
    architecture: Architecture, limits: Limits, log2_factor: float, more: float
) -> None:
    for operation in GROWTHS.values():
        legal = operation.sites(architecture, limits)
        for site in legal:
            less = site.sized(log2_factor, architecture, limits).grown(architecture)
            grown = site.sized(log2_factor + more, architecture, limits).grown(architecture)
            assert less.parameters <= grown.parameters


@settings(max_examples=40)
@given(st.data(), seeds, st.floats(-1.0, 3.0), st.floats(0.0, 2.0))
def test_a_larger_factor_never_grows_less(data, seed, log2_factor, more):
    """For every operation: parameters do not fall as the factor rises."""
    architecture = random_architecture(seed)
    limits = data.draw(some_limits(architecture))
    assert_grows_no_less(architecture, limits, log2_factor, more)


@pytest.mark.parametrize(
    ("seed", "limits", "log2_factor", "more"),
    [
        (844, Limits(flops=150045, width_multiple=2), 1.0, 1.5),
        (1, Limits(width=7), 1.0, 2.0),
    ],
)
def test_a_limit_between_two_factors_is_met_by_both(seed, limits, log2_factor, more):
    """The largest legal size does not depend on how far beyond it the factor is."""
    assert_grows_no_less(random_architecture(seed), limits, log2_factor, more)


@pytest.mark.parametrize("multiple", [2, 3, 8])
def test_branches_that_are_tied_by_a_sum_grow_to_multiples(multiple):
    """1 and 3 units in concatenation: a factor that fits 4 of them need not fit each."""
    architecture = CASES["sum with concatenation"]
    limits = Limits(width_multiple=multiple)
    (site,) = (site for site in Widen.sites(architecture, limits) if site.layer == "conv4")
    for log2_factor in np.linspace(0.0, 6.0, 25):
        sized = site.sized(log2_factor, architecture, limits)
        assert_within(architecture, sized.grown(architecture), limits)
        assert abs(sized.width - 4 * 2.0**log2_factor) <= 4 * multiple


@settings(max_examples=25)
@given(st.data(), st.sampled_from(["conv-flatten-dense", "grouped", "residual", "layer norm"]))
def test_the_size_is_the_nearest_legal_one(data, name):
    """Of all widths that are exact and within the limits, none is nearer to the one asked for."""
    architecture = CASES[name]
    limits = data.draw(some_limits(architecture))
    log2_factor = data.draw(st.floats(0.0, 2.0))
    for site in Widen.sites(architecture, limits):
        old = architecture[site.layer].layer.width
        legal = [
            width
            for width in range(old + 1, 5 * old + 24)
            if width % limits.width_multiple == 0
            and is_legal(replace(site, width=width), architecture, limits)
        ]
        assert site.width == legal[0]
        wanted = old * 2.0**log2_factor
        nearest = min(abs(width - wanted) for width in legal)
        assert abs(site.sized(log2_factor, architecture, limits).width - wanted) == nearest


def test_tied_layers_widen_once():
    """A sum ties its branches: of each group one layer is named, and all of it grows."""
    architecture = CASES["sum with concatenation"]
    (site,) = WidenAll.sites(architecture, Limits())
    before, after = producers(architecture), producers(site.grown(architecture))
    widened = {name for name in before if after[name] > before[name]}
    assert widened == set(before) - {architecture.output.name}
    assert set(site.layers) < widened


def test_layer_norm_behind_relu_widens_to_multiples_only():
    """Of 3 units, which have no mean there, 6, 9, 12, …; the size asked for is rounded to these."""
    architecture = case(Dense(3), LayerNorm(), shape=(4,))
    (site,) = Widen.sites(architecture, Limits())
    assert site.width == 6
    assert [site.sized(np.log2(f), architecture, Limits()).width for f in (1, 2.4, 2.6, 4)] == [
        6, 6, 9, 12,
    ]  # fmt: skip


def test_group_norm_widens_by_groups():
    """By the units of a group, where there are two or more; at multiples all are copied alike.

    Each group's channels are then copied equally often, and stay in their group.
    """
    architecture = CASES["group norm"]
    widths = {site.layer: site.width for site in Widen.sites(architecture, Limits())}
    assert widths == {"conv0": 4 + 2, "conv4": 2 * 3, "dense7": 6 + 3}
    for site in Widen.sites(architecture, Limits()):
        before = architecture[site.layer].layer.width
        assert site.sized(1.6, architecture, Limits()).width == 3 * before
    assert Widen.sites(architecture, Limits(width_multiple=3))[0].width == 6
    child = grow(trained(architecture), Widen("conv0", 8), rng=0)
    assert child.architecture["group_norm1"].layer == GroupNorm(2)
    gamma = child.weights["group_norm1"]["gamma"].reshape(2, 2, 2)
    assert np.array_equal(gamma[:, 0], gamma[:, 1])


def test_a_kernel_grows_to_the_size_asked_for():
    """As near as is legal, in one growth: 3x3 by four is 11x11 where kernels are odd."""
    architecture = Architecture.parse("3x3x4(conv1)-10(fc1)", input_shape=(28, 28, 1))
    limits = Limits(kernel=31)
    (site,) = EnlargeKernel.sites(architecture, limits)
    for factor, expected in ((0.5, 5), (1.0, 5), (2.0, 11), (3.0, 23)):
        assert site.sized(factor, architecture, limits).kernel == (expected, expected)
    assert site.sized(3.0, architecture, Limits(kernel=15)).kernel == (15, 15)


@pytest.mark.parametrize("value", ["x", 0, -1, 2.5, True])
@pytest.mark.parametrize("limit", [field.name for field in fields(Limits)])
def test_limits_are_whole_numbers(limit, value):
    """Any other value is refused by the limit's name; the multiple is never None."""
    with pytest.raises(InvalidInputError, match=f"{limit}: expected a whole number of at least 1"):
        Limits(**{limit: value})
    with pytest.raises(InvalidInputError, match="width_multiple: expected a whole number"):
        Limits(width_multiple=None)
    assert type(getattr(Limits(**{limit: np.int64(3)}), limit)) is int
