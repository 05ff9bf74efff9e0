"""What every trainer must do: subclass ``TrainerContract`` and give it your trainer.

.. code-block:: python

    class TestMyTrainer(TrainerContract):
        @staticmethod
        def make_trainer():
            return MyTrainer()
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from growsearch.datasets import Split
from growsearch.errors import DivergedError, InvalidInputError
from growsearch.networks import INPUT, Architecture, Network, Node, Slots
from growsearch.networks.activations import ACTIVATIONS
from growsearch.networks.layer import Layer
from growsearch.networks.layers import (
    LAYERS,
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
    LayerNorm,
    MaxPool,
    SeparableConv,
    ZeroPad,
)
from growsearch.networks.optimizers import OPTIMIZERS as ROWS
from growsearch.training import (
    Augmentation,
    MeasuresSpeed,
    Point,
    Trainer,
    TrainingPlan,
    at_one_precision,
)

Array = NDArray[Any]

OPTIMIZERS = tuple(ROWS)
IMAGE = (7, 6, 4)  # not square, so that height and width cannot be mistaken for each other
CLASSES = 3
FLOAT32 = 1e-5  # of the largest output: what a backend may differ from the float64 reference

# Kind -> specifications of which every option occurs with a value that changes the result.
CASES: dict[str, list[Layer]] = {
    "dense": [Dense(5, "tanh"), Dense(5, use_bias=False), Dense(1, "linear")],
    "conv": [
        Conv((3, 3), 5),
        Conv((3, 3), 5, padding="valid", activation="gelu"),
        Conv((2, 4), 5, stride=(2, 1), use_bias=False),
        Conv((3, 2), 5, stride=(3, 2), padding="valid"),
        Conv((1, 1), 5, stride=(2, 3)),
        Conv((3, 3), 5, dilation=(2, 1)),
        Conv((3, 2), 5, dilation=(2, 3), padding="valid"),
        Conv((3, 3), 6, groups=2),
        Conv((3, 2), 8, stride=(2, 1), groups=4, padding="valid", use_bias=False),
        Conv((2, 3), 4, dilation=(1, 2), groups=4, activation="silu"),
    ],
    "separable_conv": [
        SeparableConv((3, 3), 5),
        SeparableConv((2, 3), 5, stride=(2, 2), multiplier=2, use_bias=False),
        SeparableConv((3, 2), 5, padding="valid", multiplier=3, activation="tanh"),
    ],
    "depthwise_conv": [
        DepthwiseConv((3, 3)),
        DepthwiseConv((2, 3), stride=(2, 2), multiplier=2, use_bias=False),
        DepthwiseConv((3, 2), padding="valid", multiplier=3, activation="tanh"),
    ],
    "batch_norm": [
        BatchNorm(),
        BatchNorm(epsilon=0.3, activation="relu"),
        BatchNorm(epsilon=1e-7),
        BatchNorm(scale=False),
        BatchNorm(center=False),
    ],
    "layer_norm": [LayerNorm(), LayerNorm(epsilon=0.3)],
    "max_pool": [
        MaxPool(),
        MaxPool((3, 2), stride=(1, 2)),
        MaxPool((2, 3), stride=(2, 1), padding="valid"),
    ],
    "avg_pool": [
        AvgPool(),
        AvgPool((3, 2), stride=(1, 2)),
        AvgPool((2, 3), stride=(2, 1), padding="valid"),
    ],
    "global_avg_pool": [GlobalAvgPool()],
    "global_max_pool": [GlobalMaxPool()],
    "flatten": [Flatten()],
    "zero_pad": [ZeroPad(1, 0, 2, 3), ZeroPad(0, 0, 0, 0)],
    "dropout": [Dropout(0.9)],
    "activation": [
        *(Activation(name) for name in ACTIVATIONS),
        Activation("leaky_relu", slope=0.7),
    ],
    "add": [Add(), Add("tanh")],
    "concat": [Concat()],
}
_ON_FEATURES = ("dense", "batch_norm", "layer_norm", "dropout", "activation", "add", "concat")


# --- networks and data to work on -----------------------------------------------------------------


def trained(architecture: Architecture, seed: int = 0) -> Network:
    """A network whose every weight differs from its start: biases, gammas, moving statistics."""
    rng = np.random.default_rng(seed)
    weights: dict[str, dict[str, Array]] = {}
    for layer, specifications in architecture.weights.items():
        weights[layer] = {}
        for name, weight in specifications.items():
            scale = 1.0 / np.sqrt(max(weight.fan_in, 1))
            array = rng.normal(scale=scale if weight.fill == "kernel" else 0.5, size=weight.shape)
            if name == "variance":
                array = rng.uniform(0.1, 2.0, size=weight.shape)
            weights[layer][name] = array.astype(np.float32)
    return Network(architecture, weights)


def split(images: int, shape: tuple[int, ...] = IMAGE, seed: int = 0) -> Split:
    rng = np.random.default_rng(seed)
    return Split(rng.random((images, *shape), np.float32), rng.integers(0, CLASSES, images))


def around(layer: Layer, *, features: bool = False) -> Architecture:
    """A small graph with the layer in the middle, on images or on features."""
    nodes = [Node("a", Conv((3, 3), 4, activation="tanh"), (INPUT,))]
    if features:
        nodes += [Node("f", Flatten(), ("a",)), Node("g", Dense(4, "tanh"), ("f",))]
    before = nodes[-1].name
    inputs: tuple[str, ...] = (before,)
    if type(layer).inputs[0] > 1:
        other = Dense(4, "tanh") if features else Conv((1, 1), 4, activation="tanh")
        nodes.append(Node("b", other, (before,)))
        inputs = (before, "b", before)
    nodes.append(Node("tested", layer, inputs))
    if len(Architecture(IMAGE, tuple(nodes)).shapes["tested"]) == 3:
        nodes.append(Node("flat", Flatten(), ("tested",)))
    nodes.append(Node("out", Dense(CLASSES, "linear"), (nodes[-1].name,)))
    return Architecture(IMAGE, tuple(nodes))


def random_graph(seed: int) -> Architecture:
    """A random graph with branches, sums and concatenations; every layer type may occur."""
    rng = np.random.default_rng(seed)
    nodes: list[Node] = []
    shapes: dict[str, tuple[int, ...]] = {INPUT: IMAGE}

    def put(layer: Layer, *inputs: str) -> str:
        shapes[name] = layer.output_shape(*(shapes[i] for i in inputs))
        nodes.append(Node(name, layer, inputs))
        return name

    current, to_features = INPUT, ("flatten", "global_avg_pool", "global_max_pool")
    length = int(rng.integers(3, 9))
    for number in range(length):
        name, is_image = f"n{number}", len(shapes[current]) == 3
        kinds = sorted(set(CASES) - {"dense", *to_features}) if is_image else _ON_FEATURES
        kind = str(rng.choice(to_features if is_image and number == length - 2 else kinds))
        layer = CASES[kind][int(rng.integers(len(CASES[kind])))]
        inputs: tuple[str, ...] = (current,)
        if kind in ("add", "concat"):
            twins = [other for other, shape in shapes.items() if shape == shapes[current]]
            inputs = (current, *(str(i) for i in rng.choice(twins, 2)))
        try:
            current = put(layer, *inputs)
        except ValueError:  # too small for this window, or not divisible into these groups
            continue
    name = "flat"
    if len(shapes[current]) == 3:
        current = put(Flatten(), current)
    name = "out"
    put(Dense(CLASSES, "linear"), current)
    return _pruned(tuple(nodes))


def _pruned(nodes: tuple[Node, ...]) -> Architecture:
    needed = {nodes[-1].name}
    for node in reversed(nodes):
        if node.name in needed:
            needed.update(node.inputs)
    return Architecture(IMAGE, tuple(node for node in nodes if node.name in needed))


def rich() -> Network:
    """A network in which everything that training touches occurs."""
    return trained(
        Architecture(
            IMAGE,
            (
                Node("conv1", Conv((3, 3), 6), (INPUT,)),
                Node("norm1", BatchNorm(), ("conv1",)),
                Node("conv2", Conv((3, 3), 6, groups=2), ("norm1",)),
                Node("sum1", Add("relu"), ("norm1", "conv2")),
                Node("pool1", MaxPool(), ("sum1",)),
                Node("flat", Flatten(), ("pool1",)),
                Node("drop1", Dropout(0.3), ("flat",)),
                Node("fc1", Dense(16), ("drop1",)),
                Node("fc2", Dense(CLASSES, "linear"), ("fc1",)),
            ),
        )
    )


def regression(*between: Node) -> Network:
    """Softmax regression, whose gradient is known in closed form; layers may stand before it."""
    before = between[-1].name if between else "flat"
    nodes = (
        Node("flat", Flatten(), (INPUT,)),
        *between,
        Node("fc", Dense(CLASSES, "linear"), (before,)),
    )
    return trained(Architecture((2, 2, 1), nodes))


def arrays(weights: Mapping[str, Mapping[str, Array]]) -> dict[str, Array]:
    """Weights by one name, copied."""
    return {
        f"{layer} {name}": np.array(array)
        for layer, named in weights.items()
        for name, array in named.items()
    }


def assert_close(got: Any, expected: Any, tolerance: float, what: str = "") -> None:
    """Largest absolute difference at most ``tolerance`` of the largest expected value."""
    got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    assert got.shape == expected.shape, what
    error = np.abs(got - expected).max(initial=0.0)
    assert error <= tolerance * np.abs(expected).max(initial=0.0), f"{what}: {error}"


def assert_same(network: Network, other: Network) -> None:
    """Weights and slots are equal to the last bit."""
    assert network.sha256 == other.sha256


# --- the published formulas -----------------------------------------------------------------------

State = dict[str, Any]


def gradients(x: Array, labels: Array, weights: dict[str, Array]) -> dict[str, Array]:
    """Of the mean cross-entropy of softmax regression."""
    error = softmax(x @ weights["kernel"] + weights["bias"], axis=1)
    error[np.arange(len(labels)), labels] -= 1.0
    return {"kernel": x.T @ error / len(x), "bias": error.mean(axis=0)}


def adam(w: Array, g: Array, state: State, step: int, plan: TrainingPlan, decay: float) -> Array:
    """Algorithm 1 of Kingma and Ba, arXiv:1412.6980; decay of arXiv:1711.05101, algorithm 2."""
    state["m"] = 0.9 * state["m"] + 0.1 * g
    state["v"] = 0.999 * state["v"] + 0.001 * g**2
    m, v = state["m"] / (1 - 0.9**step), state["v"] / (1 - 0.999**step)
    return np.asarray(w - plan.learning_rate * (m / (np.sqrt(v) + 1e-8) + decay * w))


def momentum(w: Array, g: Array, state: State, plan: TrainingPlan, decay: float) -> Array:
    """Nesterov's, as in Sutskever et al., ICML 2013, with the gradient at the look-ahead.

    Decay of arXiv:1711.05101, algorithm 1.
    """
    state["momentum"] = plan.momentum * state["momentum"] + g
    step = g + plan.momentum * state["momentum"]
    return np.asarray(w - plan.learning_rate * (step + decay * w))


def scheduled(schedule: str, step: int, steps: int) -> float:
    """The rate of a step, from 0, as a share of the highest.

    Cosine: arXiv:1608.03983, equation 5; one cycle: PyTorch's OneCycleLR with its defaults.
    """
    if schedule == "constant":
        return 1.0
    if schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * step / steps))
    top = 0.3 * steps - 1.0
    first, last, share = (
        (1 / 25, 1.0, step / top)
        if step <= top
        else (1.0, 1 / 250_000, (step - top) / (steps - 1.0 - top))
    )
    return last + (first - last) * 0.5 * (1.0 + math.cos(math.pi * share))


def updated(network: Network, data: Split, plan: TrainingPlan) -> tuple[State, dict[str, State]]:
    """Weights and slots of softmax regression after the plan's updates on all of the data."""
    x = data.images.reshape(len(data), -1).astype(np.float64)
    weights = {n: np.array(a, np.float64) for n, a in network.weights["fc"].items()}
    states: dict[str, State] = {
        name: {
            slot: np.array(network.slots.values[slot]["fc"][name], np.float64)
            if network.slots
            else np.zeros_like(weights[name])
            for slot in ROWS[plan.optimizer].slots
        }
        for name in weights
    }
    step = network.slots.step if network.slots else 0
    for _ in range(plan.steps):
        step += 1
        slopes = gradients(x, data.labels, weights)
        for name, g in slopes.items():
            w, state = weights[name], states[name]
            decays = plan.optimizer in ("adamw", "momentum") and name == "kernel"
            decay = plan.decay if decays else 0.0
            if plan.optimizer == "sgd":
                weights[name] = w - plan.learning_rate * g
            elif plan.optimizer == "momentum":
                weights[name] = momentum(w, g, state, plan, decay)
            else:
                weights[name] = adam(w, g, state, step, plan, decay)
    return weights, states


