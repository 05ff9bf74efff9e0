"""The trainer in TensorFlow: one graph for an architecture and recipe, reused by every arm.

TensorFlow is loaded when a trainer first trains or evaluates, and not by importing this module:
a driver makes a trainer, and hands it to workers.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from growsearch.checks import whole_number
from growsearch.datasets import Split
from growsearch.errors import DivergedError, InvalidInputError, OutOfMemoryError
from growsearch.networks import Architecture, Network
from growsearch.training import (
    Evaluation,
    OnEvaluation,
    Point,
    Speed,
    TrainingPlan,
    TrainingResult,
)
from growsearch.training.batches import batches_of
from growsearch.training.class_weights import class_weights, weighted
from growsearch.training.pace import PlanClock, pace_after
from growsearch.training.schedules import learning_rates
from growsearch.training.slim.aligned import AlignedSplit, aligned, pixels_of, places
from growsearch.training.slim.forks import check_not_forked

if TYPE_CHECKING:
    from growsearch.training.slim.graph_cache import GraphCache
    from growsearch.training.slim.session import EvaluationGraph, SlimGraph

Array = NDArray[Any]


class SlimTrainer:
    """Trains networks in TensorFlow graphs built with tf-slim; satisfies ``Trainer``.

    Threads may share a trainer, which serves one at a time. A pickled or copied trainer has the
    options of the original; graphs, measured speeds and locks stay behind.

    Parameters
    ----------
    cached_graphs : int
        Number of graphs in the cache, each with its session; the least recently used is closed.
    threads : int, optional
        Threads of TensorFlow's operations, by default one for each processor of this process. The
        first graph of a process decides for all.

    Examples
    --------
    >>> from growsearch.training.slim import SlimTrainer             # doctest: +SKIP
    >>> result = SlimTrainer().train(network, data.train, plan,      # doctest: +SKIP
    ...                              evaluate_on=data.validation, seed=0)
    """

    def __init__(self, *, cached_graphs: int = 4, threads: int | None = None) -> None:
        cached_graphs = whole_number("cached_graphs", cached_graphs, 1)
        threads = None if threads is None else whole_number("threads", threads, 1)
        self._cached_graphs = cached_graphs
        self._threads = threads
        self._speeds: dict[tuple[Architecture, int, str], Speed] = {}
        self._split = AlignedSplit()
        self._pixels = "float32"  # of the training images of the last training
        self._lock = threading.Lock()
        self._thread: int | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        options: dict[str, Any] = {"cached_graphs": self._cached_graphs, "threads": self._threads}
        return partial(type(self), **options), ()

    def warm_up(self) -> None:
        """Load TensorFlow, which takes some seconds."""
        _ = self._graphs

    @cached_property
    def _graphs(self) -> GraphCache:
        from growsearch.training.slim.graph_cache import GraphCache

        return GraphCache(self._cached_graphs, self._threads)

    def train(
        self,
        network: Network,
        data: Split,
        plan: TrainingPlan,
        *,
        evaluate_on: Split,
        seed: int,
        on_evaluation: OnEvaluation | None = None,
    ) -> TrainingResult:
        """Train a network; see :meth:`growsearch.training.Trainer.train`."""
        from growsearch.training.slim.recipe import Recipe  # loads TensorFlow before the clock

        asked = time.perf_counter()
        for split in (data, evaluate_on):
            _check_split(network, split)
        if not network.parameters:
            raise InvalidInputError(f"{network.architecture}: expected weights to train, got none")
        plan.augmentation.check_images(network.architecture.input_shape)
        with self._alone():
            self._pixels = pixels_of(data)
            precision = self._precision(network.architecture, plan)
            recipe = Recipe.of(plan, precision, self._pixels)
            graph = self._graphs.to_train(network.architecture, recipe)
            graph.warm_up(plan)
            graph.load(network)
            slots = graph.carried(network)
            curve: list[Point] = []
            losses: list[Array | None] = []
            weights = class_weights(plan.class_weight, data.labels, classes_of(network))

            def stops(step: int) -> bool:
                found = weighted(graph.evaluate(evaluate_on), evaluate_on.labels, weights)
                losses[:] = [found.losses]
                _check_finite("the loss in evaluation", found.loss, step, plan)
                curve.append(Point(step, found.accuracy, found.loss))
                point = Point(step, found.accuracy, found.loss, found.logits)
                return bool(on_evaluation and on_evaluation(point))

            arrays = self._split.arrays(data)
            batches = batches_of(len(data), plan.batch_size, seed)
            key = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> 1
            clock = PlanClock(plan, asked)
            seconds, step, pace = 0.0, 0, 1
            stop = plan.evaluate_start and stops(0)
            while not (stop or clock.is_over(step)):
                until = step + plan.evaluate_every
                while step < until and not clock.is_over(step):
                    began = time.perf_counter()
                    count = clock.at_most(min(pace, until - step), step)
                    rates = learning_rates(plan, clock.positions(step, count), step)
                    indices = places(data, np.stack([next(batches) for _ in range(count)]))
                    keys = np.stack([np.full(count, key, np.int64), step + np.arange(count)], 1)
                    found = graph.update(arrays, indices, plan, rates, keys, weights)
                    took = time.perf_counter() - began
                    for number, loss in enumerate(found.tolist(), step + 1):
                        _check_finite("the loss", loss, number, plan)
                    seconds += took
                    clock.step_seconds = took / count
                    pace = pace_after(count, took)
                    step += count
                stop = stops(step)
            if not curve:  # no time was left
                stops(0)
            trained, last = graph.unload((slots.step if slots else 0) + step)
        check_finite_network(trained if last is None else last, step, plan)
        names = network.class_names
        trained, last = trained.named(names), None if last is None else last.named(names)
        speed = step * plan.batch_size / seconds if seconds else 0.0
        return TrainingResult(trained, tuple(curve), seconds, speed, losses[0], precision, last)

    def speed_of(self, architecture: Architecture, plan: TrainingPlan) -> Speed:
        """Return the precision that the plan gets, and the seconds of an update at it.

        "auto" is bfloat16 if the machine computes it natively and it is faster than float32, which
        is measured where it is not known (``growsearch.training.slim.precision``). The result for
        an architecture and batch size is cached.
        """
        with self._alone():
            return self._speed(architecture, plan)

    def evaluate(self, network: Network, data: Split) -> Evaluation:
        """Return accuracy and loss in evaluation mode."""
        _check_split(network, data)
        with self._alone():
            return self._loaded(network).evaluate(data)

    def logits(self, network: Network, images: Any) -> Array:
        """Return the logits in evaluation mode, float32, shape (n, classes)."""
        array = np.asarray(images, np.float32)
        _check_images(network, array)
        with self._alone():
            return self._loaded(network).logits(array)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait for other threads: a graph's variables hold one network at a time."""
        check_not_forked()
        from growsearch.training.slim.backend import tf

        if self._thread == threading.get_ident():
            raise RuntimeError(
                "on_evaluation: expected another trainer, "
                "got the one whose training called it: make a new one"
            )
        with self._lock:
            self._thread = threading.get_ident()
            try:
                yield
            except tf.errors.ResourceExhaustedError as error:
                raise OutOfMemoryError(
                    f"{error.message.splitlines()[0][:200]}: lower the batch size, or limits of "
                    "the search space such as parameters and width"
                ) from None
            finally:
                self._thread = None

    def _precision(self, architecture: Architecture, plan: TrainingPlan) -> str:
        if plan.precision != "auto":
            return plan.precision
        from growsearch.training.slim import precision

        names = precision.candidates(architecture, plan.batch_size)
        return names[0] if len(names) == 1 else self._speed(architecture, plan).precision

    def _speed(self, architecture: Architecture, plan: TrainingPlan) -> Speed:
        from growsearch.training.slim import precision

        key = (architecture, plan.batch_size, plan.precision)
        if key not in self._speeds:
            names: tuple[str, ...] = (plan.precision,)
            if plan.precision == "auto":
                names = precision.candidates(architecture, plan.batch_size)
            self._speeds[key] = self._measured(architecture, plan, names)
        return self._speeds[key]

    def _measured(
        self, architecture: Architecture, plan: TrainingPlan, precisions: Sequence[str]
    ) -> Speed:
        """Measure each precision in a graph of its own; the faster graph stays in the cache."""
        from growsearch.training.slim import precision
        from growsearch.training.slim.recipe import Recipe

        images = np.zeros((plan.batch_size, *architecture.input_shape), self._pixels)
        data = aligned(images, self._pixels), np.zeros(plan.batch_size, np.int32)

        def timer(graph: SlimGraph) -> Callable[[int], float]:
            def seconds(steps: int) -> float:
                indices = np.tile(np.arange(plan.batch_size), (steps, 1))
                rates, keys = np.zeros(steps, np.float32), np.zeros((steps, 2), np.int64)
                began = time.perf_counter()
                graph.update(data, indices, plan, rates, keys)
                return time.perf_counter() - began

            return seconds

        graphs = {
            name: self._graphs.build(architecture, Recipe.of(plan, name, self._pixels))
            for name in precisions
        }
        try:
            for graph in graphs.values():
                graph.warm_up(plan)
            seconds = precision.step_seconds({name: timer(graph) for name, graph in graphs.items()})
            chosen = min(seconds, key=seconds.__getitem__)
            self._graphs.put(graphs.pop(chosen))
        finally:
            for graph in graphs.values():
                graph.close()
        return Speed(chosen, seconds[chosen])

    def _loaded(self, network: Network) -> EvaluationGraph:
        """Return a graph that holds the network."""
        graph = self._graphs.to_evaluate(network.architecture)
        graph.load(network)
        return graph


