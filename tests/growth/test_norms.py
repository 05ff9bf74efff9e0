"""Norms by each image's own statistics widen to any width, and by whole groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import growsearch
from growsearch.errors import NotExactError
from growsearch.growth import Limits, Widen, grow
from growsearch.networks import INPUT, Architecture, Network
from growsearch.networks.layers import (
    Activation,
    Add,
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    GlobalAvgPool,
    GroupNorm,
    LayerNorm,
)
from tests.growth_cases import Draft, case, change, trained
from tests.strategies import seeds

TOLERANCE = {np.dtype(np.float64): 1e-13, np.dtype(np.float32): 1e-6}
LINEAR = Conv((3, 3), 5, activation="linear")


def pre_norm_blocks(activation: str = "gelu", blocks: int = 2) -> Architecture:
    """A residual stream: each block reads its layer norm, and adds to it; as a transformer's."""
    draft = Draft((5, 4, 2))
    stream = draft.add(LINEAR)
    for _ in range(blocks):
        draft.add(LayerNorm(1e-3), stream)
        draft.add(Conv((1, 1), 7, activation=activation))
        stream = draft.add(Add(), stream, draft.add(Conv((3, 3), 5, activation="linear")))
    draft.add(LayerNorm(1e-5))
    draft.add(GlobalAvgPool())
    return draft.done()


LAYER_NORMS = {
    "gelu": case(LINEAR, LayerNorm(), Activation("gelu"), Conv((3, 3), 2)),
    "sigmoid": case(LINEAR, LayerNorm(), Activation("sigmoid"), Conv((3, 3), 2)),
    "averages": case(LINEAR, AvgPool(), LayerNorm(1e-2), Conv((3, 3), 2), GlobalAvgPool()),
    "dense": case(Dense(5, "linear"), LayerNorm(), Activation("relu"), shape=(6,)),
    "blocks": pre_norm_blocks(),
    "tanh blocks": pre_norm_blocks("tanh", 1),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LAYER_NORMS)
def test_layer_norm_widens_to_any_width(name: str, dtype: type) -> None:
    """One unit more, and each width up to three times the old: <= 1e-13 in float64, 1e-6 in 32."""
    parent = trained(LAYER_NORMS[name], dtype=dtype)
    layer = parent.architecture.nodes[0].name
    for width in range(6, 16):
        child = grow(parent, Widen(layer, width), rng=width)
        assert change(parent, child) <= TOLERANCE[np.dtype(dtype)], width
        assert child.architecture[layer].layer.width == width


