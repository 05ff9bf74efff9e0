"""Architectures as text and as JSON: what is written is read again, what is wrong is named."""

from __future__ import annotations

import json
import math
import random
import re
from dataclasses import MISSING, fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from growsearch.errors import ArchitectureError
from growsearch.networks import INPUT, Architecture, Network, Node
from growsearch.networks.activations import ACTIVATIONS
from growsearch.networks.layers import (
    LAYERS,
    Activation,
    Add,
    AlphaDropout,
    AvgPool,
    BatchNorm,
    Carried,
    Conv,
    ConvTranspose,
    Crop,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GaussianDropout,
    GaussianNoise,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    LayerNorm,
    MaxPool,
    Normalize,
    Permute,
    PReLU,
    Rescale,
    RescaleChannels,
    Reshape,
    Resize,
    RMSNorm,
    Scale,
    SeparableConv,
    UnitNorm,
    UpSample,
    ZeroPad,
)
from growsearch.networks.layers.noise import TOGETHER
from growsearch.networks.layers.resampling import INTERPOLATIONS
from tests.growth_cases import CASES, random_architecture
from tests.strategies import seeds

LENET = "5x5x32(conv1)-pool1-5x5x64(conv2)-pool2-1024(fc1)-10(fc2)"
MUTATIONS = 1_500

# -- random chains -------------------------------------------------------------------------------

small = st.integers(1, 3)
pairs = st.tuples(small, small)
paddings = st.sampled_from(("same", "valid"))
activations = st.sampled_from(sorted(ACTIVATIONS))
rates = st.floats(0.0, 1.0, exclude_max=True)
epsilons = st.floats(0.0, 1.0, exclude_min=True, exclude_max=True)
biases = st.booleans()
equal = small.map(lambda n: (n, n))

pools = [st.builds(kind, pairs, st.none() | pairs, st.just("same")) for kind in (MaxPool, AvgPool)]
anywhere = [
    st.builds(BatchNorm, epsilons, rates, activations, biases, biases),
    st.builds(LayerNorm, epsilons, biases, biases),
    st.builds(GroupNorm, st.just(1), epsilons, biases, biases),
    st.builds(RMSNorm, epsilons),
    st.sampled_from((UnitNorm(), Normalize(), RescaleChannels(), Scale())),
    st.builds(Rescale, st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)),
    st.builds(Dropout, rates, st.sampled_from(TOGETHER)),
    st.builds(AlphaDropout, rates),
    st.builds(GaussianDropout, rates),
    st.builds(
        Carried, st.just("RandomFlip"), st.dictionaries(st.text(), st.text()).map(json.dumps)
    ),
    st.builds(GaussianNoise, st.floats(0.0, 1.0)),
    st.builds(PReLU, biases),
    st.builds(Activation, activations),
    st.builds(Activation, st.just("leaky_relu"), st.floats(-1e9, 1e9)),
]
on_images = st.one_of(
    st.builds(Conv, pairs, small, pairs, activation=activations, use_bias=biases),
    st.builds(Conv, pairs, small, dilation=pairs, activation=activations),
    st.builds(SeparableConv, pairs, small, equal, st.just("same"), small, activations, biases),
    st.builds(DepthwiseConv, pairs, equal, st.just("same"), small, activations, biases),
    st.builds(DepthwiseConv, pairs, dilation=pairs),
    st.builds(ConvTranspose, pairs, small, pairs, paddings, activations, biases),
    st.builds(Dense, small, activations, biases),
    st.builds(ZeroPad, small, small, small, small),
    st.builds(Crop, *[st.just(0)] * 4),
    st.builds(UpSample, pairs, st.sampled_from(INTERPOLATIONS)),
    st.builds(Resize, pairs, st.sampled_from(INTERPOLATIONS)),
    st.sampled_from((Permute((2, 1, 3)), Permute((3, 1, 2)), Reshape((1, 1)))),
    *pools,
    *anywhere,
)
on_features = st.one_of(st.builds(Dense, small, activations, biases), *anywhere)
transitions = st.sampled_from((Flatten(), GlobalAvgPool(), GlobalMaxPool()))
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.]{0,6}", fullmatch=True) | st.sampled_from(
    ("pool1", "pool", "pool_x", "pool.1", "flatten", "conv1", "7", "e", "1e5", "3x3")
)


