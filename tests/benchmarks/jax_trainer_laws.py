"""The trainer in JAX against the one in TensorFlow: the same updates, up to rounding."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.jax_trainer import JaxTrainer, augmented
from growsearch import Network, SlimTrainer, Split
from growsearch.errors import DivergedError, InvalidInputError
from growsearch.growth import Deepen, WidenAll, grow
from growsearch.networks import Architecture
from growsearch.training import Augmentation, TrainingPlan

NOTATION = (
    "5x5x8(conv1,activation=linear,use_bias=false)-batch_norm(bn1,activation=relu,momentum=0.9)-"
    "pool1-3x3x6(conv2,activation=linear)-batch_norm(bn2,activation=relu)-pool2-"
    "3x3x5(conv3,activation=relu)-global_avg_pool(gap)-4(fc1)"
)
PLAN = TrainingPlan(
    20,
    16,
    learning_rate=0.1,
    optimizer="momentum",
    weight_decay=1e-2,
    schedule="one_cycle",
    label_smoothing=0.1,
    evaluate_every=10**6,
)


def data(count: int = 96) -> Split:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, count)
    images = (rng.random((count, 12, 12, 1)) + labels[:, None, None, None]) / 4.0
    return Split(images.astype(np.float32), labels)


def network(seed: int = 0) -> Network:
    return Network.initial(Architecture.parse(NOTATION, (12, 12, 1)), rng=seed)


def assert_alike(one: Network, other: Network, tolerance: float, least: float = 1e-3) -> None:
    """Compare all arrays, by the largest value of each: small ones by ``least``."""
    ours, theirs = one.flat(), other.flat()
    assert ours.keys() == theirs.keys()
    for path, array in ours.items():
        scale = max(float(np.abs(theirs[path]).max()), least)
        np.testing.assert_allclose(array, theirs[path], atol=tolerance * scale, err_msg=path)


def test_bfloat16_is_near_slim_too() -> None:
    """An update differs by what bfloat16 rounds off, and from the one in float32."""
    split = data()
    plan = replace(PLAN, steps=1, schedule="constant", precision="bfloat16")
    theirs = SlimTrainer().train(network(), split, plan, evaluate_on=split, seed=3)
    (ours,) = JaxTrainer().train_all([network()], split, [plan], [3], evaluate_on=split)
    whole = replace(plan, precision="float32")
    (other,) = JaxTrainer().train_all([network()], split, [whole], [3], evaluate_on=split)
    # The gradient of a bias in front of a batch norm is nothing but rounding.
    assert_alike(ours.network, theirs.network, 0.1, least=0.1)
    assert ours.precision == "bfloat16"
    assert ours.network.sha256 != other.network.sha256


def test_a_training_that_diverges_is_named() -> None:
    split = data()
    plans = [replace(PLAN, learning_rate=rate) for rate in (0.1, 99.0)]
    plans = [replace(plan, weight_decay=10.0, schedule="constant", steps=60) for plan in plans]
    with pytest.raises(DivergedError, match="learning rate 99"):
        JaxTrainer().train_all([network()] * 2, split, plans, [0, 0], evaluate_on=split)


@pytest.mark.parametrize("schedule", ["one_cycle", "constant", "wsd"])
def test_its_updates_are_those_of_slim(schedule: str) -> None:
    """Weights, moving statistics, slots and loss are the same after twenty updates."""
    warm = {"warmup": 5, "rewarm": 3} if schedule != "one_cycle" else {}
    plan = replace(PLAN, schedule=schedule, **warm)
    split = data()
    theirs = SlimTrainer().train(network(), split, plan, evaluate_on=split, seed=3)
    (ours,) = JaxTrainer().train_all([network()], split, [plan], [3], evaluate_on=split)
    assert_alike(ours.network, theirs.network, 2e-3)
    assert ours.final.loss == pytest.approx(theirs.final.loss, rel=1e-3)
    assert ours.final.accuracy == pytest.approx(theirs.final.accuracy, abs=0.02)
    assert ours.network.slots is not None
    assert ours.network.slots.step == plan.steps


def test_a_group_is_as_its_members() -> None:
    """Of three trainings at once, each is the one that it is alone."""
    split, trainer = data(), JaxTrainer()
    plans = [replace(PLAN, learning_rate=rate) for rate in (0.1, 0.05, 0.2)]
    networks = [network(seed) for seed in range(3)]
    group = trainer.train_all(networks, split, plans, [0, 1, 2], evaluate_on=split)
    for place, found in enumerate(group):
        (alone,) = trainer.train_all(
            [networks[place]], split, [plans[place]], [place], evaluate_on=split
        )
        assert_alike(found.network, alone.network, 1e-3)


def test_it_goes_on_from_slots_of_a_grown_network() -> None:
    """A grown network with slots trains on as in TensorFlow.

    Behind a new identity all pixels that were 0 are equal, and the trainers choose otherwise which
    of a pooling's window is the largest: noise makes the choice.
    """
    split = data()
    plan = replace(PLAN, schedule="constant")
    begun = SlimTrainer().train(network(), split, plan, evaluate_on=split, seed=0).network
    rng = np.random.default_rng(1)
    for growth in (Deepen("conv2"), WidenAll(("conv1",), (12,), split="new")):
        begun = grow(begun, growth, rng=rng, slots="carry-rescaled", images=split.images)
    arrays = begun.flat()
    kernel = arrays["weights/conv2_deep/kernel"]
    noisy = kernel + 0.01 * rng.standard_normal(kernel.shape)
    arrays["weights/conv2_deep/kernel"] = noisy.astype(np.float32)
    begun = Network.from_flat(begun.architecture, arrays, plan.optimizer, plan.steps)
    more = replace(plan, steps=5)
    theirs = SlimTrainer().train(begun, split, more, evaluate_on=split, seed=1)
    (ours,) = JaxTrainer().train_all([begun], split, [more], [1], evaluate_on=split)
    assert_alike(ours.network, theirs.network, 2e-3)
    assert ours.network.slots is not None
    assert ours.network.slots.step == plan.steps + more.steps


def test_images_are_moved_by_whole_pixels_within_bounds() -> None:
    """A single bright pixel comes to all places within the shift, and to no other; 1 stays 1."""
    images = jnp.zeros((2000, 9, 9, 1)).at[:, 4, 4].set(1.0)
    moved = np.asarray(augmented(images, jax.random.key(0), Augmentation(shift=2)))[..., 0]
    assert set(np.unique(moved)) == {0.0, 1.0}
    where = {(int(row), int(column)) for _, row, column in np.argwhere(moved)}
    assert where == {(row, column) for row in range(2, 7) for column in range(2, 7)}


def test_images_are_scaled_up_to_the_largest() -> None:
    """Along each axis by itself: the share of a square's light is the product of both factors."""
    images = jnp.zeros((400, 21, 21, 1)).at[:, 6:15, 6:15].set(1.0)
    scaled = np.asarray(augmented(images, jax.random.key(3), Augmentation(zoom=0.2)))[..., 0]
    light = scaled.sum((1, 2)) / 81.0
    assert 1.2 < light.max() < 1.2**2 * 1.05
    assert 0.95 / 1.2**2 < light.min() < 1.0 / 1.2


