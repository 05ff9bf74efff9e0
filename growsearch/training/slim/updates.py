"""Updates of a network in its graph: placeholders, and the loop that makes several in one call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.networks import Architecture
from growsearch.training import TrainingPlan
from growsearch.training.slim.augment import Augmenter
from growsearch.training.slim.backend import tf, v1
from growsearch.training.slim.builders import Mode
from growsearch.training.slim.graph import build_logits
from growsearch.training.slim.optimizers import GraphOptimizer
from growsearch.training.slim.recipe import Recipe

Variables = Mapping[str, Mapping[str, Any]]

DTYPES = {"float32": tf.float32, "bfloat16": tf.bfloat16}


class Updates:
    """Placeholders of a number of updates, and the loop that makes them.

    The loop is in the graph: between two updates nothing returns to Python.

    Parameters
    ----------
    architecture : Architecture
    recipe : Recipe
    variables, averages : mapping
        Layer -> weight -> variable, of the weights and of their moving averages.
    optimizer : GraphOptimizer
    """

    def __init__(
        self,
        architecture: Architecture,
        recipe: Recipe,
        variables: Variables,
        averages: Variables,
        optimizer: GraphOptimizer,
    ) -> None:
        self._architecture, self._recipe = architecture, recipe
        self._variables, self._averages = variables, averages
        self._optimizer = optimizer
        with tf.device("/cpu:0"):  # a GPU gets the batch, not all of the data with every call
            self.data = (
                v1.placeholder(recipe.pixels, (None, *architecture.input_shape)),
                v1.placeholder(tf.int32, (None,)),
            )
        # Fed: by a constant TensorFlow would multiply instead, which rounds otherwise than numpy.
        self._white = v1.placeholder(tf.float32, ())
        self._batches = v1.placeholder(tf.int32, (None, None))
        self._rates = v1.placeholder(tf.float32, (None,))
        self._keys = v1.placeholder(tf.int64, (None, 2))
        self._smoothing = v1.placeholder(tf.float32, ())
        self._ema = v1.placeholder(tf.float32, ())
        self._classes = architecture.shapes[architecture.output.name]
        self._weights = v1.placeholder(tf.float32, self._classes) if recipe.weighs else None
        self._augmenter = Augmenter(recipe.augmentations)
        count = tf.shape(self._batches)[0]
        _, losses = tf.while_loop(
            lambda i, _: i < count,
            self._update,
            (tf.constant(0), tf.TensorArray(tf.float32, size=count)),
            parallel_iterations=1,  # an update starts from the weights that the last one left
        )
        self.losses = losses.stack()

    def feed(
        self,
        data: tuple[NDArray[Any], NDArray[np.int32]],
        batches: NDArray[Any],
        plan: TrainingPlan,
        rates: NDArray[np.float32],
        keys: NDArray[np.int64],
        weights: NDArray[np.float32] | None = None,
    ) -> dict[Any, Any]:
        """Return the values of all placeholders; see ``SlimGraph.update``."""
        weighing: dict[Any, Any] = {}
        if self._weights is not None:
            weighing[self._weights] = np.ones(self._classes) if weights is None else weights
        return {
            **weighing,
            **dict(zip(self.data, data, strict=True)),
            self._white: 255.0,
            self._batches: batches,
            self._rates: rates,
            self._keys: keys,
            self._smoothing: plan.label_smoothing,
            self._ema: plan.ema,
            **self._augmenter.feed(plan.augmentation),
            **self._optimizer.feed(plan),
        }

    def _update(self, i: Any, losses: Any) -> tuple[Any, Any]:
        with tf.device("/cpu:0"):
            images, labels = (tf.gather(part, self._batches[i]) for part in self.data)
        if self._recipe.pixels == "uint8":
            images = tf.cast(images, tf.float32) / self._white
        images = self._augmenter.apply(images, self._keys[i])
        mode = Mode(training=True, seed=self._keys[i], dtype=DTYPES[self._recipe.precision])
        logits = build_logits(self._architecture, images, mode)
        each = _smoothed(labels, tf.cast(logits, tf.float32), self._smoothing)
        if self._weights is not None:
            each *= tf.gather(self._weights, labels)
        loss = tf.reduce_mean(each)
        trainable = [
            (self._variables[layer][name], weight)
            for layer, weights in self._architecture.weights.items()
            for name, weight in weights.items()
            if weight.trainable
        ]
        variables = [variable for variable, _ in trainable]
        kernels = [variable for variable, weight in trainable if weight.fill == "kernel"]
        with tf.control_dependencies(mode.updates):
            update = self._optimizer.minimize(loss, variables, kernels, self._rates[i])
        with tf.control_dependencies([update]):
            done = tf.group(*self._averaging())
        with tf.control_dependencies([done]):
            return i + 1, losses.write(i, loss)

    def _averaging(self) -> list[Any]:
        follow = 1.0 - self._ema
        return [
            v1.assign_sub(average, follow * (average - self._variables[layer][name]))
            for layer, averages in self._averages.items()
            for name, average in averages.items()
        ]


def cross_entropy(labels: Any, logits: Any) -> Any:
    """Return the cross-entropy of each image, shape (n,), in nats."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)


def _smoothed(labels: Any, logits: Any, smoothing: Any) -> Any:
    """Return the cross-entropy with a share of each label spread over all classes, shape (n,).

    Szegedy et al., arXiv:1512.00567, section 7. With a share of 0 it is the cross-entropy to the
    last bit.
    """
    uniform = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=-1)
    return (1.0 - smoothing) * cross_entropy(labels, logits) + smoothing * uniform