@st.composite
def chains(draw: st.DrawFn) -> Architecture:
    """Chains of every layer type with one input, every option, and names that look like options."""
    layers = draw(st.lists(on_images, max_size=4))
    shape: tuple[int, ...] = (7, 6, 2)
    if draw(st.booleans()):
        layers += [draw(transitions), *draw(st.lists(on_features, max_size=3))]
    elif not layers:
        shape, layers = (5,), draw(st.lists(on_features | st.just(Flatten()), min_size=1))
    own = draw(st.lists(names.filter(lambda n: n != INPUT), unique=True, min_size=len(layers)))
    before = [INPUT, *own]
    return Architecture(
        shape,
        tuple(
            Node(name, layer, (source,))
            for name, layer, source in zip(own, layers, before, strict=False)
        ),
    )


def error_of(function: Any, *arguments: Any) -> str:
    """The one line that something is refused with."""
    with pytest.raises(ArchitectureError) as caught:
        function(*arguments)
    text = str(caught.value)
    assert len(text.splitlines()) == 1, text
    return text


# -- round trips ---------------------------------------------------------------------------------


@settings(max_examples=150)
@given(chains())
def test_a_chain_is_read_as_it_was_written(architecture):
    """Text -> architecture gives back names, options to the last digit, and inputs."""
    assert Architecture.parse(str(architecture), architecture.input_shape) == architecture


@settings(max_examples=200)
@given(chains() | seeds.map(random_architecture))
def test_an_architecture_is_read_as_its_json_was_written(architecture):
    """Chains and graphs; from values and from text, whatever the order of keys."""
    value = architecture.to_json()
    text = json.dumps(value, sort_keys=True)
    assert Architecture.from_json(value) == architecture
    assert Architecture.from_json(text) == architecture
    assert Architecture.from_json(json.loads(text)).to_json() == value
    assert hash(Architecture.from_json(text)) == hash(architecture)


@pytest.mark.parametrize("name", CASES)
def test_the_notation_of_a_graph_is_for_reading_only(name):
    """Reading a chain's gives the chain; a graph's is refused, never read as something else."""
    architecture = CASES[name]
    text = str(architecture)
    before = INPUT
    is_chain = True
    for node in architecture.nodes:
        is_chain, before = is_chain and node.inputs == (before,), node.name
    if is_chain:
        assert Architecture.parse(text, architecture.input_shape) == architecture
    else:
        assert "<" in text
        error_of(Architecture.parse, text, architecture.input_shape)


@pytest.mark.parametrize(
    "text",
    [
        LENET,
        "3x3x8(conv1,stride=2x2,activation=tanh)-10(fc1)",
        "3x3x8(conv1)-batch_norm(bn1)-activation(a1,function=gelu)-global_avg_pool(g1)-10(fc1)",
        "zero_pad(z1,top=1,bottom=0,left=2,right=0)-1x1x4(conv1,use_bias=false)",
        "max_pool(big,size=3x3,stride=2x2)-10(fc1,activation=relu)",
        "depthwise_conv(d1,kernel=3x3)-separable_conv(s1,kernel=3x3,filters=8)-10(fc1)",
        "activation(a1,function=leaky_relu,slope=1e-05)-flatten(f1)-10(fc1)",
    ],
)
def test_canonical_text_comes_back_letter_for_letter(text):
    assert str(Architecture.parse(text)) == text


def test_spaces_and_line_breaks_do_not_matter():
    assert Architecture.parse(LENET.replace("-", " -\n ")) == Architecture.parse(LENET)


def test_what_the_notation_leaves_out_is_the_default():
    """ReLU but in the last layer, same padding, 2x2 pooling, a flatten before the first dense."""
    nodes = Architecture.parse("3x2x8(conv1)-pool1-10(fc1)-5(fc2)").nodes
    assert nodes == (
        Node("conv1", Conv((3, 2), 8, activation="relu", padding="same"), (INPUT,)),
        Node("pool1", MaxPool((2, 2)), ("conv1",)),
        Node("flatten", Flatten(), ("pool1",)),
        Node("fc1", Dense(10, activation="relu"), ("flatten",)),
        Node("fc2", Dense(5, activation="linear"), ("fc1",)),
    )


