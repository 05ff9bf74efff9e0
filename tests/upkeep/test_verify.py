"""The check of a run: nothing wrong with a good one, each broken promise found and named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import growsearch as gs
from growsearch.driver.events import TrialFinished
from growsearch.errors import RunError
from growsearch.growth import Widen
from growsearch.study.attributes import Candidate
from growsearch.study.lock import locked
from growsearch.study.result import SearchResult
from growsearch.upkeep.verify import verify
from tests.command_line import contents
from tests.messages import one_line
from tests.small_search import TRIALS, interrupt, search, studies
from tests.upkeep.stored_values import NAME, change_study, change_trial, execute, kept_of, path_of

pytestmark = pytest.mark.usefixtures("quick_sqlite")

POLISH = "polish={steps = 4, parts = 2, learning_rate = 0.01}"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, quick_sqlite: None) -> SearchResult:
    """A run with a polish and held-out images; to be copied, not changed."""
    del quick_sqlite
    folder = tmp_path_factory.mktemp("whole") / "run"
    return search(folder, POLISH, 'controls.arms=["random", "continued"]', "judge.held_out=0.5")


@pytest.fixture
def run(whole: SearchResult, tmp_path: Path) -> Path:
    """A folder of its own with that run."""
    return Path(shutil.copytree(whole.folder, tmp_path / "run"))


def faults(folder: Path, **options: Any) -> dict[str, tuple[str, ...]]:
    """The broken promises of a run, each with its faults."""
    found = verify(folder, **options)
    assert found.is_good == all(promise.is_kept for promise in found.promises)
    json.dumps(found.to_json(), allow_nan=False)
    every = [fault for promise in found.promises for fault in promise.faults]
    assert not any("\n" in fault for fault in every)
    return {each.name: each.faults for each in found.promises if each.faults}


def notes(folder: Path) -> str:
    """All that the check of a run notes, beside faults."""
    return "; ".join(note for promise in verify(folder).promises for note in promise.notes)


def test_a_good_run_keeps_every_promise(run: Path) -> None:
    """All is checked, and nothing is changed: no file, no time, no lock."""
    before = contents(run)
    found = verify(run)
    assert contents(run) == before
    assert found.is_good
    checked = {promise.name: promise.checked for promise in found.promises}
    assert checked["each index has one result"] == TRIALS
    assert checked["one control for each candidate, arm and seed"] == 2 * TRIALS
    polish = studies(run)[0].user_attrs["polish"]
    named = {about.sha256 for _, about in kept_of(run)} | {polish["sha256"], polish["last"]}
    assert checked["every network is there, with its bytes"] == len(named) + 1  # the teacher's
    assert found.to_json()["ok"] is True


@pytest.mark.parametrize(("training", "step"), [("teacher", 2), ("trial 1", 2), ("trial 2", 4)])
def test_an_interrupted_run_keeps_them_too(tmp_path: Path, training: str, step: int) -> None:
    """Whatever is left to do: a teacher, a trial, a control."""
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, on_event=interrupt(training, step))
    assert faults(tmp_path) == {}


def test_a_run_whose_last_controls_are_missing_is_good(tmp_path: Path) -> None:
    """They are counted as still to come."""
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, on_event=interrupt("trial 1 random", 2))
    assert faults(tmp_path) == {}
    assert "1 still to come" in notes(tmp_path)


def test_a_read_only_run_can_be_checked(run: Path) -> None:
    """Without the lock's file, too."""
    (run / ".lock").unlink()
    run.chmod(0o555)
    try:
        assert verify(run).is_good
        assert not (run / ".lock").exists()
    finally:
        run.chmod(0o755)


def test_no_run_is_one_line(tmp_path: Path) -> None:
    """And nothing is made by looking."""
    with pytest.raises(RunError) as caught:
        verify(tmp_path / "nowhere")
    assert "expected the folder of a run" in one_line(caught)
    assert not [*tmp_path.iterdir()]


