"""Laws of growsearch.experiments and its report: repeated as published, and reported honestly."""

from __future__ import annotations

import dataclasses
import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from growsearch.datasets import Dataset, Split, load
from growsearch.errors import GrowsearchError, InvalidInputError, RunError
from growsearch.experiments import (
    ARCHITECTURE,
    EXPERIMENTS,
    FILE,
    Curve,
    Progress,
    Repeat,
    Reproduction,
    evaluated_after,
    reproduce,
    spreads,
)
from growsearch.networks import Architecture, Network, Slots
from growsearch.reports.reproduction import (
    DUELS,
    Shortfall,
    duels,
    report,
    save_plot,
    shortfalls,
    summary,
    table,
    to_json,
    winners,
)
from growsearch.trainers import Evaluation, Point, TrainingPlan, TrainingResult

# Third parties' own: TensorFlow's Keras warns about its own layers.
pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated:UserWarning")

STUDENTS = [experiment for experiment in EXPERIMENTS if experiment.continues]
PUBLISHED = [experiment for experiment in EXPERIMENTS if experiment.published]
TRAININGS = 1 + 2 * len(STUDENTS)
STEPS = tuple(range(0, 1000, 100))


@dataclasses.dataclass(frozen=True)
class Call:
    """What a trainer was asked for."""

    network: Network
    plan: TrainingPlan
    seed: int
    train: Split
    evaluated_on: Split


class Recorder:
    """A trainer that trains nothing, gives made-up accuracies, and remembers its calls."""

    def __init__(self, *, dies_at: int | None = None) -> None:
        self.calls: list[Call] = []
        self._dies_at = dies_at

    def train(
        self,
        network: Network,
        data: Split,
        plan: TrainingPlan,
        *,
        evaluate_on: Split,
        seed: int,
        on_evaluation: Callable[[Point], bool | None] | None = None,
    ) -> TrainingResult:
        if len(self.calls) == self._dies_at:
            raise KeyboardInterrupt
        self.calls.append(Call(network, plan, seed, data, evaluate_on))
        rng = np.random.default_rng([seed, len(self.calls)])
        steps = range(0, plan.steps + 1, plan.evaluate_every)
        curve = tuple(Point(step, float(rng.uniform(0.8, 1.0)), 0.1) for step in steps)
        for point in curve:
            if on_evaluation is not None:
                on_evaluation(point)
        values = dict.fromkeys(("m", "v"), network.weights)
        slots = Slots("adam", plan.steps, values)
        return TrainingResult(dataclasses.replace(network, slots=slots), curve, 1.0, 1.0)

    def evaluate(self, network: Network, data: Split) -> Evaluation:  # noqa: ARG002
        raise AssertionError("the curve has all evaluations")

    def logits(self, network: Network, images: Any) -> Any:  # noqa: ARG002
        raise AssertionError("no logits are asked for")


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return dataclasses.replace(load("digits"), stand_in=True)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A smaller architecture, for the laws that do not depend on it."""
    monkeypatch.setattr(
        "growsearch.experiments.ARCHITECTURE", "5x5x32(conv1)-pool1-5x5x4(conv2)-pool2-10(fc2)"
    )


@pytest.fixture(scope="module")
def measured(
    digits: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Reproduction, Path]:
    """A short real reproduction of one seed, and its folder."""
    from growsearch.training import SlimTrainer

    out = tmp_path_factory.mktemp("measured")
    found = reproduce(trainer=SlimTrainer(), iterations=30, every=10, seeds=1, data=digits, out=out)
    return found, out


def synthetic(
    shift: float | Callable[[str, int], float] = 0.0, *, seeds: int = 2, **changes: Any
) -> Reproduction:
    """A reproduction whose mean is the published figure plus ``shift``; seeds differ by .002."""

    def accuracy(name: str, step: int, published: float, place: int) -> float:
        by = shift(name, step) if callable(shift) else shift
        return published + by + 0.001 * (2 * place - (seeds - 1))

    repeats = tuple(
        Repeat(
            seed,
            tuple(
                Curve(
                    e.name,
                    slots,
                    (
                        0.5,
                        *(accuracy(e.name, s, e.published.get(s, 0.96), seed) for s in STEPS[1:]),
                    ),
                )
                for e in EXPERIMENTS
                for slots in e.treatments
            ),
            60.0,
            "a machine",
        )
        for seed in range(seeds)
    )
    values: dict[str, Any] = {
        "iterations": 1000,
        "steps": STEPS,
        "source": "made up",
        "stand_in": False,
        "fingerprint": "0" * 64,
        "test_images": 10_000,
        "repeats": repeats,
    }
    return Reproduction(**values | changes)


def printed(renderable: Any, width: int = 80) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(renderable)
    return stream.getvalue()


# -- the experiments -----------------------------------------------------------------------------


def test_net2net_students_start_where_the_teacher_ends(
    measured: tuple[Reproduction, Path],
) -> None:
    """A student by Net2Net has the teacher's accuracy before its first update; a random one not."""
    found, _ = measured
    last = found.accuracies("teacher")[:, -1]
    for experiment in STUDENTS:
        for slots in experiment.treatments:
            first = found.accuracies(experiment.name, slots)[:, 0]
            if experiment.fill == "net2net":
                np.testing.assert_array_equal(first, last)
            else:
                assert (abs(first - last) > 0.02).all(), experiment.name


