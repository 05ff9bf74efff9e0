"""A trainer of one's own: dense networks in plain numpy, and a search that trains with it.

The example shows all that a search needs of a trainer: the methods ``train``, ``evaluate`` and
``logits``. The order of the images, the schedules and the clock come from ``growsearch.training``;
evaluations use the float64 reference of ``growsearch.networks``. TensorFlow is not loaded. The laws
of trainers are tests in ``growsearch.testing``; tests/test_examples.py holds this trainer to those
about chains of dense layers. What it cannot train, it refuses.

Run it with ``python examples/own_trainer.py``; it needs no download.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

import growsearch as gs
from growsearch.errors import DivergedError, InvalidInputError
from growsearch.networks import INPUT, Slots
from growsearch.networks.activations import ACTIVATIONS
from growsearch.networks.layers import Activation, Dense, Flatten
from growsearch.networks.optimizers import OPTIMIZERS
from growsearch.training import Evaluation, OnEvaluation, Point, TrainingPlan, TrainingResult
from growsearch.training.augmentation import NO_AUGMENTATION
from growsearch.training.batches import batches_of
from growsearch.training.class_weights import class_weights, weighted
from growsearch.training.pace import PlanClock
from growsearch.training.schedules import learning_rates

Array = NDArray[Any]
Arrays = dict[str, dict[str, Array]]  # layer -> weight -> array

# The derivative of an activation, from its output.
SLOPES: dict[str, Callable[[Array], Array]] = {
    "linear": np.ones_like,
    "relu": lambda y: (y > 0.0).astype(np.float64),
    "tanh": lambda y: 1.0 - y**2,
}


class NumpyTrainer:
    """Trains chains of dense layers in float64; satisfies ``growsearch.training.Trainer``.

    It has every optimizer and schedule, label smoothing and class weights. It refuses a plan with
    augmentation, moving averages or bfloat16.
    """

    def train(
        self,
        network: gs.Network,
        data: gs.Split,
        plan: TrainingPlan,
        *,
        evaluate_on: gs.Split,
        seed: int,
        on_evaluation: OnEvaluation | None = None,
    ) -> TrainingResult:
        """Train a network; see :meth:`growsearch.training.Trainer.train`."""
        clock = PlanClock(plan, asked=time.perf_counter())
        check_split(network, data)
        check_split(network, evaluate_on)
        check_trainable(network, plan)
        weights = class_weights(plan.class_weight, data.labels, classes_of(network))
        state = State(network, plan, weights)
        batches = batches_of(len(data), plan.batch_size, seed)
        curve: list[Point] = []
        step, seconds = 0, 0.0
        while True:
            trained = state.network(step)
            found = weighted(self.evaluate(trained, evaluate_on), evaluate_on.labels, weights)
            check_finite("the loss", found.loss, step, plan)
            curve.append(Point(step, found.accuracy, found.loss))
            point = replace(curve[-1], logits=found.logits)  # which metrics need
            if (on_evaluation and on_evaluation(point)) or clock.is_over(step):
                break
            until = step + plan.evaluate_every
            while step < until and not clock.is_over(step):
                began = time.perf_counter()
                (rate,) = learning_rates(plan, clock.positions(step, 1), step)
                batch = next(batches)
                state.update(data.images[batch], data.labels[batch], float(rate))
                step += 1
                clock.step_seconds = time.perf_counter() - began
                seconds += clock.step_seconds
        speed = step * plan.batch_size / seconds if seconds else 0.0
        return TrainingResult(trained, tuple(curve), seconds, speed, found.losses)

    def evaluate(self, network: gs.Network, data: gs.Split) -> Evaluation:
        """Return accuracy and mean cross-entropy, with losses and logits of the single images."""
        check_split(network, data)
        logits = self.logits(network, data.images)
        with np.errstate(all="ignore"):
            losses = -log_softmax(logits, axis=1)[np.arange(len(data)), data.labels]
        accuracy = float(np.mean(logits.argmax(axis=1) == data.labels))
        return Evaluation(accuracy, float(losses.mean(dtype=np.float64)), losses, logits)

    def logits(self, network: gs.Network, images: Any) -> Array:
        """Return the logits, float32: the outputs without a softmax at the end."""
        check_images(network, np.shape(images)[1:])
        with np.errstate(all="ignore"):  # the loss shows a divergence
            return np.asarray(without_softmax(network).forward(images), np.float32)


class State:
    """Weights, slots and step count of one training, in float64; the weights of the classes."""

    def __init__(self, network: gs.Network, plan: TrainingPlan, of_classes: Array | None) -> None:
        self._start, self._plan, self._of_classes = network, plan, of_classes
        self._weights = copies(network.weights)
        names = OPTIMIZERS[plan.optimizer].degrees
        before = network.slots
        if before is not None and before.degrees == names:
            self._past = before.step
            self._slots = {name: copies(values) for name, values in before.values.items()}
        else:  # slots of another optimizer mean nothing to this one
            self._past = 0
            self._slots = {name: copies(network.weights, by=0.0) for name in names}
        self._updates = self._past
        self._layers = [
            (node.name, node.layer.activation)
            for node in without_softmax(network).architecture.nodes
            if isinstance(node.layer, Dense | Activation)
        ]

    def update(self, images: Array, labels: Array, rate: float) -> None:
        """Make one update by the gradient of a batch: Adam, Nesterov's momentum, or neither."""
        self._updates += 1
        with np.errstate(all="ignore"):  # the loss shows a divergence
            for layer, slopes in self._gradients(images, labels).items():
                for name, slope in slopes.items():
                    move = self._move(layer, name, slope)
                    decay = self._plan.decay if name == "kernel" else 0.0
                    self._weights[layer][name] -= rate * (move + decay * self._weights[layer][name])

    def _gradients(self, images: Array, labels: Array) -> Arrays:
        """Return the gradients of the mean cross-entropy, by back-propagation."""
        values = [images.reshape(len(images), -1).astype(np.float64)]  # the input of every layer
        for layer, activation in self._layers:
            x = values[-1]
            if (own := self._weights.get(layer)) is not None:
                x = x @ own["kernel"] + own.get("bias", 0.0)
            values.append(ACTIVATIONS[activation].function(x))
        classes, smoothing = values[-1].shape[1], self._plan.label_smoothing
        targets = (1.0 - smoothing) * np.eye(classes)[labels] + smoothing / classes
        error = (softmax(values[-1], axis=1) - targets) / len(images)
        if self._of_classes is not None:
            error *= self._of_classes[labels][:, np.newaxis]
        slopes: Arrays = {}
        for place, (layer, activation) in reversed(list(enumerate(self._layers))):
            error = error * SLOPES[activation](values[place + 1])
            if (own := self._weights.get(layer)) is not None:
                every = {"kernel": values[place].T @ error, "bias": error.sum(axis=0)}
                slopes[layer] = {name: every[name] for name in own}
                error = error @ own["kernel"].T
        return slopes

    def _move(self, layer: str, name: str, slope: Array) -> Array:
        """Return the direction of an update, and keep what the optimizer remembers of it."""
        slots = {slot: values[layer][name] for slot, values in self._slots.items()}
        if "momentum" in slots:
            slots["momentum"][...] = self._plan.momentum * slots["momentum"] + slope
            return slope + self._plan.momentum * slots["momentum"]
        if "v" in slots:
            slots["m"][...] = 0.9 * slots["m"] + 0.1 * slope
            slots["v"][...] = 0.999 * slots["v"] + 0.001 * slope**2
            root = np.sqrt(slots["v"] / (1.0 - 0.999**self._updates))
            return np.asarray(slots["m"] / (1.0 - 0.9**self._updates) / (root + 1e-8))
        return slope

    def network(self, step: int) -> gs.Network:
        """Return the network after ``step`` updates in float32, once all its values are finite."""
        groups = {"weights": self._weights, **self._slots}
        single: dict[str, Arrays] = {}
        for group, arrays in groups.items():
            single[group] = {layer: {} for layer in arrays}
            for layer, named in arrays.items():
                for name, array in named.items():
                    with np.errstate(all="ignore"):
                        single[group][layer][name] = array.astype(np.float32)
                    worst = float(np.abs(single[group][layer][name]).max(initial=0.0))
                    what = f"{layer}: the largest of {group} {name}"
                    check_finite(what, worst, step, self._plan)
        weights = single.pop("weights")
        slots = Slots(self._plan.optimizer, self._updates, single)
        return gs.Network(self._start.architecture, weights, slots)


