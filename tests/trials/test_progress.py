"""The progress of jobs in other processes: one file a job, read while it is written."""

from __future__ import annotations

import json
import math
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growsearch.training import Point
from growsearch.trials.progress import Direct, JobProgress, ProgressFolder, Silent
from tests.strategies import mutated, quick

CURVE = (Point(0, 0.25, 1.5), Point(10, 0.5, 0.75), Point(20, 1.0, 1e-9))
WORKER = {"worker": "node7:4711"}
LINES = "".join(
    json.dumps(line) + "\n"
    for line in (
        WORKER,
        *({"point": [p.step, p.accuracy, p.loss]} for p in CURVE),
        {"out_of_memory": [3, 2]},
    )
)


@pytest.fixture
def folder(tmp_path: Path) -> ProgressFolder:
    return ProgressFolder(tmp_path / "not there yet" / "running")


def written(folder: ProgressFolder, name: str, data: bytes) -> JobProgress | None:
    """The progress that is read from these bytes."""
    folder.folder.mkdir(parents=True, exist_ok=True)
    folder._path(name).write_bytes(data)
    return folder.read(name)


def test_what_a_worker_tells_is_read(folder: ProgressFolder) -> None:
    """Its place, then each point when it is told; nothing before it began, nothing after."""
    assert folder.read("trial 1") is None
    with folder.reporting("trial 1") as on_point:
        begun = folder.read("trial 1")
        assert begun is not None
        assert begun.curve == ()
        for number, point in enumerate(CURVE, start=1):
            on_point(point)
            found = folder.read("trial 1")
            assert found is not None
            assert found.curve == CURVE[:number]
    host, _, process = begun.worker.rpartition(":")
    assert host
    assert process.isdigit()
    folder.out_of_memory("trial 1", 3, 2)
    found = folder.read("trial 1")
    assert found is not None
    assert found.out_of_memory == (3, 2)
    folder.forget("trial 1")
    assert folder.read("trial 1") is None
    folder.forget("trial 1")


def test_a_second_beginning_forgets_the_first(folder: ProgressFolder) -> None:
    """The job of a lost worker begins anew."""
    with folder.reporting("trial 1") as on_point:
        on_point(CURVE[0])
        folder.out_of_memory("trial 1", 3, 2)
    with folder.reporting("trial 1"):
        found = folder.read("trial 1")
    assert found is not None
    assert (found.curve, found.out_of_memory) == ((), None)


@quick
@given(cut=st.integers(0, len(LINES)))
def test_a_half_written_line_is_passed_over(tmp_path: Path, cut: int) -> None:
    """At any moment the file has the points whose lines are whole."""
    found = written(ProgressFolder(tmp_path), "trial 1", LINES[:cut].encode())
    whole = LINES[:cut].count("\n")
    if found is None:
        assert whole == 0
    else:
        assert found.curve[: max(0, whole - 1)] == CURVE[: max(0, whole - 1)]
        assert len(found.curve) <= whole


@quick
@given(data=mutated(LINES.encode()) | st.binary(max_size=40))
def test_a_damaged_file_raises_nothing(tmp_path: Path, data: bytes) -> None:
    """Progress is for displays: no search ends by it."""
    written(ProgressFolder(tmp_path), "trial 1", data)


@pytest.mark.parametrize(
    "line",
    [
        '7\n"point"\nnull\n[]',
        '{"point": 3}\n{"point": [1]}',
        '{"point": [1e999, 0, 0]}',
        '{"point": [NaN, 0, 0]}',
        '{"out_of_memory": [Infinity, 1]}',
        '{"point": [' + "9" * 5000,
        "[" * 100_000,
    ],
    ids=range(7),
)
def test_a_strange_line_is_passed_over(folder: ProgressFolder, line: str) -> None:
    """The lines around it count."""
    text = f"{json.dumps(WORKER)}\n{line}\n{json.dumps({'point': [1, 0.5, 0.25]})}\n"
    assert written(folder, "trial 1", text.encode()) == JobProgress(
        "node7:4711", (Point(1, 0.5, 0.25),)
    )


@pytest.mark.parametrize("name", ["", ".", "..", "../../etc/passwd", "/a", "trial 1 a/1", "ä\n\0"])
def test_a_strange_name_is_a_file_of_the_folder(folder: ProgressFolder, name: str) -> None:
    """No name leads out of it."""
    with folder.reporting(name) as on_point:
        on_point(CURVE[0])
    (path,) = folder.folder.iterdir()
    assert path.name.endswith(".jsonl")
    found = folder.read(name)
    assert found is not None
    assert found.curve == CURVE[:1]


def test_names_of_a_run_do_not_share_a_file(folder: ProgressFolder) -> None:
    names = [
        "teacher",
        "polish 1",
        "the incumbent's losses",
        *(f"trial {n}{arm}{r}" for n in (1, 11) for arm in ("", " random") for r in ("", "/1")),
        "trial 1 scratch",
        "trial 1 scratch_compute",
    ]
    assert len({folder._path(name) for name in names}) == len(names)


def test_a_folder_that_cannot_be_written_costs_no_result(tmp_path: Path) -> None:
    """A full disk is told where a result is lost by it."""
    (tmp_path / "running").write_text("a file")
    folder = ProgressFolder(tmp_path / "running")
    with folder.reporting("a") as on_point:
        on_point(CURVE[0])
    folder.out_of_memory("a", 2, 1)
    assert folder.read("a") is None
    folder.forget("a")
    with folder.reporting("n" * 5000):  # a name that no file can have
        assert folder.read("n" * 5000) is None


def test_a_loss_that_is_no_number_is_a_point(folder: ProgressFolder) -> None:
    """A training that diverges is shown as it is."""
    with folder.reporting("a") as on_point:
        on_point(Point(3, 0.1, math.nan))
    found = folder.read("a")
    assert found is not None
    assert math.isnan(found.curve[0].loss)


def test_in_the_drivers_process_points_are_calls() -> None:
    heard: list[tuple[str, Point]] = []
    with Direct(lambda name, point: heard.append((name, point))).reporting("a") as on_point:
        on_point(CURVE[0])
    with Silent().reporting("b") as on_point:
        on_point(CURVE[1])
    assert heard == [("a", CURVE[0])]


def test_a_pickled_folder_is_its_path(folder: ProgressFolder) -> None:
    assert pickle.loads(pickle.dumps(folder)) == folder
    assert len(pickle.dumps(folder)) < 400
