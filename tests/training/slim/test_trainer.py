"""SlimTrainer keeps the contract; and what only it promises: graphs built once, memory bounded."""

from __future__ import annotations

import _thread
import copy
import gc
import os
import pickle
import threading
import warnings
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from growsearch.datasets import Split
from growsearch.errors import DivergedError, InvalidInputError, OutOfMemoryError
from growsearch.networks import INPUT, Architecture, Network, Node
from growsearch.networks import layers as specs
from growsearch.networks.activations import ACTIVATIONS
from growsearch.networks.layer import Layer
from growsearch.networks.layers import Dense, Flatten
from growsearch.testing import TrainerContract
from growsearch.testing.trainer_contract.cases import (
    CLASSES,
    IMAGE,
    assert_same,
    rich,
    split,
    trained,
    with_slots,
)
from growsearch.training import Augmentation, Point, TrainingPlan, TrainingResult, pace
from growsearch.training.plan import SCHEDULES
from growsearch.training.schedules import learning_rates
from growsearch.training.slim import SlimTrainer, graph_cache
from growsearch.training.slim import graph as graph_module
from growsearch.training.slim import trainer as module
from growsearch.training.slim.aligned import ALIGNMENT, AlignedSplit, aligned
from growsearch.training.slim.backend import tf
from growsearch.training.slim.builders import Mode, build
from growsearch.training.slim.session import SlimGraph
from growsearch.training.slim.trainer import check_finite_network


class TestSlimTrainer(TrainerContract):
    """The contract of all trainers."""

    @staticmethod
    def make_trainer() -> SlimTrainer:
        return SlimTrainer(cached_graphs=64)


def wide(units: int) -> Network:
    nodes = (
        Node("flat", Flatten(), (INPUT,)),
        Node("fc1", Dense(units), ("flat",)),
        Node("fc2", Dense(CLASSES, "linear"), ("fc1",)),
    )
    return trained(Architecture(IMAGE, nodes))


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[SlimGraph]:
    """Return every graph that is built to train."""
    found: list[SlimGraph] = []

    def count(*arguments: Any) -> SlimGraph:
        found.append(SlimGraph(*arguments))
        return found[-1]

    monkeypatch.setattr(graph_cache, "SlimGraph", count)
    return found


def train(trainer: SlimTrainer, network: Network, **options: Any) -> Network:
    data = split(32)
    callback = options.pop("on_evaluation", None)
    plan = TrainingPlan(**{"steps": 3, "batch_size": 8, "learning_rate": 0.01, **options})
    return trainer.train(
        network, data, plan, evaluate_on=data, seed=0, on_evaluation=callback
    ).network


def test_a_graph_is_built_once_and_reused(built: list[SlimGraph]) -> None:
    """One graph an architecture and optimizer, for all networks, plans and evaluations of it."""
    trainer = SlimTrainer()
    for weights in range(3):
        network = trained(wide(8).architecture, weights)
        trainer.evaluate(train(trainer, network, batch_size=4 + weights), split(32))
        trainer.logits(network, split(3).images)
    assert len(built) == 1
    train(trainer, wide(9))
    train(trainer, wide(8), optimizer="sgd")
    assert len(built) == 3
    train(trainer, wide(8))
    train(trainer, wide(9))
    trainer.evaluate(wide(8), split(32))
    assert len(built) == 3


def test_kernels_decay_and_slopes_do_not() -> None:
    """Also where a slope has as many axes as the image (He et al., arXiv:1502.01852)."""
    nodes = (
        Node("conv", specs.Conv((3, 3), 4, activation="linear"), (INPUT,)),
        Node("prelu", specs.PReLU(), ("conv",)),
        Node("flat", Flatten(), ("prelu",)),
        Node("fc", Dense(CLASSES, "linear"), ("flat",)),
    )
    network = trained(Architecture(IMAGE, nodes))
    options: dict[str, Any] = {"optimizer": "momentum", "steps": 1}
    with_decay, without = (
        train(SlimTrainer(), network, **options, weight_decay=decay).weights for decay in (1.0, 0.0)
    )
    for layer, weights in network.architecture.weights.items():
        for name, weight in weights.items():
            same = np.array_equal(with_decay[layer][name], without[layer][name])
            assert same == (weight.fill != "kernel"), (layer, name)


