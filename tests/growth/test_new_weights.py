"""The new weights of a growth: one seed, one network; random counterparts; noise."""

from __future__ import annotations

import numpy as np
import pytest

from growsearch.growth import (
    FILLINGS,
    TREATMENTS,
    AddBranch,
    AddSkip,
    Deepen,
    EnlargeKernel,
    Widen,
    WidenAll,
    WidenDeepen,
    grow,
)
from growsearch.growth.growth import RANDOM_BIAS, RANDOM_STD
from growsearch.networks.layers import (
    Conv,
    GroupNorm,
    LayerNorm,
    MaxPool,
)
from tests.growth_cases import (
    CASES,
    case,
    change,
    every_growth,
    images_for,
    trained,
)


@pytest.mark.parametrize("name", CASES)
def test_the_split_of_a_space_is_taken_where_it_is_exact(name):
    """Growths that widen take it, and say so; behind a norm of equal shares, they stay."""
    parent = trained(CASES[name])
    norms = [n for n in parent.architecture.nodes if isinstance(n.layer, LayerNorm | GroupNorm)]
    taken = []
    for growth in every_growth(parent.architecture):
        other = growth.with_split("new", parent.architecture)
        assert growth.with_split(None, parent.architecture) is growth
        assert other.grown(parent.architecture) == growth.grown(parent.architecture)
        if not isinstance(growth, Widen | WidenAll | WidenDeepen):
            assert other is growth
        elif other is growth:
            assert norms
        else:
            taken.append(other)
            assert other.split == "new"
            assert "new" in str(other)
            assert "new" not in str(growth)
    # Where there are norms, each layer stands in front of one; whole groups may be new.
    assert bool(taken) == (name != "layer norm")


def test_new_units_have_random_weights_in_front_and_zeros_behind():
    """Of the old filters' length, to 5 standard errors; all that is old stays bit by bit."""
    parent = trained(case(Conv((3, 3), 64), MaxPool(), Conv((3, 3), 32), shape=(6, 6, 16)))
    first, last = (parent.weights[layer]["kernel"] for layer in ("conv0", "conv2"))
    child = grow(parent, Widen("conv0", 192, split="new"), rng=1)
    new = child.weights["conv0"]["kernel"]
    assert np.array_equal(new[..., :64], first)
    assert np.array_equal(child.weights["conv2"]["kernel"][:, :, :64], last)
    assert not child.weights["conv2"]["kernel"][:, :, 64:].any()
    drawn = new[..., 64:].astype(np.float64)
    relative = np.sqrt(np.mean(drawn**2) / np.mean(first.astype(np.float64) ** 2))
    assert abs(relative - 1.0) <= 5 / np.sqrt(2 * drawn.size)
    assert len(np.unique(drawn)) > 0.99 * drawn.size
    for layer in ("conv2", "dense4"):
        assert np.array_equal(child.weights[layer]["bias"], parent.weights[layer]["bias"])


def test_new_units_have_a_random_counterpart():
    """The control pads with random weights behind too, as it does for copies: other outputs."""
    parent = trained(CASES["conv-flatten-dense"])
    one, other = (
        grow(parent, Widen("conv0", 7, split=split), rng=1, fill="random")
        for split in ("new", "random")
    )
    assert one.architecture == other.architecture
    assert change(parent, one) > 1e-3
    for layer, weight, corner in (
        ("conv0", "kernel", np.s_[..., :3]),
        ("conv2", "kernel", np.s_[:, :, :3]),
    ):
        assert np.array_equal(one.weights[layer][weight][corner], parent.weights[layer][weight])
    assert one.weights["conv2"]["kernel"][:, :, 3:].all()


@pytest.mark.parametrize("name", CASES)
def test_the_parent_stays_as_it_was(name):
    """No growth, fill or treatment changes a bit of the parent's weights or slots."""
    parent = trained(CASES[name])
    before = parent.sha256
    for growth in every_growth(parent.architecture):
        for fill in FILLINGS:
            for slots in TREATMENTS:
                grow(parent, growth, rng=1, fill=fill, slots=slots)
    assert parent.sha256 == before


@pytest.mark.parametrize("fill", FILLINGS)
@pytest.mark.parametrize("name", CASES)
def test_one_seed_gives_one_network(name, fill):
    """Two growths with one seed agree to the bit; an int seeds like a generator of that seed."""
    parent = trained(CASES[name])
    for growth in every_growth(parent.architecture):
        one, two = (
            grow(parent, growth, rng=rng, fill=fill) for rng in (7, np.random.default_rng(7))
        )
        assert one.sha256 == two.sha256, growth


def test_another_seed_copies_other_units():
    """The copied units are drawn: ten seeds do not all agree."""
    parent = trained(CASES["conv-flatten-dense"])
    assert len({grow(parent, Widen("conv0", 5), rng=seed).sha256 for seed in range(10)}) > 1


@pytest.mark.parametrize("name", CASES)
def test_the_random_counterpart_changes_the_outputs(name):
    """Same architecture, every old weight inherited, other outputs: some growth of each type."""
    parent = trained(CASES[name])
    moved: dict[str, float] = {}
    for growth in every_growth(parent.architecture):
        child = grow(parent, growth, rng=1, fill="random")
        assert child.architecture == grow(parent, growth, rng=1).architecture
        moved[growth.operation] = max(moved.get(growth.operation, 0.0), change(parent, child))
        for layer, arrays in parent.weights.items():
            for weight, array in arrays.items():
                assert np.isin(array, child.weights[layer][weight]).all(), (growth, layer, weight)
    assert min(moved.values()) > 1e-3


