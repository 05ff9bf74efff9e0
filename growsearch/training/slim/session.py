"""Graphs with their sessions: networks in and out, evaluations, updates."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.datasets import Split
from growsearch.errors import InvalidInputError
from growsearch.machine import gpu_memory_fraction, processors
from growsearch.networks import Architecture, Network, Slots
from growsearch.networks.arrays import flatten, handed_over, nest
from growsearch.networks.optimizers import OPTIMIZERS
from growsearch.quiet import quiet
from growsearch.training import Evaluation, TrainingPlan
from growsearch.training.slim.backend import tf, v1
from growsearch.training.slim.builders import Mode
from growsearch.training.slim.graph import build_logits
from growsearch.training.slim.loader import Loader
from growsearch.training.slim.optimizers import GraphOptimizer
from growsearch.training.slim.recipe import Recipe
from growsearch.training.slim.updates import Updates, cross_entropy
from growsearch.training.slim.variables import model_variables

Array = NDArray[Any]

# Images in a batch. Measured from 100 to 5,000: the time is the same, the memory is not.
EVALUATION_BATCH = 250

# Operations at a time. Measured on two processors with 1 and 2: the difference is noise.
INTER_OP_THREADS = 1


def session_config(threads: int | None = None) -> Any:
    """Return the options of a session: its threads, and its share of a GPU's memory.

    A process takes memory of a GPU as it needs it, up to the fraction that
    ``machine.gpu_memory_fraction`` allows.

    Parameters
    ----------
    threads : int, optional
        Threads of one operation, by default one for each processor of this process.
    """
    fraction = gpu_memory_fraction()
    options = {} if fraction is None else {"per_process_gpu_memory_fraction": fraction}
    return v1.ConfigProto(
        allow_soft_placement=True,
        gpu_options=v1.GPUOptions(allow_growth=True, **options),
        intra_op_parallelism_threads=threads or processors(),
        inter_op_parallelism_threads=INTER_OP_THREADS,
    )


class EvaluationGraph:
    """The graph of an architecture that evaluates only, with its session; holds one network.

    It is built in a fraction of the time of a graph that trains.

    Parameters
    ----------
    architecture : Architecture
    threads : int, optional
        Threads of one operation, by default one for each processor of this process; the first
        graph of a process decides.

    Raises
    ------
    InvalidInputError
        If the output is not one number a class.
    """

    recipe: Recipe | None = None

    def __init__(self, architecture: Architecture, threads: int | None = None) -> None:
        shape = architecture.shapes[architecture.output.name]
        if len(shape) != 1:
            raise InvalidInputError(
                f"{architecture.output.name}: expected an output of shape (classes,), got {shape}"
            )
        self.architecture = architecture
        with quiet():  # building a loop looks for GPUs, once in a process
            tf.config.list_physical_devices("GPU")
        self.graph = tf.Graph()
        with self.graph.as_default():
            self._loader = Loader(self._build())
        with quiet():  # the first session of a process looks for GPUs
            self.session = v1.Session(graph=self.graph, config=session_config(threads))
        self.graph.finalize()

    def _build(self) -> dict[str, Any]:
        """Add all operations to the graph; return the variables to load, by path."""
        self._build_evaluation()
        return flatten("weights", self.variables)

    def _build_evaluation(self, *, averaged: bool = False) -> None:
        self.images = v1.placeholder(tf.float32, (None, *self.architecture.input_shape))
        self.labels = v1.placeholder(tf.int32, (None,))
        mode = Mode(training=False, averaged=averaged)
        self.outputs = build_logits(self.architecture, self.images, mode)
        self.losses = cross_entropy(self.labels, self.outputs)
        predicted = tf.argmax(self.outputs, axis=1, output_type=tf.int32)
        self.hits = tf.equal(predicted, self.labels)
        self.variables = model_variables(self.architecture)

    def load(self, network: Network) -> None:
        """Set all variables to those of a network."""
        self._loader.load(self.session, self._arrays(network))

    def _arrays(self, network: Network) -> dict[str, Array]:
        """Return the values of the variables, by path; those left out are 0."""
        return flatten("weights", network.weights)

    def evaluate(self, data: Split) -> Evaluation:
        """Return accuracy and loss in evaluation mode, with losses and logits of all images."""
        hits, losses, logits = [], [], []
        for i in range(0, len(data), EVALUATION_BATCH):
            some = slice(i, i + EVALUATION_BATCH)
            feed = {self.images: data.images[some], self.labels: data.labels[some]}
            hit, loss, output = self.session.run([self.hits, self.losses, self.outputs], feed)
            hits.append(hit)
            losses.append(loss)
            logits.append(output)
        accuracy, each = float(np.concatenate(hits).mean()), np.concatenate(losses)
        loss = float(each.mean(dtype=np.float64))
        return Evaluation(accuracy, loss, each, np.concatenate(logits))

    def logits(self, images: Array) -> Array:
        """Return the logits in evaluation mode."""
        parts = [
            self.session.run(self.outputs, {self.images: images[i : i + EVALUATION_BATCH]})
            for i in range(0, max(len(images), 1), EVALUATION_BATCH)
        ]
        return np.concatenate(parts)

    def close(self) -> None:
        """Free the session's memory."""
        self.session.close()


