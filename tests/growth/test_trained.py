"""Growth of networks that TensorFlow has really trained, judged by TensorFlow too."""

from __future__ import annotations

import numpy as np
import pytest

from growsearch import datasets
from growsearch.growth import GROWTHS, Widen, grow
from growsearch.networks import Architecture, Network
from growsearch.networks.layers import Add, BatchNorm, Conv, Dense, DepthwiseConv, Flatten
from growsearch.training import TrainingPlan
from growsearch.training.slim import SlimTrainer
from tests.bare_graph import slim_logits
from tests.growth_cases import Draft, Limits, difference


def residual() -> Architecture:
    """Batch norm, a sum, a depthwise convolution, tanh, a flatten; small images soon."""
    draft = Draft((28, 28, 1))
    draft.add(Conv((5, 5), 6, stride=(3, 3), activation="linear", use_bias=False))
    stem = draft.add(BatchNorm(activation="relu"))
    draft.add(Conv((3, 3), 6, activation="linear", use_bias=False))
    branch = draft.add(BatchNorm())
    draft.add(Add("relu"), stem, branch)
    draft.add(DepthwiseConv((3, 3), stride=(2, 2)))
    draft.add(Flatten())
    draft.add(Dense(12, activation="tanh"))
    draft.add(Dense(8))
    draft.add(Dense(10, activation="linear"))
    return Architecture(draft.input_shape, tuple(draft.nodes))


ARCHITECTURES = {
    "chain": Architecture.parse("5x5x4(conv1,stride=2x2)-pool1-3x3x6(conv2)-pool2-16(fc1)-10(fc2)"),
    "residual": residual(),
}


@pytest.fixture(scope="module")
def digits() -> datasets.Dataset:
    return datasets.load("digits")


@pytest.fixture(scope="module")
def trainer() -> SlimTrainer:
    return SlimTrainer()


@pytest.fixture(scope="module")
def parents(digits, trainer) -> dict[str, Network]:
    """Each architecture after 60 steps of Adam."""
    plan = TrainingPlan(steps=60, learning_rate=3e-3, evaluate_every=60)
    found = {}
    for name, architecture in ARCHITECTURES.items():
        start = Network.initial(architecture, rng=0)
        result = trainer.train(start, digits.train, plan, evaluate_on=digits.validation, seed=0)
        assert result.final.accuracy > 0.5, "it has learnt something"
        found[name] = result.network
    return found


@pytest.mark.parametrize("operation", GROWTHS)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_legal_growth_of_a_trained_network_keeps_every_logit(
    name, operation, parents, digits
):
    """On real images: <= 1e-9 in float64, <= 1e-5 in TensorFlow's float32, both relative."""
    parent = parents[name]
    images = digits.validation.images[:64]
    exact, single = parent.forward(images[:8]), slim_logits(parent, images, training=False)
    limits = Limits(layers=12, kernel=7)
    legal = GROWTHS[operation].sites(parent.architecture, limits)
    assert legal
    if operation in ("widen", "deepen"):
        chosen = legal
    else:  # the rest of the table has many sites, and a graph takes a second to build
        chosen = tuple(legal[i] for i in np.random.default_rng(0).permutation(len(legal))[:3])
    for site in chosen:
        growth = site.sized(1.2, parent.architecture, limits)
        child = grow(parent, growth, rng=1, images=digits.train.images[:200])
        assert difference(exact, child.forward(images[:8])) <= 1e-9, growth
        assert difference(single, slim_logits(child, images, training=False)) <= 1e-5, growth


def test_a_grown_network_trains_on_with_the_slots_it_has(parents, digits, trainer):
    """Widened with its slots, the next 40 steps start from the parent's loss and step count."""
    parent = parents["chain"]
    child = grow(parent, Widen("conv2", 12, "random"), rng=1)
    plan = TrainingPlan(steps=40, learning_rate=1e-3, evaluate_every=20)
    result = trainer.train(child, digits.train, plan, evaluate_on=digits.validation, seed=1)
    before = trainer.evaluate(parent, digits.validation)
    assert result.curve[0].accuracy == before.accuracy
    assert abs(result.curve[0].loss - before.loss) <= 1e-5 * before.loss
    assert result.final.loss < before.loss
    assert result.network.slots.step == 100
