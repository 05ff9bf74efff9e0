"""Keras models in, grown, and out again: the same outputs, weights and names."""

from __future__ import annotations

import numpy as np
import pytest

import growsearch as gs
from growsearch.errors import ArchitectureError
from growsearch.growth import GROWTHS, Limits
from growsearch.interop.keras.conversions import READERS, WRITERS, class_of
from growsearch.networks import Architecture
from growsearch.networks.activations import ACTIVATIONS
from growsearch.networks.layers import LAYERS
from growsearch.training.slim.backend import tf
from tests.growth_cases import CASES, difference, random_architecture, trained

keras = tf.keras
L = keras.layers


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(0)


def at_work(model):
    """The model with weights as after training: no bias zero, no statistics at their start."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        weights = layer.get_weights()
        moved = [w + 0.1 * rng.normal(size=w.shape).astype(w.dtype) for w in weights]
        if isinstance(layer, L.BatchNormalization):
            moved[-1] = np.abs(moved[-1]) + 0.5
        layer.set_weights(moved)
    return model


def images_for(model, count=4):
    return np.random.default_rng(1).normal(size=(count, *model.inputs[0].shape[1:])).astype("f4")


def outputs(model, images):
    return np.asarray(model(images, training=False))


def resnet20(width=8, blocks=3):
    """He et al.'s network for CIFAR, narrow: three stages of three blocks, batch norm, sums."""
    x = inputs = keras.Input((16, 16, 3))
    x = L.Conv2D(width, 3, padding="same", use_bias=False, name="stem")(x)
    x = L.ReLU(name="stem_relu")(L.BatchNormalization(name="stem_bn")(x))
    for stage in range(3):
        for block in range(blocks):
            name, filters = f"s{stage}b{block}", width * 2**stage
            stride = 2 if stage and not block else 1
            y = L.Conv2D(filters, 3, stride, padding="same", use_bias=False, name=f"{name}_conv1")(
                x
            )
            y = L.ReLU()(L.BatchNormalization(name=f"{name}_bn1")(y))
            y = L.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv2")(y)
            y = L.BatchNormalization(name=f"{name}_bn2")(y)
            if stride == 2:
                x = L.Conv2D(filters, 1, 2, use_bias=False, name=f"{name}_project")(x)
            x = L.ReLU(name=f"{name}_out")(L.Add(name=f"{name}_add")([x, y]))
    x = L.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, L.Dense(10, activation="softmax", name="logits")(x))


def mobilenet_blocks():
    """MobileNetV2's inverted residuals: expand, depthwise (one strided and padded), project."""
    x = inputs = keras.Input((12, 12, 3))
    x = L.Conv2D(8, 3, padding="same", use_bias=False, name="stem")(x)
    x = L.ReLU(6.0)(L.BatchNormalization()(x))
    for block, stride in enumerate((1, 2, 1)):
        y = L.Conv2D(24, 1, use_bias=False, name=f"expand{block}")(x)
        y = L.ReLU(6.0)(L.BatchNormalization(name=f"expand{block}_bn")(y))
        if stride == 2:
            y = L.ZeroPadding2D(((0, 1), (0, 1)))(y)
        y = L.DepthwiseConv2D(
            3, stride, "valid" if stride == 2 else "same", use_bias=False, name=f"depthwise{block}"
        )(y)
        y = L.ReLU(6.0)(L.BatchNormalization(name=f"depthwise{block}_bn")(y))
        y = L.Conv2D(8, 1, use_bias=False, name=f"project{block}")(y)
        y = L.BatchNormalization(name=f"project{block}_bn")(y)
        x = y if stride == 2 else L.Add()([x, y])
    x = L.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, L.Dense(5, name="logits")(L.Dropout(0.2)(x)))


def inception():
    """Parallel convolutions and a pool, concatenated, each with batch norm; then another block."""
    x = inputs = keras.Input((9, 8, 2))
    for block in range(2):
        one = L.Conv2D(3, 1, name=f"one{block}")(x)
        one = L.Activation("relu")(L.BatchNormalization(name=f"one{block}_bn")(one))
        three = L.Conv2D(4, 3, padding="same", activation="relu", name=f"three{block}")(x)
        pool = L.AveragePooling2D(3, 1, "same")(x)
        pool = L.Conv2D(2, 1, activation="relu", name=f"pool{block}")(pool)
        x = L.Concatenate(name=f"concat{block}")([one, three, pool])
    x = L.Flatten()(x)
    return keras.Model(inputs, L.Dense(4, name="logits")(L.Dense(6, "tanh", name="fc")(x)))


