"""Layers that only Keras computes pass through, as long as no growth reaches them."""

from __future__ import annotations

import json

import numpy as np
import pytest

import growsearch as gs
from growsearch.errors import ArchitectureError, InvalidInputError, NotExactError
from growsearch.growth import GROWTHS, Limits
from growsearch.growth.change import random_images
from growsearch.training.slim.backend import tf

keras = tf.keras
L = keras.layers
ops = keras.ops


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(0)


def shared():
    """A convolution that is called twice, and another one behind it."""
    inputs = keras.Input((8, 8, 3))
    twice = L.Conv2D(3, 3, padding="same", name="twice")
    x = L.Conv2D(6, 3, activation="relu", name="grows")(twice(twice(inputs)))
    return keras.Model(inputs, L.Dense(2, name="out")(L.Flatten()(x)))


def several_ends():
    """Two inputs and two outputs, both by name."""
    one, other = keras.Input((8, 8, 3), name="one"), keras.Input((4,), name="other")
    x = L.Flatten()(L.Conv2D(6, 3, activation="relu", name="grows")(one))
    x = L.Concatenate()([x, L.Dense(3, activation="relu", name="side")(other)])
    x = L.Dense(6, activation="tanh", name="hidden")(x)
    outputs = {"first": L.Dense(2, name="first")(x), "second": L.Dense(3, name="second")(x)}
    return keras.Model({"one": one, "other": other}, outputs)


def recurrent():
    """A layer with three outputs, one of them unused."""
    inputs = keras.Input((8, 8, 3))
    x = L.Reshape((36, 4))(L.Conv2D(4, 3, activation="relu", name="tied")(inputs))
    _, hidden, cell = L.LSTM(5, return_state=True, return_sequences=True, name="lstm")(x)
    x = L.Dense(4, activation="relu", name="grows")(L.Concatenate()([hidden, cell]))
    return keras.Model(inputs, L.Dense(2)(x))


def operators():
    """Functions of keras.ops, with numbers, slices and axes."""
    inputs = keras.Input((8, 8, 3))
    x = L.Conv2D(6, 3, activation="relu", name="tied")(inputs)
    x = ops.mean(ops.flip(x, axis=1) * 2.0 - 1.0, axis=(1, 2))[:, :4]
    x = L.Dense(6, activation="relu", name="grows")(ops.concatenate([x, ops.square(x)], axis=-1))
    return keras.Model(inputs, L.Dense(2)(x))


def nested():
    """A Sequential in a functional model in a Sequential, called for inference alone."""
    inner = keras.Sequential(
        [keras.Input((6, 6, 4)), L.Conv2D(6, 3, name="grows"), L.BatchNormalization()], name="inner"
    )
    inputs = keras.Input((8, 8, 3))
    x = L.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    middle = keras.Model(inputs, inner(x, training=False), name="middle")
    return keras.Sequential(
        [keras.Input((8, 8, 3)), middle, L.Conv2D(3, 3, name="conv"), L.Flatten(), L.Dense(2)]
    )


def of_one_axis():
    """An input that is neither images nor features."""
    inputs = keras.Input((12, 3))
    x = L.GlobalMaxPooling1D()(L.Conv1D(8, 3, activation="relu")(inputs))
    return keras.Model(inputs, L.Dense(2)(L.Dense(6, activation="relu", name="grows")(x)))


def words():
    """Whole numbers as inputs."""
    inputs = keras.Input((9,), dtype="int32", name="words")
    x = L.GlobalAveragePooling1D()(L.Embedding(20, 5)(inputs))
    return keras.Model(inputs, L.Dense(2)(L.Dense(6, activation="relu", name="grows")(x)))