def test_real_curves_are_complete(measured: tuple[Reproduction, Path]) -> None:
    """Every training yields one accuracy an evaluation, at 0, 10, 20 of 30 iterations."""
    found, _ = measured
    assert found.steps == (0, 10, 20)
    assert found.seeds == (0,)
    assert found.accuracies("teacher").shape == (1, 3)
    assert found.accuracies("teacher", "carry").shape == (0, 3)
    assert "SlimTrainer" in found.environments[0]
    assert 0.0 < found.seconds < 600.0


@pytest.mark.usefixtures("small")
def test_students_share_all_but_one_argument(digits: Dataset) -> None:
    """All students of a seed see the same order, another than the teacher's, with the same plan."""
    trainer = Recorder()
    reproduce(trainer=trainer, iterations=20, every=10, seeds=2, data=digits)
    assert len(trainer.calls) == 2 * TRAININGS
    orders = []
    for seed in range(2):
        teacher, *students = trainer.calls[seed * TRAININGS : (seed + 1) * TRAININGS]
        assert len({call.seed for call in students}) == 1
        orders += [teacher.seed, students[0].seed]
        assert {call.plan for call in students} == {teacher.plan}
        assert teacher.plan == TrainingPlan(10, 50, 1e-4, "adam", evaluate_every=10)
        assert all(call.train is digits.train for call in students)
        assert all(call.evaluated_on is digits.test for call in students)
    assert len(set(orders)) == len(orders)


@pytest.mark.usefixtures("small")
def test_treatments_differ_in_slots_only(digits: Dataset) -> None:
    """A student and its carried twin start with the same weights; only one of them has slots."""
    trainer = Recorder()
    reproduce(trainer=trainer, iterations=20, every=10, seeds=1, data=digits)
    teacher, *students = trainer.calls
    assert teacher.network.slots is None
    for reset, carried in zip(students[::2], students[1::2], strict=True):
        assert reset.network.slots is None
        assert carried.network.slots is not None
        assert carried.network.slots.step == 10
        assert reset.network.architecture == carried.network.architecture
        for layer, weights in reset.network.weights.items():
            for name, array in weights.items():
                np.testing.assert_array_equal(array, carried.network.weights[layer][name])
    assert [str(call.network.architecture).split("-")[0] for call in students] == [
        *["5x5x128(conv1)"] * 4,
        *["5x5x32(conv1)"] * 6,
    ]


@pytest.mark.usefixtures("small")
def test_initial_weights_are_the_originals(digits: Dataset) -> None:
    """The teacher starts with kernels cut at .2 and biases of .1; seeds start differently."""
    trainer = Recorder()
    reproduce(trainer=trainer, iterations=20, every=10, seeds=2, data=digits)
    first, second = (trainer.calls[i * TRAININGS].network.weights["conv1"] for i in range(2))
    assert abs(first["kernel"]).max() <= 0.2
    assert (first["bias"] == np.float32(0.1)).all()
    assert not np.array_equal(first["kernel"], second["kernel"])