def test_nothing_is_rebuilt_for_an_amount(built: list[SlimGraph]) -> None:
    """A graph serves every rate, schedule, amount of augmentation, smoothing and average."""
    trainer = SlimTrainer()
    for scale in (1, 2):
        train(
            trainer,
            rich(),
            optimizer="momentum",
            learning_rate=0.01 * scale,
            schedule=("cosine", "one_cycle")[scale - 1],
            schedule_start=scale,
            label_smoothing=0.1 * scale,
            weight_decay=0.1 * scale,
            ema=0.4 * scale,
            augmentation=Augmentation(scale, 5.0 * scale, 0.1 * scale, scale),
        )
    assert len(built) == 1
    operations = len(built[0].graph.get_operations())
    train(
        trainer,
        rich(),
        optimizer="momentum",
        weight_decay=0.3,
        ema=0.3,
        augmentation=Augmentation(rotate=1.0, erase=3),
    )
    assert (len(built), len(built[0].graph.get_operations())) == (1, operations)


def test_the_number_of_updates_in_a_call_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are as long as the machine is fast; one update a call gives the same bytes."""
    options: dict[str, Any] = {
        "steps": 30,
        "augmentation": Augmentation(1),
        "schedule": "cosine",
        "ema": 0.5,
    }
    expected = train(SlimTrainer(), rich(), **options)
    monkeypatch.setattr(pace, "CALL_STEPS", 1)
    assert_same(train(SlimTrainer(), rich(), **options), expected)


def test_divergence_in_a_long_call_is_named_by_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step reported is the first without a finite loss, however many ran with it."""
    nodes = (
        Node("flat", Flatten(), (INPUT,)),
        Node("fc1", Dense(16, "linear"), ("flat",)),
        Node("fc2", Dense(CLASSES, "linear"), ("fc1",)),
    )
    linear, seen = trained(Architecture(IMAGE, nodes)), []
    for most in (1, 200):
        monkeypatch.setattr(pace, "CALL_STEPS", most)
        with pytest.raises(DivergedError, match=r"step \d+ of 400") as error:
            train(SlimTrainer(), linear, steps=400, learning_rate=3.0, optimizer="sgd")
        seen.append(str(error.value))
    assert seen[0] == seen[1]
    assert "step 1 " not in seen[0]


def test_data_is_held_once() -> None:
    """All graphs read one aligned copy at most, which goes when the split goes."""
    whole = split(300).images
    (first, *_) = [n for n in (1, 2) if whole[n:].ctypes.data % ALIGNMENT]  # a view like a split's
    held, data = AlignedSplit(), Split(whole[first:], np.arange(300 - first) % CLASSES)
    images, labels = held.arrays(data)
    assert np.array_equal(images, data.images)
    assert np.array_equal(labels, data.labels)
    assert images.ctypes.data % ALIGNMENT == labels.ctypes.data % ALIGNMENT == 0
    assert not images.flags.writeable
    assert held.arrays(data)[0] is images
    assert aligned(images, np.float32) is images
    alive = weakref.ref(images)
    del images, labels
    other = split(10)
    held.arrays(other)
    assert alive() is None
    assert held.is_filled
    del other
    gc.collect()
    assert not held.is_filled


def test_tensorflow_reads_aligned_data_where_it_is(built: list[SlimGraph]) -> None:
    """An aligned array is fed without a copy: the session returns the same memory."""
    train(SlimTrainer(), rich())
    (graph,) = built
    memory = np.zeros(4 * 7 * 6 * 4 * 1000 + ALIGNMENT, np.uint8)
    first = -memory.ctypes.data % ALIGNMENT
    images = memory[first : first + 4 * 7 * 6 * 4 * 1000].view(np.float32).reshape(1000, 7, 6, 4)
    with graph.graph.as_default():
        tensor = graph._updates.data[0]
    out = graph.session.run(tensor, {tensor: images})
    assert np.shares_memory(out, images)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_an_argument(threads: int) -> None:
    """Any number trains; none is an error."""
    assert train(SlimTrainer(threads=threads), rich()).slots
    with pytest.raises(InvalidInputError, match="threads: expected a whole number of at least 1"):
        SlimTrainer(threads=0)


@pytest.mark.parametrize("option", ["cached_graphs", "threads"])
@pytest.mark.parametrize("value", [0, True, 2.5, "a"])
def test_options_are_whole_numbers(option: str, value: Any) -> None:
    """Any other value is refused by its name."""
    with pytest.raises(InvalidInputError, match=f"{option}: expected a whole number"):
        SlimTrainer(**{option: value})


