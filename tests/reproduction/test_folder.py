"""The folder of a reproduction: resumed by trainings, never overwritten, refused early."""

from __future__ import annotations

import dataclasses
import errno
import json
from pathlib import Path
from typing import Any

import pytest

from growsearch.datasets import Dataset, Split
from growsearch.errors import RunError
from growsearch.growth import Treatment
from growsearch.reproduction.experiments import TRAININGS
from growsearch.reproduction.finished import FILE, Finished
from growsearch.reproduction.job import Trained
from growsearch.reproduction.result import AccuracyCurve, Reproduction
from growsearch.reproduction.run import reproduce
from growsearch.reproduction.session import UNFINISHED, WEIGHTS
from growsearch.study.lock import locked
from tests.fake_reproduction import TRAININGS_A_SEED, Recorder, noise, synthetic

# Third parties' own: TensorFlow's Keras warns about its own layers.
pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated:UserWarning")


@pytest.mark.usefixtures("measured_architecture")
def test_resuming_repeats_nothing(measured: tuple[Reproduction, Path], digits: Dataset) -> None:
    """Seeds that the folder has are read, not trained: no trainer is needed."""
    found, out = measured
    idle = Recorder()
    again = reproduce(trainer=idle, iterations=30, every=10, seeds=1, data=digits, out=out)
    assert again == found
    assert not idle.calls


def finished(out: Path, found: Reproduction) -> Finished:
    """Read the trainings that a folder has of a reproduction."""
    return Finished.read(out / FILE, dataclasses.replace(found, repeats=()))


def accuracies(found: Reproduction) -> list[Any]:
    """All that must be the same in two reproductions, to the last bit."""
    return [(repeat.seed, repeat.curves) for repeat in found.repeats]


