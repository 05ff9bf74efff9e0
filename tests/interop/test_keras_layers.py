"""Every layer and operator of Keras that is ours: read as ours, grown past, written as it was."""

from __future__ import annotations

import re

import numpy as np
import pytest
from keras.src.applications.convnext import LayerScale, StochasticDepth
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

import growsearch as gs
from growsearch.interop.keras.conversions import READERS, augmentation
from growsearch.networks import layers as ours
from growsearch.training.slim.backend import tf
from tests.command_line import ROOT
from tests.growth_cases import change, difference

keras = tf.keras
L, ops = keras.layers, keras.ops
SHAPE = (6, 4, 3)


def adapted():
    layer = L.Normalization()
    layer.adapt(np.random.default_rng(0).normal(2.0, 3.0, size=(50, *SHAPE)).astype("f4"))
    return layer


ON_IMAGES = [
    (lambda: L.Rescaling(1 / 127.5, -1.0), ours.Rescale(1 / 127.5, -1.0)),
    (lambda: L.Rescaling([0.5, 2.0, 1.0], 0.1), ours.RescaleChannels()),
    (lambda: L.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0]), ours.Normalize()),
    (adapted, ours.Normalize()),
    (lambda: LayerScale(0.3, 3), ours.Scale()),
    (lambda: StochasticDepth(0.3), ours.Dropout(0.3, "images")),
    (lambda: L.Dropout(0.2, noise_shape=(None, 1, 1, 1)), ours.Dropout(0.2, "images")),
    (lambda: L.SpatialDropout2D(0.2), ours.Dropout(0.2, "channels")),
    (lambda: L.GaussianNoise(0.2), ours.GaussianNoise(0.2)),
    (lambda: L.GaussianDropout(0.2), ours.GaussianDropout(0.2)),
    (lambda: L.AlphaDropout(0.2), ours.AlphaDropout(0.2)),
    (lambda: L.GlobalAveragePooling2D(keepdims=True), ours.GlobalAvgPool(keepdims=True)),
    (lambda: L.GlobalMaxPooling2D(keepdims=True), ours.GlobalMaxPool(keepdims=True)),
    (lambda: L.Reshape((3, -1, 2)), ours.Reshape((3, 12))),
    (lambda: L.Permute((2, 1, 3)), ours.Permute((2, 1, 3))),
    (lambda: L.Cropping2D(((1, 0), (0, 2))), ours.Crop(1, 0, 0, 2)),
    (lambda: L.UpSampling2D((2, 1)), ours.UpSample((2, 1))),
    (lambda: L.UpSampling2D(2, interpolation="bilinear"), ours.UpSample((2, 2), "bilinear")),
    (lambda: L.Resizing(5, 7), ours.Resize((5, 7))),
    (lambda: L.Resizing(3, 9, interpolation="nearest"), ours.Resize((3, 9), "nearest")),
    (L.PReLU, ours.PReLU(shared=False)),
    (lambda: L.PReLU(shared_axes=[1, 2]), ours.PReLU()),
    (lambda: L.RMSNormalization(epsilon=0.1), ours.RMSNorm(0.1)),
    (L.UnitNormalization, ours.UnitNorm()),
    (lambda: L.LayerNormalization(center=False), ours.LayerNorm(center=False)),
    (lambda: L.GroupNormalization(1, scale=False), ours.GroupNorm(1, scale=False)),
    (lambda: L.DepthwiseConv2D(3, dilation_rate=2, padding="same"), None),
    (lambda: L.SeparableConv2D(4, 3, dilation_rate=2, padding="same"), None),
    (lambda: L.Conv2DTranspose(4, (3, 2), strides=2, padding="same", activation="relu"), None),
    (lambda: L.Conv2DTranspose(4, 2, strides=3), None),
    (lambda: L.Dense(5, activation="gelu"), ours.Dense(5, "gelu")),
    (lambda: L.RandomFlip("horizontal", seed=1), None),
    (lambda: L.RandomRotation((-0.1, 0.1)), None),
    (lambda: L.RandomZoom(0.2), None),
]
ON_SEQUENCES = [
    (lambda: L.Conv1D(4, 3, padding="causal", dilation_rate=2, activation="elu"), None),
    (lambda: L.Conv1D(6, 2, strides=2, groups=3), None),
    (L.MaxPooling1D, ours.MaxPool1D(padding="valid")),
    (lambda: L.AveragePooling1D(3, 1, "same"), ours.AvgPool1D(3, 1)),
    (L.GlobalAveragePooling1D, ours.GlobalAvgPool1D()),
    (lambda: L.GlobalMaxPooling1D(keepdims=True), ours.GlobalMaxPool1D(keepdims=True)),
    (lambda: L.SpatialDropout1D(0.2), ours.Dropout(0.2, "channels")),
]


def behind(build, *, of=SHAPE):
    """A model with the layer in the middle, and weights as after training."""
    x = inputs = keras.Input(of)
    x = build()(x)
    if len(x.shape) > 2:
        x = L.Flatten()(x)
    model = keras.Model(inputs, L.Dense(3, name="out")(L.Dense(4, "tanh", name="fc")(x)))
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(weight + 0.1 * rng.normal(size=weight.shape).astype("f4"))
    return model