@pytest.mark.parametrize("text", ["global_avg_pool(g)-3(f)", "flatten(x)-3(f)", "3(e)-3(f)"])
def test_a_flatten_stands_before_the_first_dense_layer_of_images_only(text):
    kinds = [node.layer.kind for node in Architecture.parse(text, (4, 4, 2)).nodes]
    assert kinds.count("flatten") == (0 if "global" in text else 1)
    assert "flatten" not in str(Architecture.parse("4(a)-3(b)", (5,)).nodes)


def test_a_flatten_of_features_is_written():
    """Reading would not put it there by itself."""
    text = "flatten(flatten)-3(fc1)"
    assert str(Architecture.parse(text, (6,))) == text


def test_a_graph_shows_which_layer_has_which_inputs():
    """Also where a flatten and its dense layer stand apart."""
    nodes = (
        Node("flatten", Flatten(), (INPUT,)),
        Node("conv1", Conv((1, 1), 2), (INPUT,)),
        Node("pool1", GlobalAvgPool(), ("conv1",)),
        Node("fc1", Dense(2), ("flatten",)),
        Node("sum1", Add(), ("fc1", "pool1")),
    )
    text = str(Architecture((2, 2, 1), nodes))
    assert text == (
        "flatten(flatten)-1x1x2(conv1<input)-global_avg_pool(pool1)-2(fc1<flatten)"
        "-add(sum1<fc1+pool1)"
    )


# -- known numbers -------------------------------------------------------------------------------


def test_the_numbers_of_a_known_chain_are_those_by_hand():
    """5x5x32, pool, 5x5x64, pool, 1024, 10 on 28x28x1: the network of the Net2Net experiments."""
    lenet = Architecture.parse(LENET)
    assert dict(lenet.shapes) == {
        "input": (28, 28, 1),
        "conv1": (28, 28, 32),
        "pool1": (14, 14, 32),
        "conv2": (14, 14, 64),
        "pool2": (7, 7, 64),
        "flatten": (3136,),
        "fc1": (1024,),
        "fc2": (10,),
    }
    conv1, conv2 = 5 * 5 * 1 * 32 + 32, 5 * 5 * 32 * 64 + 64
    fc1, fc2 = 3136 * 1024 + 1024, 1024 * 10 + 10
    assert lenet.parameters == conv1 + conv2 + fc1 + fc2 == 3_274_634
    multiply_adds = 28 * 28 * 800 + 14 * 14 * 51_200 + 3136 * 1024 + 1024 * 10
    pools = 4 * (14 * 14 * 32 + 7 * 7 * 64)
    assert lenet.flops == 2 * multiply_adds + pools == 27_805_440


@pytest.mark.parametrize(
    ("part", "shape", "parameters", "flops"),
    [
        ("3x2x4(x,padding=valid)", (5, 6, 4), 3 * 2 * 2 * 4 + 4, 2 * 48 * 30),
        ("3x3x4(x,stride=2x3)", (4, 3, 4), 3 * 3 * 2 * 4 + 4, 2 * 72 * 12),
        ("3x3x4(x,dilation=2x3,padding=valid)", (3, 1, 4), 3 * 3 * 2 * 4 + 4, 2 * 72 * 3),
        ("3x3x4(x,groups=2,use_bias=false)", (7, 7, 4), 3 * 3 * 1 * 4, 2 * 36 * 49),
        ("separable_conv(x,kernel=3x3,filters=5,multiplier=2)", (7, 7, 5), 61, 2 * 56 * 49),
        ("depthwise_conv(x,kernel=3x2,multiplier=3)", (7, 7, 6), 36 + 6, 2 * 6 * 49 * 6),
        ("batch_norm(x)", (7, 7, 2), 4, 2 * 98),
        ("batch_norm(x,scale=false)", (7, 7, 2), 2, 2 * 98),
        ("layer_norm(x)", (7, 7, 2), 4, 5 * 98),
        ("group_norm(x,groups=2)", (7, 7, 2), 4, 5 * 98),
        ("max_pool(x,size=3x2,padding=valid)", (2, 3, 2), 0, 6 * 12),
        ("avg_pool(x,stride=1x3)", (7, 3, 2), 0, 4 * 42),
        ("global_max_pool(x)", (2,), 0, 98),
        ("zero_pad(x,top=1,bottom=2,left=0,right=3)", (10, 10, 2), 0, 200),
        ("dropout(x)", (7, 7, 2), 0, 98),
        ("flatten(x)", (98,), 0, 0),
    ],
)
def test_the_numbers_of_a_layer_are_those_by_hand(part, shape, parameters, flops):
    """Output shape, parameters and FLOPs on a 7x7 image of 2 channels."""
    architecture = Architecture.parse(part, (7, 7, 2))
    assert (architecture.shapes["x"], architecture.parameters) == (shape, parameters)
    assert architecture.flops == flops


