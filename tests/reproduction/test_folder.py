"""The folder of a reproduction: resumed by seeds, never overwritten, refused before a training."""

from __future__ import annotations

import dataclasses
import errno
from pathlib import Path
from typing import Any

import pytest

from growsearch.datasets import Dataset, Split
from growsearch.errors import RunError
from growsearch.reproduction.result import Reproduction
from growsearch.reproduction.run import FILE, reproduce
from tests.fake_reproduction import TRAININGS_A_SEED, Recorder

# Third parties' own: TensorFlow's Keras warns about its own layers.
pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated:UserWarning")


def test_resuming_repeats_nothing(measured: tuple[Reproduction, Path], digits: Dataset) -> None:
    """Seeds that the folder has are read, not trained: no trainer is needed."""
    found, out = measured
    idle = Recorder()
    again = reproduce(trainer=idle, iterations=30, every=10, seeds=1, data=digits, out=out)
    assert again == found
    assert not idle.calls


@pytest.mark.usefixtures("small_architecture")
def test_resuming_after_an_interruption_gives_the_same(digits: Dataset, tmp_path: Path) -> None:
    """Interrupted in its second seed, a reproduction keeps the first and ends as if undisturbed."""
    dying, rest = Recorder(dies_at=TRAININGS_A_SEED + 3), Recorder()
    with pytest.raises(KeyboardInterrupt):
        reproduce(trainer=dying, iterations=20, every=10, seeds=2, data=digits, out=tmp_path)
    kept = Reproduction.from_json((tmp_path / FILE).read_bytes())
    assert kept.seeds == (0,)
    found = reproduce(trainer=rest, iterations=20, every=10, seeds=2, data=digits, out=tmp_path)
    assert len(rest.calls) == TRAININGS_A_SEED
    assert found.repeats[0] == kept.repeats[0]
    assert {call.seed for call in rest.calls}.isdisjoint(call.seed for call in dying.calls[:9])
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


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

    monkeypatch.setattr("growsearch.reproduction.run.write_atomically", no_room)
    with pytest.raises(RunError, match=r"its device is full .*MB free") as raised:
        reproduce(trainer=Recorder(), iterations=20, every=10, seeds=1, data=digits, out=tmp_path)
    assert FILE in str(raised.value)
