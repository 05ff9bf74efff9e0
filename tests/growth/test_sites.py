"""Legal sites: complete, at what they cost, exact behind every last layer, and found quickly."""

from __future__ import annotations

import pickle
from dataclasses import replace
from itertools import takewhile

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from growsearch.errors import NotExactError
from growsearch.growth import GROWTHS, AddSkip, Compound, Limits, grow, sites
from growsearch.growth.blocks import block_end
from growsearch.growth.growth import sites_of
from growsearch.networks import INPUT, Architecture, Node
from growsearch.networks.layers import (
    Activation,
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    LayerNorm,
    MaxPool,
    SeparableConv,
    ZeroPad,
)
from tests.growth_cases import CASES, case, change, images_for, random_architecture, trained
from tests.strategies import seeds

TOLERANCE = 1e-9  # float64 reference, relative to the largest output

# Each ends a network whose last layer gives images; a list ends it with branches and their join.
LAST = {
    "conv": (Conv((3, 3), 3),),
    "separable": (SeparableConv((3, 3), 3),),
    "depthwise": (DepthwiseConv((3, 3)),),
    "relu": (Activation("relu"),),
    "softmax": (Conv((1, 1), 4, activation="linear"), Activation("softmax")),
    "max pool": (MaxPool(),),
    "avg pool": (AvgPool(),),
    "global avg pool": (GlobalAvgPool(),),
    "global max pool": (GlobalMaxPool(),),
    "flatten": (Flatten(),),
    "padding": (ZeroPad(1, 0, 0, 2),),
    "dropout": (Dropout(0.3),),
    "batch norm": (BatchNorm(activation="relu"),),
    "layer norm": (Conv((1, 1), 4, activation="linear"), LayerNorm()),
    "group norm": (Conv((1, 1), 4, activation="linear"), GroupNorm(2)),
    "sum": (Conv((1, 1), 3), [Conv((3, 3), 3), Conv((1, 1), 3, activation="linear"), Add()]),
    "concatenation": ([Conv((3, 3), 2), SeparableConv((1, 1), 3), Concat()],),
    "dense, softmax": (Flatten(), Dense(3, activation="softmax")),
    "dense, then softmax": (Flatten(), Dense(3, "linear"), Activation("softmax")),
    "dense, batch norm": (Flatten(), Dense(4, "linear"), BatchNorm(), Dropout(0.1)),
}


def ending_with(last: str, seed: int) -> Architecture:
    """A random graph of images, with these last layers behind it."""
    whole = random_architecture(seed)
    images = takewhile(lambda node: len(whole.shapes[node.name]) == 3, whole.nodes)
    nodes = list(images)
    for layer in LAST[last]:
        stem = nodes[-1].name
        branches = layer if isinstance(layer, list) else [layer]
        *before, join = branches
        for number, branch in enumerate(before):
            nodes.append(Node(f"last{len(nodes)}_{number}", branch, (stem,)))
        inputs = tuple(node.name for node in nodes[len(nodes) - len(before) :]) or (stem,)
        nodes.append(Node(f"last{len(nodes)}", join, inputs))
    return Architecture(whole.input_shape, tuple(nodes))


@settings(max_examples=30)
@given(st.sampled_from(list(LAST)), seeds)
@example("depthwise", 4702)  # behind a reshape, in which a new class needs two new units
def test_every_listed_site_grows_exactly_behind_every_last_layer(last: str, seed: int) -> None:
    """Each site that ``sites`` lists is grown, and keeps every output to 1e-9."""
    architecture = ending_with(last, seed)
    parent = trained(architecture, dtype=np.float64, seed=seed)
    batch = images_for(architecture, seed=1)
    listed = sites(architecture, Limits(width=64))
    for operation in GROWTHS:  # the others change inputs, outputs, or what is computed
        for site in listed[operation]:
            assert change(parent, grow(parent, site, rng=0, images=batch)) <= TOLERANCE, site


@pytest.mark.parametrize("last", LAST)
def test_a_shortcut_by_sum_needs_no_kernel_at_the_end(last: str) -> None:
    """A projection gets the dtype of the network, whatever arrays its last layer has, if any."""
    nodes = (Node("a", Conv((3, 3), 3), (INPUT,)), Node("b", Conv((3, 3), 4), ("a",)))
    behind = ending_with(last, 0).nodes
    chain = [n for n in behind if n.name.startswith("last")]
    first = chain[0].inputs
    rest = (Node(n.name, n.layer, ("b",) if n.inputs == first else n.inputs) for n in chain)
    architecture = Architecture((8, 7, 2), (*nodes, *rest))
    parent = trained(architecture, dtype=np.float64)
    child = grow(parent, AddSkip("input", "a"), rng=0)
    assert child.weights["a_skip_project"]["kernel"].dtype == np.float64
    assert change(parent, child) <= TOLERANCE