class SlimGraph(EvaluationGraph):
    """The graph of an architecture and recipe that trains as well, with its session.

    Parameters
    ----------
    architecture : Architecture
    recipe : Recipe
    threads : int, optional
        As of :class:`EvaluationGraph`.

    Raises
    ------
    InvalidInputError
        If the output is not one number a class.
    """

    def __init__(
        self, architecture: Architecture, recipe: Recipe, threads: int | None = None
    ) -> None:
        self.recipe: Recipe = recipe
        self._is_warm = False
        super().__init__(architecture, threads)

    def _build(self) -> dict[str, Any]:
        recipe = self.recipe
        self._build_evaluation(averaged=recipe.averages)
        self.averages = model_variables(self.architecture, averaged=True) if recipe.averages else {}
        self.optimizer = GraphOptimizer(recipe.optimizer, decays=recipe.decays)
        self._updates = Updates(
            self.architecture, recipe, self.variables, self.averages, self.optimizer
        )
        slots = {
            f"slots/{slot}/{layer}/{name}": self.optimizer.slot(self.variables[layer][name], slot)
            for slot in self.optimizer.slots
            for layer, weights in self.architecture.weights.items()
            for name, weight in weights.items()
            if weight.trainable
        }
        weights, averages = flatten("weights", self.variables), flatten("averages", self.averages)
        return weights | averages | slots | self.optimizer.powers

    def _arrays(self, network: Network) -> dict[str, Array]:
        """Return the values of the variables, by path.

        Slots that the network lacks start as at step 0; the averages start as the weights.
        """
        arrays = flatten("weights", network.weights)
        if self.averages:
            arrays |= flatten("averages", network.weights)
        slots = self.carried(network)
        if slots is not None:
            for slot, layers in slots.values.items():
                arrays |= flatten(f"slots/{slot}", layers)
        return arrays | self.optimizer.powers_after(slots.step if slots else 0)

    def carried(self, network: Network) -> Slots | None:
        """Return the network's slots, or None if this optimizer has others."""
        slots = network.slots
        if slots is None or slots.degrees != OPTIMIZERS[self.optimizer.name].degrees:
            return None
        return slots

    def unload(self, step: int) -> tuple[Network, Network | None]:
        """Return the network with its slots after ``step`` updates in all, averaged if asked for.

        Where the recipe has averages, they are the weights of the first network, and the second
        has the weights of the last update; else the second is None. Both have the same slots.
        """
        arrays = self.session.run(self._loader.variables)
        arrays = {path: handed_over(array) for path, array in arrays.items()}
        last = Network.from_flat(self.architecture, arrays, self.optimizer.name, step)
        if not self.averages:
            return last, None
        arrays |= flatten("weights", nest("averages", arrays))
        return Network.from_flat(self.architecture, arrays, self.optimizer.name, step), last

    def warm_up(self, plan: TrainingPlan) -> None:
        """Make one update, at which TensorFlow optimises a new graph; spoils the weights.

        Otherwise the first training in a graph would be the slowest.
        """
        if not self._is_warm:
            self._loader.load(self.session, {})
            images = np.zeros((1, *self.architecture.input_shape), self.recipe.pixels)
            data = images, np.zeros(1, np.int32)
            one = np.zeros((1, 1), np.int32)
            self.update(data, one, plan, np.zeros(1, np.float32), np.zeros((1, 2), np.int64))
            self._is_warm = True

    def update(
        self,
        data: tuple[NDArray[Any], NDArray[np.int32]],
        batches: Array,
        plan: TrainingPlan,
        rates: NDArray[np.float32],
        keys: NDArray[np.int64],
        weights: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Make some updates in one call, on images that are gathered in the graph.

        Parameters
        ----------
        data : images (n, *input_shape) and labels (n,)
            Read in place if aligned (:class:`AlignedSplit`), copied otherwise. Images are of the
            type of the recipe's ``pixels``.
        batches : integers, shape (updates, batch size)
            Indices into the data.
        plan : TrainingPlan
        rates : float32, shape (updates,)
            Learning rates.
        keys : int64, shape (updates, 2)
            Seeds of dropout and augmentation.
        weights : float32, shape (classes,), optional
            Of the classes, where the recipe weighs them; 1 each by default.

        Returns
        -------
        float32 array, shape (updates,)
            The loss of each batch, before its update.
        """
        feed = self._updates.feed(data, batches, plan, rates, keys, weights)
        losses: NDArray[np.float32] = self.session.run(self._updates.losses, feed)
        return losses