def with_slots(network: Network, optimizer: str, step: int, seed: int = 1) -> Network:
    """The network as if it had been trained for ``step`` updates."""
    rng = np.random.default_rng(seed)
    values = {
        slot: {
            layer: {
                name: np.float32(0.1) ** degree * rng.random(weight.shape, np.float32)
                for name, weight in weights.items()
                if weight.trainable
            }
            for layer, weights in network.architecture.weights.items()
        }
        for slot, degree in ROWS[optimizer].slots.items()
    }
    return replace(network, slots=Slots(optimizer, step, values))


# --- the contract ---------------------------------------------------------------------------------


class TrainerContract:
    """Laws of every trainer; all of them are about results, none about how they are made."""

    @staticmethod
    def make_trainer() -> Trainer:
        """A new trainer."""
        raise NotImplementedError("a contract: give it make_trainer()")

    @pytest.fixture
    def trainer(self, request: pytest.FixtureRequest) -> Trainer:
        """One trainer for all tests of a class: what one test does must not matter to another."""
        cls = request.cls
        if "_trainer" not in vars(cls):
            cls._trainer = cls.make_trainer()
        made: Trainer = cls._trainer
        return made

    # -- outputs --

    @pytest.mark.parametrize("kind", sorted(LAYERS))
    def test_every_layer_type_equals_the_reference(self, trainer: Trainer, kind: str) -> None:
        """In evaluation mode a layer gives what the float64 reference gives."""
        assert kind in CASES, f"add layers of kind {kind} to CASES in tests/backend_contract.py"
        images = split(9).images
        for layer in CASES[kind]:
            architectures = [] if kind in ("dense", "activation") else [around(layer)]
            if kind in _ON_FEATURES:
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
        """Logits and loss are what goes into a final softmax, not what comes out of it."""
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
        """The number of images does not matter to the output of one; none give none."""
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

    # -- updates --

    @pytest.mark.parametrize("start", [None, 0, 7, 5000])
    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    def test_updates_are_the_published_formula(
        self, trainer: Trainer, optimizer: str, start: int | None
    ) -> None:
        """Weights and slots after three updates are those of a float64 implementation."""
        data = split(40, (2, 2, 1))
        network = regression()
        if start is not None:
            network = with_slots(network, optimizer, start)
        decay = 0.5 if ROWS[optimizer].decay is not None else None
        plan = TrainingPlan(3, 40, 0.1, optimizer, momentum=0.8, weight_decay=decay)
        result = trainer.train(network, data, plan, evaluate_on=data, seed=0).network
        weights, states = updated(network, data, plan)
        # At step 0 epsilon counts: some add it before the bias correction, as the paper allows.
        tolerance = 1e-4 if start is None and optimizer.startswith("adam") else FLOAT32
        slots = result.slots
        assert slots is not None
        assert (slots.optimizer, slots.step) == (optimizer, (start or 0) + 3)
        for name, expected in weights.items():
            assert_close(result.weights["fc"][name], expected, tolerance, name)
            for slot, value in states[name].items():
                assert_close(slots.values[slot]["fc"][name], value, tolerance, f"{slot} of {name}")

    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    def test_two_trainings_are_one_when_slots_are_carried(
        self, trainer: Trainer, optimizer: str
    ) -> None:
        """Two trainings of n updates are one of 2n; without the slots they are not."""
        data = split(30, (2, 2, 1))  # every batch is all of the data
        plan = TrainingPlan(20, 30, 0.05, optimizer)
        start = regression(Node("fc1", Dense(6, "tanh"), ("flat",)))

        def train(network: Network, plan: TrainingPlan) -> Network:
            return trainer.train(network, data, plan, evaluate_on=data, seed=0).network

        once = train(start, replace(plan, steps=40))
        half = train(start, plan)
        twice = train(half, plan)
        assert once.slots
        assert half.slots
        assert twice.slots
        assert (half.slots.step, twice.slots.step, once.slots.step) == (20, 40, 40)
        for name, expected in arrays(once.weights).items():
            assert_close(arrays(twice.weights)[name], expected, 1e-4, name)
        for slot, values in once.slots.values.items():
            for name, expected in arrays(values).items():
                assert_close(arrays(twice.slots.values[slot])[name], expected, 1e-3, name)
        if optimizer != "sgd":
            cold = arrays(train(replace(half, slots=None), plan).weights)
            worst = max(np.abs(cold[n] - array).max() for n, array in arrays(once.weights).items())
            assert worst > 1e-2

    def test_slots_of_another_optimizer_are_not_used(self, trainer: Trainer) -> None:
        """Momentum means nothing to Adam: it starts at step 0."""
        data, plan = split(30), TrainingPlan(4, 10)
        foreign = with_slots(rich(), "momentum", 7)
        results = [
            trainer.train(network, data, plan, evaluate_on=data, seed=0).network
            for network in (rich(), foreign)
        ]
        assert_same(*results)
        assert results[0].slots
        assert results[0].slots.step == 4

    def test_adam_and_adamw_share_their_slots(self, trainer: Trainer) -> None:
        """Both remember the same, so that one goes on where the other was."""
        data = split(30, (2, 2, 1))
        network = with_slots(regression(), "adam", 7)
        plan = TrainingPlan(1, 30, optimizer="adamw")
        result = trainer.train(network, data, plan, evaluate_on=data, seed=0).network
        assert result.slots
        assert (result.slots.optimizer, result.slots.step) == ("adamw", 8)
        assert_close(
            result.weights["fc"]["kernel"], updated(network, data, plan)[0]["kernel"], 1e-6
        )

    # -- batch normalisation and dropout --

    @pytest.mark.parametrize("features", [False, True])
    def test_moving_statistics_follow_the_batch(self, trainer: Trainer, features: bool) -> None:
        """One update moves mean and variance by 1 - momentum towards the batch's."""
        flat, norm = Flatten(), BatchNorm(momentum=0.75)
        nodes = (
            (Node("flat", flat, (INPUT,)), Node("norm", norm, ("flat",)))
            if features
            else (Node("norm", norm, (INPUT,)), Node("flat", flat, ("norm",)))
        )
        architecture = Architecture(
            IMAGE, (*nodes, Node("fc", Dense(CLASSES, "linear"), (nodes[-1].name,)))
        )
        network, data = trained(architecture), split(30)
        result = trainer.train(network, data, TrainingPlan(1, 30), evaluate_on=data, seed=0).network
        x = data.images.reshape(30, -1) if features else data.images.reshape(-1, IMAGE[-1])
        old, new = network.weights["norm"], result.weights["norm"]
        assert_close(new["mean"], 0.75 * old["mean"] + 0.25 * x.mean(axis=0), FLOAT32, "mean")
        expected = [0.75 * old["variance"] + 0.25 * x.var(axis=0, ddof=ddof) for ddof in (0, 1)]
        errors = [np.abs(new["variance"] - each).max() for each in expected]
        assert min(errors) <= FLOAT32, "variance: neither the batch's nor its unbiased estimate"

    def test_training_normalises_by_the_batch(self, trainer: Trainer) -> None:
        """The gradient behind a batch norm is that of the batch's statistics, not the moving."""
        data = split(30, (2, 2, 1))
        network = regression(Node("norm", BatchNorm(scale=False, center=False), ("flat",)))
        plan = TrainingPlan(1, 30, 0.1, "sgd")
        result = trainer.train(network, data, plan, evaluate_on=data, seed=0).network
        x = data.images.reshape(30, -1).astype(np.float64)
        normal = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + BatchNorm().epsilon)
        weights = {n: np.array(a, np.float64) for n, a in network.weights["fc"].items()}
        slope = gradients(normal, data.labels, weights)["kernel"]
        assert_close(result.weights["fc"]["kernel"], weights["kernel"] - 0.1 * slope, FLOAT32)

    def _masks(self, trainer: Trainer, *, steps: int, seed: int, layers: int = 1) -> Array:
        """Which of 1,200 features passed dropout in each update, by their gradients' size."""
        shape = (40, 30, 1)
        drops = [
            Node(f"drop{n}", Dropout(0.4), (f"drop{n - 1}" if n else "flat",))
            for n in range(layers)
        ]
        nodes = (
            Node("flat", Flatten(), (INPUT,)),
            *drops,
            Node("fc", Dense(2, "linear", use_bias=False), (drops[-1].name,)),
        )
        architecture = Architecture(shape, nodes)
        data = Split(np.ones((1, *shape), np.float32), np.zeros(1, np.int64))
        network = Network(architecture, {"fc": {"kernel": np.zeros((1200, 2), np.float32)}})
        masks = []
        for step in range(1, steps + 1):  # from the same start, so that differences are one step's
            plan = TrainingPlan(step, 1, 1e-6, "sgd")
            result = trainer.train(network, data, plan, evaluate_on=data, seed=seed).network
            masks.append(result.weights["fc"]["kernel"][:, 0].astype(np.float64) / 0.5e-6)
        return np.diff(np.asarray(masks), axis=0, prepend=0.0)

    def test_dropout_drops_its_rate_and_scales_the_rest(self, trainer: Trainer) -> None:
        """A unit is 0 or 1 / (1 - rate), the first in a fraction ``rate`` of all cases."""
        (mask,) = self._masks(trainer, steps=1, seed=0)
        kept = mask > 0.5
        assert_close(mask[kept], np.full(kept.sum(), 1 / 0.6), 1e-3)
        assert not mask[~kept].any()
        assert abs(kept.mean() - 0.6) < 0.06  # four standard deviations

    def test_two_dropouts_are_independent(self, trainer: Trainer) -> None:
        """Two layers of dropout pass what both pass, which is the product of their rates."""
        (mask,) = self._masks(trainer, steps=1, seed=0, layers=2)
        assert abs((mask > 0.5).mean() - 0.36) < 0.06

    def test_dropout_depends_on_seed_and_step_only(self, trainer: Trainer) -> None:
        """The same seed drops the same, in any trainer; another seed or step drops others."""
        masks = self._masks(trainer, steps=2, seed=0) > 0.5
        for other in (trainer, self.make_trainer()):
            assert np.array_equal(self._masks(other, steps=2, seed=0) > 0.5, masks)
        assert np.any(masks[0] != masks[1])
        for seed in (1, 2**31, 2**32):
            assert np.any((self._masks(trainer, steps=1, seed=seed) > 0.5)[0] != masks[0])

    # -- the same again --

    def test_the_same_seed_gives_the_same_bytes(self, trainer: Trainer) -> None:
        """Training is a function of its arguments: also after others, also in a new trainer."""
        data, plan = split(64), TrainingPlan(12, 8, 0.01)

        def train(trainer: Trainer, seed: int) -> Network:
            return trainer.train(rich(), data, plan, evaluate_on=data, seed=seed).network

        first = train(trainer, 3)
        other = train(trainer, 4)
        assert first.sha256 != other.sha256
        assert_same(train(trainer, 3), first)
        assert_same(train(self.make_trainer(), 3), first)

    def test_arms_see_the_same_images(self, trainer: Trainer) -> None:
        """The order of the images depends on the seed, not on the network or what came before."""
        data = split(64, (2, 2, 1))
        plan = TrainingPlan(12, 8, 0.01, "sgd")
        small = regression()
        relu_twin = regression(Node("same", Activation("relu"), ("flat",)))  # pixels are >= 0
        results = [
            trainer.train(network, data, plan, evaluate_on=data, seed=3).network
            for network in (small, relu_twin)
        ]
        assert_close(results[1].weights["fc"]["kernel"], results[0].weights["fc"]["kernel"], 1e-6)

    def test_networks_stay_as_they_are(self, trainer: Trainer) -> None:
        """Neither the parent nor an earlier result changes when something is trained later."""
        data, plan = split(64), TrainingPlan(3, 8, 0.1)
        parent = with_slots(rich(), "adam", 3)
        before = arrays(parent.weights)
        first = trainer.train(parent, data, plan, evaluate_on=data, seed=0).network
        result = arrays(first.weights)
        trainer.train(first, data, plan, evaluate_on=data, seed=1)
        for name, array in arrays(parent.weights).items():
            assert np.array_equal(array, before[name]), name
        for name, array in arrays(first.weights).items():
            assert np.array_equal(array, result[name]), name
            assert not np.array_equal(array, before[name]), name

    @pytest.mark.parametrize(
        "options",
        [
            {"precision": "bfloat16"},
            {"precision": "bfloat16", "optimizer": "momentum", "weight_decay": 0.1, "ema": 0.9},
            {"schedule": "one_cycle", "augmentation": Augmentation(1, 10.0, 0.1, 2)},
            {"label_smoothing": 0.1, "schedule": "cosine", "ema": 0.5, "optimizer": "adamw"},
        ],
        ids=["bfloat16", "bfloat16 averages", "augmented", "smoothed averages"],
    )
    def test_every_option_repeats_to_the_last_bit(
        self, trainer: Trainer, options: dict[str, Any]
    ) -> None:
        """Precision, schedules, averages and augmentation are functions of the seed as well."""
        data, plan = split(64), TrainingPlan(12, 8, 0.01, **options)

        def train(trainer: Trainer, seed: int) -> Network:
            return trainer.train(rich(), data, plan, evaluate_on=data, seed=seed).network

        first = train(trainer, 3)
        assert first.sha256 != train(trainer, 4).sha256
        assert_same(train(trainer, 3), first)
        assert_same(train(self.make_trainer(), 3), first)
        plain = replace(plan, **{name: getattr(TrainingPlan(1), name) for name in options})
        other = trainer.train(rich(), data, plain, evaluate_on=data, seed=3).network
        assert other.sha256 != first.sha256

    # -- precision --

    def test_bfloat16_lowers_the_loss_and_is_evaluated_in_float32(self, trainer: Trainer) -> None:
        """Only updates are computed in bfloat16: evaluations and outputs are the reference's."""
        data, network = split(32), trained(around(Conv((3, 3), 5)))
        plan = TrainingPlan(150, 32, 0.01, precision="bfloat16")
        result = trainer.train(network, data, plan, evaluate_on=data, seed=0)
        assert result.precision == "bfloat16"
        assert result.curve[-1].loss < 0.1 * result.curve[0].loss
        logits = result.network.forward(data.images)
        assert_close(trainer.logits(result.network, data.images), logits, FLOAT32)
        expected = -log_softmax(logits, axis=1)[np.arange(32), data.labels].mean()
        assert_close(result.final.loss, expected, 1e-4)

    @pytest.mark.parametrize("kind", sorted(LAYERS))
    def test_every_layer_type_trains_in_bfloat16(self, trainer: Trainer, kind: str) -> None:
        """An update in bfloat16 goes where that in float32 goes; its arrays are float32."""
        network, data = trained(around(CASES[kind][0], features=kind == "dense")), split(40)
        moves = []
        for precision in ("float32", "bfloat16"):
            plan = TrainingPlan(1, 40, 0.1, "sgd", precision=precision)
            result = trainer.train(network, data, plan, evaluate_on=data, seed=0).network
            after = arrays(result.weights)
            assert {array.dtype for array in after.values()} == {np.dtype(np.float32)}
            before = arrays(network.weights)
            moves.append(np.concatenate([(after[n] - before[n]).ravel() for n in before]))
        assert_close(moves[1], moves[0], 0.1)
        assert np.any(moves[0] != moves[1])

    def test_updates_below_the_resolution_of_bfloat16_add_up(self, trainer: Trainer) -> None:
        """Weights of about 1 move by 64 updates of a 10,000th as they do in float32."""
        data = split(30, (2, 2, 1))
        network = regression(Node("fc1", Dense(6, "linear"), ("flat",)))
        before, moves = arrays(network.weights), []
        for precision in ("float32", "bfloat16"):
            plan = TrainingPlan(64, 30, 1e-4, "sgd", precision=precision)
            after = trainer.train(network, data, plan, evaluate_on=data, seed=0).network
            moves.append(arrays(after.weights)["fc1 kernel"] - before["fc1 kernel"])
        assert np.abs(moves[0]).max() < 64 * 2.0**-8 * np.abs(before["fc1 kernel"]).max()
        assert_close(moves[1], moves[0], 0.05)

    def test_slots_are_of_any_precision(self, trainer: Trainer) -> None:
        """A training in bfloat16 goes on where one in float32 was, and its slots are float32."""
        data, plan = split(30), TrainingPlan(3, 30, 0.01)
        half = trainer.train(rich(), data, plan, evaluate_on=data, seed=0).network
        plan = replace(plan, precision="bfloat16")
        whole = trainer.train(half, data, plan, evaluate_on=data, seed=0).network
        assert whole.slots
        assert whole.slots.step == 6
        for values in whole.slots.values.values():
            assert {a.dtype for a in arrays(values).values()} == {np.dtype(np.float32)}

    def test_auto_names_what_it_took(self, trainer: Trainer) -> None:
        """What "auto" came to is in the result, and a plan that asks for it gives the same."""
        data, plan = split(64), TrainingPlan(6, 8, 0.01, precision="auto")
        result = trainer.train(rich(), data, plan, evaluate_on=data, seed=0)
        assert result.precision in ("float32", "bfloat16")
        if isinstance(trainer, MeasuresSpeed):
            fixed = at_one_precision(trainer, rich().architecture, plan)
            assert fixed == replace(plan, precision=result.precision)
        named = replace(plan, precision=result.precision)
        assert_same(
            trainer.train(rich(), data, named, evaluate_on=data, seed=0).network, result.network
        )

    # -- schedules, label smoothing, averages --

    @pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
    def test_rates_follow_the_schedule(self, trainer: Trainer, schedule: str) -> None:
        """Each step of gradient descent is taken with its own rate of the published formula."""
        data, network = split(30, (2, 2, 1)), regression()
        plan = TrainingPlan(7, 30, 0.5, "sgd", schedule=schedule, schedule_start=2)
        plan = replace(plan, schedule_steps=11)
        result = trainer.train(network, data, plan, evaluate_on=data, seed=0).network
        expected = network
        for step in range(2, 9):
            one = TrainingPlan(1, 30, 0.5 * scheduled(schedule, step, 11), "sgd")
            weights, _ = updated(expected, data, one)
            expected = replace(
                expected, weights={"fc": {n: np.float32(a) for n, a in weights.items()}}
            )
        for name, array in expected.weights["fc"].items():
            assert_close(result.weights["fc"][name], array, FLOAT32, name)

    @pytest.mark.parametrize("optimizer", ["adam", "momentum"])
    def test_a_schedule_runs_through_two_trainings(self, trainer: Trainer, optimizer: str) -> None:
        """Two plans that share a schedule, with slots carried, are one plan."""
        data = split(30, (2, 2, 1))
        start = regression(Node("fc1", Dense(6, "tanh"), ("flat",)))
        plan = TrainingPlan(40, 30, 0.05, optimizer, schedule="one_cycle")
        first = replace(plan, steps=15, schedule_steps=40)
        second = replace(plan, steps=25, schedule_start=15)

        def train(network: Network, plan: TrainingPlan) -> Network:
            return trainer.train(network, data, plan, evaluate_on=data, seed=0).network

        once, twice = train(start, plan), train(train(start, first), second)
        for name, expected in arrays(once.weights).items():
            assert_close(arrays(twice.weights)[name], expected, 1e-4, name)
        anew = arrays(train(train(start, first), replace(second, schedule_start=0)).weights)
        assert any(
            np.abs(anew[name] - array).max() > 1e-2 for name, array in arrays(once.weights).items()
        )

    def test_label_smoothing_is_its_formula(self, trainer: Trainer) -> None:
        """Labels are (1 - s) · one-hot + s / classes, as Keras has it; evaluations know none."""
        data, network = split(30, (2, 2, 1)), regression()
        plan = TrainingPlan(1, 30, 0.5, "sgd", label_smoothing=0.3)
        result = trainer.train(network, data, plan, evaluate_on=data, seed=0)
        x = data.images.reshape(30, -1).astype(np.float64)
        start = {n: np.array(a, np.float64) for n, a in network.weights["fc"].items()}
        labels = 0.7 * np.eye(CLASSES)[data.labels] + 0.3 / CLASSES
        error = softmax(x @ start["kernel"] + start["bias"], axis=1) - labels
        weights = result.network.weights["fc"]
        assert_close(weights["kernel"], start["kernel"] - 0.5 * x.T @ error / 30, FLOAT32)
        assert_close(weights["bias"], start["bias"] - 0.5 * error.mean(axis=0), FLOAT32)
        assert result.final.loss == trainer.evaluate(result.network, data).loss

    def test_averages_are_their_formula(self, trainer: Trainer) -> None:
        """The result is ema · average + (1 - ema) · weight over the steps, statistics included."""
        data, steps = split(40), 4
        network = trained(around(BatchNorm(momentum=0.5)))
        plan = TrainingPlan(1, 40, 0.1, "momentum")

        def train(plan: TrainingPlan, network: Network) -> Any:
            return trainer.train(network, data, plan, evaluate_on=data, seed=0)

        expected = arrays(network.weights)
        for step in range(1, steps + 1):
            raw = train(replace(plan, steps=step), network).network
            for name, array in arrays(raw.weights).items():
                expected[name] = 0.8 * expected[name] + 0.2 * array
        result = train(replace(plan, steps=steps, ema=0.8), network)
        for name, array in expected.items():
            assert_close(arrays(result.network.weights)[name], array, 1e-4, name)
        for slot, values in raw.slots.values.items():
            for name, array in arrays(values).items():
                assert_close(arrays(result.network.slots.values[slot])[name], array, 1e-4, name)
        found = trainer.evaluate(result.network, data)
        assert (found.accuracy, found.loss) == (result.final.accuracy, result.final.loss)

    # -- augmentation --

    @pytest.mark.parametrize(
        "option", [{"shift": 2}, {"rotate": 20.0}, {"zoom": 0.2}, {"erase": 3}]
    )
    def test_augmentation_is_of_training_only(
        self, trainer: Trainer, option: dict[str, Any]
    ) -> None:
        """It changes what is learnt, not what is measured, and arms see it alike."""
        data = split(64)
        plan = TrainingPlan(3, 16, 0.05, "sgd", augmentation=Augmentation(**option))
        plain = replace(plan, augmentation=Augmentation())
        results = [
            trainer.train(rich(), data, each, evaluate_on=data, seed=0) for each in (plan, plain)
        ]
        assert results[0].curve[0] == results[1].curve[0]
        assert results[0].network.sha256 != results[1].network.sha256
        found = trainer.evaluate(results[0].network, data)
        assert (found.accuracy, found.loss) == (
            results[0].final.accuracy,
            results[0].final.loss,
        )

    @pytest.mark.parametrize("option", ["shift", "rotate", "zoom", "erase"])
    def test_augmentation_wants_images_large_enough(self, trainer: Trainer, option: str) -> None:
        """Features cannot be shifted, nor more pixels erased than there are."""
        flat = trained(Architecture((8,), (Node("fc", Dense(CLASSES, "linear"), (INPUT,)),)))
        data = Split.__new__(Split)  # a split's images have three axes: only a trainer's own check
        object.__setattr__(data, "images", np.zeros((4, 8), np.float32))
        object.__setattr__(data, "labels", np.zeros(4, np.int64))
        with pytest.raises(InvalidInputError, match=f"{option}: expected images"):
            trainer.train(
                flat,
                data,
                TrainingPlan(1, augmentation=Augmentation(**{option: 1})),
                evaluate_on=data,
                seed=0,
            )
        if option in ("shift", "erase"):
            images, plan = split(8), TrainingPlan(1, augmentation=Augmentation(**{option: 7}))
            with pytest.raises(InvalidInputError, match=f"{option}: expected at most"):
                trainer.train(rich(), images, plan, evaluate_on=images, seed=0)

    # -- the curve --

    def test_the_curve_goes_from_start_to_end(self, trainer: Trainer) -> None:
        """Evaluated at 0, at every multiple and at the last step; its ends are the networks'."""
        data, validation = split(64), split(33, seed=1)
        points: list[Point] = []
        result = trainer.train(
            rich(),
            data,
            TrainingPlan(7, 8, 0.01, evaluate_every=3),
            evaluate_on=validation,
            seed=0,
            on_evaluation=points.append,
        )
        assert tuple(points) == result.curve
        assert [point.step for point in points] == [0, 3, 6, 7]
        assert result.final == points[-1]
        for network, point in ((rich(), points[0]), (result.network, points[-1])):
            found = trainer.evaluate(network, validation)
            assert (found.accuracy, found.loss) == (point.accuracy, point.loss)
        assert result.seconds > 0.0
        assert result.images_per_second == pytest.approx(7 * 8 / result.seconds)

    def test_training_lowers_the_loss(self, trainer: Trainer) -> None:
        """What can be learnt by heart is."""
        data, network = split(32), trained(around(Conv((3, 3), 5)))
        plan = TrainingPlan(200, 32, 0.01)
        curve = trainer.train(network, data, plan, evaluate_on=data, seed=0).curve
        assert curve[-1].loss < 0.1 * curve[0].loss
        assert curve[-1].accuracy == 1.0

    @pytest.mark.parametrize("ends_at", [0, 4])
    def test_on_evaluation_can_end_a_training(self, trainer: Trainer, ends_at: int) -> None:
        """A true result ends it there, with the network of that step."""
        data, plan = split(64), TrainingPlan(6, 8, 0.01, evaluate_every=2)

        def train(plan: TrainingPlan, end: Callable[[Point], bool] | None = None) -> Any:
            return trainer.train(rich(), data, plan, evaluate_on=data, seed=0, on_evaluation=end)

        result = train(plan, lambda point: point.step >= ends_at)
        assert [point.step for point in result.curve] == list(range(0, ends_at + 1, 2))
        assert result.network.slots.step == ends_at
        expected = (
            train(replace(plan, steps=ends_at)).network.weights if ends_at else rich().weights
        )
        for name, array in arrays(expected).items():
            assert np.array_equal(arrays(result.network.weights)[name], array), name

    def test_an_error_in_on_evaluation_passes_through(self, trainer: Trainer) -> None:
        """What a callback raises arrives, and the trainer goes on as if nothing had been."""
        data, plan = split(64), TrainingPlan(6, 8, 0.01, evaluate_every=2)

        def train(callback: Any = None) -> Network:
            return trainer.train(
                rich(), data, plan, evaluate_on=data, seed=0, on_evaluation=callback
            ).network

        def fail(point: Point) -> None:
            if point.step == 4:
                raise KeyError("mine")

        expected = train()
        with pytest.raises(KeyError, match="mine"):
            train(fail)
        assert_same(train(), expected)

    def test_a_batch_may_be_larger_than_the_data(self, trainer: Trainer) -> None:
        """Images then occur more than once in it, all equally often where it divides."""
        data = split(5, (2, 2, 1))
        network = regression()
        result = trainer.train(
            network, data, TrainingPlan(2, 15, 0.1, "sgd"), evaluate_on=data, seed=0
        ).network
        expected, _ = updated(network, data, TrainingPlan(2, 5, 0.1, "sgd"))
        assert_close(result.weights["fc"]["kernel"], expected["kernel"], FLOAT32)

    # -- what goes wrong --

    @pytest.mark.parametrize("seconds", [1e-6, 0.3])
    def test_a_timed_training_ends(self, trainer: Trainer, seconds: float) -> None:
        """After its time, however many steps its schedule has; also when no update fits."""
        data, gives_up = split(16), time.monotonic() + 120.0

        def is_endless(_: Point) -> bool:
            return time.monotonic() > gives_up

        plan = TrainingPlan(10**9, 8, 0.01, evaluate_every=5, schedule="cosine", seconds=seconds)
        result = trainer.train(
            rich(), data, plan, evaluate_on=data, seed=0, on_evaluation=is_endless
        )
        assert time.monotonic() < gives_up
        assert result.curve[0].step == 0
        assert result.final.step < 10**9
        if not result.final.step:
            assert_same(replace(result.network, slots=None), rich())

    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    @pytest.mark.parametrize("steps", [1, 20])
    def test_divergence_is_an_error_with_its_reason(
        self, trainer: Trainer, optimizer: str, steps: int
    ) -> None:
        """NaN or Inf ends a training, also after the last update; the trainer goes on."""
        network, data = regression(Node("fc1", Dense(6, "linear"), ("flat",))), split(64, (2, 2, 1))
        good = TrainingPlan(3, 8, 0.01, optimizer)
        bad = TrainingPlan(steps, 8, 1e30, optimizer)
        expected = trainer.train(network, data, good, evaluate_on=data, seed=0).network
        with pytest.raises(DivergedError, match=r"step \d+ .*learning rate 1e\+30"):
            trainer.train(network, data, bad, evaluate_on=data, seed=0)
        again = trainer.train(network, data, good, evaluate_on=data, seed=0).network
        assert_same(again, expected)

    def test_an_infinite_slot_is_divergence(self, trainer: Trainer) -> None:
        """What the optimizer remembers ends a training too when it is no longer a number."""
        network = with_slots(regression(), "adam", 5)
        assert network.slots
        infinite = {n: np.full_like(a, np.inf) for n, a in network.slots.values["v"]["fc"].items()}
        slots = replace(network.slots, values={**network.slots.values, "v": {"fc": infinite}})
        data = split(8, (2, 2, 1))
        with pytest.raises(DivergedError, match=r"became (nan|inf)"):
            trainer.train(
                replace(network, slots=slots), data, TrainingPlan(1, 8), evaluate_on=data, seed=0
            )

    @pytest.mark.parametrize("call", ["train", "validate", "evaluate", "logits"])
    def test_images_of_another_shape_are_named(self, trainer: Trainer, call: str) -> None:
        """Wrong images are an InvalidInputError that says what was expected and what came."""
        right, wrong = split(8), split(8, (6, 7, 4))
        calls: dict[str, Callable[[], Any]] = self._calls(trainer, right, wrong)
        calls["logits"] = lambda: trainer.logits(rich(), wrong.images)
        with pytest.raises(InvalidInputError, match=r"\(7, 6, 4\).*\(6, 7, 4\)"):
            calls[call]()

    @pytest.mark.parametrize("call", ["train", "validate", "evaluate"])
    def test_labels_out_of_range_are_named(self, trainer: Trainer, call: str) -> None:
        """A label without an output is an InvalidInputError, never a NaN or a loss of zero."""
        right = split(8)
        wrong = Split(right.images, np.arange(8) % (CLASSES + 1))
        with pytest.raises(InvalidInputError, match=f"labels: expected 0 to {CLASSES - 1}.*got 3"):
            self._calls(trainer, right, wrong)[call]()

    def _calls(self, trainer: Trainer, right: Split, wrong: Split) -> dict[str, Callable[[], Any]]:
        plan, network = TrainingPlan(1, 8), rich()
        return {
            "train": lambda: trainer.train(network, wrong, plan, evaluate_on=right, seed=0),
            "validate": lambda: trainer.train(network, right, plan, evaluate_on=wrong, seed=0),
            "evaluate": lambda: trainer.evaluate(network, wrong),
        }

    def test_networks_that_cannot_be_trained_are_named(self, trainer: Trainer) -> None:
        """Without weights there is nothing to train, without classes nothing to learn."""
        data = split(8, (2, 2, 3))
        pool = Network(Architecture((2, 2, 3), (Node("p", GlobalAvgPool(), (INPUT,)),)), {})
        assert_close(trainer.logits(pool, data.images), data.images.mean(axis=(1, 2)), FLOAT32)
        assert 0.0 <= trainer.evaluate(pool, data).accuracy <= 1.0
        image = trained(Architecture((2, 2, 3), (Node("c", Conv((1, 1), 4), (INPUT,)),)))
        for network in (pool, image):
            with pytest.raises(InvalidInputError, match="expected"):
                trainer.train(network, data, TrainingPlan(1), evaluate_on=data, seed=0)