@pytest.mark.parametrize("name", CASES)
def test_shapes_and_parameters_are_those_of_keras(name):
    """By ``count_params`` of the trainable weights, and each layer's output shape."""
    from growsearch.interop.keras import to_keras

    architecture = CASES[name]
    model = to_keras(Network.initial(architecture, rng=0))
    trained = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    fixed = sum(math.prod(weight.shape) for weight in model.non_trainable_weights)
    assert architecture.parameters == trained
    assert model.count_params() == trained + fixed
    for node in architecture.nodes:
        assert tuple(model.get_layer(node.name).output.shape[1:]) == architecture.shapes[node.name]


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected text such as 5x5x32(conv1)-pool1-10(fc1), got ''"),
        (" \n", "expected text such as 5x5x32(conv1)-pool1-10(fc1), got ' \\n'"),
        ("3x3x8", "expected parts such as 5x5x32(conv1), pool1, 10(fc1)"),
        ("3x3x8(conv1)-", "joined by -, got ''"),
        ("3x3(conv1)", "got '3x3(conv1)'"),
        ("-3x3x8(conv1)", "joined by -, got ''"),
        ("3x3x8(conv1)10(fc1)", "layer 'conv1)10(fc1': expects a name of letters"),
        ("3x3x8()", "got '3x3x8()'"),
        ("0x3x8(conv1)", "conv1: kernel: expected a whole number of at least 1, got 0"),
        ("3x3x0(conv1)", "conv1: filters: expected a whole number of at least 1, got 0"),
        ("0(fc1)", "fc1: units: expected a whole number of at least 1, got 0"),
        ("3x3x8(conv1)-3x3x8(conv1)", "conv1: expects a name of its own, got it twice"),
        (
            "3x3x8(input)",
            "input: expects another name for a layer, since the network's input has it",
        ),
        ("swish(a1)", "a1: expects a kind among dense, conv, "),
        ("10(fc1,activation=swish)", "fc1: activation: expected one of linear, relu, "),
        ("10(fc1,width=3)", "fc1: expects options among units, activation, use_bias, got 'width'"),
        ("10(fc1,activation)", "fc1: expects options as key=value, once each, got 'activation'"),
        ("10(fc1,units=3)", "fc1: expects options as key=value, once each, got 'units=3'"),
        ("10(fc1,use_bias=1)", "fc1: use_bias: expected bool, got 1"),
        ("10(fc1,activation=)", "fc1: activation: expected one of linear, relu, "),
        ("3x3x8(c,stride=true)", "c: stride: expected one or two whole numbers, got True"),
        ("3x3x8(c,stride=2x2x2)", "c: stride: expected one or two whole numbers, got (2, 2, 2)"),
        ("3x3x8(c,padding=full)", "c: padding: expected one of same, valid, got 'full'"),
        ("3x3x8(c,groups=3)", "c: expects filters in 3 equal groups, got 8 filters"),
        ("3x3x8(c,groups=2)", "c: expects input channels in 2 equal groups, got 1 channels"),
        ("3x3x8(c,stride=2x1,dilation=1x2)", "c: expects stride 1 with dilation, got (2, 1) and"),
        ("9x9x8(c,padding=valid)-99x1x8(d,padding=valid)", "d: expects at least 99 pixels"),
        ("depthwise_conv(d)", "d: "),
        ("depthwise_conv(d,kernel=3x3,stride=1x2)", "d: depthwise: expects equal strides, got (1"),
        ("dropout(d,rate=1.0)", "d: rate: expected 0 <= rate < 1, got 1.0"),
        ("dropout(d,rate=nan)", "d: rate: expected a finite number, got nan"),
        ("dropout(d,rate=inf)", "d: rate: expected a finite number, got inf"),
        ("batch_norm(b,epsilon=0)", "b: epsilon: expected 0 < epsilon < 1"),
        ("batch_norm(b,epsilon=" + "1" * 400 + ")", "b: epsilon: expected a finite number, got 11"),
        ("layer_norm(n,epsilon=-0.5)", "n: epsilon: expected 0 < epsilon < 1, got -0.5"),
        ("group_norm(n,groups=2,epsilon=2)", "n: epsilon: expected 0 < epsilon < 1, got 2.0"),
        (
            "3x3x5(c)-group_norm(n,groups=2)",
            "n: expects channels in 2 equal groups, got 5 channels",
        ),
        ("group_norm(n,groups=0)", "n: groups: expected a whole number of at least 1, got 0"),
        ("activation(a,function=relu,slope=0.1)", "a: slope: expected leaky_relu"),
        (
            "zero_pad(z,top=-1,bottom=0,left=0,right=0)",
            "z: top: expected a whole number of at least 0, got -1",
        ),
        ("10(a)-3x3x8(c)", "c: expects images (height, width, channels), got shape (10,)"),
        ("add(a)", "a: expects at least 2 input(s), got 1"),
        ("add(sum1<a+b)", "layer 'sum1<a+b': expects a name of letters"),
        ("10(_a)", "layer '_a': expects a name of letters"),
        ("10(/a)", "layer '/a': expects a name of letters"),
        ("10(\x1b[31m)", "layer '\\x1b[31m': expects a name of letters"),
        ("999999999(a)-999999999(b,units=1)", "b: expects options as key=value"),
        ("zero_pad(z,top=0,bottom=2147483647,left=0,right=0)", "z: expects an output of at most"),
        ("depthwise_conv(d,kernel=2x2,multiplier=9999999999)", "d: multiplier: expected at most"),
    ],
)
def test_bad_notation_is_refused_with_layer_expected_and_got(text, message):
    assert message in error_of(Architecture.parse, text)


