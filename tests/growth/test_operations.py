"""The laws of growths beside preservation: sites, limits, sizes, refusals, baselines."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from growsearch.errors import ArchitectureError, InvalidInputError, NotExactError, OutOfMemoryError
from growsearch.growth import (
    FILLINGS,
    GROWTHS,
    TREATMENTS,
    AddBranch,
    AddSkip,
    Compound,
    Deepen,
    DeepenAll,
    EnlargeKernel,
    Growth,
    Limits,
    Widen,
    WidenAll,
    WidenDeepen,
    grow,
    growth_from_json,
    sites,
)
from growsearch.growth.growth import RANDOM_BIAS, RANDOM_STD
from growsearch.net2net.units import SHARES
from growsearch.networks import INPUT, Architecture, Network, Node, Slots
from growsearch.networks.layers import (
    Add,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    GroupNorm,
    LayerNorm,
    MaxPool,
    ZeroPad,
)
from tests.growth_cases import (
    CASES,
    SMALL,
    case,
    change,
    every_growth,
    images_for,
    random_architecture,
    trained,
)
from tests.strategies import seeds


def producers(architecture: Architecture) -> dict[str, int]:
    """The width of every layer that has one of its own."""
    return {n.name: n.layer.width for n in architecture.nodes if n.layer.is_producer}


# The layers of a compound growth, as JSON has them.
ONE_LAYER = {"layers": ["conv1"], "widths": [8]}


def kernels(architecture: Architecture) -> dict[str, tuple[int, int]]:
    return {n.name: n.layer.kernel for n in architecture.nodes if hasattr(n.layer, "kernel")}


# -- sites ---------------------------------------------------------------------------------------


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


@settings(max_examples=80)
@given(st.data(), seeds, st.floats(-1.0, 4.0))
def test_sites_and_sizes_stay_within_every_limit(data, seed, log2_factor):
    """Layers, width (of tied layers too), multiple, kernel, parameters, FLOPs: none is passed."""
    architecture = random_architecture(seed)
    limits = data.draw(some_limits(architecture))
    for legal in sites(architecture, limits).values():
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


# -- sizes ---------------------------------------------------------------------------------------


def assert_grows_no_less(
    architecture: Architecture, limits: Limits, log2_factor: float, more: float
) -> None:
    for legal in sites(architecture, limits).values():
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


def is_legal(growth: Growth, architecture: Architecture, limits: Limits) -> bool:
    try:
        assert_within(architecture, growth.grown(architecture), limits)
    except (NotExactError, AssertionError):
        return False
    return True


# -- refusals ------------------------------------------------------------------------------------


def tied_to_input() -> Architecture:
    nodes = (
        Node("conv1", Conv((3, 3), 2), (INPUT,)),
        Node("add1", Add(), (INPUT, "conv1")),
        Node("conv2", Conv((1, 1), 3, activation="linear"), ("add1",)),
    )
    return Architecture((4, 4, 2), nodes)


OUTPUT_BLOCK = Architecture(
    (4,),
    (Node("fc1", Dense(3, activation="linear"), (INPUT,)), Node("bn1", BatchNorm(), ("fc1",))),
)

WINDOWS = CASES["valid, strided, dilated"]
POOLED = case(Conv((3, 3), 3), MaxPool(), LayerNorm())  # a norm that is in no block
# Behind a concatenation a group's channels are those of one branch.
JOINED = case(Conv((3, 3), 2), (Conv((1, 1), 2), Conv((3, 3), 2), Concat()), GroupNorm(2))
PADDED = case(Conv((3, 3), 3), ZeroPad(1, 1, 1, 1), Conv((1, 1), 3))

REFUSALS = [
    (case(Dense(4), shape=(4,)), Widen("dense1", 9), "dense1: .*change the network's outputs"),
    (case(Dense(4), shape=(4,)), Widen("dense0", 4), "dense0: expected more than its 4 .*got 4"),
    (OUTPUT_BLOCK, Widen("fc1", 9), "fc1: .*change the network's outputs"),
    (OUTPUT_BLOCK, Deepen("fc1"), "fc1: .*got the output layer"),
    (CASES["layer norm"], Widen("dense4", 9), "dense4: layer norm .*equally often: 4 -> 9"),
    (CASES["layer norm"], Widen("conv0", 7, "new"), "conv0: its extra units are no copies"),
    (CASES["layer norm"], Widen("conv0", 6, "random"), "conv0: layer norm .*equal shares"),
    (CASES["group norm"], Widen("conv0", 7), "conv0: group norm .*equally often: 4 -> 7"),
    (CASES["group norm"], Widen("conv0", 8, "random"), "conv0: group norm .*equal shares"),
    (JOINED, Widen("conv1", 3), "conv1: its units stand in groups of 2: 2 -> 3"),
    (tied_to_input(), Widen("conv1", 4), "conv1: add1 ties its units to the network's input"),
    (CASES["depthwise"], Widen("depthwise_conv1", 9), "depthwise_conv1: .*no width of its own"),
    (CASES["depthwise"], Deepen("depthwise_conv1"), "depthwise_conv1: .*got depthwise_conv"),
    (CASES["grouped"], Widen("conv0", 7), "conv0: .*2 equal groups: 4 -> 7"),
    (CASES["grouped"], Widen("conv1", 7), "conv1: .*6 equal groups: 6 -> 7"),
    (CASES["softmax"], Widen("conv1", 8), "conv1: each of its units depends on all of them"),
    (CASES["softmax"], Widen("conv2", 8), "conv2: each unit of activation3 depends on all"),
    (CASES["softmax"], WidenAll(("conv1", "conv2"), (8, 8)), "conv1: each of its units depends"),
    (WINDOWS, EnlargeKernel("conv0", (4, 5)), "conv0: .*valid padding.* reads other pixels"),
    (WINDOWS, EnlargeKernel("conv2", (4, 3)), "conv2: in a 4x3 .* reads other pixels"),
    (WINDOWS, EnlargeKernel("conv1", (3, 1)), "conv1: expected a larger kernel than 3x1, got 3x1"),
    (WINDOWS, EnlargeKernel("dense4", 3), "dense4: expected a convolution, got dense"),
    (OUTPUT_BLOCK, DeepenAll(("fc1",)), "fc1: .*got the output layer"),
    (CASES["grouped"], WidenDeepen(("conv0",), (7,), "conv1"), "conv0: .*2 equal groups: 4 -> 7"),
    (PADDED, AddSkip("conv0", "conv2"), "conv0 -> conv2: .*at least as large .*5x4 and 7x6 pixels"),
    (PADDED, AddSkip("conv2", "conv0"), "conv2 -> conv0: expected a source .*before the target"),
    (PADDED, AddSkip("conv0", "dense4"), "dense4: expected a target before the output layer"),
    (POOLED, AddSkip(INPUT, "conv0", "concat"), "conv0: appended units do not fit: layer norm "),
    (POOLED, AddBranch("conv0", 2), "conv0: appended units do not fit: layer norm "),
    (tied_to_input(), AddBranch("conv1", 2), "conv1: add1 ties its units to the network's input"),
    (OUTPUT_BLOCK, AddBranch("fc1", 2), "fc1: expected a layer before the output"),
    (CASES["depthwise"], AddBranch("depthwise_conv1", 2), "depthwise_conv1: .*got depthwise_conv"),
    (PADDED, AddBranch("dense4", 2), "dense4: .*before the output, got the output layer"),
]


@pytest.mark.parametrize(("architecture", "growth", "message"), REFUSALS)
def test_refusals_name_the_layer_and_the_reason(architecture, growth, message):
    """A growth that would not be exact is refused before and while growing, and is no site."""
    with pytest.raises(NotExactError, match=message):
        growth.grown(architecture)
    with pytest.raises(NotExactError, match=message):
        grow(trained(architecture), growth, rng=0)
    assert growth not in type(growth).sites(architecture, Limits())


def test_unknown_layers_are_named():
    """A layer that the network does not have is an ArchitectureError that lists those it has."""
    for growth in (
        Widen("conv9", 8),
        Deepen("conv9"),
        EnlargeKernel("conv9", 5),
        AddSkip("conv0", "conv9"),
        AddSkip("conv9", "conv1"),
        AddBranch("conv9", 2),
    ):
        with pytest.raises(ArchitectureError, match=r"conv0.*got 'conv9'"):
            growth.grown(CASES["grouped"])


@pytest.mark.parametrize(
    "value",
    [
        None,
        "widen",
        {},
        {"operation": "shrink", "layer": "conv1"},
        {"operation": ["widen"], "layer": "conv1", "width": 8},
        {"operation": "widen", "layer": "conv1"},
        {"operation": "widen", "layer": 5, "width": 8},
        {"operation": "widen", "layer": ["conv1"], "width": 8},
        {"operation": "widen", "layer": "conv1", "width": "8"},
        {"operation": "widen", "layer": "conv1", "width": True},
        {"operation": "widen", "layer": "conv1", "width": 8, "noise": math.inf},
        {"operation": "widen", "layer": "conv1", "width": 8, "noise": math.nan},
        {"operation": "widen", "layer": "conv1", "width": 8, "noise": -0.1},
        {"operation": "widen", "layer": "conv1", "width": 8, "noise": "x"},
        {"operation": "widen", "layer": "conv1", "width": 8, "noise": True},
        {"operation": "widen", "layer": "conv1", "width": 8, "split": "unequal"},
        {"operation": "widen", "layer": "conv1", "width": 8, "more": 1},
        {"operation": "widen_all", "layers": ["conv1", "conv2"], "widths": [8]},
        {"operation": "widen_all", "layers": [], "widths": []},
        {"operation": "widen_all", "layers": "c", "widths": [8]},
        {"operation": "widen_all", "layers": ["conv1"], "widths": 8},
        {"operation": "widen_all", "layers": [["conv1"]], "widths": [8]},
        {"operation": "widen_all", "layers": ["conv1"], "widths": ["8"]},
        {"operation": "widen_all", "layers": ["conv1", "conv1"], "widths": [8, 16]},
        {"operation": "widen_all", "layers": ["conv1"], "widths": [8], "zero_sum": -1.0},
        {"operation": "widen", "layer": "conv1", "width": 8, "zero_sum": math.nan},
        {"operation": "widen", "layer": "conv1", "width": 8, "split": "new", "zero_sum": 0.5},
        {"operation": "widen_deepen", **ONE_LAYER, "deepened": "conv1", "split": "half"},
        {"operation": "widen_all", **ONE_LAYER, "split": "half"},
        {"operation": "deepen", "layer": "conv1", "batch_norm": "yes"},
        {"operation": "deepen_all", "layers": "conv1"},
        {"operation": "deepen_all", "layers": []},
        {"operation": "deepen_all", "layers": ["conv1", 2]},
        {"operation": "deepen_all", "layers": ["conv1", "conv1"]},
        {"operation": "deepen_all", "layers": ["conv1"], "batch_norm": 1},
        {"operation": "deepen_all", "layers": {"conv1": 1}},
        {"operation": "widen_deepen", "layers": ["conv1"], "widths": [8]},
        {"operation": "widen_deepen", "layers": ["conv1"], "widths": [8], "deepened": ["conv1"]},
        {"operation": "widen_deepen", "layers": ["conv1"], "widths": 8, "deepened": "conv1"},
        {"operation": "widen_deepen", "layers": ["conv1"], "widths": [0], "deepened": "conv1"},
        {"operation": "enlarge_kernel", "layer": "conv1", "kernel": 0},
        {"operation": "enlarge_kernel", "layer": "conv1", "kernel": [5]},
        {"operation": "enlarge_kernel", "layer": "conv1", "kernel": [5, 5.0]},
        {"operation": "enlarge_kernel", "layer": "conv1", "kernel": True},
        {"operation": "add_skip", "source": "conv1", "target": 2},
        {"operation": "add_skip", "source": "conv1", "target": "conv2", "merge": "product"},
        {"operation": "add_branch", "layer": "conv1", "units": 0},
        {"operation": "add_branch", "layer": "conv1", "units": 2, "kernel": 4},
    ],
)
def test_what_is_no_growth_is_refused(value):
    """Untrusted JSON that is not exactly a growth is an InvalidInputError."""
    with pytest.raises(InvalidInputError, match="a growth: expected"):
        growth_from_json(value)


@settings(max_examples=20)
@given(seeds)
def test_growths_survive_json(seed):
    """Every growth is read from its JSON text as it was written."""
    architecture = random_architecture(seed)
    for growth in every_growth(architecture, seed=seed):
        changed = (growth.with_split(split, architecture) for split in (None, *SHARES))
        for each in (growth, *changed):
            assert growth_from_json(json.loads(json.dumps(each.to_json()))) == each


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


@pytest.mark.parametrize("option", ["fill", "slots"])
def test_unknown_treatments_are_refused(option):
    """A fill or a slot treatment that does not exist is named, with those that do."""
    with pytest.raises(InvalidInputError, match=f"{option}: expected one of .*got 'other'"):
        grow(trained(CASES["residual"]), Deepen("conv0"), rng=0, **{option: "other"})


# -- parent, chance, baselines -------------------------------------------------------------------


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


@pytest.mark.parametrize("value", ["x", 0, -1, 2.5, True])
@pytest.mark.parametrize("limit", [field.name for field in fields(Limits)])
def test_limits_are_whole_numbers(limit, value):
    """Any other value is refused by the limit's name; the multiple is never None."""
    with pytest.raises(InvalidInputError, match=f"{limit}: expected a whole number of at least 1"):
        Limits(**{limit: value})
    with pytest.raises(InvalidInputError, match="width_multiple: expected a whole number"):
        Limits(width_multiple=None)
    assert type(getattr(Limits(**{limit: np.int64(3)}), limit)) is int