# --- networks -----------------------------------------------------------------------------------

NETWORKS = "every network is there, with its bytes"
DAMAGES: dict[str, Callable[[Path], Any]] = {
    "deleted": Path.unlink,
    "flipped": lambda path: path.write_bytes(path.read_bytes()[:-2] + b"??"),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-7]),
    "empty": lambda path: path.write_bytes(b""),
    "link": lambda path: path.rename(path.with_name("x")) and path.symlink_to("x"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("place", [0, -1])
def test_a_damaged_network_of_a_trial_is_found(run: Path, damage: str, place: int) -> None:
    """The oldest or the newest; the trial is named."""
    number, about = kept_of(run)[place]
    DAMAGES[damage](path_of(run, about.sha256))
    found = faults(run)
    assert [fault.startswith(f"trial {number}") for fault in found[NETWORKS]] == [True]


@pytest.mark.parametrize("key", ["teacher.sha256", "polish.sha256", "polish.last"])
def test_a_lost_network_of_teacher_or_polish_is_found(run: Path, key: str) -> None:
    """Without its teacher a run has no best network either."""
    name, part = key.split(".")
    path_of(run, studies(run)[0].user_attrs[name][part]).unlink()
    found = faults(run)
    assert NETWORKS in found
    assert ("the best network verifies" in found) == (name == "teacher")


def test_a_network_of_another_architecture_is_found(run: Path) -> None:
    """The bytes have their hash, and are another trial's."""
    (first, one), (_, other) = kept_of(run)[:2]
    change_trial(run, first, sha256=other.sha256)
    assert one.architecture != other.architecture
    assert faults(run)[NETWORKS][0].startswith(f"trial {first}: expected a network")


def test_networks_that_nothing_names_are_no_fault(copy: Path) -> None:
    """Their number and size are told."""
    network = gs.Network.initial(gs.Architecture.parse("9(fc1)", (3,)), rng=0)
    path = path_of(copy, network.sha256)
    network.save(path)
    assert faults(copy) == {}
    assert "1 networks that nothing names, 0.0 MB" in notes(copy)


# --- trials -------------------------------------------------------------------------------------

VALUES = "values, curves and gains agree"


def last_kept(folder: Path) -> int:
    """The number of the trial that was kept last."""
    return kept_of(folder)[-1][0]


def test_another_value_is_found(run: Path) -> None:
    """It is no longer the end of its curve."""
    execute(run, "UPDATE trial_values SET value = value + 0.001 WHERE trial_value_id = 1")
    assert "end of its curve" in faults(run)[VALUES][0]


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"gain": 0.5}, "expected a gain of"),
        ({"gain": None}, "expected a gain of"),
        ({"curve": []}, "without a curve"),
        ({"curve": [[4, 0.5, 0.5], [2, 0.5, 0.5]]}, "do not ascend"),
    ],
)
def test_an_outcome_that_contradicts_itself_is_found(
    run: Path, values: dict[str, Any], fault: str
) -> None:
    """Value, curve, gain and the parent's value agree."""
    number = last_kept(run)
    change_trial(run, number, **values)
    found = faults(run)[VALUES]
    assert any(fault in each and each.startswith(f"trial {number}: ") for each in found)


GROWTHS = "each growth gives its architecture from its parent's"


@pytest.mark.parametrize(
    "values",
    [
        {"architecture": "3x3x2(conv1)-pool1-4(fc1)-3(fc2)"},
        {"growth_json": {"operation": "widen"}},
        {"growth_json": {"operation": "explode"}},
        {"parameters": 7},
        {"flops": 7},
    ],
    ids=str,
)
def test_a_description_that_contradicts_itself_is_found(run: Path, values: dict[str, Any]) -> None:
    """A growth, on the architecture of its parent, gives the architecture of its trial."""
    change_trial(run, last_kept(run), **values)
    assert any(f"trial {last_kept(run)}" in fault for fault in faults(run)[GROWTHS])


