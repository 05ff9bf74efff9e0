"""The float64 reference computes what Keras computes; every layer type has one everywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from growsearch.errors import InvalidInputError
from growsearch.networks import INPUT, Architecture, Network, Node, reference
from growsearch.networks.activations import ACTIVATIONS
from growsearch.networks.layer import Layer
from growsearch.networks.layers import (
    LAYERS,
    Activation,
    Add,
    AlphaDropout,
    Average,
    AvgPool,
    AvgPool1D,
    BatchNorm,
    Carried,
    Concat,
    Conv,
    Conv1D,
    ConvTranspose,
    Crop,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GaussianDropout,
    GaussianNoise,
    GlobalAvgPool,
    GlobalAvgPool1D,
    GlobalMaxPool,
    GlobalMaxPool1D,
    GroupNorm,
    LayerNorm,
    Maximum,
    MaxPool,
    MaxPool1D,
    Minimum,
    Multiply,
    Normalize,
    Permute,
    PReLU,
    Rescale,
    RescaleChannels,
    Reshape,
    Resize,
    RMSNorm,
    Scale,
    ScaledAdd,
    SeparableConv,
    Subtract,
    UnitNorm,
    UpSample,
    ZeroPad,
)
from tests.growth_cases import CASES, difference, images_for, trained

Array = NDArray[Any]

TOLERANCE = 1e-12  # both in float64, relative to the largest output
SINGLE = 1e-6  # where Keras computes with constants, or as a whole, in float32
IN_SINGLE = ("layer_norm", "leaky_relu", "gelu", "gelu_tanh", "rescale", "resize", "up_sample")
IMAGES = [(7, 6, 4), (8, 5, 4)]  # neither square, both parities on each axis

CONVS = [
    Conv((3, 3), 5),
    Conv((2, 2), 5),
    Conv((1, 4), 5, use_bias=False),
    Conv((3, 2), 5, padding="valid"),
    Conv((2, 3), 5, stride=(2, 1)),
    Conv((1, 1), 5, stride=(2, 3)),
    Conv((4, 2), 5, stride=(3, 2), padding="valid"),
    Conv((3, 3), 5, dilation=(2, 1)),
    Conv((2, 3), 5, dilation=(1, 2), padding="valid"),
    Conv((2, 2), 5, dilation=(3, 2)),
    Conv((3, 3), 6, groups=2),
    Conv((2, 3), 8, groups=4, stride=(2, 2), padding="valid"),
    Conv((3, 2), 4, groups=4, dilation=(2, 2), use_bias=False),
    Conv((3, 2), 4, activation="tanh"),
]
SEPARABLE = [
    SeparableConv((3, 3), 5),
    SeparableConv((2, 3), 5, stride=(2, 2), multiplier=3),
    SeparableConv((3, 2), 5, padding="valid", activation="tanh", use_bias=False),
    SeparableConv((2, 2), 3, stride=(3, 3)),
    SeparableConv((3, 2), 5, dilation=(2, 2)),
]
DEPTHWISE = [
    DepthwiseConv((3, 3)),
    DepthwiseConv((2, 4), multiplier=3),
    DepthwiseConv((3, 2), stride=(2, 2), padding="valid", activation="tanh", use_bias=False),
    DepthwiseConv((4, 3), stride=(3, 3), multiplier=2),
    DepthwiseConv((3, 3), dilation=(2, 1)),
    DepthwiseConv((2, 3), dilation=(2, 2), padding="valid", multiplier=2),
]
TRANSPOSED = [
    ConvTranspose((3, 3), 5, stride=(2, 2)),
    ConvTranspose((2, 4), 5, stride=(2, 3), use_bias=False),
    ConvTranspose((4, 3), 5, stride=(3, 2), padding="valid", activation="tanh"),
    ConvTranspose((1, 2), 5, stride=(2, 3), padding="valid"),
    ConvTranspose((1, 2), 5, stride=(3, 3)),
    ConvTranspose((3, 2), 4),
]
POOLS = [
    kind(size, stride, padding)
    for kind in (MaxPool, AvgPool)
    for size, stride, padding in (
        ((2, 2), None, "same"),
        ((2, 2), None, "valid"),
        ((3, 2), (1, 2), "same"),
        ((2, 3), (2, 1), "valid"),
        ((4, 5), (3, 1), "same"),
        ((1, 1), (3, 2), "same"),
    )
]
SEQUENCES = [
    Conv1D(3, 5),
    Conv1D(2, 5, stride=2, use_bias=False),
    Conv1D(3, 5, padding="valid", dilation=2, activation="tanh"),
    Conv1D(3, 6, padding="causal", dilation=2, groups=2),
    *(
        kind(size, stride, padding)
        for kind in (MaxPool1D, AvgPool1D)
        for size, stride, padding in ((2, None, "same"), (3, 2, "valid"), (3, 1, "same"))
    ),
    *(kind(keepdims) for kind in (GlobalAvgPool1D, GlobalMaxPool1D) for keepdims in (False, True)),
]
OTHERS = [
    Dense(5, "tanh"),
    Dense(1, use_bias=False),
    BatchNorm(),
    BatchNorm(epsilon=0.3, activation="relu"),
    BatchNorm(scale=False),
    BatchNorm(center=False),
    BatchNorm(scale=False, center=False, activation="tanh"),
    LayerNorm(),
    LayerNorm(epsilon=0.3),
    LayerNorm(scale=False),
    LayerNorm(center=False),
    GroupNorm(2),
    GroupNorm(1, epsilon=0.3),
    GroupNorm(2, scale=False),
    GroupNorm(2, center=False),
    RMSNorm(),
    RMSNorm(epsilon=0.3),
    UnitNorm(),
    Rescale(2.0, -0.5),
    Rescale(0.25),
    RescaleChannels(),
    Scale(),
    Normalize(),
    GlobalAvgPool(),
    GlobalAvgPool(keepdims=True),
    GlobalMaxPool(),
    GlobalMaxPool(keepdims=True),
    Flatten(),
    Reshape((2, 4)),
    Reshape((4,)),
    Permute((2, 1, 3)),
    Permute((3, 1, 2)),
    Crop(1, 0, 2, 1),
    Crop(0, 2, 0, 0),
    UpSample(),
    UpSample((3, 2), "bilinear"),
    Resize((3, 8)),
    Resize((9, 4), "nearest"),
    ZeroPad(1, 0, 2, 3),
    ZeroPad(0, 1, 0, 0),
    Dropout(0.9),
    Dropout(0.9, "channels"),
    Dropout(0.9, "images"),
    AlphaDropout(0.9),
    GaussianDropout(0.9),
    GaussianNoise(0.3),
    Carried("RandomFlip"),
    Carried("RandomRotation", '{"factor": 0.1}'),
    PReLU(),
    PReLU(shared=False),
    Activation("leaky_relu", slope=0.7),
    Add(),
    Add("tanh"),
    ScaledAdd(0.3),
    ScaledAdd(-2.0),
    Subtract(),
    Multiply(),
    Average(),
    Maximum(),
    Minimum(),
    Concat(),
]
SPECIFICATIONS = [*CONVS, *SEPARABLE, *DEPTHWISE, *TRANSPOSED, *SEQUENCES, *POOLS, *OTHERS]


def single(layer: Layer, shape: tuple[int, ...]) -> Architecture:
    """The layer alone; one that joins has the input, another function of it, and itself again."""
    if layer.inputs[0] == 1:
        return Architecture(shape, (Node("it", layer, (INPUT,)),))
    minus = Node("minus", BatchNorm(), (INPUT,))
    inputs = (INPUT, "minus", INPUT)[: layer.inputs[1]]
    return Architecture(shape, (minus, Node("it", layer, inputs)))


def keras_layer(layer: Layer, weights: Mapping[str, Array]) -> Any:
    """The Keras layer of a specification, by Keras' own arguments and without its activation."""
    import keras

    keras_layers: dict[type[Layer], Callable[[Any], Any]] = {
        Dense: lambda s: keras.layers.Dense(s.units, use_bias=s.use_bias),
        Conv: lambda s: keras.layers.Conv2D(
            s.filters,
            s.kernel,
            strides=s.stride,
            padding=s.padding,
            dilation_rate=s.dilation,
            groups=s.groups,
            use_bias=s.use_bias,
        ),
        SeparableConv: lambda s: keras.layers.SeparableConv2D(
            s.filters,
            s.kernel,
            strides=s.stride,
            padding=s.padding,
            depth_multiplier=s.multiplier,
            dilation_rate=s.dilation,
            use_bias=s.use_bias,
        ),
        DepthwiseConv: lambda s: keras.layers.DepthwiseConv2D(
            s.kernel,
            strides=s.stride,
            padding=s.padding,
            depth_multiplier=s.multiplier,
            dilation_rate=s.dilation,
            use_bias=s.use_bias,
        ),
        ConvTranspose: lambda s: keras.layers.Conv2DTranspose(
            s.filters, s.kernel, strides=s.stride, padding=s.padding, use_bias=s.use_bias
        ),
        BatchNorm: lambda s: keras.layers.BatchNormalization(
            epsilon=s.epsilon, scale=s.scale, center=s.center
        ),
        LayerNorm: lambda s: keras.layers.LayerNormalization(
            epsilon=s.epsilon, scale=s.scale, center=s.center
        ),
        GroupNorm: lambda s: keras.layers.GroupNormalization(
            s.groups, epsilon=s.epsilon, scale=s.scale, center=s.center
        ),
        RMSNorm: lambda s: keras.layers.RMSNormalization(epsilon=s.epsilon),
        UnitNorm: lambda _: keras.layers.UnitNormalization(),
        Rescale: lambda s: keras.layers.Rescaling(s.scale, s.offset),
        RescaleChannels: lambda _: keras.layers.Rescaling(weights["scale"], weights["offset"]),
        Scale: lambda _: lambda x: x * weights["gamma"],
        Normalize: lambda _: keras.layers.Normalization(
            mean=weights["mean"], variance=weights["variance"]
        ),
        Conv1D: lambda s: keras.layers.Conv1D(
            s.filters,
            s.kernel,
            strides=s.stride,
            padding=s.padding,
            dilation_rate=s.dilation,
            groups=s.groups,
            use_bias=s.use_bias,
        ),
        MaxPool1D: lambda s: keras.layers.MaxPooling1D(s.size, s.stride, s.padding),
        AvgPool1D: lambda s: keras.layers.AveragePooling1D(s.size, s.stride, s.padding),
        GlobalAvgPool1D: lambda s: keras.layers.GlobalAveragePooling1D(keepdims=s.keepdims),
        GlobalMaxPool1D: lambda s: keras.layers.GlobalMaxPooling1D(keepdims=s.keepdims),
        MaxPool: lambda s: keras.layers.MaxPooling2D(s.size, s.stride, s.padding),
        AvgPool: lambda s: keras.layers.AveragePooling2D(s.size, s.stride, s.padding),
        GlobalAvgPool: lambda s: keras.layers.GlobalAveragePooling2D(keepdims=s.keepdims),
        GlobalMaxPool: lambda s: keras.layers.GlobalMaxPooling2D(keepdims=s.keepdims),
        Flatten: lambda _: keras.layers.Flatten(),
        Reshape: lambda s: keras.layers.Reshape((*s.positions, -1)),
        Permute: lambda s: keras.layers.Permute(s.dims),
        Crop: lambda s: keras.layers.Cropping2D(((s.top, s.bottom), (s.left, s.right))),
        UpSample: lambda s: keras.layers.UpSampling2D(s.size, interpolation=s.interpolation),
        Resize: lambda s: keras.layers.Resizing(*s.size, interpolation=s.interpolation),
        ZeroPad: lambda s: keras.layers.ZeroPadding2D(((s.top, s.bottom), (s.left, s.right))),
        Dropout: lambda s: keras.layers.Dropout(s.rate),
        AlphaDropout: lambda s: keras.layers.AlphaDropout(s.rate),
        GaussianDropout: lambda s: keras.layers.GaussianDropout(s.rate),
        GaussianNoise: lambda s: keras.layers.GaussianNoise(s.deviation),
        Carried: lambda s: getattr(keras.layers, s.of)(**s.arguments),
        PReLU: lambda s: keras.layers.PReLU(
            shared_axes=(1, 2) if s.shared and weights["alpha"].ndim == 3 else None
        ),
        Activation: lambda s: (
            keras.layers.LeakyReLU(s.slope) if s.function == "leaky_relu" else keras_function(s)
        ),
        Add: lambda _: keras.layers.Add(),
        ScaledAdd: lambda s: lambda x: x[0] + s.scale * x[1],
        Subtract: lambda _: keras.layers.Subtract(),
        Multiply: lambda _: keras.layers.Multiply(),
        Average: lambda _: keras.layers.Average(),
        Maximum: lambda _: keras.layers.Maximum(),
        Minimum: lambda _: keras.layers.Minimum(),
        Concat: lambda _: keras.layers.Concatenate(),
    }
    return keras_layers[type(layer)](layer)