def test_evaluating_builds_no_updates(built: list[SlimGraph]) -> None:
    """An architecture that is not trained gets a graph without updates, until it is trained."""
    trainer, network = SlimTrainer(), wide(8)
    found = trainer.evaluate(network, split(32))
    trainer.logits(network, split(3).images)
    assert (len(built), len(trainer._graphs)) == (0, 1)
    train(trainer, network)
    assert (len(built), len(trainer._graphs)) == (1, 1)
    assert trainer.evaluate(network, split(32)) == found
    assert len(trainer._graphs) == 1


def test_an_equal_architecture_is_the_same_architecture(built: list[SlimGraph]) -> None:
    """Architectures are values: one that was read from text uses the graph of its equal."""
    trainer = SlimTrainer()
    for _ in range(2):
        architecture = Architecture.from_json(wide(8).architecture.to_json())
        train(trainer, trained(architecture))
    assert len(built) == 1


def test_a_graph_does_not_grow(built: list[SlimGraph]) -> None:
    """Training and evaluating add no operations to a graph, which is closed to them."""
    trainer = SlimTrainer()
    train(trainer, rich())
    (graph,) = built
    operations = len(graph.graph.get_operations())
    train(trainer, rich(), optimizer="adam", batch_size=5, learning_rate=0.1)
    trainer.evaluate(rich(), split(600))
    assert len(graph.graph.get_operations()) == operations
    assert graph.graph.finalized


def test_the_oldest_graph_is_closed(built: list[SlimGraph]) -> None:
    """Beyond ``cached_graphs`` the one used longest ago is closed, and built again when needed."""
    trainer = SlimTrainer(cached_graphs=2)
    first = train(trainer, wide(1))
    train(trainer, wide(2))
    train(trainer, wide(1))
    train(trainer, wide(3))
    with pytest.raises(RuntimeError, match="closed"):
        built[1].logits(split(1).images)
    train(trainer, wide(1))
    assert len(built) == 3
    train(trainer, wide(4))
    train(trainer, wide(5))
    assert_same(train(trainer, wide(1)), first)
    assert len(built) == 6
    with pytest.raises(InvalidInputError, match="cached_graphs"):
        SlimTrainer(cached_graphs=0)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_memory_does_not_grow_with_architectures() -> None:
    """Closed graphs give their memory back: 16 architectures need no more than a few."""

    def resident() -> float:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    trainer = SlimTrainer(cached_graphs=2)
    sizes = []
    for number in range(16):
        train(trainer, wide(12_000 + number), steps=1)  # some 8 MB, and twice that of slots
        sizes.append(resident())
    print(sizes)
    assert max(sizes[6:]) - sizes[5] < 150, sizes


@pytest.mark.parametrize("where", ["in a callback", "in the updates"])
def test_an_interrupted_trainer_is_as_new(where: str) -> None:
    """Ctrl-C arrives within a second, and the next training knows nothing of it."""
    trainer = SlimTrainer()
    expected = train(trainer, rich())

    def interrupt(point: Point) -> None:
        if where == "in the updates":
            threading.Timer(0.3, _thread.interrupt_main).start()
        elif point.step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(
            trainer,
            rich(),
            steps=1_000_000,
            evaluate_every=2 if where == "in a callback" else 1_000_000,
            on_evaluation=interrupt,
        )
    assert_same(train(trainer, rich()), expected)


def test_what_no_loss_shows_is_found_in_the_network() -> None:
    """A weight or slot that is no longer finite is divergence, named by layer and array."""
    plan = TrainingPlan(3, learning_rate=0.5)
    network = with_slots(rich(), "adam", 3)
    check_finite_network(network, 3, plan)
    assert network.slots
    for value, group in [(np.nan, "weights"), (-np.inf, "weights"), (np.inf, "v")]:
        layers = network.weights if group == "weights" else network.slots.values[group]
        bad = {layer: {n: np.array(a) for n, a in named.items()} for layer, named in layers.items()}
        bad["fc1"]["kernel"][3, 4] = value
        worse = (
            replace(network, weights=bad)
            if group == "weights"
            else replace(network, slots=replace(network.slots, values={"m": bad, "v": bad}))
        )
        with pytest.raises(DivergedError, match=r"fc1: .*kernel became (nan|inf) at step 3 of 3"):
            check_finite_network(worse, 3, plan)


