"""Keras models are read by their objects: what only has a name of Keras' is not Keras' own."""

from __future__ import annotations

import numpy as np
import pytest

import growsearch as gs
from growsearch.errors import ArchitectureError
from growsearch.training.slim.backend import tf

keras = tf.keras
L = keras.layers
IMAGES = np.random.default_rng(0).random((4, 8, 8, 3)).astype("f4")


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(0)


def largest_difference(one, other):
    return float(np.max(np.abs(np.asarray(one) - np.asarray(other))) / np.max(np.abs(one)))


def chain(*layers):
    head = (L.GlobalAveragePooling2D(), L.Dense(5))
    return keras.Sequential([keras.Input((8, 8, 3)), *layers, *head])


def leaky_relu(x):
    return tf.nn.leaky_relu(x, 0.01)


class BatchNormalization(L.BatchNormalization):
    def call(self, x, training=None):  # noqa: ARG002  (Keras passes it)
        return 2 * super().call(x, training=False)


class Dense(L.Dense):
    def call(self, x):
        return -super().call(x)


class Scaled(keras.Model):
    def call(self, x, training=None):
        return super().call(2.0 * x, training=training)


class Chain(keras.Sequential):
    def __init__(self):
        super().__init__()
        for layer in (keras.Input((8, 8, 3)), L.Conv2D(4, 3, name="conv"), L.Flatten(), L.Dense(5)):
            self.add(layer)


class Graph(keras.Model):
    def __init__(self, width=8, **options):
        inputs = keras.Input((8, 8, 3))
        x = L.Dense(5)(L.Flatten()(L.Conv2D(width, 3, name="conv")(inputs)))
        super().__init__(inputs=inputs, outputs=x, **options)


def patched():
    model = chain(L.Conv2D(3, 3, padding="same", name="mine"))
    model.get_layer("mine").call = lambda x: 3.0 * x
    return model


KEPT = {
    "a function called leaky_relu": (
        lambda: chain(L.Conv2D(8, 3, activation=leaky_relu, name="mine"))
    ),
    "a lambda": lambda: chain(L.Conv2D(8, 3, activation=lambda x: x * 3.0, name="mine")),
    "a class called BatchNormalization": lambda: chain(BatchNormalization(name="mine")),
    "a class called Dense": lambda: chain(
        L.GlobalAveragePooling2D(keepdims=True), Dense(4, name="mine")
    ),
    "a Lambda layer": lambda: chain(L.Lambda(lambda x: x - 1.0, name="mine")),
    "a layer as activation": lambda: chain(L.Conv2D(8, 3, activation=L.LeakyReLU(), name="mine")),
}


@pytest.mark.parametrize("name", KEPT)
def test_own_objects_are_kept_as_they_are(name):
    """They compute in the network's model what they did, and no growth takes them for Keras'."""
    model = KEPT[name]()
    network = gs.from_keras(model)
    assert "mine" in [node.name for node in network.architecture.opaque]
    assert largest_difference(model(IMAGES), network.to_keras()(IMAGES)) <= 1e-6


@pytest.mark.parametrize(
    ("activation", "ours"),
    [
        (keras.ops.gelu, "gelu_tanh"),  # it approximates by default
        (keras.activations.gelu, "gelu"),
        ("gelu", "gelu"),
        (tf.nn.relu, "relu"),
        (tf.nn.swish, "silu"),
        (keras.ops.relu6, "relu6"),
        ("hard_swish", "hard_swish"),
    ],
)
def test_functions_of_keras_are_known_as_objects(activation, ours):
    """Those of keras.activations, keras.ops and tf.nn, each with its own defaults."""
    model = chain(L.Conv2D(8, 3, activation=activation, name="conv"))
    network = gs.from_keras(model)
    assert network.architecture["conv"].layer.activation == ours
    assert not network.architecture.opaque
    assert largest_difference(model(IMAGES), network.to_keras()(IMAGES)) <= 1e-6


def test_a_model_with_a_call_of_its_own_is_refused():
    """Its layers do not say what it computes."""
    inputs = keras.Input((8, 8, 3))
    model = Scaled(inputs, L.Dense(5)(L.Flatten()(L.Conv2D(4, 3)(inputs))))
    with pytest.raises(ArchitectureError, match="Scaled, which has a call of its own"):
        gs.from_keras(model)
    nested = gs.from_keras(keras.Sequential([keras.Input((8, 8, 3)), model, L.Dense(2)]))
    assert [node.layer.class_name for node in nested.architecture.opaque] == ["Scaled"]


