"""Laws of outputs: the logits and losses of every layer type are the reference's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from growsearch.networks import INPUT, Architecture, Node
from growsearch.networks.layers import LAYERS, Activation, Conv, Dense, Flatten
from growsearch.testing.trainer_contract.cases import (
    CASES,
    CLASSES,
    FLOAT32,
    IMAGE,
    ON_FEATURES,
    around,
    assert_close,
    random_graph,
    rich,
    split,
    trained,
)
from growsearch.testing.trainer_contract.laws import Laws
from growsearch.training import Trainer, TrainingPlan


class OutputLaws(Laws):
    """Laws of outputs: the logits and losses of every layer type are the reference's."""

    @pytest.mark.parametrize("kind", sorted(LAYERS))
    def test_every_layer_type_equals_the_reference(self, trainer: Trainer, kind: str) -> None:
        """In evaluation mode a layer gives what the float64 reference gives."""
        assert kind in CASES, f"{kind}: expected layers in trainer_contract.cases.CASES"
        images = split(9).images
        for layer in CASES[kind]:
            architectures = [] if kind == "activation" else [around(layer)]
            if kind in ON_FEATURES:
                architectures.append(around(layer, features=True))
            for architecture in architectures:
                network = trained(architecture)
                got = trainer.logits(network, images)
                assert got.dtype == np.float32
                assert_close(got, network.forward(images), FLOAT32, f"{layer} in {architecture}")

    @pytest.mark.parametrize("seed", range(16))
    def test_random_graphs_equal_the_reference(self, trainer: Trainer, seed: int) -> None:
        """Branches, sums and concatenations of any layers give what the reference gives."""
        network, images = trained(random_graph(seed), seed), split(5, seed=seed).images
        assert_close(trainer.logits(network, images), network.forward(images), FLOAT32)

    @pytest.mark.parametrize(
        "last",
        [
            (Node("out", Dense(CLASSES, "softmax"), ("flat",)),),
            (
                Node("fc", Dense(CLASSES, "linear"), ("flat",)),
                Node("out", Activation("softmax"), ("fc",)),
            ),
        ],
        ids=["in the layer", "as a layer"],
    )
    def test_a_softmax_at_the_end_is_left_out(
        self, trainer: Trainer, last: tuple[Node, ...]
    ) -> None:
        """A final softmax is left out: logits are its input, and the loss is computed from them."""
        flat = Node("flat", Flatten(), (INPUT,))
        network, data = trained(Architecture(IMAGE, (flat, *last))), split(20)
        logits = trainer.logits(network, data.images)
        assert_close(softmax(logits, axis=1), network.forward(data.images), FLOAT32)
        assert np.abs(logits.sum(axis=1) - 1.0).max() > 0.1
        expected = -log_softmax(logits, axis=1)[np.arange(20), data.labels].mean()
        assert_close(trainer.evaluate(network, data).loss, expected, FLOAT32)

    def test_names_of_layers_are_free(self, trainer: Trainer) -> None:
        """Names that differ in case only, or that a backend uses itself, are names like others."""
        names = ("Conv1", "conv1", "gradients", "beta1_power", "weights", "save", "Adam", "1.a_")
        nodes = [Node("flat", Flatten(), (INPUT,))]
        for name in names:
            nodes.append(Node(name, Dense(CLASSES, "tanh"), (nodes[-1].name,)))
        network, data = trained(Architecture(IMAGE, tuple(nodes))), split(6)
        assert_close(trainer.logits(network, data.images), network.forward(data.images), FLOAT32)
        result = trainer.train(network, data, TrainingPlan(2), evaluate_on=data, seed=0)
        assert set(result.network.weights) == set(names)

    def test_many_and_no_images(self, trainer: Trainer) -> None:
        """The logits of an image do not depend on other images; no images give no logits."""
        network, images = trained(around(Conv((3, 3), 5))), split(1201).images
        assert_close(trainer.logits(network, images), network.forward(images), FLOAT32)
        assert trainer.logits(network, images[:0]).shape == (0, CLASSES)

    def test_evaluation_is_accuracy_and_mean_cross_entropy(self, trainer: Trainer) -> None:
        """Accuracy counts hits; the loss is the mean of -log softmax at the label."""
        network, data = rich(), split(777)
        logits = network.forward(data.images)
        found = trainer.evaluate(network, data)
        assert found.accuracy == np.mean(logits.argmax(axis=1) == data.labels)
        expected = -log_softmax(logits, axis=1)[np.arange(777), data.labels].mean()
        assert_close(found.loss, expected, FLOAT32)