def copies(weights: Any, by: float = 1.0) -> Arrays:
    """Return the arrays of a network in float64, times a number."""
    return {
        layer: {name: by * np.asarray(array, np.float64) for name, array in arrays.items()}
        for layer, arrays in weights.items()
    }


def without_softmax(network: gs.Network) -> gs.Network:
    """Return the network without a softmax at its end."""
    last, layer = network.architecture.output, network.architecture.output.layer
    if not isinstance(layer, Dense | Activation) or layer.activation != "softmax":
        return network
    linear = (
        replace(layer, activation="linear")
        if isinstance(layer, Dense)
        else replace(layer, function="linear")
    )
    return gs.Network(network.architecture.with_layers({last.name: linear}), network.weights)


def check_finite(name: str, value: float, step: int, plan: TrainingPlan) -> None:
    """Refuse NaN and infinity, which end a training."""
    if not np.isfinite(value):
        raise DivergedError(
            f"{name} became {value} at step {step} of {plan.steps} with learning rate "
            f"{plan.learning_rate:g}: lower the learning rate"
        )


def check_images(network: gs.Network, shape: tuple[int, ...]) -> None:
    """Refuse images of another shape than the network's."""
    expected = network.architecture.input_shape
    if expected != shape:
        raise InvalidInputError(f"images: expected shape {expected} for this network, got {shape}")