def outputs(model, images):
    return np.asarray(model(images, training=False))


def back_and_forth(model):
    """The network of a model; held to: nothing opaque, out and in again as it was, to 1e-5."""
    network = gs.from_keras(model)
    assert network.architecture.opaque == ()
    images = np.random.default_rng(1).normal(size=(3, *model.inputs[0].shape[1:])).astype("f4")
    before, back = outputs(model, images), network.to_keras()
    assert difference(before, network.forward(images)) <= 1e-5
    assert difference(before, outputs(back, images)) <= 1e-5
    again = gs.from_keras(back)
    assert again.architecture == network.architecture
    assert again.sha256 == network.sha256
    return network


@pytest.mark.parametrize(("build", "expected"), ON_IMAGES)
def test_a_layer_of_images_is_ours(build, expected):
    """Read as the layer expected, computed alike, and written with the same weights."""
    network = back_and_forth(behind(build))
    assert expected in (None, network.architecture.nodes[0].layer)


@pytest.mark.parametrize(("build", "expected"), ON_SEQUENCES)
def test_a_layer_of_sequences_is_ours(build, expected):
    """As above, along (steps, channels)."""
    network = back_and_forth(behind(build, of=(9, 3)))
    assert expected in (None, network.architecture.nodes[0].layer)


OPERATORS = {
    "product with a gate": lambda x, y: x * y,
    "join layers": lambda x, y: L.Average()([L.Maximum()([x, y]), L.Minimum()([x, y]), x]),
    "difference": lambda x, y: L.Subtract()([x, y]) - x,
    "scaled sum": lambda x, y: CustomScaleLayer(0.17)([x, y]),
    "numbers": lambda x, y: (1.0 - x) * 2.0 + (y / 4.0 - 0.5) + (-x) + 3.0,
    "functions": lambda x, y: ops.sigmoid(x) * ops.relu(y) + ops.maximum(x, ops.tanh(y)),
    "hard sigmoid": lambda x, y: x * (L.ReLU(6.0)(y + 3.0) * (1.0 / 6.0)),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_are_joins_and_growth_goes_through_them(name):
    """Nothing is opaque; the layer in front of them widens: max |Δ| <= 1e-9 in float64."""
    inputs = keras.Input(SHAPE)
    x = L.Conv2D(4, 3, padding="same", activation="tanh", name="conv")(inputs)
    y = L.Conv2D(4, 1, name="other")(x)
    out = L.Flatten()(OPERATORS[name](x, y))
    network = back_and_forth(keras.Model(inputs, L.Dense(3, name="out")(out)))
    wider = gs.grow(network, gs.Widen("conv", 7), rng=0)
    assert wider.architecture.shapes["other"][-1] == 7
    assert change(network, wider) <= 1e-9


def squeezed_and_excited():
    """Two blocks of squeeze-and-excitation, by features and by images of one pixel."""
    x = inputs = keras.Input(SHAPE)
    x = L.Conv2D(4, 3, padding="same", name="conv")(x)
    gate = L.Reshape((1, 1, 4))(L.GlobalAveragePooling2D()(x))
    gate = L.Dense(2, "relu", name="squeeze")(gate)
    x = L.Multiply()([x, L.Dense(4, "sigmoid", name="excite")(gate)])
    gate = L.Conv2D(2, 1, activation="silu")(L.GlobalAveragePooling2D(keepdims=True)(x))
    x = x * L.Conv2D(4, 1, activation="hard_sigmoid", name="excite2")(gate)
    return keras.Model(inputs, L.Dense(3, name="out")(L.GlobalAveragePooling2D()(x)))


def test_squeeze_and_excitation_widens_with_its_gates():
    """A trunk of 4 channels to 9 takes both gates along: max |Δ| <= 1e-9 in float64, 1e-5 out."""
    model = squeezed_and_excited()
    network = back_and_forth(model)
    wider = gs.grow(network, gs.Widen("conv", 9), rng=0)
    widths = {name: wider.architecture.shapes[name][-1] for name in ("excite", "excite2")}
    assert widths == {"excite": 9, "excite2": 9}
    assert change(network, wider) <= 1e-9
    images = np.random.default_rng(1).normal(size=(3, *SHAPE)).astype("f4")
    assert difference(outputs(model, images), outputs(wider.to_keras(), images)) <= 1e-5


def test_sparsemax_stays_keras_own():
    """Its sums in Keras 3.15 are no sparsemax: Keras computes it."""
    network = gs.from_keras(behind(lambda: L.Activation("sparsemax")))
    assert [node.layer.kind for node in network.architecture.opaque] == ["keras"]


def test_the_page_names_every_layer_that_is_ours():
    """docs/keras.md lists the table of conversions; of the random layers it names two."""
    page = (ROOT / "docs" / "keras.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", page))
    ours_by_name = {name.rpartition(".")[2] for name in READERS}
    assert ours_by_name - set(augmentation.READERS) <= named