def test_random_widening_keeps_old_weights_at_their_places():
    """Old units first, with their old weights; the new ones N(0, 0.1²), their biases 0.1."""
    parent = trained(CASES["conv-flatten-dense"])
    child = grow(parent, Widen("conv0", 400), rng=1, fill="random")
    for layer, weight, corner in (
        ("conv0", "kernel", np.s_[..., :3]),
        ("conv0", "bias", np.s_[:3]),
        ("conv2", "kernel", np.s_[:, :, :3]),
    ):
        old, new = parent.weights[layer][weight], child.weights[layer][weight]
        assert np.array_equal(new[corner], old)
    assert np.all(child.weights["conv0"]["bias"][3:] == np.float32(RANDOM_BIAS))
    for fresh in (
        child.weights["conv0"]["kernel"][..., 3:],
        child.weights["conv2"]["kernel"][:, :, 3:],
    ):
        assert abs(fresh.std() / RANDOM_STD - 1.0) < 0.05
        assert abs(fresh.mean()) < 0.01


def test_random_layers_and_frames_are_new_and_the_rest_is_inherited():
    """Deeper, larger, with a skip or a branch: what is new is N(0, 0.1²), not zero or identity."""
    parent = trained(case(Conv((3, 3), 32), Conv((3, 3), 32)))
    for growth, layer, new in (
        (Deepen("conv0"), "conv0_deep", np.s_[:]),
        (EnlargeKernel("conv0", 5), "conv0", np.s_[0]),
        (AddSkip("conv0", "conv1"), "conv1_skip_project", np.s_[:]),
        (AddSkip("conv0", "conv1", "concat"), "dense3", np.s_[32:64]),
        (AddBranch("conv0", 16, 5), "conv1", np.s_[:, :, 32:]),
    ):
        child = grow(parent, growth, rng=1, fill="random")
        fresh = child.weights[layer]["kernel"][new]
        assert abs(fresh.std() / RANDOM_STD - 1.0) < 0.1, growth
        assert (fresh != 0.0).all()


def test_the_default_treatment_is_the_one_that_the_benchmark_chose():
    """Rescaled slots lose least after a growth; they are the default."""
    parent = trained(CASES["batch norm"])
    for growth in (Widen("conv0", 7), Deepen("conv0")):
        one, other = grow(parent, growth, rng=1), grow(parent, growth, rng=1, slots=TREATMENTS[2])
        assert one.sha256 == other.sha256


def test_random_widening_of_a_flattened_layer_keeps_old_weights_at_their_places():
    """Behind a flatten the old units stand first at every position."""
    parent = trained(CASES["conv-flatten-dense"])
    child = grow(parent, Widen("conv2", 9), rng=1, fill="random")
    old, new = parent.weights["dense4"]["kernel"], child.weights["dense4"]["kernel"]
    assert np.array_equal(new.reshape(-1, 9, 5)[:, :4], old.reshape(-1, 4, 5))


@pytest.mark.parametrize("noise", [1e-3, 0.1])
def test_noise_breaks_equality_and_nothing_else(noise):
    """Noise > 0 moves the outputs and only new copies' kernels; noise 0 is no noise."""
    parent = trained(CASES["conv-flatten-dense"])
    exact = grow(parent, Widen("conv0", 7), rng=1)
    noisy = grow(parent, Widen("conv0", 7, noise=noise), rng=1)
    assert grow(parent, Widen("conv0", 7, noise=0.0), rng=1).sha256 == exact.sha256
    assert change(parent, noisy) > 1e-6
    for layer, arrays in exact.weights.items():
        for weight, array in arrays.items():
            same = array == noisy.weights[layer][weight]
            if (layer, weight) == ("conv0", "kernel"):
                assert same[..., :3].all()
                same = ~same[..., 3:]
            assert same.all(), (layer, weight)
    kernel = exact.weights["conv0"]["kernel"]
    moved = (noisy.weights["conv0"]["kernel"] - kernel)[..., 3:]
    assert 0.5 < moved.std() / (noise * parent.weights["conv0"]["kernel"].std()) < 1.5


def test_a_normalised_new_layer_turns_as_slowly_as_trained_ones():
    """Its kernel is 4 times the identity, which its batch norm undoes, for any usual input."""
    parent = trained(CASES["batch norm"])
    batch = images_for(parent.architecture, seed=1)
    child = grow(parent, Deepen("conv0"), rng=0, images=batch)
    kernel = child.weights["conv0_deep"]["kernel"]
    assert np.array_equal(kernel[1, 1], 4.0 * np.eye(3))
    loud = grow(parent, Deepen("conv0"), rng=0, images=1e3 * batch)
    assert np.array_equal(loud.weights["conv0_deep"]["kernel"][1, 1], np.eye(3))
    plain = grow(parent, Deepen("conv0", batch_norm=False), rng=0, images=batch)
    assert np.array_equal(plain.weights["conv0_deep"]["kernel"][1, 1], np.eye(3))