def keras_function(layer: Any) -> Any:
    """Keras' activation of a specification's name."""
    import keras

    name = getattr(layer, "activation", "linear")
    if name == "gelu_tanh":
        return lambda x: keras.activations.gelu(x, approximate=True)
    return keras.activations.get("hard_silu" if name == "hard_swish" else name)


@pytest.fixture
def float64():
    """Keras in float64; as it was, afterwards."""
    import keras

    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(before)
    keras.config.set_dtype_policy(before)


def by_keras(network: Network, images: Array) -> Array:
    """The output of a network as Keras computes it, layer for layer, in evaluation mode."""
    import keras

    values = {INPUT: keras.ops.convert_to_tensor(images, "float64")}
    for node in network.architecture.nodes:
        inputs = [values[name] for name in node.inputs]
        weights = network.weights.get(node.name, {})
        made = keras_layer(node.layer, weights)
        argument = inputs[0] if len(inputs) == 1 else inputs
        if isinstance(made, keras.layers.Layer):
            shapes = [tuple(x.shape) for x in inputs]
            made.build(shapes[0] if len(shapes) == 1 else shapes)
            if made.weights:
                made.set_weights(list(weights.values()))
            out = made(argument, training=False)
            if not isinstance(node.layer, Activation):
                out = keras_function(node.layer)(out)
        else:
            out = made(argument)
        values[node.name] = out
    return np.asarray(values[network.architecture.output.name], np.float64)


