"""One architecture's graph with its session: networks in and out, updates, evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.datasets import Split
from growsearch.errors import InvalidInputError
from growsearch.machine import processors
from growsearch.networks import Architecture, Network, Slots
from growsearch.networks.arrays import handed_over
from growsearch.networks.network import SLOT_DEGREES
from growsearch.training import Evaluation, TrainingPlan
from growsearch.training.slim.augment import erased, moved
from growsearch.training.slim.backend import tf, v1
from growsearch.training.slim.builders import Mode, build_logits, model_variables
from growsearch.training.slim.optimizers import Optimizer
from growsearch.training.slim.quiet import quiet

Array = NDArray[Any]

# Images. Measured from 100 to 5,000: the time is the same, the memory is not.
EVALUATION_BATCH = 250

# Operations at a time. Measured on two processors with 1 and 2: no difference beyond the noise.
INTER_OP_THREADS = 1

DTYPES = {"float32": tf.float32, "bfloat16": tf.bfloat16}


@dataclass(frozen=True)
class Recipe:
    """What of a plan a graph is built for; all else is fed.

    Parameters
    ----------
    optimizer : "adam", "adamw", "momentum" or "sgd"
    precision : "float32" or "bfloat16"
    decays, averages, moves, erases : bool
        Whether weights decay, whether their averages are kept, whether training images are shifted
        or turned, whether squares are erased: each costs time also where its amount is 0.
    """

    optimizer: str = "adam"
    precision: str = "float32"
    decays: bool = False
    averages: bool = False
    moves: bool = False
    erases: bool = False

    @classmethod
    def of(cls, plan: TrainingPlan, precision: str) -> Recipe:
        """The recipe for a plan at a precision."""
        return cls(
            plan.optimizer,
            precision,
            decays=plan.decay > 0.0,
            averages=plan.ema > 0.0,
            moves=plan.shift > 0 or plan.rotate > 0.0 or plan.zoom > 0.0,
            erases=plan.erase > 0,
        )


class SlimGraph:
    """The graph of one architecture and recipe; its variables hold one network at a time.

    Parameters
    ----------
    architecture : Architecture
    recipe : Recipe
    threads : int, optional
        That one operation may use, by default all that this process may; the first graph of a
        process decides.

    Raises
    ------
    InvalidInputError
        When the output is not one number a class.
    """

    def __init__(
        self, architecture: Architecture, recipe: Recipe, threads: int | None = None
    ) -> None:
        shape = architecture.shapes[architecture.output.name]
        if len(shape) != 1:
            raise InvalidInputError(
                f"{architecture.output.name}: expected an output of shape (classes,), got {shape}"
            )
        self.architecture, self.recipe = architecture, recipe
        with quiet():  # building a loop looks for GPUs, once in a process
            tf.config.list_physical_devices("GPU")
        self.graph = tf.Graph()
        with self.graph.as_default():
            self.images = v1.placeholder(tf.float32, (None, *architecture.input_shape))
            self.labels = v1.placeholder(tf.int32, (None,))
            mode = Mode(training=False, averaged=recipe.averages)
            self.outputs = build_logits(architecture, self.images, mode)
            self.losses = _cross_entropy(self.labels, self.outputs)
            predicted = tf.argmax(self.outputs, axis=1, output_type=tf.int32)
            self.hits = tf.equal(predicted, self.labels)
            self.variables = model_variables(architecture)
            self.averages = model_variables(architecture, averaged=True) if recipe.averages else {}
            self.optimizer = Optimizer(recipe.optimizer, decays=recipe.decays)
            self._updates = _Updates(self)
            self._loader = _Loader(self._every_variable())
        config = v1.ConfigProto(
            allow_soft_placement=True,
            gpu_options=v1.GPUOptions(allow_growth=True),
            intra_op_parallelism_threads=threads or processors(),
            inter_op_parallelism_threads=INTER_OP_THREADS,
        )
        with quiet():  # the first session of a process looks for GPUs
            self.session = v1.Session(graph=self.graph, config=config)
        self.graph.finalize()
        self._is_warm = False

    def _every_variable(self) -> dict[str, Any]:
        """Every variable that is loaded: weights, averages and slots by path, Adam's powers."""
        found = {
            f"{kind}/{layer}/{name}": variable
            for kind, layers in (("weights", self.variables), ("averages", self.averages))
            for layer, variables in layers.items()
            for name, variable in variables.items()
        }
        for slot in SLOT_DEGREES[self.optimizer.name]:
            for layer, weights in self.architecture.weights.items():
                for name, weight in weights.items():
                    if weight.trainable:
                        variable = self.optimizer.slot(self.variables[layer][name], slot)
                        found[f"slots/{slot}/{layer}/{name}"] = variable
        return found | self.optimizer.powers

    def carried(self, network: Network) -> Slots | None:
        """The network's slots if they are this optimizer's; others are no use to it."""
        slots = network.slots
        if slots is None or SLOT_DEGREES[slots.optimizer] != SLOT_DEGREES[self.optimizer.name]:
            return None
        return slots

    def load(self, network: Network) -> None:
        """Set all weights and slots; slots that the network lacks start as at step 0.

        The averages start as the weights.
        """
        slots = self.carried(network)
        arrays = {
            f"{kind}/{layer}/{name}": array
            for kind in (("weights", "averages") if self.averages else ("weights",))
            for layer, weights in network.weights.items()
            for name, array in weights.items()
        }
        for slot, layers in slots.values.items() if slots else ():
            for layer, weights in layers.items():
                for name, array in weights.items():
                    arrays[f"slots/{slot}/{layer}/{name}"] = array
        arrays |= self.optimizer.powers_after(slots.step if slots else 0)
        self._loader.load(self.session, arrays)

    def unload(self, step: int) -> Network:
        """The network as it is now, with its slots after ``step`` updates in all.

        Its weights are the averages where these are kept.
        """
        arrays = self.session.run(self._loader.variables)
        kept = "averages" if self.averages else "weights"
        weights: dict[str, dict[str, Array]] = {}
        slots: dict[str, dict[str, dict[str, Array]]] = {
            slot: {} for slot in SLOT_DEGREES[self.optimizer.name]
        }
        for path, array in arrays.items():
            kind, *rest = path.split("/")
            if kind == kept:
                weights.setdefault(rest[0], {})[rest[1]] = handed_over(array)
            elif kind == "slots":
                slots[rest[0]].setdefault(rest[1], {})[rest[2]] = handed_over(array)
        return Network(self.architecture, weights, Slots(self.optimizer.name, step, slots))

    def warm_up(self, plan: TrainingPlan) -> None:
        """Let TensorFlow optimise a new graph before anybody's time is taken; spoils the weights.

        Otherwise the first arm to use a graph would seem the slowest.
        """
        if not self._is_warm:
            self._loader.load(self.session, {})
            images = np.zeros((1, *self.architecture.input_shape), np.float32)
            data = images, np.zeros(1, np.int32)
            one = np.zeros((1, 1), np.int32)
            self.update(data, one, plan, np.zeros(1, np.float32), np.zeros((1, 2), np.int64))
            self._is_warm = True

    def update(
        self,
        data: tuple[NDArray[np.float32], NDArray[np.int32]],
        batches: Array,
        plan: TrainingPlan,
        rates: NDArray[np.float32],
        keys: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Some updates in one call, on images that are gathered in the graph.

        Parameters
        ----------
        data : images (n, *input_shape) and labels (n,)
            Read where they are if aligned (:class:`Resident`), copied otherwise.
        batches : integers, shape (updates, batch size)
            Indices into the data.
        plan : TrainingPlan
        rates : float32, shape (updates,)
            Learning rates.
        keys : int64, shape (updates, 2)
            Decide what dropout drops, and what becomes of the images.

        Returns
        -------
        float32 array, shape (updates,)
            The loss of each batch, before its update.
        """
        updates = self._updates
        feed = {
            **dict(zip(updates.data, data, strict=True)),
            updates.batches: batches,
            updates.rates: rates,
            updates.keys: keys,
            updates.smoothing: plan.label_smoothing,
            **self.optimizer.feed(plan),
        }
        if self.recipe.averages:
            feed[updates.ema] = plan.ema
        if self.recipe.moves:
            feed |= {
                updates.shift: plan.shift,
                updates.rotate: plan.rotate,
                updates.zoom: plan.zoom,
            }
        if self.recipe.erases:
            feed[updates.erase] = plan.erase
        losses: NDArray[np.float32] = self.session.run(updates.losses, feed)
        return losses

    def evaluate(self, data: Split) -> Evaluation:
        """Accuracy and loss in evaluation mode."""
        hits, losses = [], []
        for i in range(0, len(data), EVALUATION_BATCH):
            some = slice(i, i + EVALUATION_BATCH)
            feed = {self.images: data.images[some], self.labels: data.labels[some]}
            hit, loss = self.session.run([self.hits, self.losses], feed)
            hits.append(hit)
            losses.append(loss)
        accuracy, each = float(np.concatenate(hits).mean()), np.concatenate(losses)
        return Evaluation(accuracy, float(each.mean(dtype=np.float64)), each)

    def logits(self, images: Array) -> Array:
        """Outputs in evaluation mode."""
        parts = [
            self.session.run(self.outputs, {self.images: images[i : i + EVALUATION_BATCH]})
            for i in range(0, max(len(images), 1), EVALUATION_BATCH)
        ]
        return np.concatenate(parts)

    def close(self) -> None:
        """Free the session's memory."""
        self.session.close()


class _Updates:
    """Placeholders of a number of updates, and the loop that makes them.

    The loop is in the graph: between two updates nothing returns to Python.
    """

    def __init__(self, built: SlimGraph) -> None:
        self._built = built
        shape = built.architecture.input_shape
        with tf.device("/cpu:0"):  # a GPU gets the batch, not all of the data with every call
            self.data = (
                v1.placeholder(tf.float32, (None, *shape)),
                v1.placeholder(tf.int32, (None,)),
            )
        self.batches = v1.placeholder(tf.int32, (None, None))
        self.rates = v1.placeholder(tf.float32, (None,))
        self.keys = v1.placeholder(tf.int64, (None, 2))
        self.smoothing = v1.placeholder(tf.float32, ())
        self.ema = v1.placeholder(tf.float32, ())
        self.shift = v1.placeholder(tf.int32, ())
        self.rotate = v1.placeholder(tf.float32, ())
        self.zoom = v1.placeholder(tf.float32, ())
        self.erase = v1.placeholder(tf.int32, ())
        count = tf.shape(self.batches)[0]
        _, losses = tf.while_loop(
            lambda i, _: i < count,
            self._update,
            (tf.constant(0), tf.TensorArray(tf.float32, size=count)),
            parallel_iterations=1,  # an update starts from the weights that the last one left
        )
        self.losses = losses.stack()

    def _update(self, i: Any, losses: Any) -> tuple[Any, Any]:
        with tf.device("/cpu:0"):
            images, labels = (tf.gather(part, self.batches[i]) for part in self.data)
        images = self._augmented(images, self.keys[i])
        built, recipe = self._built, self._built.recipe
        mode = Mode(training=True, seed=self.keys[i], dtype=DTYPES[recipe.precision])
        logits = build_logits(built.architecture, images, mode)
        loss = tf.reduce_mean(_smoothed(labels, tf.cast(logits, tf.float32), self.smoothing))
        trainable = [
            built.variables[layer][name]
            for layer, weights in built.architecture.weights.items()
            for name, weight in weights.items()
            if weight.trainable
        ]
        with tf.control_dependencies(mode.updates):
            update = built.optimizer.minimize(loss, trainable, self.rates[i])
        with tf.control_dependencies([update]):
            done = tf.group(*self._averaging())
        with tf.control_dependencies([done]):
            return i + 1, losses.write(i, loss)

    def _augmented(self, images: Any, seed: Any) -> Any:
        if self._built.recipe.moves:
            images = moved(images, seed, self.shift, self.rotate, self.zoom)
        if self._built.recipe.erases:
            images = erased(images, seed, self.erase)
        return images

    def _averaging(self) -> list[Any]:
        follow = 1.0 - self.ema
        return [
            v1.assign_sub(average, follow * (average - self._built.variables[layer][name]))
            for layer, averages in self._built.averages.items()
            for name, average in averages.items()
        ]


class _Loader:
    """Sets many variables in one session call."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self.variables = dict(variables)
        self._feeds = {
            path: v1.placeholder(variable.dtype.base_dtype, variable.shape)
            for path, variable in variables.items()
        }
        self._assign = tf.group(
            *(v1.assign(variables[path], feed) for path, feed in self._feeds.items())
        )

    def load(self, session: Any, arrays: Mapping[str, Array]) -> None:
        feed = {
            placeholder: arrays[path] if path in arrays else np.zeros(placeholder.shape.as_list())
            for path, placeholder in self._feeds.items()
        }
        session.run(self._assign, feed)


def _cross_entropy(labels: Any, logits: Any) -> Any:
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)


def _smoothed(labels: Any, logits: Any, smoothing: Any) -> Any:
    """Cross-entropy with a share of each label spread over all classes, shape (n,).

    Szegedy et al., arXiv:1512.00567, section 7. Without a share it is cross-entropy to the last
    bit.
    """
    uniform = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=-1)
    return (1.0 - smoothing) * _cross_entropy(labels, logits) + smoothing * uniform