def tower():
    """A tower of residual blocks as leela-zero has it: convolution, batch norm without gamma."""
    x = inputs = keras.Input((9, 9, 4))
    x = L.Conv2D(6, 3, padding="same", name="stem")(x)
    x = L.Activation("relu")(L.BatchNormalization(scale=False)(x))
    for block in range(3):
        y = L.Conv2D(6, 3, padding="same", name=f"b{block}_conv1")(x)
        y = L.Activation("relu")(L.BatchNormalization(scale=False)(y))
        y = L.Conv2D(6, 3, padding="same", name=f"b{block}_conv2")(y)
        y = L.BatchNormalization(scale=False)(y)
        x = L.Activation("relu")(L.Add()([x, y]))
    x = L.Conv2D(2, 1, activation="relu", name="head")(x)
    return keras.Model(inputs, L.Dense(3, name="logits")(L.Flatten()(x)))


def sequential():
    return keras.Sequential(
        [
            keras.Input((10, 8, 1)),
            L.Conv2D(4, (3, 5), activation="relu", name="conv1"),
            L.MaxPooling2D(),
            L.SeparableConv2D(6, 3, padding="same", activation="swish", name="separable"),
            L.LayerNormalization(),
            L.GroupNormalization(3, epsilon=0.01),
            L.LeakyReLU(negative_slope=0.1),
            L.Conv2D(4, 3, dilation_rate=2, padding="same", activation="elu", name="dilated"),
            L.Conv2D(4, 3, groups=2, padding="same", activation="gelu", name="grouped"),
            L.GlobalMaxPooling2D(),
            L.Dropout(0.3),
            L.Dense(8, activation="sigmoid", name="fc1"),
            L.Dense(3, activation="softmax", name="fc2"),
        ]
    )