def living(architecture: Architecture, seed: int = 0) -> Network:
    """Float64 weights that are all away from their start; variances are positive."""
    rng = np.random.default_rng(seed)
    weights = {
        layer: {
            name: rng.uniform(0.2, 3.0, w.shape) if name == "variance" else rng.normal(size=w.shape)
            for name, w in specs.items()
        }
        for layer, specs in architecture.weights.items()
    }
    return Network(architecture, weights)


def tolerance_for(architecture: Architecture) -> float:
    kinds = {node.layer.kind for node in architecture.nodes}
    functions = {getattr(node.layer, "activation", "linear") for node in architecture.nodes}
    return TOLERANCE if (kinds | functions).isdisjoint(IN_SINGLE) else SINGLE


def shape_for(layer: Layer, image: tuple[int, ...]) -> tuple[int, ...]:
    if isinstance(layer, Dense):
        return (6,)
    return image[1:] if layer in SEQUENCES else image


# -- every layer type ----------------------------------------------------------------------------


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("image", IMAGES, ids=str)
@pytest.mark.parametrize("layer", SPECIFICATIONS, ids=str)
def test_a_layer_computes_what_keras_computes(layer, image):
    """On random images and weights: max |Δ| <= 1e-12 relative, 1e-6 where Keras uses float32."""
    network = living(single(layer, shape_for(layer, image)))
    images = np.random.default_rng(1).normal(size=(3, *network.architecture.input_shape))
    tolerance = tolerance_for(network.architecture)
    assert difference(by_keras(network, images), network.forward(images)) <= tolerance


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("layer", [Dense, Activation])
def test_an_activation_computes_what_keras_computes(layer, name):
    """From -30 to 30 and at the corners, in a layer and as one; tolerances as above."""
    shape = (6,) if layer is Dense else (5, 4, 6)
    architecture = single(Dense(4, name) if layer is Dense else Activation(name), shape)
    network = living(architecture)
    images = 10.0 * np.random.default_rng(1).normal(size=(5, *shape))
    images.flat[:6] = [-30.0, -3.0, 0.0, 3.0, 6.0, 30.0]
    tolerance = tolerance_for(architecture)
    assert difference(by_keras(network, images), network.forward(images)) <= tolerance


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_finite_and_silent_on_huge_values(name):
    """No overflow warning, which would be an error here, and no NaN."""
    huge = np.array([[-1e4, -800.0, 0.0, 800.0, 1e4]])
    assert np.isfinite(ACTIVATIONS[name].function(huge)).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_flag_idempotent_is_true_of_the_function(name):
    """Twice is once, exactly where the table says so; growth by identity layers relies on it."""
    activation = ACTIVATIONS[name]
    x = np.linspace(-9.0, 9.0, 181).reshape(1, -1)
    once = activation.function(x)
    assert np.array_equal(once, activation.function(once)) == activation.idempotent


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_flag_elementwise_is_true_of_the_function(name):
    """One unit's value leaves the others alone, exactly where the table says so."""
    activation = ACTIVATIONS[name]
    x = np.array([[0.5, -1.0, 2.0]])
    other = np.array([[0.5, -1.0, 5.0]])
    same = np.array_equal(activation.function(x)[:, :2], activation.function(other)[:, :2])
    assert same == activation.elementwise


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("join", [Add(), Multiply(), Average(), Maximum(), Minimum()])
@pytest.mark.parametrize("size", [(1, 1, 4), (7, 6, 1), (7, 1, 4), (1, 1, 1)], ids=str)
def test_a_join_repeats_axes_of_size_1_as_keras_does(join, size):
    """One value a channel, a position, a row, an image: max |Δ| <= 1e-12 relative."""
    small = Crop(7 - size[0], 0, 0, 6 - size[1])
    pieces = [Node("small", small, (INPUT,))]
    if size[2] == 1:
        pieces.append(Node("one", Dense(1, "linear"), ("small",)))
    pieces.append(Node("it", join, (pieces[-1].name, INPUT)))
    network = living(Architecture((7, 6, 4), tuple(pieces)))
    assert network.architecture.shapes["it"] == (7, 6, 4)
    images = np.random.default_rng(1).normal(size=(3, 7, 6, 4))
    assert difference(by_keras(network, images), network.forward(images)) <= TOLERANCE