@pytest.mark.parametrize("value", ["x", True, None, -0.5])
def test_noise_is_a_number(value):
    """Of 0 or more: any other value is refused by name."""
    with pytest.raises(InvalidInputError, match="noise: expected 0 or more, got"):
        Widen("conv1", 8, noise=value)
    for growth in (Widen("conv1", 8), WidenAll(("conv1",), (8,))):
        with pytest.raises(InvalidInputError, match="zero_sum: expected 0 or more, got"):
            replace(growth, zero_sum=value)
        with pytest.raises(InvalidInputError, match="zero_sum: expected 0 as split new makes no"):
            replace(growth, zero_sum=0.5, split="new")


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


def test_new_names_do_not_collide():
    """Deepening, branching and skipping again and again; and a layer that has a new one's name."""
    network = trained(CASES["smooth"])
    for _ in range(3):
        network = grow(network, Deepen("conv0"), rng=0)
    architecture = network.architecture
    for operation in GROWTHS.values():
        if operation is WidenDeepen:
            continue  # a layer reaches a width once; the new names are those of Deepen
        for site in operation.sites(architecture, SMALL)[:4]:
            if len(site.grown(architecture)) > len(architecture):
                for _ in range(2):
                    network = grow(network, site, rng=0)
    taken = Architecture(
        (3, 3, 1),
        (
            Node("conv1", Conv((3, 3), 2, activation="linear"), (INPUT,)),
            Node("conv1_deep_bn", BatchNorm(activation="relu"), ("conv1",)),
            Node("conv2", Conv((1, 1), 2, activation="linear"), ("conv1_deep_bn",)),
        ),
    )
    assert change(trained(taken), grow(trained(taken), Deepen("conv1"), rng=0)) == 0.0


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