@pytest.mark.usefixtures("small_architecture")
@pytest.mark.parametrize("stored", [0, 1, 2, TRAININGS_A_SEED, TRAININGS_A_SEED + 3])
def test_an_interruption_loses_the_training_in_progress_only(stored: int, tmp_path: Path) -> None:
    """Every finished training is kept; the same call makes the others, and ends the same."""
    usual: dict[str, Any] = {"iterations": 20, "every": 10, "seeds": 2, "data": noise()}
    whole = reproduce(trainer=Recorder(), **usual)
    dying, rest = Recorder(dies_at=stored), Recorder()
    with pytest.raises(KeyboardInterrupt):
        reproduce(trainer=dying, out=tmp_path, **usual)
    kept = finished(tmp_path, whole)
    assert kept.reproduction.seeds == (0,) * (stored // TRAININGS_A_SEED)
    assert len(kept.trainings) == stored % TRAININGS_A_SEED
    found = reproduce(trainer=rest, out=tmp_path, **usual)
    assert len(rest.calls) == 2 * TRAININGS_A_SEED - stored
    assert accuracies(found) == accuracies(whole)
    assert {path.name for path in tmp_path.iterdir()} == {FILE, ".lock"}
    assert json.loads((tmp_path / FILE).read_text()) == json.loads(json.dumps(found.to_json()))


@pytest.mark.usefixtures("small_architecture")
def test_earlier_versions_read_what_is_whole(tmp_path: Path) -> None:
    """Trainings of a seed in progress are a key of their own, which they do not read."""
    usual: dict[str, Any] = {"iterations": 20, "every": 10, "seeds": 2, "data": noise()}
    with pytest.raises(KeyboardInterrupt):
        reproduce(trainer=Recorder(dies_at=TRAININGS_A_SEED + 3), out=tmp_path, **usual)
    text = (tmp_path / FILE).read_text()
    assert Reproduction.from_json(text).seeds == (0,)
    value = json.loads(text)
    assert len(value.pop("unfinished")) == 3
    (tmp_path / FILE).write_text(json.dumps(value))  # as an earlier version left it
    rest = Recorder()
    assert reproduce(trainer=rest, out=tmp_path, **usual).seeds == (0, 1)
    assert len(rest.calls) == TRAININGS_A_SEED


@pytest.mark.usefixtures("small_architecture")
@pytest.mark.parametrize("damage", [None, b"no network"])
def test_a_teacher_whose_file_is_lost_is_trained_again(
    damage: bytes | None, tmp_path: Path
) -> None:
    """And nothing else is, since it is the same again."""
    usual: dict[str, Any] = {"iterations": 20, "every": 10, "seeds": 1, "data": noise()}
    whole = reproduce(trainer=Recorder(), **usual)
    with pytest.raises(KeyboardInterrupt):
        reproduce(trainer=Recorder(dies_at=3), out=tmp_path, **usual)
    (network,) = (tmp_path / UNFINISHED / WEIGHTS).iterdir()
    network.unlink()
    if damage is not None:
        network.write_bytes(damage)
    rest = Recorder()
    found = reproduce(trainer=rest, out=tmp_path, **usual)
    assert len(rest.calls) == TRAININGS_A_SEED - 2
    assert accuracies(found) == accuracies(whole)


@pytest.mark.usefixtures("small_architecture")
def test_the_networks_of_a_whole_seed_are_removed(tmp_path: Path) -> None:
    """Only teachers of seeds in progress are on the disk."""
    found: list[int] = []

    def look(_: Any) -> None:
        found.append(len(list((tmp_path / UNFINISHED).glob(f"{WEIGHTS}/*"))))

    usual: dict[str, Any] = {"iterations": 20, "every": 10, "data": noise(), "out": tmp_path}
    reproduce(trainer=Recorder(), seeds=3, on_progress=look, **usual)
    assert max(found) == 1


@pytest.mark.usefixtures("small_architecture")
def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    """The second is refused in one line, and the first goes on."""
    usual: dict[str, Any] = {"iterations": 20, "every": 10, "seeds": 1, "data": noise()}
    with locked(tmp_path), pytest.raises(RunError, match="another growsearch process"):
        reproduce(trainer=Recorder(), out=tmp_path, **usual)


@pytest.mark.usefixtures("small_architecture")
def test_more_and_fewer_seeds(digits: Dataset, tmp_path: Path) -> None:
    """More seeds train the missing ones; fewer give those asked for, and the file keeps all."""
    for seeds, trainings in ((1, 1), (3, 2), (2, 0)):
        trainer = Recorder()
        found = reproduce(
            trainer=trainer, iterations=20, every=10, seeds=seeds, data=digits, out=tmp_path
        )
        assert found.seeds == tuple(range(seeds))
        assert len(trainer.calls) == trainings * TRAININGS_A_SEED
    assert Reproduction.from_json((tmp_path / FILE).read_text()).seeds == (0, 1, 2)


@pytest.mark.parametrize(
    ("change", "named"),
    [({"iterations": 50}, "iterations"), ({"every": 5}, "evaluations"), ({"data": None}, "images")],
)
@pytest.mark.usefixtures("small_architecture")
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
@pytest.mark.usefixtures("small_architecture")
def test_a_damaged_file_is_not_overwritten(damage: bytes, digits: Dataset, tmp_path: Path) -> None:
    """A file that is no reproduction is refused, and left alone."""
    (tmp_path / FILE).write_bytes(damage)
    with pytest.raises(RunError, match="cannot be continued") as raised:
        reproduce(trainer=Recorder(), iterations=20, seeds=1, data=digits, out=tmp_path)
    assert "\n" not in str(raised.value)
    assert (tmp_path / FILE).read_bytes() == damage


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ((0, "curve", "accuracy"), [0.5]),
        ((0, "curve", "accuracy", 1), 1.5),
        ((0, "curve", "experiment"), "narrower"),
        ((1, "curve", "slots"), "carry-rescaled"),
        ((0, "curve"), None),
        ((0, "seconds"), "long"),
        ((1, "seed"), 0.5),
        ((), {}),
        ((), [None]),
    ],
    ids=str,
)
@pytest.mark.usefixtures("small_architecture")
def test_a_damaged_training_is_refused(path: tuple[Any, ...], wrong: Any, tmp_path: Path) -> None:
    """Trainings of seeds in progress are checked as the rest is, and left alone."""
    usual: dict[str, Any] = {"iterations": 20, "every": 10, "seeds": 1, "data": noise()}
    with pytest.raises(KeyboardInterrupt):
        reproduce(trainer=Recorder(dies_at=3), out=tmp_path, **usual)
    value = json.loads((tmp_path / FILE).read_text())
    at: Any = value
    *keys, last = ("unfinished", *path)
    for key in keys:
        at = at[key]
    at[last] = wrong
    text = json.dumps(value)
    (tmp_path / FILE).write_text(text)
    with pytest.raises(RunError, match="cannot be continued") as raised:
        reproduce(trainer=Recorder(), out=tmp_path, **usual)
    assert "\n" not in str(raised.value)
    assert (tmp_path / FILE).read_text() == text