def prepared():
    """Layers that prepare images, with state; the dropout is on in inference too."""
    normalization = L.Normalization(name="normalize")
    normalization.adapt(np.random.default_rng(3).random((10, 8, 8, 3)))
    inputs = keras.Input((8, 8, 3))
    x = L.RandomFlip(name="flip")(L.Rescaling(1 / 255.0, name="rescale")(inputs))
    x = L.Conv2D(6, 3, activation="relu", name="grows")(normalization(x))
    return keras.Model(inputs, L.Dense(2)(L.Flatten()(L.Dropout(0.5)(x))))


MODELS = {
    each.__name__: each
    for each in (shared, several_ends, recurrent, operators, nested, of_one_axis, words, prepared)
}


def values(model, seed=1):
    """The model's outputs on inputs of its kinds, as a flat list."""
    rng = np.random.default_rng(seed)
    given = [
        rng.random((3, *each.shape[1:])).astype("f4")
        if "float" in each.dtype
        else rng.integers(0, 9, (3, *each.shape[1:]))
        for each in model.inputs
    ]
    inner = getattr(model, "_functional", None) or model
    packed = keras.tree.pack_sequence_as(inner.input, given) if len(given) > 1 else given[0]
    found = model(packed, training=False)
    return [np.asarray(each) for each in keras.tree.flatten(found)]


def assert_same(one, other, tolerance):
    for a, b in zip(one, other, strict=True):
        assert np.max(np.abs(a - b)) <= tolerance * np.max(np.abs(a))