@pytest.mark.usefixtures("small")
def test_the_continued_arm_is_the_teacher_itself(digits: Dataset) -> None:
    """It starts with the teacher's very weights, and trains as the students do."""
    trainer = Recorder()
    reproduce(trainer=trainer, iterations=20, every=10, seeds=1, data=digits)
    teacher, *_, reset, carried = trainer.calls
    for call in (reset, carried):
        assert call.network.architecture == teacher.network.architecture
        for layer, weights in teacher.network.weights.items():
            for name, array in weights.items():
                np.testing.assert_array_equal(array, call.network.weights[layer][name])


@pytest.mark.usefixtures("small")
def test_same_seed_same_result(digits: Dataset) -> None:
    """Two reproductions ask for the same trainings."""
    one, other = Recorder(), Recorder()
    for trainer in (one, other):
        reproduce(trainer=trainer, iterations=20, every=10, seeds=1, data=digits)
    for a, b in zip(one.calls, other.calls, strict=True):
        assert a.network.sha256 == b.network.sha256
        assert a.seed == b.seed


def test_architecture_is_the_originals() -> None:
    """The teacher is 5x5x32 - pool - 5x5x64 - pool - 1024 - 10 on 28x28x1: 3,274,634 parameters."""
    assert Architecture.parse(ARCHITECTURE, (28, 28, 1)).parameters == 3_274_634


def test_published_figures_are_all_there() -> None:
    """Five experiments, each published at 100, 200, …, 900."""
    assert [e.name for e in PUBLISHED] == [
        "teacher",
        "wider",
        "random pad",
        "deeper",
        "random init",
    ]
    assert all(tuple(e.published) == STEPS[1:] for e in PUBLISHED)
    last = [e.published[900] for e in PUBLISHED]
    assert last == [0.9583, 0.9777, 0.9690, 0.9785, 0.9663]


@pytest.mark.parametrize(
    ("iterations", "every", "expected"),
    [
        (1000, 100, STEPS),
        (901, 100, STEPS),
        (900, 100, STEPS[:-1]),
        (101, 100, (0, 100)),
        (100, 100, (0, 100)),
        (1, 100, (0, 1)),
    ],
)
def test_evaluations_are_the_originals(
    iterations: int, every: int, expected: tuple[int, ...]
) -> None:
    """Evaluations lie at 0, 100, … below the iterations, and there are always two."""
    assert evaluated_after(iterations, every) == expected


@pytest.mark.parametrize("wrong", [{"iterations": 0}, {"every": 0}, {"seeds": 0}])
@pytest.mark.usefixtures("small")
def test_impossible_numbers_are_refused(wrong: dict[str, int], digits: Dataset) -> None:
    """A number that makes no sense is named, before anything is trained."""
    trainer = Recorder()
    with pytest.raises(InvalidInputError, match=next(iter(wrong))):
        reproduce(trainer=trainer, data=digits, **{"iterations": 20, **wrong})  # type: ignore[arg-type]
    assert not trainer.calls


def test_importing_it_loads_no_tensorflow() -> None:
    """The reproduction and its report take a trainer, and never import one."""
    code = (
        "import sys, growsearch.experiments, growsearch.reports.reproduction;"
        "sys.exit(bool({'tensorflow', 'optuna', 'matplotlib'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert (
        subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
    )


# -- resuming ------------------------------------------------------------------------------------


def test_resuming_repeats_nothing(measured: tuple[Reproduction, Path], digits: Dataset) -> None:
    """Seeds that the folder has are read, not trained: no trainer is needed."""
    found, out = measured
    idle = Recorder()
    again = reproduce(trainer=idle, iterations=30, every=10, seeds=1, data=digits, out=out)
    assert again == found
    assert not idle.calls


