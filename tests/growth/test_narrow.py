"""Smaller networks: what widening added goes without a trace; what else goes is chosen and told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from growsearch.errors import InvalidInputError, NotExactError
from growsearch.growth import (
    FILLINGS,
    SHRINKS,
    TREATMENTS,
    Limits,
    Narrow,
    NarrowAll,
    Widen,
    WidenAll,
    grow,
    measure_change,
    narrow,
    ties,
)
from growsearch.growth.narrow import BY
from growsearch.net2net.units import SHARES
from growsearch.networks import INPUT, Architecture, Network, Node, Slots
from growsearch.networks.layers import (
    Add,
    BatchNorm,
    Conv,
    Dense,
    DepthwiseConv,
    GlobalAvgPool,
)
from tests.growth_cases import (
    CASES,
    SMALL,
    case,
    change,
    images_for,
    random_architecture,
    same,
    slots_of,
    trained,
)

TOLERANCE = 1e-9
QUICK = 12  # random graphs in the default suite
FULL, PORTIONS = 500, 20


# -- the way back from widening ------------------------------------------------------------------


def assert_narrowing_undoes_widening(architecture: Architecture, seed: int, *, often: int) -> int:
    """Widen each layer at random, narrow it again: the same bits; return how often."""
    parent, rng = trained(architecture, seed=seed), np.random.default_rng(seed)
    sites = Widen.sites(architecture, SMALL)
    for number in range(often if sites else 0):
        site = sites[number % len(sites)].sized(rng.uniform(0.0, 2.5), architecture, SMALL)
        growth = site.with_split(rng.choice([None, *SHARES]), architecture)
        if growth.split != "new":
            growth = replace(growth, zero_sum=float(rng.choice([0.0, 0.5])))
        wide = grow(parent, growth, rng=rng, slots="carry-rescaled")
        if changes_a_norm(architecture, wide.architecture):
            continue  # by a factor of its gamma, which is rounded
        back = Narrow(growth.layer, architecture[growth.layer].layer.width)
        assert back.grown(wide.architecture) == architecture, growth
        child = grow(wide, back, rng=0)
        assert same(child, parent), growth
        assert_slots_alike(child.slots, parent.slots)
    return often if sites else 0


def changes_a_norm(before: Architecture, after: Architecture) -> bool:
    """True if a norm is another one behind more units, as a layer norm of any width is."""
    return any(
        node.layer != after[node.name].layer for node in before.nodes if not node.layer.is_producer
    )


def assert_slots_alike(found: Slots | None, expected: Slots | None) -> None:
    assert found is not None
    assert expected is not None
    assert found.step == expected.step
    for name, layers in expected.values.items():
        for layer, arrays in layers.items():
            for weight, array in arrays.items():
                got = found.values[name][layer][weight]
                scale = max(np.abs(array).max(), 1e-12)
                assert np.abs(got - array).max() <= 1e-4 * scale, (name, layer, weight)


@pytest.mark.parametrize("name", CASES)
def test_narrowing_undoes_widening(name):
    """On each named case: the old weights bit for bit, the old slots to float32's rounding."""
    assert assert_narrowing_undoes_widening(CASES[name], 3, often=5)


def test_narrowing_undoes_widening_of_random_graphs():
    """On some random graphs; all are run by ``-m laws_full``."""
    assert sum(
        assert_narrowing_undoes_widening(random_architecture(seed), seed, often=2)
        for seed in range(QUICK)
    )


@pytest.mark.laws_full
@pytest.mark.parametrize("portion", range(PORTIONS))
def test_narrowing_undoes_widening_of_500_random_graphs(portion):
    """Every layer of each, twice."""
    for seed in range(portion, FULL, PORTIONS):
        architecture = random_architecture(seed)
        number = len(Widen.sites(architecture, SMALL))
        assert_narrowing_undoes_widening(architecture, seed, often=2 * number)


