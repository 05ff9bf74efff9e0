"""The five experiments as published: trainings, seeds, evaluations, figures, progress."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from growsearch.datasets import Dataset
from growsearch.errors import InvalidInputError
from growsearch.networks import Architecture
from growsearch.reproduction.experiments import ARCHITECTURE
from growsearch.reproduction.progress import ReproductionProgress
from growsearch.reproduction.result import Reproduction
from growsearch.reproduction.run import evaluated_after, reproduce
from growsearch.training import TrainingPlan
from tests.fake_reproduction import PUBLISHED, STEPS, STUDENTS, TRAININGS_A_SEED, Recorder

# Third parties' own: TensorFlow's Keras warns about its own layers.
pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated:UserWarning")


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


@pytest.mark.usefixtures("small_architecture")
def test_students_share_all_but_one_argument(digits: Dataset) -> None:
    """All students of a seed see the same order, another than the teacher's, with the same plan."""
    trainer = Recorder()
    reproduce(trainer=trainer, iterations=20, every=10, seeds=2, data=digits)
    assert len(trainer.calls) == 2 * TRAININGS_A_SEED
    orders = []
    for seed in range(2):
        teacher, *students = trainer.calls[seed * TRAININGS_A_SEED : (seed + 1) * TRAININGS_A_SEED]
        assert len({call.seed for call in students}) == 1
        orders += [teacher.seed, students[0].seed]
        assert {call.plan for call in students} == {teacher.plan}
        assert teacher.plan == TrainingPlan(10, 50, 1e-4, "adam", evaluate_every=10)
        assert all(call.train is digits.train for call in students)
        assert all(call.evaluated_on is digits.test for call in students)
    assert len(set(orders)) == len(orders)


@pytest.mark.usefixtures("small_architecture")
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


@pytest.mark.usefixtures("small_architecture")
def test_initial_weights_are_the_originals(digits: Dataset) -> None:
    """The teacher starts with kernels cut at .2 and biases of .1; seeds start differently."""
    trainer = Recorder()
    reproduce(trainer=trainer, iterations=20, every=10, seeds=2, data=digits)
    first, second = (trainer.calls[i * TRAININGS_A_SEED].network.weights["conv1"] for i in range(2))
    assert abs(first["kernel"]).max() <= 0.2
    assert (first["bias"] == np.float32(0.1)).all()
    assert not np.array_equal(first["kernel"], second["kernel"])


@pytest.mark.usefixtures("small_architecture")
def test_the_continued_arm_is_the_teacher_itself(digits: Dataset) -> None:
    """The control starts with the teacher's weights, and trains as the students do."""
    trainer = Recorder()
    reproduce(trainer=trainer, iterations=20, every=10, seeds=1, data=digits)
    teacher, *_, reset, carried = trainer.calls
    for call in (reset, carried):
        assert call.network.architecture == teacher.network.architecture
        for layer, weights in teacher.network.weights.items():
            for name, array in weights.items():
                np.testing.assert_array_equal(array, call.network.weights[layer][name])


@pytest.mark.usefixtures("small_architecture")
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
@pytest.mark.usefixtures("small_architecture")
def test_impossible_numbers_are_refused(wrong: dict[str, int], digits: Dataset) -> None:
    """A number that makes no sense is named, before anything is trained."""
    trainer = Recorder()
    with pytest.raises(InvalidInputError, match=next(iter(wrong))):
        reproduce(trainer=trainer, data=digits, **{"iterations": 20, **wrong})  # type: ignore[arg-type]
    assert not trainer.calls


@pytest.mark.usefixtures("small_architecture")
def test_progress_rises_to_its_total(digits: Dataset, tmp_path: Path) -> None:
    """Progress rises at every evaluation and ends at its total, which counts only what is left."""
    for seeds in (1, 2):
        events: list[ReproductionProgress] = []
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
        assert sum(event.milestone for event in events) == TRAININGS_A_SEED
        assert events[2].milestone
        done = [event.done for event in events]
        assert len(events) == TRAININGS_A_SEED * 3
        assert done == sorted(set(done))
        assert done[-1] == pytest.approx(events[-1].total)
        assert len({event.total for event in events}) == 1
        assert f"seed {seeds - 1}: continued, slots carried, 20" in events[-1].label


@pytest.mark.usefixtures("small_architecture")
def test_tensorflows_trainer_is_the_default(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a trainer, a reproduction uses SlimTrainer, as a search does."""
    monkeypatch.setattr("growsearch.training.slim.SlimTrainer", Recorder)
    found = reproduce(iterations=20, every=10, seeds=1, data=digits)
    assert "Recorder" in found.environments[0]


def test_importing_it_loads_no_tensorflow() -> None:
    """The reproduction and its report take a trainer, and never import one."""
    code = (
        "import sys, growsearch.reproduction.experiments, growsearch.reports.reproduction;"
        "sys.exit(bool({'tensorflow', 'optuna', 'matplotlib'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert (
        subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
    )