def test_students_of_another_teacher_are_dropped() -> None:
    """All trainings of a seed start from one teacher, also if it had to be trained again."""
    one, other = "a" * 64, "b" * 64
    made = synthetic(repeats=())

    def trained(seed: int, experiment: str, slots: Treatment, teacher: str) -> Trained:
        curve = AccuracyCurve(experiment, slots, (0.5,) * len(made.steps))
        return Trained(seed, curve, 1.0, "a machine", teacher)

    value = Finished(made)
    for each in TRAININGS[:4]:
        value = value.adding(trained(0, each[0].name, each[1], one))
    value = value.adding(trained(1, "teacher", "reset", one))
    again = value.without_teacher(0)
    assert [each.name for each, _ in again.missing(0)] == [
        "teacher",
        *(each.name for each, _ in TRAININGS[4:]),
    ]
    same = again.adding(trained(0, "teacher", "reset", one))
    assert set(same.trainings) == set(value.trainings)
    new = again.adding(trained(0, "teacher", "reset", other))
    assert new.missing(0) == TRAININGS[1:]
    assert new.teachers == {0: other, 1: one}


def test_a_seed_made_on_two_machines_names_both() -> None:
    """Each once, in the order of the trainings; the seconds are the sum."""
    made = synthetic(repeats=())
    value = Finished(made)
    for place, (experiment, slots) in enumerate(TRAININGS):
        curve = AccuracyCurve(experiment.name, slots, (0.5,) * len(made.steps))
        machine = "one" if place < 5 else "another"
        value = value.adding(Trained(0, curve, 2.0, machine, "a" * 64))
    assert not value.trainings
    (repeat,) = value.reproduction.repeats
    assert repeat.environment == "one and another"
    assert repeat.seconds == 2.0 * TRAININGS_A_SEED


@pytest.mark.usefixtures("small_architecture")
def test_a_folder_that_cannot_be_used_is_refused_before_the_first_training(
    digits: Dataset, tmp_path: Path
) -> None:
    """The error comes before the first training, in one line that names the folder."""
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/self/run")):
        trainer = Recorder()
        with pytest.raises(RunError, match="can be written to") as raised:
            reproduce(trainer=trainer, iterations=20, seeds=1, data=digits, out=out)
        assert str(out) in str(raised.value)
        assert "\n" not in str(raised.value)
        assert not trainer.calls
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.usefixtures("small_architecture")
def test_a_full_disk_is_one_line(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line names the path and the free space."""

    def no_room(path: Path, data: bytes) -> None:
        del data
        raise OSError(errno.ENOSPC, "its device is full", str(path))

    monkeypatch.setattr("growsearch.reproduction.finished.write_atomically", no_room)
    with pytest.raises(RunError, match=r"its device is full .*MB free") as raised:
        reproduce(trainer=Recorder(), iterations=20, every=10, seeds=1, data=digits, out=tmp_path)
    assert FILE in str(raised.value)