@pytest.mark.parametrize(
    "shape", [(), (0,), (28, 0), (28, 28, 1, 1), (28, -1, 1), (2.5,), (True,), ("3",), (2**31,)]
)
def test_an_input_is_images_or_features_of_positive_size(shape):
    assert (
        "input_shape: expects (height, width, channels), (steps, channels) or (features,)"
        in error_of(Architecture.parse, "3(fc1)", shape)
    )


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ((), "an architecture: expects at least one layer, got none"),
        ((Node("a", Dense(3), ("b",)),), "a: expects inputs that stand before it, got 'b'"),
        ((Node("a", Dense(3), ("a",)),), "a: expects inputs that stand before it, got 'a'"),
        ((Node("a", Dense(3), ()),), "a: expects 1 input(s), got 0"),
        ((Node("a", Dense(3), (INPUT, INPUT)),), "a: expects 1 input(s), got 2"),
        (
            (Node("a", Dense(3), (INPUT,)), Node("b", Dense(3), (INPUT,))),
            "a: expects a layer that uses it, got none",
        ),
        (
            (Node("a", Dense(3), (INPUT,)), Node("b", Add(), (INPUT, "a"))),
            "b: expects inputs of one shape, got (4,), (3,)",
        ),
    ],
)
def test_a_graph_that_does_not_hang_together_is_refused(nodes, message):
    assert message in error_of(Architecture, (4,), nodes)


def test_a_layer_that_does_not_exist_is_named_with_those_that_do():
    text = error_of(Architecture.parse(LENET).__getitem__, "conv9")
    known = "conv1, pool1, conv2, pool2, flatten, fc1, fc2"
    assert text == f"layer: expected one of {known}, got 'conv9'"


# -- fuzz ----------------------------------------------------------------------------------------