def test_images_are_turned_and_mirrored() -> None:
    """A turned bar points to angles up to the largest; half of the images are mirrored."""
    images = jnp.zeros((400, 11, 11, 1)).at[:, 5, 2:6].set(1.0)
    turned = np.asarray(augmented(images, jax.random.key(1), Augmentation(rotate=20.0)))[..., 0]
    assert np.allclose(turned.sum((1, 2)), 4.0, atol=0.3)
    down, right = np.mgrid[-5:6, -5:6]
    light = turned.sum((1, 2))
    angles = np.degrees(
        np.arctan2((turned * down).sum((1, 2)) / light, -(turned * right).sum((1, 2)) / light)
    )
    assert 17.0 < angles.max() < 21.0
    assert -21.0 < angles.min() < -17.0
    mirrored = np.asarray(augmented(images, jax.random.key(2), Augmentation(flip=True)))
    share = float((mirrored[:, 5, 8, 0] == 1.0).mean())
    assert 0.4 < share < 0.6


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"optimizer": "adam", "weight_decay": None}, "optimizer"), ({"ema": 0.9}, "ema")],
)
def test_it_refuses_what_it_does_not_have(changed: dict[str, object], named: str) -> None:
    plan = replace(PLAN, **changed)
    with pytest.raises(InvalidInputError, match=named):
        JaxTrainer().train_all([network()], data(), [plan], [0], evaluate_on=data())