def test_a_layer_whose_call_was_replaced_is_not_read_as_what_it_was():
    """Keras would make it again without the replacement: the comparison names it."""
    with pytest.raises(ArchitectureError, match="mine: expected the network to compute"):
        gs.from_keras(patched())


@pytest.mark.parametrize("make", [Chain, lambda: Graph(width=4)])
def test_subclasses_that_only_build_are_read(make):
    """A Sequential or functional subclass with its own __init__ and no call of its own."""
    model = make()
    network = gs.grow(gs.from_keras(model), gs.Widen("conv", 7), rng=0)
    assert largest_difference(model(IMAGES), network.to_keras()(IMAGES)) <= 1e-5


def test_a_keyword_call_is_a_call():
    """``Conv2D(8, 3)(inputs=x)``."""
    inputs = keras.Input((8, 8, 3))
    x = L.Conv2D(8, 3, name="conv")(inputs=inputs)
    network = gs.from_keras(keras.Model(inputs, L.Dense(2)(L.Flatten()(x))))
    assert not network.architecture.opaque


def test_the_users_configuration_changes_no_written_model():
    """Neither image_data_format nor a global precision."""
    architecture = gs.Architecture.parse("3x3x8(conv1)-pool1-4(fc1)", (8, 8, 8))
    network = gs.Network.initial(architecture, rng=0)
    images = np.random.default_rng(0).random((4, 8, 8, 8)).astype("f4")
    keras.config.set_image_data_format("channels_first")
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = network.to_keras()
    finally:
        keras.config.set_image_data_format("channels_last")
        keras.config.set_dtype_policy("float32")
    assert largest_difference(network.forward(images), model(images)) <= 1e-5


def test_channels_first_layers_are_kept():
    model = chain(L.Conv2D(4, 3, padding="same", data_format="channels_first", name="mine"))
    assert [n.name for n in gs.from_keras(model).architecture.opaque] == ["mine"]


@pytest.mark.parametrize(
    "policy", ["mixed_float16", "mixed_bfloat16", "bfloat16", "float16", "float64"]
)
def test_policies_are_kept_and_weights_come_back_bitwise(policy):
    """Also in new layers, which follow the layer in front of them."""
    keras.config.set_dtype_policy(policy)
    try:
        model = chain(L.Conv2D(4, 3, activation="relu", name="conv"))
    finally:
        keras.config.set_dtype_policy("float32")
    network = gs.Network.from_bytes(gs.from_keras(model).to_bytes())
    back = network.to_keras()
    for one, other in zip(model.layers, back.layers[1:], strict=True):
        assert one.dtype_policy.name == other.dtype_policy.name == policy
    for one, other in zip(model.weights, back.weights, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    deeper = gs.grow(network, gs.Deepen("conv"), rng=0).to_keras()
    assert {layer.dtype_policy.name for layer in deeper.layers[1:]} == {policy}


def test_training_regularizers_and_constraints_come_along():
    """Through a file and a growth; each on the layer that had it."""
    model = chain(
        L.Conv2D(
            8,
            3,
            name="conv",
            kernel_regularizer=keras.regularizers.L2(0.25),
            bias_constraint="non_neg",
        ),
        L.BatchNormalization(name="bn", gamma_regularizer="l1"),
        L.Conv2D(4, 3, name="frozen"),
    )
    model.get_layer("frozen").trainable = False
    network = gs.Network.from_bytes(gs.from_keras(model).to_bytes())
    back = gs.grow(network, gs.Widen("conv", 12), rng=0).to_keras()
    assert float(back.get_layer("conv").kernel_regularizer.l2) == 0.25
    assert isinstance(back.get_layer("conv").bias_constraint, keras.constraints.NonNeg)
    assert isinstance(back.get_layer("bn").gamma_regularizer, keras.regularizers.L1)
    assert [w.path.split("/")[0] for w in back.non_trainable_weights if "frozen" in w.path]
    assert not back.get_layer("frozen").trainable
    assert back.get_layer("conv").trainable


@pytest.mark.parametrize("name", ["a-b", "a.b", "a b", "_private", "größe", "input"])
def test_names_come_back(name):
    """Whatever Keras takes as the name of a layer; our name of it may be another."""
    model = chain(L.Conv2D(4, 3, activation="relu", name=name))
    network = gs.from_keras(model)
    ours = network.architecture.nodes[0].name
    grown = gs.grow(network, gs.Widen(ours, 6), rng=0)
    back = gs.grow(grown, gs.Deepen(ours), rng=0).to_keras()
    assert back.get_layer(name).filters == 6 if name != "input" else back.get_layer(ours)
    assert largest_difference(model(IMAGES), back(IMAGES)) <= 1e-5