@pytest.mark.usefixtures("small")
def test_resuming_after_an_interruption_gives_the_same(digits: Dataset, tmp_path: Path) -> None:
    """Interrupted in its second seed, a reproduction keeps the first and ends as if undisturbed."""
    dying, rest = Recorder(dies_at=TRAININGS + 3), Recorder()
    with pytest.raises(KeyboardInterrupt):
        reproduce(trainer=dying, iterations=20, every=10, seeds=2, data=digits, out=tmp_path)
    kept = Reproduction.from_json((tmp_path / FILE).read_bytes())
    assert kept.seeds == (0,)
    found = reproduce(trainer=rest, iterations=20, every=10, seeds=2, data=digits, out=tmp_path)
    assert len(rest.calls) == TRAININGS
    assert found.repeats[0] == kept.repeats[0]
    assert {call.seed for call in rest.calls}.isdisjoint(call.seed for call in dying.calls[:9])
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.usefixtures("small")
def test_more_and_fewer_seeds(digits: Dataset, tmp_path: Path) -> None:
    """More seeds train the missing ones; fewer give those asked for, and the file keeps all."""
    for seeds, trainings in ((1, 1), (3, 2), (2, 0)):
        trainer = Recorder()
        found = reproduce(
            trainer=trainer, iterations=20, every=10, seeds=seeds, data=digits, out=tmp_path
        )
        assert found.seeds == tuple(range(seeds))
        assert len(trainer.calls) == trainings * TRAININGS
    assert Reproduction.from_json((tmp_path / FILE).read_text()).seeds == (0, 1, 2)


@pytest.mark.parametrize(
    ("change", "named"),
    [({"iterations": 50}, "iterations"), ({"every": 5}, "evaluations"), ({"data": None}, "images")],
)
@pytest.mark.usefixtures("small")
def test_another_reproduction_is_not_overwritten(
    change: dict[str, Any], named: str, digits: Dataset, tmp_path: Path
) -> None:
    """A folder with another reproduction is refused in one line that says what differs."""
    usual: dict[str, Any] = {"iterations": 20, "every": 10, "seeds": 1, "data": digits}
    reproduce(trainer=Recorder(), out=tmp_path, **usual)
    before = (tmp_path / FILE).read_bytes()
    if "data" in change:
        fewer = Split(digits.train.images[:600], digits.train.labels[:600])
        change = {"data": dataclasses.replace(digits, train=fewer)}
    trainer = Recorder()
    with pytest.raises(RunError, match=named) as raised:
        reproduce(trainer=trainer, out=tmp_path, **usual | change)
    assert "\n" not in str(raised.value)
    assert not trainer.calls
    assert (tmp_path / FILE).read_bytes() == before


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000])
@pytest.mark.usefixtures("small")
def test_a_damaged_file_is_not_overwritten(damage: bytes, digits: Dataset, tmp_path: Path) -> None:
    """A file that is no reproduction is refused, and left alone."""
    (tmp_path / FILE).write_bytes(damage)
    with pytest.raises(RunError, match="cannot be continued") as raised:
        reproduce(trainer=Recorder(), iterations=20, seeds=1, data=digits, out=tmp_path)
    assert "\n" not in str(raised.value)
    assert (tmp_path / FILE).read_bytes() == damage


@pytest.mark.usefixtures("small")
def test_progress_rises_to_its_total(digits: Dataset, tmp_path: Path) -> None:
    """Progress rises at every evaluation and ends at its total, which counts only what is left."""
    for seeds in (1, 2):
        events: list[Progress] = []
        reproduce(
            trainer=Recorder(),
            iterations=30,
            every=10,
            seeds=seeds,
            data=digits,
            out=tmp_path,
            on_progress=events.append,
        )
        images, *events = events
        assert images.milestone
        assert digits.source in images.label
        assert sum(event.milestone for event in events) == TRAININGS
        assert events[2].milestone
        done = [event.done for event in events]
        assert len(events) == TRAININGS * 3
        assert done == sorted(set(done))
        assert done[-1] == pytest.approx(events[-1].total)
        assert len({event.total for event in events}) == 1
        assert f"seed {seeds - 1}: continued, slots carried, 20" in events[-1].label