@pytest.mark.usefixtures("float64")
def test_a_dense_layer_of_images_computes_what_keras_computes():
    """It takes each position alone: max |Δ| <= 1e-12 relative."""
    network = living(single(Dense(5, "tanh"), (7, 6, 4)))
    assert network.architecture.shapes["it"] == (7, 6, 5)
    images = np.random.default_rng(1).normal(size=(3, 7, 6, 4))
    assert difference(by_keras(network, images), network.forward(images)) <= TOLERANCE


# -- every network -------------------------------------------------------------------------------


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", CASES)
def test_a_network_computes_what_keras_computes(name):
    """Whole graphs with branches; tolerances as above."""
    network = trained(CASES[name], dtype=np.float64)
    images = images_for(network.architecture)
    tolerance = tolerance_for(network.architecture)
    assert difference(by_keras(network, images), network.forward(images)) <= tolerance


def test_the_output_of_any_layer_can_be_asked_for():
    """It is that of the network which ends there."""
    network = trained(CASES["conv-flatten-dense"])
    images = images_for(network.architecture)
    for number, node in enumerate(network.architecture.nodes, start=1):
        shorter = Architecture(
            network.architecture.input_shape, network.architecture.nodes[:number]
        )
        weights = {layer: network.weights[layer] for layer in shorter.weights}
        ended = Network(shorter, weights).forward(images)
        out = reference.forward(network, images, at=node.name)
        np.testing.assert_array_equal(out, ended)
        assert out.shape[1:] == network.architecture.shapes[node.name]