def test_growths_describe_themselves():
    """Place and sizes before and after are text for tables, for every growth."""
    for architecture in CASES.values():
        for growth in every_growth(architecture):
            before, after = growth.sizes(architecture)
            assert before
            assert after
            assert before != after
            assert growth.place in architecture
            assert str(growth).startswith(growth.operation)


def test_only_growths_are_grown():
    """A name instead of a growth is a TypeError that shows one."""
    network: Network = trained(CASES["dense only"])
    with pytest.raises(TypeError, match="expected a Growth such as"):
        grow(network, "widen", rng=0)  # type: ignore[arg-type]
    assert images_for(network.architecture).shape == (3, 6)


def test_a_kernel_grows_to_the_size_asked_for():
    """As near as is legal, in one growth: 3x3 by four is 11x11 where kernels are odd."""
    architecture = Architecture.parse("3x3x4(conv1)-10(fc1)", input_shape=(28, 28, 1))
    limits = Limits(kernel=31)
    (site,) = EnlargeKernel.sites(architecture, limits)
    for factor, expected in ((0.5, 5), (1.0, 5), (2.0, 11), (3.0, 23)):
        assert site.sized(factor, architecture, limits).kernel == (expected, expected)
    assert site.sized(3.0, architecture, Limits(kernel=15)).kernel == (15, 15)