@pytest.mark.usefixtures("small")
def test_a_folder_that_cannot_be_used_is_refused_before_the_first_training(
    digits: Dataset, tmp_path: Path
) -> None:
    """Not after an hour of it; in one line that names the folder."""
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/self/run")):
        trainer = Recorder()
        with pytest.raises(RunError, match="can be written to") as raised:
            reproduce(trainer=trainer, iterations=20, seeds=1, data=digits, out=out)
        assert str(out) in str(raised.value)
        assert "\n" not in str(raised.value)
        assert not trainer.calls
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.usefixtures("small")
def test_a_full_disk_is_one_line(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the path and the free space."""

    def no_room(path: Path, data: bytes) -> None:
        del data
        raise OSError(errno.ENOSPC, "its device is full", str(path))

    monkeypatch.setattr("growsearch.experiments.write_atomically", no_room)
    with pytest.raises(RunError, match=r"its device is full .*MB free") as raised:
        reproduce(trainer=Recorder(), iterations=20, every=10, seeds=1, data=digits, out=tmp_path)
    assert FILE in str(raised.value)


@pytest.mark.usefixtures("small")
def test_tensorflows_trainer_is_the_default(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is of a search."""
    monkeypatch.setattr("growsearch.training.SlimTrainer", Recorder)
    found = reproduce(iterations=20, every=10, seeds=1, data=digits)
    assert "Recorder" in found.environments[0]


# -- values --------------------------------------------------------------------------------------


def test_json_round_trip(measured: tuple[Reproduction, Path]) -> None:
    """What to_json gives is JSON, and from_json of it is the same reproduction, to the last bit."""
    found, out = measured
    for each in (found, synthetic(0.001), synthetic(seeds=1)):
        text = json.dumps(each.to_json(), allow_nan=False)
        assert Reproduction.from_json(text) == each
    assert json.loads((out / FILE).read_text()) == json.loads(json.dumps(found.to_json()))


def test_json_has_the_tables() -> None:
    """The JSON has mean, deviation, published figure and difference of every row."""
    value = synthetic(-0.01).to_json()
    assert value["comparable"] is True
    assert "test images" in value["measured_on"]
    wider = value["experiments"][1]
    assert wider["name"] == "wider"
    row = wider["rows"][1]
    assert (row["iteration"], row["published"], row["difference"]) == (100, 0.9136, -0.01)
    assert row["accuracy"] == {
        "mean": pytest.approx(0.9036),
        "std": pytest.approx(0.001 * 2**0.5),
        "n": 2,
    }


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("repeats", 0, "curves", 0, "accuracy", 3), 1.5),
        (("repeats", 0, "curves", 0, "accuracy", 3), float("nan")),
        (("repeats", 0, "curves", 0, "accuracy"), [0.5]),
        (("repeats", 0, "curves", 0, "experiment"), "narrower"),
        (("repeats", 0, "curves", 0, "slots"), "lost"),
        (("repeats", 0, "curves"), []),
        (("repeats", 1, "seed"), 0),
        (("steps",), "many"),
        (("fingerprint",), None),
    ],
)
def test_wrong_values_are_refused(path: tuple[Any, ...], wrong: Any) -> None:
    """A file with one value of the wrong kind, count or range is no reproduction."""
    value = json.loads(json.dumps(synthetic().to_json()))
    at = value
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = wrong
    with pytest.raises(InvalidInputError):
        Reproduction.from_json(json.dumps(value))


def test_spreads_are_means_and_sample_deviations() -> None:
    """Mean and deviation are over the seeds, with n - 1; one seed has no deviation."""
    two = spreads(np.array([[0.1, 0.5], [0.3, 0.5]]))
    assert [s.mean for s in two] == pytest.approx([0.2, 0.5])
    assert [s.std for s in two] == pytest.approx([0.1 * 2**0.5, 0.0])
    (one,) = spreads(np.array([[0.1]]))
    assert (one.mean, one.std, one.n) == (0.1, None, 1)


