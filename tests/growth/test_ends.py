"""The ends of a network grow: classes beside the old ones, channels beside the old ones."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.special import softmax

from growsearch.errors import InvalidInputError, NotExactError
from growsearch.growth import (
    ENDS,
    FILLINGS,
    GROWTHS,
    OPERATIONS,
    SEARCHED,
    SHRINKS,
    AddClasses,
    AddInputs,
    Limits,
    classes,
    grow,
    growth_from_json,
    inputs,
    measure_change,
    sites,
)
from growsearch.growth.classes import FIRST_CLASSES
from growsearch.growth.inputs import FIRST_INPUTS
from growsearch.net2net import Units
from growsearch.networks import INPUT, Architecture, Network, Node
from growsearch.networks.layer import Layer
from growsearch.networks.layers import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    LayerNorm,
    Reshape,
)
from tests.growth_cases import CASES, difference, images_for, random_architecture, trained
from tests.strategies import seeds

# A matrix product of another width may add its terms in another order.
ROUNDING = 1e-14


def ending(*layers: Layer) -> Architecture:
    """A convolution, then these layers at the end."""
    nodes = [Node("conv", Conv((3, 3), 6), (INPUT,))]
    for number, layer in enumerate(layers):
        nodes.append(Node(f"end{number}", layer, (nodes[-1].name,)))
    return Architecture((5, 4, 2), tuple(nodes))


def summed(join: Layer) -> Architecture:
    """Two dense heads on one pooling, joined."""
    heads = [Node(f"head{number}", Dense(3, "linear"), ("pool",)) for number in (0, 1)]
    nodes = [Node("conv", Conv((3, 3), 5), (INPUT,)), Node("pool", GlobalAvgPool(), ("conv",))]
    return Architecture((5, 4, 2), (*nodes, *heads, Node("out", join, ("head0", "head1"))))


ENDINGS = {
    "dense": ending(GlobalAvgPool(), Dense(3, "linear")),
    "softmax in the layer": ending(GlobalAvgPool(), Dense(3, "softmax")),
    "softmax as a layer": ending(GlobalAvgPool(), Dense(3, "linear"), Activation("softmax")),
    "sigmoid": ending(GlobalAvgPool(), Dense(3, "sigmoid")),
    "convolution, pooling": ending(Conv((1, 1), 3, activation="linear"), GlobalAvgPool()),
    "convolution, ReLU, pooling, softmax": ending(
        Conv((1, 1), 3), GlobalMaxPool(), Activation("softmax")
    ),
    "flatten of one position": ending(
        Conv((5, 4), 3, padding="valid", activation="linear"), Flatten()
    ),
    "norm at the end": ending(GlobalAvgPool(), Dense(3, "linear"), BatchNorm()),
    "an image of classes": ending(Conv((1, 1), 3, activation="linear")),
    "sum of two": summed(Add()),
    "concatenation of two": summed(Concat()),
}


def logits(network: Network) -> np.ndarray:
    """Outputs without a softmax at the end."""
    last = network.architecture.output
    if last.layer.mixes_units:
        plain = network.architecture.with_layers({last.name: last.layer.with_activation("linear")})
        network = Network(plain, network.weights)
    return network.forward(images_for(network.architecture, seed=5, count=4))


# -- classes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("init", FIRST_CLASSES)
@pytest.mark.parametrize("name", ENDINGS)
def test_old_logits_stay(name, init):
    """The weights of each old class bit for bit; the logits they give but for rounding."""
    parent = trained(ENDINGS[name])
    count = parent.outputs
    child = grow(parent, AddClasses(2, init), rng=0)
    assert child.architecture == AddClasses(2, init).grown(parent.architecture)
    assert child.outputs == count + 2
    assert difference(logits(parent), logits(child)[..., :count]) <= ROUNDING
    assert measure_change(parent, child).relative <= ROUNDING
    for slots in ("weights", "m", "v"):
        old = parent.weights if slots == "weights" else parent.slots.values[slots]
        new = child.weights if slots == "weights" else child.slots.values[slots]
        for layer, arrays in old.items():
            for weight, array in arrays.items():
                inside = tuple(map(slice, array.shape))
                np.testing.assert_array_equal(new[layer][weight][inside], array)


@settings(max_examples=20)
@given(seeds)
def test_old_logits_of_random_graphs_stay(seed):
    """Whatever stands in front of the output."""
    parent = trained(random_architecture(seed), seed=seed)
    child = grow(parent, AddClasses(3, "random"), rng=seed)
    assert measure_change(parent, child).relative <= ROUNDING


@pytest.mark.parametrize("name", [name for name in ENDINGS if "ReLU" not in name])
def test_a_bias_gives_new_classes_their_probability(name):
    """On average over the images: a twentieth each, whatever the first weights are."""
    parent = trained(ENDINGS[name])
    images = images_for(parent.architecture, seed=2, count=8)
    for init in FIRST_CLASSES:
        child = grow(parent, AddClasses(2, init, prior=0.05), rng=0, images=images)
        found = child.forward(images)
        if "softmax" not in name and name != "sigmoid":
            found = softmax(found, axis=-1)
        assert abs(found[..., -2:].mean() - 0.05) <= 1e-5


def test_without_images_the_prior_is_of_logits_whose_exponentials_sum_to_one():
    """With n new classes e^b is prior / (1 - n·prior); behind a sigmoid the logit of the prior."""
    for name, expected in (("dense", 0.1 / 0.8), ("sigmoid", 0.1 / 0.9)):
        child = grow(trained(ENDINGS[name]), AddClasses(2, prior=0.1), rng=0)
        np.testing.assert_allclose(np.exp(child.weights["end1"]["bias"][-2:]), expected, rtol=1e-6)


def test_first_weights_are_zero_the_mean_or_random():
    """Zeros and no bias; the mean of kernels and biases; as long as the old ones, each its own."""
    parent = trained(ENDINGS["dense"])
    old = parent.weights["end1"]

    def new(init):
        return grow(parent, AddClasses(2, init), rng=3).weights["end1"]

    zero, mean, drawn = map(new, FIRST_CLASSES)
    assert not zero["kernel"][:, 3:].any()
    assert not zero["bias"][3:].any()
    for column in (3, 4):
        np.testing.assert_allclose(mean["kernel"][:, column], old["kernel"].mean(1), atol=1e-6)
    np.testing.assert_allclose(mean["bias"][3:], old["bias"].mean(), atol=1e-6)
    assert np.abs(drawn["kernel"][:, 3] - drawn["kernel"][:, 4]).min() > 0.0
    assert 0.2 < np.abs(drawn["kernel"][:, 3:]).mean() / np.abs(old["kernel"]).mean() < 5.0
    again = grow(parent, AddClasses(2, "random"), rng=3).weights["end1"]["kernel"]
    np.testing.assert_array_equal(again, drawn["kernel"])


def test_classes_have_names(tmp_path):
    """Named ones join the others; numbers name those that have no name; a file holds them."""
    parent = trained(ENDINGS["dense"])
    child = grow(parent, AddClasses(names=("seven", "eight")), rng=0)
    assert child.class_names == ("0", "1", "2", "seven", "eight")
    assert grow(parent, AddClasses(2), rng=0).class_names is None
    named = parent.named(("a", "b", "c"))
    assert grow(named, AddClasses(2), rng=0).class_names == ("a", "b", "c", "3", "4")
    child = grow(named, AddClasses(1, names=("d",)), rng=0)
    assert Network.load(child.save(tmp_path / "n.safetensors")).class_names == ("a", "b", "c", "d")
    with pytest.raises(InvalidInputError, match="expected each name once, got 'b' twice"):
        grow(named, AddClasses(names=("b",)), rng=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "n: expected a whole number of at least 1, got 0"),
        ({"n": 2, "names": ("a",)}, "names: expected 2, one for each class, got 1: a"),
        ({"names": "seven"}, "names: expected a list of names of classes, got 'seven'"),
        ({"names": ()}, "n: expected a whole number of at least 1, got 0"),
        ({"n": 1, "init": "ones"}, "init: expected one of zero, mean, random, got 'ones'"),
        ({"n": 2, "prior": 0.5}, "prior: expected"),
        ({"n": 2, "prior": 0.0}, "prior: expected"),
        ({"n": 1.5}, "n: expected a whole number"),
    ],
)
def test_classes_that_cannot_be_are_refused(options, message):
    with pytest.raises(InvalidInputError) as refused:
        AddClasses(**options)
    assert message in str(refused.value)


def test_a_prior_needs_a_bias_and_a_probability_that_it_can_give():
    bare = trained(ending(GlobalAvgPool(), Dense(3, "linear", use_bias=False)))
    with pytest.raises(InvalidInputError, match="prior: expected a bias of end1"):
        grow(bare, AddClasses(1, prior=0.1), rng=0)
    rectified = trained(ENDINGS["convolution, ReLU, pooling, softmax"])
    images = images_for(rectified.architecture)
    with pytest.raises(InvalidInputError, match=r"prior: expected a probability .*got 1e-09"):
        grow(rectified, AddClasses(1, prior=1e-9), rng=0, images=images)


REFUSED_ENDS = [
    (ending(Conv((3, 3), 2), Flatten()), "end1: more classes do not pass it: .*positions"),
    (ending(Conv((1, 1), 4), Reshape((4, 10))), "end1: more classes .*mixes units and positions"),
    (ending(GlobalAvgPool(), Dense(4, "linear"), LayerNorm()), "end2: more classes .*layer norm"),
    (ending(Conv((1, 1), 4, groups=2), GlobalAvgPool()), "end0: its units stand in groups"),
    (Architecture((4,), (Node("act", Activation("softmax"), (INPUT,)),)), "act: .*got inputs"),
    (
        Architecture(
            (4,),
            (
                Node("fc", Dense(4, "linear"), (INPUT,)),
                Node("gate", Dense(4, "linear"), ("fc",)),
                Node("out", Add(), ("fc", "gate")),
            ),
        ),
        "fc: expected logits that no other layer reads",
    ),
]


@pytest.mark.parametrize(("architecture", "message"), REFUSED_ENDS)
def test_outputs_that_cannot_grow_are_refused(architecture, message):
    """In one line with the layer and the reason; and they are no site."""
    with pytest.raises(NotExactError, match=message):
        AddClasses(1).grown(architecture)
    assert AddClasses.sites(architecture, Limits()) == ()


# -- inputs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("init", FIRST_INPUTS)
@pytest.mark.parametrize("name", CASES)
def test_outputs_stay_with_more_channels(name, init):
    """Zeros: for any value of a new channel. Copies: where it repeats its old one."""
    parent = trained(CASES[name])
    images = images_for(parent.architecture, seed=5)
    for n in (1, 3):
        growth = AddInputs(n, init)
        child = grow(parent, growth, rng=0)
        assert child.architecture == growth.grown(parent.architecture)
        more = growth.extended(images)
        assert more.shape[1:] == child.architecture.input_shape
        if init == "zero":
            more[..., -n:] = 10 * np.random.default_rng(0).normal(size=more[..., -n:].shape)
        assert measure_change(parent, child, images, images_after=more).relative <= 1e-9
        if init == "copy":
            more[..., -n:] += 1.0
            assert measure_change(parent, child, images, images_after=more).relative > 1e-9


@settings(max_examples=20)
@given(seeds)
def test_random_graphs_read_more_channels(seed):
    """Whatever reads the input, in several places too."""
    parent = trained(random_architecture(seed), seed=seed)
    images = images_for(parent.architecture, seed=5)
    for growth in (AddInputs(1), AddInputs(3, "copy")):
        child = grow(parent, growth, rng=seed)
        more = growth.extended(images)
        assert measure_change(parent, child, images, images_after=more).relative <= 1e-9


def test_a_sum_with_the_input_grows_along():
    """The layer that is added to the input gets units beside the new channels."""
    nodes = (
        Node("conv", Conv((3, 3), 2), (INPUT,)),
        Node("sum", Add(), (INPUT, "conv")),
        Node("pool", GlobalAvgPool(), ("sum",)),
        Node("fc", Dense(3, "linear"), ("pool",)),
    )
    parent = trained(Architecture((4, 4, 2), nodes))
    images = images_for(parent.architecture)
    for growth in (AddInputs(2), AddInputs(2, "copy")):
        child = grow(parent, growth, rng=0)
        assert child.architecture["conv"].layer.width == 4
        found = measure_change(parent, child, images, images_after=growth.extended(images))
        assert found.relative <= 1e-9


@pytest.mark.parametrize(
    ("architecture", "growth", "message"),
    [
        (
            Architecture((4, 4, 2), (Node("c", Conv((1, 1), 2, groups=2), (INPUT,)),)),
            AddInputs(1),
            "input: new channels do not fit: c: its input units stand in 2 groups",
        ),
        (
            Architecture((4,), (Node("ln", LayerNorm(), (INPUT,)), Node("f", Dense(2), ("ln",)))),
            AddInputs(1),
            "input: new channels do not fit: layer norm",
        ),
        (
            Architecture((4,), (Node("act", Activation("relu"), (INPUT,)),)),
            AddInputs(1),
            "input: another width would change the network's outputs",
        ),
    ],
)
def test_inputs_that_cannot_grow_are_refused(architecture, growth, message):
    """In one line with the reason; and they are no site."""
    with pytest.raises(NotExactError, match=message):
        growth.grown(architecture)
    assert AddInputs.sites(architecture, Limits()) == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"n": 0}, "n: expected"), ({"n": 1, "init": "mean"}, "init: expected one of zero, copy")],
)
def test_channels_that_cannot_be_are_refused(options, message):
    with pytest.raises(InvalidInputError, match=message):
        AddInputs(**options)


# -- the registry --------------------------------------------------------------------------------


def test_every_operation_is_listed_read_and_described():
    """``sites`` names all; JSON gives each back; searches have all but those of the ends."""
    architecture = CASES["conv-flatten-dense"]
    found = sites(architecture)
    assert list(found) == list(OPERATIONS) == [*GROWTHS, *SHRINKS, *ENDS]
    assert set(SEARCHED) == set(GROWTHS) | set(SHRINKS)
    for growth in (
        *(site for legal in found.values() for site in legal),
        *(AddClasses(2, "mean", 0.1, ("a", "b")), AddInputs(3, "copy")),
    ):
        text = json.dumps(growth.to_json())
        assert growth_from_json(json.loads(text)) == growth
        assert str(growth).startswith(growth.operation)
        before, after = growth.sizes(architecture)
        assert before != after
        assert isinstance(growth.place, str)
        assert growth.with_split("new", architecture).operation == growth.operation


def test_limits_hold_for_the_ends():
    """Parameters are counted; an output is no layer whose width is limited."""
    architecture = CASES["conv-flatten-dense"]
    for operation in ENDS.values():
        assert operation.sites(architecture, Limits(width=1))
        assert operation.sites(architecture, Limits(parameters=architecture.parameters)) == ()


@pytest.mark.parametrize("fill", FILLINGS)
def test_ends_leave_no_slots_behind(fill):
    """Slots go along, and there are none where there were none."""
    parent = trained(CASES["residual"])
    for growth in (AddClasses(2), AddInputs(2), AddInputs(2, "copy")):
        child = grow(parent, growth, rng=0, fill=fill)
        assert child.slots.step == parent.slots.step
        bare = Network(parent.architecture, parent.weights)
        assert grow(bare, growth, rng=0, fill=fill).slots is None
        assert grow(parent, growth, rng=0, fill=fill, slots="reset").slots is None


# -- the oracle ----------------------------------------------------------------------------------


def test_a_channel_that_is_read_is_seen(monkeypatch):
    """A new channel with weights that are not zero changes the outputs."""

    def flow(architecture, units):
        share = np.where(units.share > 0.0, 0.5, 0.25)
        return original(architecture, Units(units.source, share, units.old))

    original = inputs.widen_input
    monkeypatch.setattr(inputs, "widen_input", flow)
    parent = trained(CASES["conv-flatten-dense"])
    images = images_for(parent.architecture)
    more = np.concatenate([images, np.ones_like(images)], axis=-1)
    child = grow(parent, AddInputs(2), rng=0)
    assert measure_change(parent, child, images, images_after=more).relative > 1e-6


def test_an_old_bias_that_moves_is_seen(monkeypatch):
    """The shift of a prior that reaches an old class changes its logits."""
    monkeypatch.setattr(classes, "_shifted", lambda bias, _new, shift: bias + np.float32(shift))
    parent = trained(ENDINGS["dense"])
    child = grow(parent, AddClasses(1, prior=0.01), rng=0)
    assert measure_change(parent, child).relative > 1e-3