def test_a_branch_has_the_kernel_that_it_says():
    """A branch has the layer's kernel if its own would give images that do not fit."""
    text = "3x3x4(conv1,padding=valid)-10(fc1)"
    architecture = Architecture.parse(text, input_shape=(8, 8, 1))
    (site,) = AddBranch.sites(architecture, Limits())
    assert site.kernel is None
    branch = site.grown(architecture)["conv1_branch"].layer
    assert (branch.kernel, branch.padding) == ((3, 3), "valid")
    with pytest.raises(NotExactError, match="images are 6 x 6, got 8 x 8 with kernel 5: use"):
        AddBranch("conv1", 2, 5).grown(architecture)


@pytest.mark.parametrize(
    "growth",
    [
        Widen("conv1", np.int64(8)),
        AddBranch("conv1", np.int32(2), np.int64(5)),
        EnlargeKernel("conv1", np.int64(5)),
        EnlargeKernel("conv1", (np.int64(5), 5)),
    ],
)
def test_whole_numbers_of_numpys_are_whole_numbers(growth):
    """And are kept as Python's, which JSON can hold."""
    architecture = Architecture.parse("3x3x4(conv1)-10(fc1)", input_shape=(8, 8, 1))
    assert growth.grown(architecture).parameters > architecture.parameters
    assert growth_from_json(json.loads(json.dumps(growth.to_json()))) == growth