MODELS = {
    "sequential": sequential,
    "resnet20": resnet20,
    "mobilenet": mobilenet_blocks,
    "inception": inception,
    "tower": tower,
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_comes_back_as_it_went(name):
    """Same outputs (to 1e-5), bitwise the same weights, the same names; by our reference too."""
    model = at_work(MODELS[name]())
    network = gs.from_keras(model)
    back = network.to_keras()
    images = images_for(model)
    before = outputs(model, images)
    assert difference(before, outputs(back, images)) <= 1e-5
    assert difference(before, network.forward(images)) <= 1e-5
    named = [
        [layer.name for layer in m.layers if not isinstance(layer, L.InputLayer)]
        for m in (model, back)
    ]
    assert set(named[0]) == set(named[1])
    ours = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    theirs = {layer.name: layer.get_weights() for layer in back.layers if layer.weights}
    assert list(ours) == list(theirs)
    for layer, weights in ours.items():
        for one, other in zip(weights, theirs[layer], strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_grows_and_computes_the_same(name):
    """Nine random growths, every kind among them: max |Δ| <= 1e-5 in Keras, 1e-9 in float64."""
    model = at_work(MODELS[name]())
    parent = network = gs.from_keras(model)
    rng, images = np.random.default_rng(2), images_for(model)
    limits = Limits(layers=60, width=64, kernel=7)
    for operation in [*rng.permutation(list(GROWTHS)), *rng.choice(list(GROWTHS), 4)]:
        legal = GROWTHS[operation].sites(network.architecture, limits)
        site = legal[rng.integers(len(legal))]
        growth = site.sized(rng.uniform(0.3, 1.2), network.architecture, limits)
        network = gs.grow(network, growth, rng=rng, images=images)
    assert difference(parent.forward(images), network.forward(images)) <= 1e-9
    assert difference(outputs(model, images), outputs(network.to_keras(), images)) <= 1e-5


def test_a_compiled_model_stays_compiled_and_as_it_was():
    """Reading a model changes neither its weights nor its optimizer's."""
    model = sequential()
    model.compile("adam", "sparse_categorical_crossentropy")
    images = images_for(model, 8)
    model.fit(images, np.arange(8) % 3, verbose=0)
    before = [v.numpy() for v in (*model.variables, *model.optimizer.variables)]
    gs.grow(gs.from_keras(model), gs.Widen("conv1", 9), rng=0).to_keras()
    after = [v.numpy() for v in (*model.variables, *model.optimizer.variables)]
    assert model.compiled
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_grown_model_goes_on_with_fit():
    """Three lines from a trained model to a larger one that trains on, from the same loss."""
    model = resnet20(4, blocks=1)
    images, labels = images_for(model, 32), np.arange(32) % 10
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(images, labels, epochs=3, verbose=0)

    network = gs.grow(gs.from_keras(model), gs.Widen("stem", 8), rng=0)
    network = gs.grow(network, gs.Deepen("s0b0_conv1"), rng=0, images=images)
    grown = network.to_keras()

    grown.compile("adam", "sparse_categorical_crossentropy")
    before = model.evaluate(images, labels, verbose=0)
    start = grown.evaluate(images, labels, verbose=0)
    assert abs(start - before) <= 1e-4 * before
    grown.fit(images, labels, epochs=5, verbose=0)
    assert grown.evaluate(images, labels, verbose=0) != start
    assert grown.count_params() > model.count_params()


@pytest.mark.parametrize("name", [*CASES, *range(12)])
def test_every_architecture_goes_to_keras_and_back(name):
    """Named cases and random graphs of every layer type: outputs to 1e-5, weights bitwise."""
    architecture = CASES[name] if name in CASES else random_architecture(name)
    network = trained(architecture)
    images = np.random.default_rng(1).normal(size=(3, *architecture.input_shape)).astype("f4")
    model = network.to_keras()
    assert difference(network.forward(images), outputs(model, images)) <= 1e-5
    back = gs.from_keras(model)
    assert difference(network.forward(images), back.forward(images)) <= 1e-9
    assert set(network.weights) == set(back.weights)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_goes_to_keras_and_back_and_through_its_configuration(name):
    """In a layer and on its own; a grown model can be saved, and loaded by Keras alone."""
    text = f"4(fc1,activation={name})-activation(act,function={name})-3(fc2)"
    network = trained(Architecture.parse(text, input_shape=(5,)))
    model = network.to_keras()
    images = images_for(model)
    back = gs.from_keras(model)
    assert back.architecture == network.architecture
    copy = keras.Model.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(outputs(model, images), outputs(copy, images))
    assert difference(network.forward(images), outputs(copy, images)) <= 1e-5


def test_every_layer_type_has_a_keras_layer():
    """Each of ours is written, and every Keras class of the table exists."""
    kinds = {node.layer.kind for each in CASES.values() for node in each.nodes}
    assert kinds == set(LAYERS)
    assert set(WRITERS) == set(LAYERS.values())
    assert [name for name in READERS if class_of(name) is None] == []


def chain(*layers, shape=(6, 6, 2)):
    return keras.Sequential([keras.Input(shape), *layers])


class Subclassed(keras.Model):
    def call(self, x):
        return x


class WithoutConfiguration(L.Layer):
    def __init__(self, function, **options):
        super().__init__(**options)
        self.function = function

    def call(self, x):
        return self.function(x)


def two_without_configuration():
    return chain(
        WithoutConfiguration(lambda x: 2 * x, name="one"),
        L.Conv2D(2, 3, name="between"),
        WithoutConfiguration(lambda x: x + 1, name="other"),
    )


REFUSALS = [
    (lambda: chain(L.Conv2D(2, 3), shape=(None, 6, 2)), "known size"),
    (
        two_without_configuration,
        "2 layers cannot be kept: one: .*get_config.*; other: .*get_config",
    ),
    (lambda: keras.Sequential([L.Dense(2)]), "built"),
    (Subclassed, "Subclassed, which has a call of its own"),
    (lambda: "model.keras", "model.keras: expected the file of a Keras model"),
]


@pytest.mark.parametrize(("build", "message"), REFUSALS)
def test_what_cannot_be_read_is_named(build, message):
    with pytest.raises(ArchitectureError, match=message):
        gs.from_keras(build())