@pytest.mark.parametrize("name", MODELS)
def test_a_model_passes_through_a_file_and_grows_beside(name):
    """Exactly as it was; then wider by a growth that meets no layer of Keras' alone."""
    model = MODELS[name]()
    network = gs.Network.from_bytes(gs.from_keras(model).to_bytes())
    assert_same(values(model), values(network.to_keras()), 1e-6)
    grown = gs.grow(network, gs.Widen("grows", 9), rng=0)
    grown = gs.grow(grown, gs.Deepen("grows"), rng=0)
    assert_same(values(model), values(grown.to_keras()), 1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_every_site_is_exact(name):
    """Whatever ``sites`` lists beside opaque nodes, ``grow`` does: in float64 to 1e-9.

    What changes the ends, or makes the network smaller, is done too.
    """
    model = MODELS[name]()
    network = gs.from_keras(model)
    before = values(network.to_keras(dtype="float64"))
    for operation, sites in gs.sites(network.architecture, Limits(width=20)).items():
        for site in sites[:1]:
            grown = gs.grow(network, site, rng=0, images=random_images(network, 4))
            written = grown.to_keras(dtype="float64")
            if operation in GROWTHS:
                assert_same(before, values(written), 1e-9), operation


def test_units_pass_neither_in_nor_out():
    """The refusal concerns the site and names the layer that units do not pass."""
    network = gs.from_keras(operators())
    with pytest.raises(NotExactError, match=r"tied: .*units do not pass Flip, which only Keras"):
        gs.grow(network, gs.Widen("tied", 12), rng=0)
    assert "tied" not in [site.layer for site in gs.sites(network.architecture)["widen"]]


def test_a_shared_layer_stays_shared():
    """One layer with one set of weights, called twice."""
    model = shared()
    back = gs.from_keras(model).to_keras()
    assert [layer.name for layer in back.layers].count("twice") == 1
    assert back.count_params() == model.count_params()


def test_ends_keep_their_names_and_structure():
    model = several_ends()
    back = gs.from_keras(model).to_keras()
    assert set(back.input) == {"one", "other"}
    assert set(back.output) == {"first", "second"}
    with pytest.raises(InvalidInputError, match="one output, got 2"):
        gs.from_keras(model).forward([np.zeros((1, 8, 8, 3)), np.zeros((1, 4))])


def test_the_reference_computes_through_keras():
    """Network.forward gives float64 outputs, and those of a layer in front of a norm's growth."""
    model = recurrent()
    network = gs.from_keras(model)
    images = np.random.default_rng(0).random((3, 8, 8, 3))
    assert_same([model(images.astype("f4")).numpy()], [network.forward(images)], 1e-5)
    deeper = gs.Deepen("grows", batch_norm=True)
    grown = gs.grow(network, deeper, rng=0, images=images)
    assert_same([network.forward(images)], [grown.forward(images)], 1e-9)


def test_the_network_says_what_it_does_not_compute():
    """In its text, and in one line where training by tf-slim begins."""
    network = gs.from_keras(recurrent())
    assert "layers that only Keras computes" in repr(network)
    with pytest.raises(ArchitectureError, match=r"only Keras computes: .*lstm \(LSTM\)"):
        network.architecture.check_computable()


def test_the_arguments_of_a_call_are_kept():
    """A dropout that is on unless the model is told that it predicts."""
    inputs = keras.Input((8, 8, 3))
    x = L.Dropout(0.5, name="drops")(L.Conv2D(4, 3, name="conv")(inputs), training=True)
    network = gs.from_keras(keras.Model(inputs, L.Dense(2)(L.Flatten()(x))))
    assert [node.name for node in network.architecture.opaque] == ["drops"]
    model, images = network.to_keras(), np.ones((3, 8, 8, 3), "f4")
    assert np.abs(model(images) - model(images)).max() > 0


def test_layers_of_ones_own_need_their_class_in_another_process():
    """A file names them, and holds no code; ``custom_objects`` gives them."""

    class Doubled(L.Layer):
        def call(self, x):
            return 2.0 * x

    model = keras.Sequential([keras.Input((4,)), L.Dense(3), Doubled(name="mine"), L.Dense(2)])
    data = gs.from_keras(model).to_bytes()
    foreign = data.replace(b"<locals>.Doubled", b"<locals>.Tripled")
    network = gs.Network.from_bytes(foreign)
    with pytest.raises(ArchitectureError, match=r"mine: .*Tripled.*custom_objects=\{'Tripled'"):
        network.to_keras()
    back = network.to_keras(custom_objects={"Tripled": Doubled})
    assert_same(values(model), values(back), 0.0)


@pytest.mark.parametrize(
    "about",
    [
        {
            "class_name": "Lambda",
            "module": "keras.layers",
            "config": {
                "name": "x",
                "function": {
                    "class_name": "__lambda__",
                    "config": {"code": "4w==", "defaults": None, "closure": None},
                },
            },
        },
        {"class_name": "system", "module": "os", "config": {}, "registered_name": "system"},
        {"class_name": "function", "module": "os", "config": "system", "registered_name": "system"},
        {"class_name": "get_file", "module": "keras.utils", "config": {}, "registered_name": None},
        {"class_name": "L2", "module": "keras.regularizers", "config": {}, "registered_name": None},
        {},
        [],
    ],
    ids=["lambda", "class", "function", "download", "no layer", "empty", "list"],
)
def test_a_file_runs_no_code(about):
    """Configurations in a network's file are untrusted: one line, whatever they name."""
    layer = {"kind": "keras", "name": "x", "inputs": ["input"], "shape": "[3]"}
    layer |= {
        "layer": json.dumps(about),
        "call": '{"args": [{"tensor": 0}], "kwargs": {"dict": []}}',
    }
    architecture = gs.Architecture.from_json({"input_shape": [3], "layers": [layer]})
    with pytest.raises(ArchitectureError, match=r"^x: "):
        gs.Network(architecture, {}).to_keras()


class Noise(L.Layer):
    """Another output each time, whatever it is told."""

    def call(self, x):
        return x + keras.random.normal(ops.shape(x))


def test_layers_that_give_another_output_each_time_are_kept():
    """They end the comparison, which could not tell."""
    model = keras.Sequential([keras.Input((4,)), L.Dense(3), Noise(name="noise"), L.Dense(2)])
    assert [node.name for node in gs.from_keras(model).architecture.opaque] == ["noise"]