def test_many_images_give_what_each_gives_alone(monkeypatch):
    """Images are computed in batches that fit into memory: the batch's size shows nowhere."""
    network = trained(CASES["residual"])
    images = images_for(network.architecture, count=7)
    alone = np.concatenate([network.forward(image[None]) for image in images])
    assert difference(alone, network.forward(images)) <= TOLERANCE
    monkeypatch.setattr(reference, "_BATCH_BYTES", 10_000)
    assert 1 <= reference._batch(network) < 7
    assert difference(alone, network.forward(images)) <= TOLERANCE


@pytest.mark.parametrize("name", CASES)
def test_no_images_give_no_logits(name):
    architecture = CASES[name]
    network = Network.initial(architecture, rng=0)
    out = network.forward(np.zeros((0, *architecture.input_shape)))
    assert out.shape == (0, *architecture.shapes[architecture.output.name])


@pytest.mark.parametrize("shape", [(), (5, 4, 2), (3, 4, 5, 2), (3, 5, 4), (3, 5, 4, 1), (3, 40)])
def test_images_of_another_shape_are_refused_in_one_line(shape):
    network = Network.initial(CASES["residual"], rng=0)
    with pytest.raises(InvalidInputError, match=r"images: expected shape \(n, 5, 4, 2\), got") as e:
        network.forward(np.zeros(shape))
    assert str(shape) in str(e.value)