def parsed_or_refused(text: Any, read: Any = Architecture.parse) -> None:
    """Either an architecture that round-trips, or one line."""
    try:
        architecture = read(text)
    except ArchitectureError as error:
        lines = str(error).splitlines()
    else:
        lines = [str(architecture)]
        assert Architecture.from_json(json.dumps(architecture.to_json())) == architecture
    assert len(lines) == 1, lines


PIECES = [
    *("conv1", "pool1", "flatten", "input", "3x3x8", "1024", "(", ")", "-", ",", "=", "<", "+"),
    *("stride=2x2", "activation=relu", "groups=2", "epsilon=", "slope=", "1e400", "nan", "-1"),
    *("²", "٣x٣x٣", "\x00", "\n", "1_0", "9" * 30, "true", "none", *LAYERS, *ACTIVATIONS),
]


@settings(max_examples=400)
@given(st.text(max_size=40) | st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_no_text_gives_anything_but_an_architecture_or_the_one_error(text):
    parsed_or_refused(text)


def test_no_mutated_notation_gives_anything_but_an_architecture_or_the_one_error():
    """1,500 times a few letters of good text are replaced, doubled or lost."""
    rng = random.Random(0)
    good = [LENET, *(str(a) for name, a in CASES.items() if "<" not in str(a))]
    for _ in range(MUTATIONS):
        text = rng.choice(good)
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(text) + 1)
            piece = rng.choice(PIECES) if rng.random() < 0.5 else text[place : place + 9] * 2
            text = text[:place] + piece + text[place + rng.randint(0, 3) :]
        parsed_or_refused(text)