def test_a_parent_that_was_not_kept_is_found(run: Path) -> None:
    """Only a network that was the best can have been grown."""
    (first, _), *_ = kept_of(run)
    change_trial(run, first, kept=False)
    assert f"trial {first}, was not kept" in "".join(
        faults(run)["each parent is an earlier trial that was kept, or the teacher"]
    )


@pytest.mark.parametrize("parent", [99, -1, "one"])
def test_a_parent_that_is_no_earlier_trial_is_found(run: Path, parent: Any) -> None:
    """Its attributes are not what growsearch wrote."""
    change_trial(run, last_kept(run), parent=parent)
    assert "every attribute is what growsearch wrote" in faults(run)


def test_an_index_that_two_trials_have_is_found(run: Path) -> None:
    """Each place has one result."""
    change_trial(run, 2, index=1)
    assert faults(run)["each index has one result"] == ("trial 2: expected the index 2, got 1",)


CONTROLS = "one control for each candidate, arm and seed"


def test_a_second_result_of_a_control_is_found(run: Path) -> None:
    """Also where it is the same."""
    _, control = studies(run)
    control.add_trial(control.trials[0])
    (fault,) = faults(run)[CONTROLS]
    assert "2 results of" in fault


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"candidate": 77}, "trial 77, is not complete"),
        ({"arm": "lottery"}, "no arm is called 'lottery'"),
        ({"index": 3}, "expected index and growth of trial"),
        ({"growth": "Widen(x, 4)"}, "expected index and growth of trial"),
        ({"architecture": "9(fc1)"}, "expected the architecture"),
        ({"curve": [[0, 0.1, 0.1]]}, "expected the value at the end of its curve"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_control_that_is_not_its_candidates_is_found(
    run: Path, values: dict[str, Any], fault: str
) -> None:
    """It belongs to a trial that is complete, and to its growth."""
    change_trial(run, 0, f"{NAME}-control", **values)
    assert any(fault in each for each in faults(run)[CONTROLS])


def test_a_running_trial_without_a_driver_is_found(run: Path) -> None:
    """With one that works on the run, it is noted."""
    studies(run)[0].ask()
    (fault,) = faults(run)["no trial is stuck"]
    assert fault.startswith(f"trial {TRIALS}: running")
    with locked(run):
        assert faults(run) == {}
        assert "a process works on the run" in notes(run)


def test_a_pending_trial_is_noted(run: Path, whole: SearchResult) -> None:
    """Its job is sent again by the next session."""
    trial = studies(run)[0].ask()
    number, before = last_kept(run), whole.best.network.architecture
    about = Candidate.described(TRIALS, number, Widen("fc1", 64), before)
    for name, value in about.to_attributes().items():
        trial.set_user_attr(name, value)
    assert faults(run) == {}
    assert f"trial {TRIALS} is pending" in notes(run)


def test_a_queued_trial_is_noted(run: Path) -> None:
    """A caller may queue trials between two sessions."""
    studies(run)[0].enqueue_trial({"position": 0.5})
    assert faults(run) == {}
    assert f"trial {TRIALS} is queued" in notes(run)


def test_a_run_is_good_while_it_runs(tmp_path: Path) -> None:
    """At each trial's end, seen by the process that runs it."""
    broken: list[dict[str, Any]] = []

    def look(event: Any) -> None:
        if isinstance(event, TrialFinished):
            broken.append(faults(tmp_path))

    search(tmp_path, on_event=look)
    assert broken == [{}] * TRIALS


# --- the study and the folder -------------------------------------------------------------------

END = "accuracies on test and held-out images are the best network's"


def test_accuracies_of_no_network_of_the_run_are_found(copy: Path) -> None:
    """Those of an earlier best network are noted: they are measured again at the end."""
    change_study(copy, "test", lambda test: test | {"sha256": "0" * 64})
    assert "no network of the run" in faults(copy)[END][0]
    first = kept_of(copy)[0][1].sha256
    change_study(copy, "test", lambda test: test | {"sha256": first})
    assert faults(copy) == {}
    assert "of an earlier best network" in notes(copy)


@pytest.mark.parametrize("key", ["accuracy", "held_out_accuracy", "teacher_accuracy"])
def test_accuracies_beyond_one_are_found(run: Path, key: str) -> None:
    """They are fractions."""
    change_study(run, "test", lambda test: test | {key: 1.5})
    assert faults(run)[END] == (f"{key}: expected a fraction, got 1.5",)


@pytest.mark.parametrize("name", ["teacher", "space", "data", "polish", "laps", "seed"])
def test_an_attribute_of_another_program_is_found(run: Path, name: str) -> None:
    """Each attribute of the study is read."""
    change_study(run, name, lambda _: "mine")
    assert any(name in fault for fault in faults(run)["every attribute is what growsearch wrote"])


def test_a_database_that_optuna_cannot_read_is_found(run: Path) -> None:
    """It is a run, and a damaged one."""
    execute(run, "UPDATE trials SET state = 'DONE'")
    assert [*faults(run)] == ["every attribute is what growsearch wrote"]


@pytest.fixture
def shared(tmp_path: Path) -> tuple[Path, str]:
    """A run whose study lies in a storage of its own."""
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    search(tmp_path / "run", trials=1, storage=url)
    return tmp_path / "run", url


def test_the_folder_of_another_run_is_found(shared: tuple[Path, str], tmp_path: Path) -> None:
    """By the id that stands in both."""
    folder, url = shared
    assert faults(folder, storage=url) == {}
    other = shutil.copytree(folder, tmp_path / "elsewhere" / "run")
    (other / "run-id").write_text("0" * 32)
    assert (
        "another run named run" in faults(other, storage=url)["folder and study belong together"][0]
    )


@pytest.mark.parametrize("name", ["weights/.partial-abc", ".partial-abc", "running/.partial-x"])
def test_an_unfinished_file_is_found(run: Path, name: str) -> None:
    """Unless a process works on the run, which may be writing it."""
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).write_bytes(b"half")
    assert name in faults(run)["no file is unfinished"][0]
    with locked(run):
        assert faults(run) == {}