# -- the report ----------------------------------------------------------------------------------


def test_winners_are_named_with_confidence_only_where_there_are_seeds() -> None:
    """Two seeds: differences and counts; eight: intervals too, that hold the true difference."""
    few = synthetic(lambda name, _: 0.01 if name == "wider" else 0.0)
    assert "too few seeds" in printed(winners(few))
    assert "±" not in printed(winners(few), 120).split("carried", 1)[1]

    many = synthetic(lambda name, step: 1e-6 * step if name == "wider" else 0.0, seeds=8)
    found = duels(many)["wider − random pad"][9]
    published = {e.name: e.published.get(900, 0.0) for e in EXPERIMENTS}
    assert found.ahead == 8
    assert found.mean == pytest.approx(published["wider"] - published["random pad"] + 9e-4)


def test_who_wins_for_sure_is_marked_in_plain_text() -> None:
    """A star stands where the interval leaves zero out, in files too; nowhere with few seeds."""
    many = synthetic(seeds=8)
    rng = np.random.default_rng(0)
    repeats = tuple(
        dataclasses.replace(
            repeat,
            curves=tuple(
                dataclasses.replace(
                    curve,
                    accuracy=tuple(float(a - rng.uniform(0.0, 0.03)) for a in curve.accuracy),
                )
                for curve in repeat.curves
            ),
        )
        for repeat in many.repeats
    )
    found = dataclasses.replace(many, repeats=repeats)
    every = [each for row in duels(found).values() for each in row]
    sure = [low > 0.0 or high < 0.0 for low, high in (each.interval for each in every)]
    assert 0 < sum(sure) < len(sure)
    text = printed(winners(found))
    assert text.count("*") == sum(sure) + 1  # one is the legend
    assert "*: without 0" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "*" not in printed(winners(synthetic()))


def test_shortfalls_are_exactly_the_figures_not_reached() -> None:
    """Ours is listed where its mean, to four digits, is below the published figure; by how much."""
    low = {("teacher", 300): -0.0123, ("deeper", 900): -0.00006, ("wider", 100): -0.00004}
    found = synthetic(lambda name, step: low.get((name, step), 0.002))
    assert shortfalls(found) == (
        Shortfall("teacher", 300, 0.0123),
        Shortfall("deeper", 900, 0.0001),
    )
    text = summary(found)
    assert (
        "Below the published figure at 2 of 45: teacher 300 by .0123; deeper 900 by .0001" in text
    )
    assert "1 of the 2 lie within two of our own standard deviations" in text


def test_no_shortfall_is_said_too() -> None:
    """With every mean at the published figure or above, nothing is listed, and it says so."""
    for shift in (0.0, 0.003):
        found = synthetic(shift)
        assert shortfalls(found) == ()
        assert "At or above the published figure at all 45" in summary(found)


def test_summary_compares_with_the_random_baselines() -> None:
    """The summary says how often Net2Net's weights beat random ones, in ours and as published."""
    text = summary(synthetic(lambda name, _: -0.5 if name == "wider" else 0.0))
    assert "Wider above random pad at 0 of 9 evaluations" in text
    assert "published: at 8 of 9" in text
    assert "Deeper above random init at 9 of 9" in text


def test_tables_show_every_number_in_80_columns() -> None:
    """Each table has every mean, deviation, published figure and difference, none cut short."""
    found = synthetic(-0.0011)
    for experiment in EXPERIMENTS:
        text = printed(table(found, experiment))
        assert "…" not in text
        assert "3 seeds" in printed(table(synthetic(seeds=3), experiment))
        for step, published in experiment.published.items():
            (line,) = (line for line in text.splitlines() if f"[Iter: {step}]" in line)
            assert f"[Iter: {step}] Accuracy: {published - 0.0011:.4f} ± 0.0014" in line
            assert f" {published:.4f} " in line
            assert "-0.0011" in line
            assert line.count("± 0.0014") == len(experiment.treatments)