def classes_of(network: gs.Network) -> int:
    """Return the number of a network's outputs."""
    return network.architecture.shapes[network.architecture.output.name][-1]


def check_split(network: gs.Network, data: gs.Split) -> None:
    """Refuse images of another shape, and labels that the network has no output for."""
    check_images(network, data.images.shape[1:])
    classes = classes_of(network)
    if (largest := int(data.labels.max())) >= classes:
        raise InvalidInputError(
            f"labels: expected 0 to {classes - 1} for this network's {classes} outputs, "
            f"got {largest}"
        )


def check_trainable(network: gs.Network, plan: TrainingPlan) -> None:
    """Refuse layers and options that this trainer does not have."""
    before: tuple[str, ...] = (INPUT,)
    for node in without_softmax(network).architecture.nodes:
        layer = node.layer
        is_dense = isinstance(layer, Dense | Activation) and layer.activation in SLOPES
        if not (is_dense or isinstance(layer, Flatten)) or node.inputs != before:
            raise InvalidInputError(
                f"{node.name}: expected a chain of dense layers with the activations "
                f"{', '.join(SLOPES)}, got {layer} behind {', '.join(node.inputs)}"
            )
        before = (node.name,)
    if not network.weights:
        raise InvalidInputError(f"{network.architecture}: expected weights to train, got none")
    if plan.augmentation != NO_AUGMENTATION or plan.ema or plan.precision == "bfloat16":
        raise InvalidInputError(
            f"plan: expected one without augmentation, ema and bfloat16, got {plan}"
        )


def main() -> None:
    """Search with the trainer above; print the trials and the evidence."""
    space = gs.SearchSpace.load("digits").replace(
        name="dense", teacher={"architecture": "16(fc1)-10(fc2)"}
    )
    with tempfile.TemporaryDirectory() as folder:
        result = gs.search(space, trials=6, out=folder, trainer=NumpyTrainer(), seed=0)
        for trial in result.trials:
            print(f"trial {trial.number}: {trial.growth}: {trial.reason}")
        print(f"teacher: {result.teacher_test_accuracy:.4f} test accuracy, {space.architecture}")
        best = result.best.network.architecture
        print(f"best:    {result.test_accuracy:.4f} test accuracy, {best}")
        print(result.evidence())
    print(f"TensorFlow was {'' if 'tensorflow' in sys.modules else 'not '}loaded")


if __name__ == "__main__":
    main()