@settings(max_examples=30)
@given(seeds, st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_widening_goes_on_from_any_width(seed: int, steps: list[int]) -> None:
    """Widths that no unit is copied for, one after the other, on trained weights: <= 1e-12."""
    parent = network = trained(pre_norm_blocks(), seed=seed, dtype=np.float64)
    rng = np.random.default_rng(seed)
    for step in steps:
        (site, *_) = Widen.sites(network.architecture, Limits())
        network = grow(network, Widen(site.layer, site.width + step), rng=rng)
    assert change(parent, network) <= 1e-12


def test_the_smallest_site_of_a_layer_norm_is_one_unit() -> None:
    """With a multiple of widths it is the next multiple; where only copies do, twice the units."""
    (site, *_) = Widen.sites(LAYER_NORMS["gelu"], Limits())
    assert site.width == 6
    (site, *_) = Widen.sites(LAYER_NORMS["gelu"], Limits(width_multiple=8))
    assert site.width == 8
    behind_relu = case(Conv((3, 3), 5), LayerNorm(), Conv((3, 3), 2))
    (site, *_) = Widen.sites(behind_relu, Limits())
    assert site.width == 10
    with pytest.raises(NotExactError, match="layer norm needs every unit copied equally often"):
        Widen("conv0", 6).grown(behind_relu)


def test_at_multiples_units_are_copied() -> None:
    """Copies compute what their unit computes, and their shares are used from the first update."""
    parent = trained(LAYER_NORMS["gelu"], dtype=np.float64)
    child = grow(parent, Widen("conv0", 10), rng=0)
    kernel = child.weights["conv0"]["kernel"]
    assert np.array_equal(kernel[..., :5], kernel[..., 5:])
    assert child.architecture["layer_norm1"].layer == LayerNorm()
    with pytest.raises(NotExactError, match="needs equal shares"):
        grow(parent, Widen("conv0", 10, split="random"), rng=0)


def test_what_reads_zeros_can_learn() -> None:
    """The weights behind the new units are as large as the old ones, where f(0) is 0; else zero.

    With zeros at both sides no weight of a new unit would ever have a gradient.
    """
    for name, is_free in {"gelu": True, "sigmoid": False}.items():
        child = grow(trained(LAYER_NORMS[name]), Widen("conv0", 8), rng=0)
        old, new = np.split(child.weights["conv3"]["kernel"], [5], axis=2)
        assert np.sqrt(np.mean(new**2)) == pytest.approx(
            np.sqrt(np.mean(old**2)) if is_free else 0.0, rel=0.5
        )


def test_slots_follow_a_layer_norm() -> None:
    """The slots of gamma are divided by the factor of gamma, to its power; the new units' m is 0.

    gamma times x gives the same, so the gradient of a gamma that is f times the old one is 1/f.
    """
    parent = trained(LAYER_NORMS["gelu"], dtype=np.float64)
    child = grow(parent, Widen("conv0", 8), rng=0, slots="carry")
    factor = np.sqrt(5 / 8)
    old, new = parent.weights["layer_norm1"], child.weights["layer_norm1"]
    assert np.allclose(new["gamma"][:5], factor * old["gamma"], rtol=1e-15)
    assert np.array_equal(new["beta"], [*old["beta"], 0.0, 0.0, 0.0])
    for slot, degree in {"m": 1, "v": 2}.items():
        before, after = (n.slots.values[slot] for n in (parent, child))
        assert np.allclose(
            after["layer_norm1"]["gamma"][:5], before["layer_norm1"]["gamma"] / factor**degree
        )
        assert np.array_equal(after["conv0"]["kernel"][..., :5], before["conv0"]["kernel"])
    for layer, weight in (("conv0", "kernel"), ("conv0", "bias"), ("layer_norm1", "gamma")):
        assert not child.slots.values["m"][layer][weight][..., 5:].any()
        assert child.slots.values["v"][layer][weight][..., 5:].all()


GROUP_NORMS = {
    "two a group": case(
        Conv((3, 3), 6, activation="linear"), GroupNorm(3), Activation("relu"), Conv((3, 3), 2)
    ),
    "behind relu": case(Conv((3, 3), 6), GroupNorm(2), Conv((3, 3), 2), GlobalAvgPool()),
    "one group": case(Conv((3, 3), 4), GroupNorm(1), Conv((3, 3), 2)),
    "two norms": case(
        Conv((3, 3), 12), GroupNorm(6), Activation("gelu"), GroupNorm(4), Conv((3, 3), 2)
    ),
    "sum": case(
        Conv((3, 3), 6),
        (Conv((1, 1), 6), Conv((3, 3), 6, activation="linear"), Add()),
        GroupNorm(3),
    ),
}
SIZES = {"two a group": 2, "behind relu": 3, "one group": 4, "two norms": 6, "sum": 2}


@pytest.mark.parametrize("split", [None, "equal", "random", "new"])
@pytest.mark.parametrize("name", GROUP_NORMS)
def test_group_norm_grows_by_whole_groups(name: str, split: str | None) -> None:
    """Groups are copied whole, with any shares, or are new: <= 1e-13; their number is counted."""
    parent = trained(GROUP_NORMS[name], dtype=np.float64)
    size, layer = SIZES[name], "conv1" if name == "sum" else "conv0"
    old = parent.architecture[layer].layer.width
    (site,) = (s for s in Widen.sites(parent.architecture, Limits()) if s.layer == layer)
    assert site.width == old + size
    for width in range(old + size, 3 * old, size):
        growth = Widen(layer, width, split=split)
        if split in ("random", "new") and width == 2 * old:
            with pytest.raises(NotExactError, match="needs equal shares"):
                grow(parent, growth, rng=0)
            continue
        child = grow(parent, growth, rng=width)
        assert change(parent, child) <= TOLERANCE[np.dtype(np.float64)]
        for node in child.architecture.nodes:
            if isinstance(node.layer, GroupNorm):
                before = parent.architecture[node.name].layer.groups
                assert node.layer.groups in (before, before * width // old)


def test_a_norm_that_treats_units_alone_in_between_stops_means() -> None:
    """A batch norm has a scale a unit, of which the mean of all units is no function."""
    between = case(Conv((3, 3), 5, activation="linear"), BatchNorm(), LayerNorm(), Conv((1, 1), 2))
    assert [s.width for s in Widen.sites(between, Limits()) if s.layer == "conv0"] == [10]


def test_epsilons_travel_to_keras_and_back() -> None:
    """A layer norm that was widened by means has an epsilon of its own, in Keras too."""
    parent = trained(pre_norm_blocks())
    child = grow(parent, Widen(parent.architecture.nodes[0].name, 8), rng=0)
    again = growsearch.from_keras(child.to_keras())
    epsilons = [n.layer.epsilon for n in again.architecture.nodes if isinstance(n.layer, LayerNorm)]
    assert epsilons == [1e-3 * 5 / 8, 1e-3 * 5 / 8, 1e-5 * 5 / 8]
    assert again.architecture.nodes[1] == child.architecture.nodes[1]
    assert Network.from_bytes(child.to_bytes()).architecture == child.architecture
    assert INPUT not in child.weights
