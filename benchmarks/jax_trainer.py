"""A trainer in JAX, for measurements that count updates: several trainings at once.

A GPU that trains one small network waits most of the time. Here trainings that differ in their
weights, learning rates and seeds make each update together, as one batch of matrix products.

Loss, optimizer, schedules, order of the images and precision are those of ``SlimTrainer``. The
augmentation has the same distribution, drawn by JAX's own generator; and equal pixels in the window
of a pooling share the gradient that TensorFlow gives to one of them. It trains networks of
convolutions, batch norms and poolings with a dense output, by "momentum", and refuses others;
tests/benchmarks/jax_trainer_laws.py compares its updates with those of ``SlimTrainer``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from growsearch import Network, Split
from growsearch.errors import DivergedError, InvalidInputError
from growsearch.networks import INPUT, Architecture
from growsearch.networks.arrays import flatten
from growsearch.networks.layers import BatchNorm, Conv, Dense, GlobalAvgPool, MaxPool
from growsearch.training import Augmentation, Evaluation, Point, TrainingPlan, TrainingResult
from growsearch.training.batches import batches_of
from growsearch.training.schedules import learning_rates

Array = NDArray[Any]
Arrays = dict[str, Any]  # path, as of Network.flat -> array, with an axis of the trainings in front

CHUNK = 512  # updates that the device gets at a time
EVALUATION_BATCH = 1000
DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}
ACTIVATIONS: dict[str, Callable[[Any], Any]] = {"linear": lambda x: x, "relu": jax.nn.relu}


class JaxTrainer:
    """Trains networks of one architecture at once; all of the data is on the device.

    Examples
    --------
    >>> found = JaxTrainer().train_all(networks, data, plans, seeds)  # doctest: +SKIP
    """

    at_once = True

    def __init__(self) -> None:
        self._splits: dict[int, tuple[Split, Any, Any]] = {}

    def train_all(
        self,
        networks: Sequence[Network],
        data: Split,
        plans: Sequence[TrainingPlan],
        seeds: Sequence[int],
        *,
        evaluate_on: Split,
    ) -> list[TrainingResult]:
        """Train each network by its plan; the plans differ in their learning rates alone.

        Parameters
        ----------
        networks : sequence of Network
            Of one architecture.
        data : Split
        plans : sequence of TrainingPlan
        seeds : sequence of int
        evaluate_on : Split
            The curves have its point at the end alone.

        Raises
        ------
        DivergedError
            If a weight or slot is not finite at the end.
        InvalidInputError
            For plans and architectures that this trainer does not have.
        """
        _check(networks, plans)
        plan, architecture = plans[0], networks[0].architecture
        began = time.perf_counter()
        flat = [_with_slots(network) for network in networks]
        arrays = {path: jnp.stack([each[path] for each in flat]) for path in flat[0]}
        keys = jnp.stack([jax.random.key(seed) for seed in seeds])
        run, split = _updates(architecture, plan), self._on_device(data)
        for some in _updates_by_chunk(plans, len(data), seeds):
            arrays = run(arrays, split, some, keys)
        values = {path: np.asarray(array) for path, array in arrays.items()}
        share = (time.perf_counter() - began) / len(networks)
        _check_finite(values, plans)
        trained = []
        for place, network in enumerate(networks):
            taken = (network.slots.step if network.slots else 0) + plan.steps
            own = {path: array[place] for path, array in values.items()}
            trained.append(Network.from_flat(architecture, own, plan.optimizer, taken))
        return [
            TrainingResult(
                network,
                (Point(plan.steps, each.accuracy, each.loss),),
                seconds=share,
                images_per_second=plan.steps * plan.batch_size / share,
                losses=each.losses,
                precision=plan.precision,
            )
            for network, each in zip(trained, self.evaluate_all(trained, evaluate_on), strict=True)
        ]

    def evaluate_all(self, networks: Sequence[Network], data: Split) -> list[Evaluation]:
        """Return accuracy and loss of networks of one architecture, in float32."""
        images, labels = self._on_device(data)
        weights = {
            path: jnp.stack([jnp.asarray(each.flat()[path]) for each in networks])
            for path in flatten("weights", networks[0].weights)
        }
        evaluate = _evaluation(networks[0].architecture)
        parts = [
            evaluate(weights, images[i : i + EVALUATION_BATCH], labels[i : i + EVALUATION_BATCH])
            for i in range(0, len(data), EVALUATION_BATCH)
        ]
        hits, losses = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
        return [
            Evaluation(float(hit.mean()), float(loss.mean(dtype=np.float64)), loss)
            for hit, loss in zip(hits, losses, strict=True)
        ]

    def _on_device(self, split: Split) -> tuple[Any, Any]:
        """Return images and labels on the device, where they stay."""
        if id(split) not in self._splits:
            images = jnp.asarray(np.asarray(split.images, np.float32))
            labels = jnp.asarray(np.asarray(split.labels, np.int32))
            self._splits[id(split)] = split, images, labels
        return self._splits[id(split)][1:]


def _check(networks: Sequence[Network], plans: Sequence[TrainingPlan]) -> None:
    """Refuse what is not here: silently it would be another training."""
    plan = plans[0]
    if any(replace(each, learning_rate=plan.learning_rate) != plan for each in plans):
        raise InvalidInputError("plans: expected plans that differ in their learning rates alone")
    if any(each.architecture != networks[0].architecture for each in networks):
        raise InvalidInputError("networks: expected networks of one architecture")
    refused = {
        "optimizer": plan.optimizer != "momentum",
        "precision": plan.precision not in DTYPES,
        "seconds": plan.seconds is not None or plan.time_limit is not None,
        "ema": plan.ema > 0.0,
        "class_weight": plan.class_weight != "none",
        "erase": plan.augmentation.erase > 0,
    }
    if names := [name for name, is_refused in refused.items() if is_refused]:
        raise InvalidInputError(f"{', '.join(names)}: the trainer in JAX does not have this")


def _check_finite(values: Arrays, plans: Sequence[TrainingPlan]) -> None:
    """Refuse weights and slots that are not finite; the first such training is named."""
    for path, array in values.items():
        for each, plan in zip(array, plans, strict=True):
            if not np.isfinite(each).all():
                raise DivergedError(
                    f"{path} is not finite after {plan.steps} updates with learning rate "
                    f"{plan.learning_rate:g}: lower the learning rate"
                )


def _with_slots(network: Network) -> dict[str, Array]:
    """Return all arrays of a network by path, with a slot for every weight that is trained."""
    slots = {
        f"slots/momentum/{layer}/{name}": np.zeros(weight.shape, np.float32)
        for layer, weights in network.architecture.weights.items()
        for name, weight in weights.items()
        if weight.trainable
    }
    return {**slots, **network.flat()}


def _updates_by_chunk(
    plans: Sequence[TrainingPlan], images: int, seeds: Sequence[int]
) -> Iterator[tuple[Array, Array, int, int]]:
    """Yield the indices and rates of up to CHUNK updates, the updates before them, and their count.

    Both arrays have an axis of the updates, of which those beyond the count are not made, and one
    of the trainings.
    """
    steps, size = plans[0].steps, plans[0].batch_size
    batches = [batches_of(images, size, seed) for seed in seeds]
    for step in range(0, steps, CHUNK):
        count = min(CHUNK, steps - step)
        indices = np.zeros((CHUNK, len(seeds), size), np.int32)
        rates = np.zeros((CHUNK, len(seeds)), np.float32)
        indices[:count] = [[next(each) for each in batches] for _ in range(count)]
        positions = np.arange(step, step + count, dtype=np.float64)
        for place, plan in enumerate(plans):
            rates[:count, place] = learning_rates(plan, plan.schedule_start + positions, step)
        yield indices, rates, step, count


# -- the network -----------------------------------------------------------------------------------


def _logits(
    architecture: Architecture, weights: Arrays, images: Any, dtype: Any, *, training: bool
) -> tuple[Any, Arrays]:
    """Return the logits of a network, and its moving statistics after the batch."""
    values = {INPUT: images.astype(dtype)}
    moving: Arrays = {}
    for node in architecture.nodes:
        layer, x = node.layer, values[node.inputs[0]]
        names = architecture.weights.get(node.name, ())
        own = {name: weights[f"weights/{node.name}/{name}"] for name in names}
        match layer:
            case Conv(stride=(1, 1), dilation=(1, 1), groups=1, padding="same"):
                y = _convolved(x, own["kernel"].astype(dtype))
            case BatchNorm():
                y, statistics = _normalised(layer, x.astype(jnp.float32), own, training=training)
                moving |= flatten("weights", {node.name: statistics})
            case MaxPool() if _tiles(layer, x):
                y = _pooled(x, layer.size)
            case GlobalAvgPool(keepdims=False):
                y = jnp.mean(x, axis=(1, 2), dtype=jnp.float32)
            case Dense() if node is architecture.output:  # float32, whatever the others are
                y = x.astype(jnp.float32) @ own["kernel"]
            case _:
                raise InvalidInputError(f"{node.name}: the trainer in JAX has no {layer}")
        if "bias" in own:
            y = y + own["bias"].astype(y.dtype)
        if (name := getattr(layer, "activation", "linear")) not in ACTIVATIONS:
            raise InvalidInputError(f"{node.name}: the trainer in JAX has no {name}")
        y = ACTIVATIONS[name](y)
        values[node.name] = y if node is architecture.output else y.astype(dtype)
    return values[architecture.output.name], moving


def _convolved(x: Any, kernel: Any) -> Any:
    """Return a convolution as one matrix product, which stays one for several networks."""
    height, width, channels, filters = kernel.shape
    rows, columns = x.shape[1:3]
    top, left = (height - 1) // 2, (width - 1) // 2
    sides = ((0, 0), (top, height - 1 - top), (left, width - 1 - left), (0, 0))
    padded = jnp.pad(x, sides)
    patches = [
        padded[:, i : i + rows, j : j + columns] for i in range(height) for j in range(width)
    ]
    product = jnp.concatenate(patches, axis=-1).reshape(-1, height * width * channels)
    out = product @ kernel.reshape(-1, filters)
    return out.reshape(*x.shape[:3], filters)


def _normalised(
    layer: BatchNorm, x: Any, own: Arrays, *, training: bool
) -> tuple[Any, dict[str, Any]]:
    """Return a batch norm of float32 values, with its moving statistics after it."""
    mean, variance = own["mean"], own["variance"]
    moving = {}
    if training:
        count = math.prod(x.shape[:-1])
        axes = tuple(range(x.ndim - 1))
        mean = jnp.mean(x, axes)
        variance = jnp.mean(jnp.square(x - mean), axes)
        for name, now in (("mean", mean), ("variance", variance * count / max(count - 1, 1))):
            moving[name] = own[name] - (1.0 - layer.momentum) * (own[name] - now)
    factor = own.get("gamma", 1.0) * jax.lax.rsqrt(variance + layer.epsilon)
    return (x - mean) * factor + own.get("beta", 0.0), moving


def _tiles(layer: MaxPool, x: Any) -> bool:
    """Return whether the windows of a pooling lie side by side and leave nothing over."""
    return layer.size == layer.strides and not any(np.mod(x.shape[1:3], layer.size))


def _pooled(x: Any, size: tuple[int, int]) -> Any:
    rows, columns = x.shape[1] // size[0], x.shape[2] // size[1]
    return x.reshape(len(x), rows, size[0], columns, size[1], x.shape[3]).max((2, 4))


# -- images ----------------------------------------------------------------------------------------


def augmented(images: Any, key: Any, by: Augmentation) -> Any:
    """Return images changed at random, as growsearch.training.slim.augment changes them."""
    shift, rotate, zoom, flip = jax.random.split(key, 4)
    count, height, width, _ = images.shape
    if by.shift or by.rotate or by.zoom:
        dx, dy = jax.random.randint(shift, (2, count), -by.shift, by.shift + 1)
        angle = math.radians(by.rotate) * jax.random.uniform(rotate, (count,), minval=-1.0)
        sx, sy = (1.0 + by.zoom) ** jax.random.uniform(zoom, (2, count), minval=-1.0)
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        x, y = (width - 1) / 2.0, (height - 1) / 2.0
        down, right = jnp.mgrid[:height, :width]
        # From an output pixel to the input pixel that it shows.
        at_x = jax.vmap(lambda s, c, n, d: s * (c * (right - x) - n * (down - y)) + x + d)
        at_y = jax.vmap(lambda s, c, n, d: s * (n * (right - x) + c * (down - y)) + y + d)
        images = _sampled(images, at_y(sy, cos, sin, dy), at_x(sx, cos, sin, dx))
    if by.flip:
        draw = jax.random.uniform(flip, (count, 1, 1, 1))
        images = jnp.where(draw < 0.5, images[:, :, ::-1], images)
    return images


def _sampled(images: Any, rows: Any, columns: Any) -> Any:
    """Return images at positions between pixels, bilinear; zeros outside."""
    height, width = images.shape[1:3]
    above, left = jnp.floor(rows), jnp.floor(columns)
    each = jnp.arange(len(images))[:, None, None]
    total = jnp.zeros_like(images)
    for i in (0, 1):
        for j in (0, 1):
            at = (above + i).astype(int), (left + j).astype(int)
            share = jnp.abs(1 - i - (rows - above)) * jnp.abs(1 - j - (columns - left))
            inside = (at[0] >= 0) & (at[0] < height) & (at[1] >= 0) & (at[1] < width)
            pixels = images[each, jnp.clip(at[0], 0, height - 1), jnp.clip(at[1], 0, width - 1)]
            total += jnp.where(inside, share, 0.0)[..., None] * pixels
    return total


# -- compiled functions ----------------------------------------------------------------------------


def _updates(architecture: Architecture, plan: TrainingPlan) -> Any:
    """Return the compiled function of up to CHUNK updates of several networks."""
    return _compiled(
        architecture,
        plan.augmentation,
        plan.precision,
        (plan.momentum, plan.decay, plan.label_smoothing),
    )


@cache
def _compiled(
    architecture: Architecture,
    augmentation: Augmentation,
    precision: str,
    amounts: tuple[float, float, float],
) -> Any:
    specs = flatten("weights", architecture.weights)
    trained = [path for path, weight in specs.items() if weight.trainable]
    kernels = {path for path in trained if specs[path].fill == "kernel"}
    momentum, decay, smoothing = amounts

    def loss(own: Arrays, others: Arrays, images: Any, labels: Any) -> Any:
        weights = {**own, **others}
        logits, moving = _logits(architecture, weights, images, DTYPES[precision], training=True)
        logs = jax.nn.log_softmax(logits)
        picked = jnp.take_along_axis(logs, labels[:, None], axis=1)[:, 0]
        each = -(1.0 - smoothing) * picked - smoothing * jnp.mean(logs, axis=-1)
        return jnp.mean(each), moving

    def update(arrays: Arrays, images: Any, labels: Any, rate: Any, key: Any) -> Arrays:
        own = {path: arrays[path] for path in trained}
        others = {path: arrays[path] for path in specs if path not in own}
        images = augmented(images, key, augmentation)
        slopes, moving = jax.grad(loss, has_aux=True)(own, others, images, labels)
        after = {**arrays, **moving}
        for path, slope in slopes.items():
            slot = "slots/momentum/" + path.removeprefix("weights/")
            after[slot] = momentum * arrays[slot] + slope
            kept = 1.0 - rate * decay if path in kernels else 1.0
            after[path] = kept * arrays[path] - rate * (slope + momentum * after[slot])
        return after

    def run(arrays: Arrays, split: tuple[Any, Any], some: tuple[Any, ...], keys: Any) -> Arrays:
        indices, rates, step, count = some

        def together(i: Any, arrays: Arrays) -> Arrays:
            images, labels = (part[indices[i]] for part in split)
            now = jax.vmap(jax.random.fold_in, (0, None))(keys, step + i)
            after: Arrays = jax.vmap(update)(arrays, images, labels, rates[i], now)
            return after

        with jax.default_matmul_precision("float32"):  # not TensorFloat-32; bfloat16 stays
            done: Arrays = jax.lax.fori_loop(0, count, together, arrays)
        return done

    return jax.jit(run)


@cache
def _evaluation(architecture: Architecture) -> Any:
    """Return the compiled function of the hits and losses of several networks."""

    def evaluate(weights: Arrays, images: Any, labels: Any) -> tuple[Any, Any]:
        with jax.default_matmul_precision("float32"):  # not TensorFloat-32
            logits, _ = _logits(architecture, weights, images, jnp.float32, training=False)
        losses = -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)[:, 0]
        return jnp.argmax(logits, axis=-1) == labels, losses

    return jax.jit(jax.vmap(evaluate, in_axes=(0, None, None)))