@pytest.mark.parametrize("optimizer", ["adam", "momentum", "sgd"])
@pytest.mark.parametrize("treatment", TREATMENTS)
def test_slots_come_back_by_every_treatment(treatment, optimizer):
    """A widening and a narrowing by one treatment leave the slots as they were."""
    architecture = CASES["residual"]
    parent = trained(architecture)
    slots = slots_of(architecture, optimizer, np.random.default_rng(0))
    parent = Network(architecture, parent.weights, slots)
    wide = grow(parent, Widen("conv0", 11), rng=1, slots=treatment)
    child = grow(wide, Narrow("conv0", 4), rng=0, slots=treatment)
    if treatment == "reset":
        assert child.slots is None
    else:
        assert_slots_alike(child.slots, parent.slots)


def test_all_layers_come_back_at_once():
    """NarrowAll undoes WidenAll, bit for bit."""
    for name in ("residual", "depthwise", "conv-flatten-dense", "grouped"):
        parent = trained(CASES[name])
        (site,) = WidenAll.sites(parent.architecture, Limits())
        growth = site.sized(1.0, parent.architecture, Limits())
        widths = tuple(parent.architecture[layer].layer.width for layer in growth.layers)
        back = NarrowAll(growth.layers[::-1], widths[::-1])
        assert same(grow(grow(parent, growth, rng=1), back, rng=0), parent), name


def test_old_units_stay_though_they_are_dead():
    """New units go first, whatever else could go: the old network is back, dead unit and all."""
    parent = with_zeros(trained(CASES["conv-flatten-dense"]), "conv0", "front", (1,))
    wide = grow(parent, Widen("conv0", 5), rng=0)
    assert same(grow(wide, Narrow("conv0", 3), rng=0), parent)


# -- dead units ----------------------------------------------------------------------------------


def with_zeros(network: Network, layer: str, side: str, units: tuple[int, ...]) -> Network:
    """Zeros in front of units of a layer, or behind them in the layer ``side`` names."""
    weights = {name: dict(arrays) for name, arrays in network.weights.items()}
    if side == "front":
        kernel = weights[layer]["kernel"].copy()
        kernel[..., list(units)] = 0.0
        weights[layer]["kernel"] = kernel
    else:
        kernel = weights[side]["kernel"].copy()
        kernel[..., list(units), :] = 0.0
        weights[side]["kernel"] = kernel
    return Network(network.architecture, weights, network.slots)