def _check_finite(name: str, value: float, step: int, plan: TrainingPlan) -> None:
    if not math.isfinite(value):
        raise DivergedError(
            f"{name} became {value} at step {step} of {plan.steps} with learning "
            f"rate {plan.learning_rate:g}: lower the learning rate"
        )


def check_finite_network(network: Network, step: int, plan: TrainingPlan) -> None:
    """Refuse weights and slots that are not finite: no loss follows the last update."""
    groups = {"weights": network.weights, **(network.slots.values if network.slots else {})}
    for group, layers in groups.items():
        for layer, arrays in layers.items():
            for name, array in arrays.items():
                worst = float(np.abs(array).max(initial=0.0))  # carries a NaN through
                _check_finite(f"{layer}: the largest of {group} {name}", worst, step, plan)


def classes_of(network: Network) -> int:
    """Return the number of a network's outputs."""
    return network.architecture.shapes[network.architecture.output.name][-1]


def _check_split(network: Network, data: Split) -> None:
    _check_images(network, data.images)
    classes = classes_of(network)
    if (largest := int(data.labels.max())) >= classes:
        raise InvalidInputError(
            f"labels: expected 0 to {classes - 1} for this network's {classes} outputs, "
            f"got {largest}"
        )


def _check_images(network: Network, images: Array) -> None:
    expected, got = network.architecture.input_shape, images.shape[1:]
    if expected != got:
        raise InvalidInputError(f"images: expected shape {expected} for this network, got {got}")