def test_images_of_bytes_and_of_floats_give_the_same():
    network = trained(CASES["residual"])
    images = np.random.default_rng(0).integers(0, 256, (3, 5, 4, 2), np.uint8)
    out = network.forward(images)
    assert out.dtype == np.float64
    np.testing.assert_array_equal(out, network.forward(images.astype(np.float32)))


# -- registries ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LAYERS)
def test_every_layer_type_has_a_reference_and_a_builder_of_its_own(kind):
    """In the float64 reference and in the tf-slim graph; neither falls back to another's."""
    from growsearch.training.slim import builders

    layer = LAYERS[kind]
    assert layer in reference.compute.registry
    assert layer in builders.build.registry


@pytest.mark.parametrize("kind", LAYERS)
def test_every_option_of_every_layer_type_is_held_against_keras(kind):
    """Each field occurs above with two values at least, or a new option would go untested."""
    specifications = [s for s in [*SPECIFICATIONS, Activation()] if s.kind == kind]
    assert specifications
    of_training = {"momentum", "rate", "deviation"}
    for field in fields(LAYERS[kind]):
        values = {getattr(each, field.name) for each in specifications}
        assert len(values) > 1 or field.name in of_training, field.name


def test_a_layer_without_a_reference_is_named():
    class Unknown(Layer):
        kind = "unknown"

    with pytest.raises(TypeError, match="Unknown"):
        reference.compute(Unknown(), [], {})


def test_the_table_of_backend_activations_is_that_of_the_reference():
    from growsearch.training.slim import builders

    assert set(builders.ACTIVATIONS) == set(ACTIVATIONS)