def test_report_names_the_test_set_and_the_hardware() -> None:
    """The report says that these are test accuracies, on which images, seeds and machine."""
    text = " ".join(printed(report(synthetic())).split())
    for part in ("10,000 TEST images", "made up", "Seeds: 0, 1", "a machine", "2.0 min"):
        assert part in text
    assert "All of these are test accuracies" in text
    assert "NOT COMPARABLE" not in text


def test_one_seed_has_no_deviation() -> None:
    """With one seed no deviation is claimed, in the tables or in the summary."""
    text = printed(report(synthetic(-0.01, seeds=1)))
    assert "±" not in text
    assert "standard deviations" not in text
    assert "Below the published figure at 45 of 45" in text


@pytest.mark.usefixtures("small")
def test_stand_in_is_marked_not_comparable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where MNIST cannot be had, digits stand in: marked everywhere, and no difference is taken."""
    monkeypatch.delenv("GROWSEARCH_DATA", raising=False)
    monkeypatch.setenv("GROWSEARCH_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = reproduce(trainer=Recorder(), seeds=1)
    assert found.stand_in
    assert not found.comparable
    assert found.to_json()["comparable"] is False
    assert shortfalls(found) == ()
    text = printed(report(found))
    assert "NOT COMPARABLE with the published figures: the images stand in" in text.replace(
        "\n", " "
    )
    assert text.count("not comparable") == len(PUBLISHED)
    assert "(0.9136)" in text
    assert "+0." not in text
    assert "-0." not in text
    assert "…" not in text
    with pytest.raises(GrowsearchError):
        reproduce(trainer=Recorder(), seeds=1, stand_in=None)


@pytest.mark.usefixtures("small")
def test_other_images_and_iterations_are_marked(digits: Dataset) -> None:
    """Images that are not MNIST's, and a teacher trained longer or shorter, cannot be compared."""
    other = dataclasses.replace(digits, name="mnist", stand_in=False)
    found = reproduce(trainer=Recorder(), iterations=800, seeds=1, data=other)
    assert len(found.caveats) == 2
    assert "not MNIST's" in found.caveats[0]
    assert "700 updates" in found.caveats[1]


@pytest.mark.usefixtures("small")
def test_mnist_is_comparable(mnist_folder: Path) -> None:
    """On MNIST itself, with the original's iterations, the published figures are a measure."""
    found = reproduce(trainer=Recorder(), seeds=1, data=mnist_folder, stand_in=None)
    assert found.caveats == ()
    assert found.test_images == 10_000


def test_plot_is_a_picture(measured: tuple[Reproduction, Path], tmp_path: Path) -> None:
    """The plot is written as one PNG, on any data, with one seed or several."""
    caveats = ("the images stand in for MNIST",)
    for found in (measured[0], synthetic(), synthetic(seeds=1), synthetic(caveats=caveats)):
        path = save_plot(found, tmp_path)
        assert path == tmp_path / "reproduction.png"
        assert path.read_bytes().startswith(b"\x89PNG")
        assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_folder_that_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    """What was measured is stored already; only the plot is missing."""
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="the plot cannot be written"):
        save_plot(synthetic(), tmp_path / "file")


def test_nothing_measured_is_said() -> None:
    """A reproduction without seeds has a report, and no plot."""
    nothing = synthetic(repeats=())
    assert "Nothing was measured" in printed(report(nothing))
    with pytest.raises(InvalidInputError, match="at least one seed"):
        save_plot(nothing, "nowhere")


def test_who_wins_is_plain_json_too() -> None:
    """Each comparison at each iteration, beside all else; it is read back as what it was."""
    found = synthetic(seeds=8)
    value = json.loads(json.dumps(to_json(found), allow_nan=False))
    wins = value.pop("who_wins")
    assert len(wins) == len(DUELS) * len(found.steps)
    (last,) = [
        each
        for each in wins
        if (each["title"], each["iteration"]) == ("wider − random pad", found.steps[-1])
    ]
    expected = duels(found)["wider − random pad"][-1]
    assert (last["mean"], last["ahead"], last["n"]) == (expected.mean, expected.ahead, 8)
    assert last["slots"] == "reset"
    assert value == json.loads(json.dumps(found.to_json()))