IMAGES = "stored images are the run's"


def store_images(folder: Path, fingerprint: str) -> Path:
    """Arrays as a driver stores them."""
    images = folder / "data" / fingerprint
    images.mkdir(parents=True)
    for part in ("train", "selection", "test"):
        np.save(images / f"{part}.x.npy", np.zeros((3, 4, 4, 1), np.float32))
        np.save(images / f"{part}.y.npy", np.zeros(3, np.int64))
    return images


def test_stored_images_are_the_runs(run: Path) -> None:
    """Whole, and with as many labels."""
    images = store_images(run, studies(run)[0].user_attrs["data"]["fingerprint"])
    assert faults(run) == {}
    np.save(images / "test.y.npy", np.zeros(4, np.int64))
    assert "3 images and 4 labels" in faults(run)[IMAGES][0]
    (images / "test.y.npy").write_bytes(b"\x93NUMPY\x01")
    assert "cannot be read" in faults(run)[IMAGES][0]
    np.save(images / "test.y.npy", np.array([object()]), allow_pickle=True)
    assert "cannot be read" in faults(run)[IMAGES][0]
    (images / "test.y.npy").unlink()
    (images / "mine.txt").write_text("?")
    assert "mine.txt" in faults(run)[IMAGES][0]


def test_images_of_another_run_are_found(run: Path) -> None:
    """By their fingerprint, the name of their folder."""
    store_images(run, "0" * 64)
    assert "the images with the run's fingerprint" in faults(run)[IMAGES][0]