def test_threads_take_turns() -> None:
    """Trainings of two threads in one trainer are those that each would have alone."""
    trainer = SlimTrainer(cached_graphs=1)
    plans: list[dict[str, Any]] = [
        {"learning_rate": 0.01},
        {"learning_rate": 0.02},
        {"optimizer": "sgd"},
    ]
    expected = [train(trainer, rich(), steps=30, **plan) for plan in plans]
    found: dict[int, Network] = {}

    def work(number: int) -> None:
        found[number] = train(trainer, rich(), steps=30, **plans[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, network in enumerate(expected):
        assert_same(found[number], network)


def test_a_callback_cannot_disturb_its_own_training() -> None:
    """Using the trainer inside its own training is an error, not a silent mix of two networks."""
    trainer = SlimTrainer()
    with pytest.raises(RuntimeError, match="on_evaluation: expected another trainer"):
        train(trainer, rich(), on_evaluation=lambda _: trainer.evaluate(rich(), split(8)))
    train(trainer, rich(), on_evaluation=lambda _: SlimTrainer().evaluate(rich(), split(8)) is None)


@pytest.mark.parametrize("through", [lambda t: pickle.loads(pickle.dumps(t)), copy.deepcopy])
def test_a_trainer_is_pickled_as_its_options(through: Callable[[SlimTrainer], SlimTrainer]) -> None:
    """A copy has the options, its own lock and no graph; it trains to the same bytes."""
    original = SlimTrainer(cached_graphs=2, threads=1)
    expected = train(original, rich())
    assert len(pickle.dumps(original)) < 1000
    made = through(original)
    assert (made._cached_graphs, made._threads) == (2, 1)
    assert len(original._graphs) == 1
    assert len(made._graphs) == 0
    assert made._lock is not original._lock
    assert_same(train(made, rich()), expected)


def test_a_trainer_is_pickled_in_the_middle_of_a_training() -> None:
    """The lock that its own training holds does not matter to the copy."""
    trainer, copies = SlimTrainer(), list[SlimTrainer]()
    train(trainer, rich(), on_evaluation=lambda _: copies.append(copy.deepcopy(trainer)))
    assert copies[0].evaluate(rich(), split(8)).accuracy >= 0.0


def test_a_layer_type_without_builder_is_named() -> None:
    """The error of a layer type without a builder names the type."""

    @dataclass(frozen=True)
    class Unknown(Layer):
        kind = "unknown"

    nodes = (Node("flat", Flatten(), (INPUT,)), Node("new", Unknown(), ("flat",)))
    with pytest.raises(TypeError, match="no builder for Unknown"):
        SlimTrainer().logits(Network(Architecture(IMAGE, nodes), {}), split(2).images)
    with pytest.raises(TypeError, match="Unknown"):
        build(Unknown(), [], "new", Mode(training=False))


def test_users_see_no_warnings() -> None:
    """Building and training warn of nothing that the user cannot change."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        train(SlimTrainer(), rich())
    assert [str(warning.message) for warning in seen] == []


def test_a_new_graph_is_optimised_before_the_clock_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow optimises a graph at its first update: that of the warm-up, which is not timed.

    So the first arm to use a graph is not slower than those after it.
    """
    calls: list[str] = []

    class Recorded:
        @staticmethod
        def perf_counter() -> float:
            calls.append("clock")
            return float(len(calls))

    def recorded(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            calls.append(method.__name__)
            return method(*arguments)

        return call

    monkeypatch.setattr(module, "time", Recorded)
    for method in (SlimGraph.warm_up, SlimGraph.update):
        monkeypatch.setattr(SlimGraph, method.__name__, recorded(method))
    trainer, data = SlimTrainer(), split(16)
    for first in (True, False):
        calls.clear()
        trainer.train(wide(8), data, TrainingPlan(4, 8), evaluate_on=data, seed=0)
        begin = ["clock", "warm_up", *(["update"] if first else [])]
        assert calls[: len(begin)] == begin
        timed = calls[len(begin) :]
        assert timed == ["clock", "update", "clock"] * timed.count("update") != []


def test_a_training_without_memory_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow's own error is pages long; the trainer can be used again."""
    trainer, network, data = SlimTrainer(), rich(), split(20)

    def exhausted(*_: Any, **__: Any) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating\nHint: …")

    with monkeypatch.context() as patch:
        patch.setattr(SlimGraph, "update", exhausted)
        with pytest.raises(OutOfMemoryError, match=r"^OOM when allocating: lower the batch size"):
            trainer.train(network, data, TrainingPlan(1, 20), evaluate_on=data, seed=0)
    assert trainer.evaluate(network, data).accuracy >= 0.0


@pytest.mark.parametrize("activation", sorted(set(ACTIVATIONS) - {"softmax"}))
def test_every_activation_works_behind_a_batch_norm(activation: str) -> None:
    """TensorFlow fuses the two in evaluation mode, with tanh into a kernel that it lacks."""
    nodes = (
        Node("conv", specs.Conv((3, 3), 3, activation="linear", use_bias=False), (INPUT,)),
        Node("bn", specs.BatchNorm(activation=activation), ("conv",)),
        Node("flatten", specs.Flatten(), ("bn",)),
        Node("fc", specs.Dense(2, activation="linear"), ("flatten",)),
    )
    network = Network.initial(Architecture((4, 3, 2), nodes), rng=0)
    images = np.random.default_rng(1).normal(size=(5, 4, 3, 2)).astype(np.float32)
    expected = network.forward(images)
    found = SlimTrainer().logits(network, images)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


# --- timed trainings -----------------------------------------------------------------------------

STEP, EVALUATION, BUILD = 0.01, 0.25, 0.4  # seconds, of a machine on which nothing else runs


class Timed:
    """A training on a clock that updates, evaluations and a graph's warm-up move."""

    def __init__(self, patch: pytest.MonkeyPatch, step_seconds: float = STEP) -> None:
        self.now, self.step_seconds = 100.0, step_seconds
        self.began: list[float] = []  # of each update
        self.positions: list[float] = []
        self.rates: list[float] = []
        patch.setattr(module, "time", self)
        patch.setattr(pace, "time", self)
        patch.setattr(module, "learning_rates", self._learning_rates)
        for name, took in (
            ("update", lambda batches: self.step_seconds * len(batches)),
            ("evaluate", lambda _: EVALUATION),
            ("warm_up", lambda _: BUILD),
        ):
            patch.setattr(SlimGraph, name, self._slow(getattr(SlimGraph, name), took))

    def perf_counter(self) -> float:
        return self.now

    def _slow(self, method: Callable[..., Any], took: Callable[[Any], float]) -> Any:
        def slow(graph: SlimGraph, first: Any, *others: Any) -> Any:
            found = method(graph, first, *others)
            # A warm-up makes an update of its own: that is not another one.
            if method.__name__ == "warm_up":
                self.began.clear()
                self.now = 100.0
            if method.__name__ == "update":
                self.began += [self.now + self.step_seconds * n for n in range(len(others[0]))]
                self.now += took(others[0])
            else:
                self.now += took(first)
            return found

        return slow

    def _learning_rates(self, plan: TrainingPlan, positions: Any, step: int) -> Any:
        self.positions += positions.tolist()
        self.rates += (found := learning_rates(plan, positions, step)).tolist()
        return found

    def train(self, **options: Any) -> TrainingResult:
        data = split(32)
        plan = TrainingPlan(
            **{"steps": 50, "batch_size": 8, "evaluate_every": 10**6, "seconds": 4.0, **options}
        )
        return SlimTrainer().train(wide(8), data, plan, evaluate_on=data, seed=0)


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Timed:
    return Timed(monkeypatch)


@pytest.mark.parametrize("every", [7, 100, 10**6])
def test_a_timed_training_takes_its_time(timed: Timed, every: int) -> None:
    """Graph and evaluations included, but for the last; half an update may be over or lacking."""
    result = timed.train(evaluate_every=every)
    on_the_way = len(result.curve) - 1  # evaluations, that at the start among them
    ended = 100.0 + BUILD + EVALUATION * on_the_way + STEP * result.final.step
    assert timed.now == pytest.approx(ended + EVALUATION)
    # Where an evaluation is due shortly before the end, it is the last.
    lacking = EVALUATION if result.final.step % every == 0 else 0.51 * STEP
    assert 104.0 - lacking <= ended <= 104.0 + 0.51 * STEP
    assert result.final.step == len(timed.began) > 1


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_timed_schedule_runs_evenly_with_the_time(timed: Timed, schedule: str) -> None:
    """After a share of the time the same share of the schedule, whatever the updates are called."""
    timed.train(schedule=schedule, evaluate_every=60)
    passed = np.array(timed.began) - 100.0
    assert timed.positions == pytest.approx(list(50 * passed / 4.0), abs=1e-6)
    assert timed.positions[0] == pytest.approx(50 * (BUILD + EVALUATION) / 4.0)
    assert 50 * (1 - (EVALUATION + 2 * STEP) / 4.0) <= timed.positions[-1] <= 50


def test_a_timed_training_rewarms_over_updates(timed: Timed) -> None:
    """Not over the time; later updates of the training have all of their rates."""
    result = timed.train(rewarm=20, learning_rate=0.5, schedule_start=7)
    expected = [0.5 * min(1.0, k / 20) for k in range(1, result.final.step + 1)]
    assert result.final.step > 50
    assert timed.rates == pytest.approx(expected)


def test_a_part_of_a_timed_schedule_stays_in_its_part(timed: Timed) -> None:
    """From its start to its end, to which the next part's start is next."""
    timed.train(steps=30, schedule_start=100, schedule_steps=200, schedule="cosine")
    assert all(100 <= position <= 130 for position in timed.positions)
    assert timed.positions[-1] > 129
    assert np.diff(timed.positions).min() > 0


def test_a_slow_machine_makes_fewer_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    """And comes to the end of its schedule all the same; one that stalls does not pass it."""
    timed = Timed(monkeypatch, step_seconds=1.0)
    result = timed.train(schedule="cosine")
    assert result.final.step == 3  # of the 3.35 s that graph and first evaluation leave
    assert timed.positions[-1] <= 50
    timed.step_seconds = 60.0
    timed.positions.clear()
    assert timed.train(schedule="cosine").final.step == 1


def test_no_time_is_no_update(timed: Timed) -> None:
    """The network comes back as it was if graph and first evaluation took all the time."""
    result = timed.train(seconds=0.1)
    assert [point.step for point in result.curve] == [0]
    assert_same(replace(result.network, slots=None), wide(8))


def test_a_plan_of_steps_is_not_timed(timed: Timed) -> None:
    """However long it takes; positions are whole."""
    result = timed.train(seconds=None, steps=40, schedule_start=5)
    assert result.final.step == 40
    assert timed.positions == [5.0 + step for step in range(40)]


def test_a_time_limit_ends_a_plan_of_steps_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its schedule does not know of it; where the steps are over before, it is no limit."""
    timed = Timed(monkeypatch, step_seconds=1.0)
    limited = {"seconds": None, "schedule_start": 5, "time_limit": 4.0}
    result = timed.train(steps=40, **limited)
    assert result.final.step == 3  # of the 3.35 s that graph and first evaluation leave
    assert timed.positions == [5.0, 6.0, 7.0]
    assert timed.train(steps=2, **limited).final.step == 2


def test_a_relu_waits_for_the_pooling_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits if nothing else uses its layer; outputs and weights are the same either way."""
    architecture = Architecture(
        (9, 6, 2),
        (
            Node("conv1", specs.Conv((3, 3), 4, activation="relu"), (INPUT,)),
            Node("pool1", specs.MaxPool(), ("conv1",)),
            Node("conv2", specs.Conv((3, 3), 4, activation="relu"), ("pool1",)),
            Node("pool2", specs.MaxPool((2, 2), (1, 1), "same"), ("conv2",)),
            Node("sum", specs.Add(), ("conv2", "pool2")),
            Node("conv3", specs.Conv((3, 3), 4, activation="tanh"), ("sum",)),
            Node("pool3", specs.MaxPool(), ("conv3",)),
            Node("act4", specs.Activation("relu"), ("pool3",)),
            Node("pool4", specs.MaxPool((2, 1)), ("act4",)),
            Node("flat", Flatten(), ("pool4",)),
            Node("fc", Dense(CLASSES), ("flat",)),
        ),
    )
    assert graph_module.pooled_first(architecture) == {"conv1": "pool1", "act4": "pool4"}
    network, data = Network.initial(architecture, rng=0), split(12, (9, 6, 2))
    plan = TrainingPlan(4, 6, 0.1, "sgd", evaluate_every=4)
    trained = []
    for pooled_first in (graph_module.pooled_first, lambda _: {}):
        monkeypatch.setattr(graph_module, "pooled_first", pooled_first)
        result = SlimTrainer().train(network, data, plan, evaluate_on=data, seed=0)
        trained.append(result.network.forward(data.images))
    assert np.abs(trained[0] - trained[1]).max() <= 1e-5 * np.abs(trained[1]).max()