@pytest.mark.parametrize("layer", ["conv1", "fc1"])
@pytest.mark.parametrize("width", [2**31 - 1, 10**9])
@pytest.mark.parametrize("growth", [Widen, AddBranch])
def test_what_no_memory_holds_is_refused_before_it_is_allocated(growth, layer, width, monkeypatch):
    """The operating system would end the process, without a word."""
    monkeypatch.setattr("growsearch.checks.physical_memory", lambda: 8e9)
    architecture = Architecture.parse("3x3x4(conv1)-8(fc1)-10(fc2)", input_shape=(28, 28, 1))
    parent = Network.initial(architecture, rng=0)
    with pytest.raises(OutOfMemoryError, match=r"expected to need at most .* GB"):
        grow(parent, growth(layer, width - 8), rng=0)


def test_a_network_with_slots_needs_as_much_again(monkeypatch):
    """Weights and two slots: three times four bytes a parameter."""
    architecture = Architecture.parse("8(fc1)-10(fc2)", input_shape=(3,))
    parent = Network.initial(architecture, rng=0)
    slots = dict.fromkeys(("m", "v"), parent.weights)
    trained = Network(architecture, parent.weights, Slots("adam", 1, slots))
    parameters = Widen("fc1", 1000).grown(architecture).parameters
    monkeypatch.setattr("growsearch.checks.physical_memory", lambda: 12.0 * parameters - 1.0)
    grow(parent, Widen("fc1", 1000), rng=0)
    with pytest.raises(OutOfMemoryError, match=f"a network of {parameters:,} parameters: "):
        grow(trained, Widen("fc1", 1000), rng=0)


def test_only_networks_grow():
    """An architecture has no weights to keep a function with."""
    architecture = Architecture.parse("8(fc1)-10(fc2)", input_shape=(3,))
    with pytest.raises(TypeError, match="network: expected a Network, got"):
        grow(architecture, Widen("fc1", 16), rng=0)