CHAINS = {
    "dense": case(Dense(6, activation="tanh"), Dense(4), shape=(5,)),
    "valid convolution": case(
        Conv((3, 3), 6, activation="sigmoid"), Conv((2, 2), 3, padding="valid")
    ),
    "flatten": case(Conv((3, 3), 6, activation="gelu")),
    "norm behind the reader": case(
        Conv((3, 3), 6, activation="sigmoid"),
        Conv((1, 1), 4, activation="linear", use_bias=False),
        BatchNorm(activation="relu"),
    ),
    "norm and pooling": case(
        Conv((3, 3), 6, activation="linear"), BatchNorm(activation="tanh"), Conv((1, 1), 4)
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_constant_units_go_to_the_biases(name):
    """Of six units, three with zeros in front: exact to 1e-5 in float32, to 1e-9 in float64."""
    for dtype, tolerance in ((np.float32, 1e-5), (np.float64, TOLERANCE)):
        parent = trained(CHAINS[name], dtype=dtype)
        first = parent.architecture.nodes[0].name
        dead = with_zeros(parent, first, "front", (0, 2, 5))
        child = grow(dead, Narrow(first, 3, "dead"), rng=0)
        assert change(dead, child) <= tolerance
        kept = dead.weights[first]["kernel"][..., [1, 3, 4]]
        np.testing.assert_array_equal(child.weights[first]["kernel"], kept)
        with pytest.raises(NotExactError, match="expected 4 of its 6 units to be dead, got 3"):
            grow(dead, Narrow(first, 2, "dead"), rng=0)


def test_a_constant_at_the_edge_of_padding_is_none():
    """Zeros stand around it: a 3x3 convolution with padding same sees where it ends."""
    parent = trained(case(Conv((3, 3), 6, activation="sigmoid"), Conv((3, 3), 3)))
    dead = with_zeros(parent, "conv0", "front", (0, 2, 5))
    with pytest.raises(NotExactError, match="expected 1 of its 6 units to be dead, got 0"):
        grow(dead, Narrow("conv0", 5, "dead"), rng=0)
    # A constant of zero is seen nowhere.
    silent = {**dead.weights, "conv0": dict(dead.weights["conv0"])}
    silent["conv0"]["bias"] = np.where(np.isin(np.arange(6), [0, 2, 5]), 0, 1).astype(np.float32)
    relu = parent.architecture.with_layers({"conv0": Conv((3, 3), 6)})
    network = Network(relu, silent)
    assert change(network, grow(network, Narrow("conv0", 3, "dead"), rng=0)) <= TOLERANCE


def test_a_constant_without_a_bias_to_go_to_stays():
    """A reader without bias and norm cannot add it."""
    parent = trained(case(Conv((1, 1), 4, activation="sigmoid"), Conv((1, 1), 3, use_bias=False)))
    dead = with_zeros(parent, "conv0", "front", (1,))
    with pytest.raises(NotExactError, match="to be dead, got 0"):
        grow(dead, Narrow("conv0", 3, "dead"), rng=0)


def test_units_that_nothing_uses_go():
    """With zeros behind them, whatever they compute."""
    parent = trained(CHAINS["dense"])
    unused = with_zeros(parent, "dense0", "dense1", (2, 3))
    assert change(unused, grow(unused, Narrow("dense0", 4, "dead"), rng=0)) <= TOLERANCE
    assert change(unused, grow(unused, Narrow("dense0", 4, "merge"), rng=0)) <= TOLERANCE


def test_a_gamma_of_zero_kills_a_unit():
    """Behind a batch norm the unit is its beta, whatever stands in front."""
    parent = trained(CHAINS["norm and pooling"])
    weights = {**parent.weights, "batch_norm1": dict(parent.weights["batch_norm1"])}
    gamma = weights["batch_norm1"]["gamma"].copy()
    gamma[[1, 4]] = 0.0
    weights["batch_norm1"]["gamma"] = gamma
    dead = Network(parent.architecture, weights)
    assert change(dead, grow(dead, Narrow("conv0", 4, "dead"), rng=0)) <= 1e-5


def test_a_unit_of_a_sum_is_dead_where_both_branches_are():
    """In one branch alone it is not: the other one's unit is needed."""
    parent = trained(CASES["residual, projected"])
    (joined,) = (n for n in parent.architecture.nodes if n.layer.kind == "add")
    norms = joined.inputs
    weights = {name: dict(arrays) for name, arrays in parent.weights.items()}
    for number, norm in enumerate(norms):
        gamma = weights[norm]["gamma"].copy()
        gamma[0] = 0.0
        weights[norm]["gamma"] = gamma
        network = Network(parent.architecture, {n: dict(a) for n, a in weights.items()})
        (conv,) = parent.architecture[norm].inputs
        growth = Narrow(conv, parent.architecture[conv].layer.width - 1, "dead")
        if number == 0:
            with pytest.raises(NotExactError, match="got 0"):
                grow(network, growth, rng=0)
        else:
            assert change(network, grow(network, growth, rng=0)) <= 1e-5


# -- units that are not spare --------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_every_legal_narrowing_gives_the_architecture_it_names(name):
    """By every way, fill and size: smaller, same input and outputs, and a trained network."""
    parent = trained(CASES[name])
    batch = images_for(parent.architecture, count=4)
    for number, operation in enumerate(SHRINKS.values()):
        for site in operation.sites(parent.architecture, Limits()):
            growth = site.sized(1.0, parent.architecture, Limits())
            if hasattr(growth, "by"):
                growth = replace(growth, by=BY[2 + number % 2])
            grown = growth.grown(parent.architecture)
            assert grown.parameters < parent.architecture.parameters
            for fill in FILLINGS:
                child = grow(parent, growth, rng=1, fill=fill, images=batch)
                assert child.architecture == grown
                assert np.isfinite(child.forward(batch)).all()
                assert set(child.slots.values["m"]) <= set(parent.slots.values["m"])


@pytest.mark.parametrize("by", ["magnitude", "activation"])
def test_the_least_units_go_first(by):
    """Units that hardly move the outputs go: the change is as small as they are."""
    parent = trained(case(Conv((3, 3), 8), Conv((3, 3), 4)))
    weights = {**parent.weights, "conv1": dict(parent.weights["conv1"])}
    kernel = weights["conv1"]["kernel"].copy()
    small = [1, 4, 6]
    kernel[:, :, small] *= 1e-4
    weights["conv1"]["kernel"] = kernel
    network = Network(parent.architecture, weights)
    batch = images_for(parent.architecture, count=16)
    child = grow(network, Narrow("conv0", 5, by), rng=0, images=batch)
    others = np.delete(np.arange(8), small)
    np.testing.assert_array_equal(
        child.weights["conv0"]["kernel"], network.weights["conv0"]["kernel"][..., others]
    )
    found = measure_change(network, child, batch)
    assert 0.0 < found.relative < 1e-3
    at_random = grow(network, Narrow("conv0", 5, by), rng=0, images=batch, fill="random")
    assert measure_change(network, at_random, batch).relative > 10 * found.relative


def test_activation_beats_magnitude_where_a_unit_is_saturated():
    """A unit of large weights that hardly varies is a bias: its mean is added, little is lost."""
    architecture = case(Dense(6, activation="tanh"), Dense(5, activation="tanh"), shape=(4,))
    parent = trained(architecture)
    kernel, bias = (parent.weights["dense0"][name].copy() for name in ("kernel", "bias"))
    kernel[:, 2], bias[2] = 1.0, 12.0
    weights = {**parent.weights, "dense0": {"kernel": kernel, "bias": bias}}
    network, batch = Network(architecture, weights), images_for(architecture, count=64)
    found = {}
    for by in ("magnitude", "activation"):
        child = grow(network, Narrow("dense0", 5, by), rng=0, images=batch)
        found[by] = measure_change(network, child, batch).relative
    assert found["activation"] < 1e-3 < found["magnitude"]


def test_activations_need_images():
    network = trained(CASES["conv-flatten-dense"])
    with pytest.raises(InvalidInputError, match=r"conv0: expected images .*narrow by magnitude"):
        grow(network, Narrow("conv0", 2, "activation"), rng=0)


# -- ties ----------------------------------------------------------------------------------------


def test_all_that_is_tied_narrows_too():
    """A sum, a concatenation, a flatten and a depthwise convolution, in proportion."""
    tied = Narrow("conv4", 2).grown(CASES["sum with concatenation"])
    assert [tied[name].layer.width for name in ("conv1", "conv2", "conv4")] == [1, 1, 2]
    flat = CASES["sum behind flatten"]
    conv, dense = (n.name for n in flat.nodes[:-1] if n.layer.is_producer)
    smaller = Narrow(conv, 1).grown(flat)
    assert (smaller[conv].layer.width, smaller[dense].layer.width) == (1, 6)
    assert Narrow(dense, 6).grown(flat) == smaller
    deep = Narrow("conv0", 2).grown(CASES["depthwise"])
    assert deep.shapes["depthwise_conv1"][-1] == 4


def test_cells_are_the_units_of_every_group():
    """With two groups of a grouped convolution, units p and p + 2 of four go together."""
    found = ties.ties_of(CASES["grouped"], "conv0")
    assert (found.width, found.groups, found.segments) == (4, 2, (range(2),))
    assert found.cells["conv0"].tolist() == [0, 1, 0, 1]


REFUSALS = [
    (CASES["grouped"], Narrow("conv0", 3), "conv0: its units stand in 2 equal groups: 4 -> 3"),
    (CASES["residual"], Narrow("conv0", 4), "conv0: expected fewer than its 4 units, got 4"),
    (
        CASES["residual, projected"],
        Narrow("dense10", 2),
        "dense10: another width would change",
    ),
    (CASES["sum with concatenation"], Narrow("conv4", 1), "conv4: .*each of the 2 branches"),
    (CASES["depthwise"], Narrow("depthwise_conv1", 2), "depthwise_conv1: .*no width of its own"),
    (CASES["softmax"], Narrow("conv1", 2), "conv1: each of its units depends on all of them"),
]


@pytest.mark.parametrize(("architecture", "growth", "message"), REFUSALS)
def test_widths_that_cannot_be_are_refused(architecture, growth, message):
    """In one line with the layer and the reason, and they are no sites."""
    with pytest.raises(NotExactError, match=message):
        growth.grown(architecture)
    with pytest.raises(NotExactError, match=message):
        grow(trained(architecture), growth, rng=0)


def test_a_norm_merges_equally_often_or_not_at_all():
    """Behind a layer norm two of six units that are copies cannot go alone."""
    parent = trained(CASES["layer norm"])
    wide = grow(parent, Widen("conv0", 6), rng=0)
    with pytest.raises(NotExactError, match="layer norm merges every unit equally often"):
        grow(wide, Narrow("conv0", 5), rng=0)
    assert same(grow(wide, Narrow("conv0", 3), rng=0), parent)


# -- sites and sizes -----------------------------------------------------------------------------


def test_sites_are_the_smallest_step_and_sizes_the_nearest():
    """From 40 units with multiples of 16 to 32, by a factor of 4 to 16, never below a step."""
    architecture = Architecture.parse("3x3x40(conv1)-pool1-24(fc1)-10(fc2)")
    limits = Limits(width_multiple=16)
    first, second = Narrow.sites(architecture, limits)
    assert first == Narrow("conv1", 32, "activation")
    assert second == Narrow("fc1", 16, "activation")
    assert first.sized(2.0, architecture, limits).width == 16
    assert first.sized(-1.0, architecture, limits).width == 32
    (both,) = NarrowAll.sites(architecture, limits)
    assert both == NarrowAll(("conv1", "fc1"), (32, 16), "activation")
    assert both.sized(1.0, architecture, Limits()).widths == (20, 12)
    assert str(both) == "narrow_all(conv1 32, fc1 16, activation)"
    assert Narrow.sites(Narrow("conv1", 16).grown(architecture), limits) == (second,)


def test_a_layer_that_is_tied_to_a_narrowed_one_is_left_out():
    """All layers at once: those of a sum narrow with its first."""
    (site,) = NarrowAll.sites(CASES["residual, projected"], Limits())
    assert "conv4" in site.layers
    assert "conv6" not in site.layers
    assert site.grown(CASES["residual, projected"]).parameters > 0


# -- the oracle ----------------------------------------------------------------------------------


def _copies_not_summed(monkeypatch):
    monkeypatch.setattr(narrow, "merge_axis", narrow.keep_axis)


def _twins_by_chance(monkeypatch):
    monkeypatch.setattr(narrow, "twins", lambda _, tied: np.zeros(tied.segments[-1].stop, int))


@pytest.mark.parametrize("broken", [_copies_not_summed, _twins_by_chance])
def test_the_law_fails_on_a_broken_core(broken, monkeypatch):
    """A law that cannot fail is none."""
    broken(monkeypatch)
    with pytest.raises(AssertionError):
        assert_narrowing_undoes_widening(CASES["conv-flatten-dense"], 3, often=4)


def test_a_constant_forgotten_is_seen(monkeypatch):
    """Its value is missed in the outputs."""
    monkeypatch.setattr(narrow, "shift_of", lambda *_: np.zeros(1))
    parent = trained(CHAINS["dense"])
    dead = with_zeros(parent, "dense0", "front", (0, 2, 5))
    assert change(dead, grow(dead, Narrow("dense0", 3, "dead"), rng=0)) > 1e-3


def test_tied_depthwise_runs_are_refused_as_by_widening():
    """Units that a sum ties to runs of a depthwise multiplier have no other width."""
    nodes = (
        Node("conv0", Conv((1, 1), 2), (INPUT,)),
        Node("deep", DepthwiseConv((1, 1), multiplier=2), ("conv0",)),
        Node("conv1", Conv((1, 1), 4), (INPUT,)),
        *residual_end("deep", "conv1"),
    )
    architecture = Architecture((3, 3, 1), nodes)
    with pytest.raises(NotExactError):
        Narrow("conv1", 2).grown(architecture)
    assert Narrow("conv0", 1).grown(architecture).parameters < architecture.parameters


def residual_end(*inputs: str) -> tuple[Node, ...]:
    return (
        Node("sum", Add(), inputs),
        Node("gap", GlobalAvgPool(), ("sum",)),
        Node("fc", Dense(3, activation="linear"), ("gap",)),
    )