@pytest.mark.parametrize("text", [None, 7, b"3(a)", ["3(a)"], True])
def test_notation_is_text(text):
    assert "expected text such as" in error_of(Architecture.parse, text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(max_examples=200)
@given(json_values, st.sampled_from(("", "input_shape", "layers", "layer")))
def test_no_json_gives_anything_but_an_architecture_or_the_one_error(value, place):
    """Anything at all, as the whole, as the shape, as the layers, as one of them."""
    whole = Architecture.parse("3(fc1)", (2,)).to_json()
    if place == "layer":
        whole["layers"] = [value]
    elif place:
        whole[place] = value
    parsed_or_refused(whole if place else value, Architecture.from_json)


STRANGE = [
    *(None, True, False, 0, 1, -1, 2.0, 1e400, float("nan"), 2**31, 2**64, 10**4000, 10**400),
    *("", "a\nb", "input", "conv", "adam", "\ud800", "x" * 10_000, [], [1], [1, 2], [[]], {}),
    *([10**4000, 10**4000], [2.0, 2.0], [True, True], ["input"], ["conv0", "conv0"], {"a": 1}),
]


def test_no_mutated_json_gives_anything_but_an_architecture_or_the_one_error():
    """1,500 times values of good JSON are replaced by strange ones, removed, doubled, renamed."""
    rng = random.Random(0)
    good = [architecture.to_json() for architecture in CASES.values()]
    for _ in range(MUTATIONS):
        value = json.loads(json.dumps(rng.choice(good)))
        for _ in range(rng.randint(1, 3)):
            holder: Any = value
            while True:
                keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
                if not keys:
                    break
                key = rng.choice(keys)
                if isinstance(holder[key], dict | list) and holder[key] and rng.random() < 0.8:
                    holder = holder[key]
                    continue
                change = rng.random()
                if change < 0.7:
                    holder[key] = rng.choice(STRANGE)
                elif change < 0.85:
                    del holder[key]
                elif isinstance(holder, dict):
                    holder[rng.choice(("kernel", "units", "x\ny", ""))] = holder[key]
                else:
                    holder.append(holder[key])
                break
        parsed_or_refused(value, Architecture.from_json)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[" * 100_000, '{"a":' * 100_000, "9" * 5000, "NaN", '"x"', "[]", "null", "\0"],
    ids=range(10),
)
def test_text_that_is_no_architecture_in_json_is_refused(text):
    error_of(Architecture.from_json, text)


@pytest.mark.parametrize("inputs", ["input", {"input": 1}, 7, None, [7], [["input"]]])
def test_inputs_in_json_are_a_list_of_names(inputs):
    """One letter would otherwise be taken for a list of one."""
    value = Architecture.parse("3(fc1)", (2,)).to_json()
    value["layers"][0]["inputs"] = inputs
    error_of(Architecture.from_json, value)


def test_doubling_a_thousand_times_is_refused_before_anything_is_large():
    """Concatenated with itself, one channel becomes 2^1000."""
    nodes = [
        {"name": f"c{n}", "kind": "concat", "inputs": [f"c{n - 1}" if n else INPUT] * 2}
        for n in range(1000)
    ]
    text = error_of(Architecture.from_json, {"input_shape": [1], "layers": nodes})
    assert text == "c30: expects an output of at most 2,147,483,647 along an axis"


# -- the graph -----------------------------------------------------------------------------------


def test_an_architecture_is_a_value():
    """Equal by content, hashable, frozen."""
    one, other = Architecture.parse(LENET), Architecture.parse(LENET)
    assert one == other
    assert len({one, other}) == 1
    assert one != Architecture.parse(LENET, (28, 28, 3))
    with pytest.raises(AttributeError):
        one.nodes = ()


def test_nodes_are_inserted_behind_a_layer_and_in_front_of_its_consumers():
    before = Architecture.parse("3x3x4(conv1)-pool1-3(fc1)", (6, 6, 1))
    new = Node("conv2", Conv((1, 1), 4), ("conv1",))
    after = before.insert("conv1", [new], output="conv2")
    assert [node.name for node in after.nodes] == ["conv1", "conv2", "pool1", "flatten", "fc1"]
    assert after["pool1"].inputs == ("conv2",)
    assert "conv2" not in before
    assert str(before.insert(INPUT, [replace(new, inputs=(INPUT,))], output="conv2")).startswith(
        "1x1x4(conv2)-3x3x4(conv1)"
    )


def test_a_new_name_is_free_with_every_suffix():
    architecture = Architecture.parse("3(a)-3(b_bn)-3(c)-3(c_2)")
    assert [architecture.new_name(stem) for stem in "abcd"] == ["a_2", "b_2", "c_3", "d"]


@settings(max_examples=50)
@given(seeds)
def test_consumers_are_the_inputs_turned_around(seed):
    architecture = random_architecture(seed)
    edges = {(i, node.name) for node in architecture.nodes for i in node.inputs}
    turned = {(n, node.name) for n, nodes in architecture.consumers.items() for node in nodes}
    assert edges == turned
    assert architecture.consumers[architecture.output.name] == ()


def test_every_layer_type_and_option_can_be_written_and_read():
    """Each option of each type at a value that is not its default, alone in a chain."""
    others = {
        **{"int": 2, "int | None": 3, "float": 0.25, "str": "tanh", "Shape": (2, 3)},
        **{"Padding": "valid", "CausalPadding": "causal"},
        **{"Interpolation": "bilinear", "Together": "images"},
    }
    own = {"dims": (2, 1, 3), "options": '{"a": [1, "b,c=(d)"]}'}

    def value_of(option: Any) -> Any:
        if option.type == "bool":
            return not option.default
        return own.get(option.name, (2, 2) if "Pair" in option.type else others.get(option.type))

    for kind, layer in LAYERS.items():
        if layer.inputs[0] > 1:
            continue
        required = {f.name: f for f in fields(layer) if f.default is MISSING}
        given = {name: value_of(option) for name, option in required.items()}
        shape: tuple[int, ...] = (6,) if kind == "dense" else (6, 6, 2)
        shape = (6, 2) if kind.endswith("1d") else shape
        for option in fields(layer):
            value = value_of(option)
            extra = {"function": "leaky_relu"} if option.name == "slope" else {}
            changed = layer(**{**given, **extra, option.name: value})
            for follow in ((), (Node("end", Dropout(), ("x",)),)):
                architecture = Architecture(shape, (Node("x", changed, (INPUT,)), *follow))
                assert Architecture.parse(str(architecture), shape) == architecture
                if option.default not in (MISSING, value):
                    assert re.search(rf"[,(]{option.name}=", str(architecture)) or kind == "dense"


def test_one_number_is_a_square_pair():
    """As in Keras."""
    pair, one = (Architecture.parse(f"3x3x8(c,stride={s})-2(fc)", (8, 8, 1)) for s in ("2x2", "2"))
    assert pair == one