def shortcuts(architecture: Architecture, limits: Limits) -> set[AddSkip]:
    """Every pair of layers, one by one: the shortcut is tried on a copy of the graph."""
    layers = [node.name for node in architecture.nodes if node.layer.is_producer]
    found = set()
    for number, target in enumerate(layers[:-1]):
        end = block_end(architecture, target).name
        joined = {name for node in architecture.consumers[end] for name in node.inputs}
        for source in (INPUT, *layers[:number]):
            start = source if source == INPUT else block_end(architecture, source).name
            for merge in ("sum", "concat"):
                site = AddSkip(source, target, merge)
                try:
                    grown = site.grown(architecture)
                except NotExactError:
                    continue
                if start not in joined and limits.allow_growth(architecture, grown):
                    found.add(site)
    return found


LIMITS = st.builds(
    Limits,
    layers=st.none() | st.integers(2, 8),
    width=st.none() | st.integers(2, 8),
    parameters=st.none() | st.integers(20, 800),
    flops=st.none() | st.integers(500, 20_000),
)


@settings(max_examples=60)
@given(seeds, LIMITS)
def test_the_shortcuts_listed_are_all_that_are_legal(seed: int, limits: Limits) -> None:
    """One pass over the graph finds those that a trial of every pair of layers finds."""
    architecture = random_architecture(seed)
    assert set(AddSkip.sites(architecture, limits)) == shortcuts(architecture, limits)


@pytest.mark.parametrize("name", CASES)
def test_the_shortcuts_of_every_case_are_all_that_are_legal(name: str) -> None:
    """Sums, concatenations, groups and norms behind the target included."""
    found = AddSkip.sites(CASES[name], Limits())
    assert len(found) == len(set(found))
    assert set(found) == shortcuts(CASES[name], Limits())


@settings(max_examples=40)
@given(seeds)
def test_a_site_is_listed_up_to_the_very_cost_of_its_network(seed: int) -> None:
    """With limits of the parameters, FLOPs or layers of the larger network, not with one less."""
    architecture, rng = random_architecture(seed), np.random.default_rng(seed)
    for operation in GROWTHS.values():
        listed = operation.sites(architecture, Limits())
        if not listed:
            continue
        site = listed[rng.integers(len(listed))]
        grown = site.grown(architecture)
        for limit, size in {
            "parameters": grown.parameters,
            "flops": grown.flops,
            "layers": grown.producers,
        }.items():
            within, beyond = (Limits(**{limit: most}) for most in (size, size - 1))
            assert site in operation.sites(architecture, within), (site, limit)
            if size > getattr(architecture, "producers" if limit == "layers" else limit):
                assert site not in operation.sites(architecture, beyond), (site, limit)


@settings(max_examples=40)
@given(seeds)
def test_a_grown_graph_is_the_one_that_its_nodes_make(seed: int) -> None:
    """Shapes and costs kept from the graph before are those that a new graph works out."""
    architecture = random_architecture(seed)
    for listed in sites(architecture).values():
        for site in listed:
            grown = site.grown(architecture)
            made = Architecture(grown.input_shape, grown.nodes)
            assert grown == made
            assert hash(grown) == hash(made) == hash(pickle.loads(pickle.dumps(grown)))
            for worked_out in ("shapes", "weights", "consumers", "parameters", "flops"):
                assert getattr(grown, worked_out) == getattr(made, worked_out)


def test_a_site_costs_no_copy_of_the_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 30 convolutions, 900 sites: a graph is built once a layer and operation at most."""
    chain = case(*[Conv((3, 3), 4) for _ in range(30)], shape=(8, 7, 2))
    built = []
    made_of, init = Architecture._made_of, Architecture.__post_init__
    monkeypatch.setattr(Architecture, "_made_of", lambda *a: built.append(1) or made_of(*a))
    monkeypatch.setattr(Architecture, "__post_init__", lambda a: built.append(1) or init(a))
    listed = sites(replace_name(chain))
    assert sum(map(len, listed.values())) > 900
    assert len(built) <= 2 * len(chain) + 4


def replace_name(architecture: Architecture) -> Architecture:
    """The same graph under names that no other test asked the sites of."""
    names = {node.name: f"quick_{node.name}" for node in architecture.nodes} | {INPUT: INPUT}
    return Architecture(
        architecture.input_shape,
        tuple(
            Node(names[n.name], n.layer, tuple(names[i] for i in n.inputs))
            for n in architecture.nodes
        ),
    )


def test_sites_are_remembered_by_what_they_depend_on() -> None:
    """The same graph and limits give the same sites; other limits give others."""
    architecture = CASES["conv-flatten-dense"]
    same = Architecture(architecture.input_shape, architecture.nodes)
    for operation in GROWTHS.values():
        assert sites_of(operation, architecture, Limits()) == operation.sites(same, Limits())
    narrow = replace(Limits(), width=4)
    assert sites_of(GROWTHS["widen"], architecture, narrow) != sites_of(
        GROWTHS["widen"], same, Limits()
    )
    assert issubclass(GROWTHS["widen_all"], Compound)
