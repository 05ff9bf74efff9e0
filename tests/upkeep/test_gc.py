"""The disk space of a run: freed, and the resumed run is the one that it would have been."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import growsearch as gs
from growsearch.driver.events import Polished
from growsearch.errors import DamagedRunError, RunError
from growsearch.growth import Widen
from growsearch.networks.store import NetworkStore
from growsearch.study.attributes import Candidate, FreedAttribute
from growsearch.study.lock import locked
from growsearch.study.networks import DamagedNetworkWarning
from growsearch.study.result import SearchResult
from growsearch.upkeep.gc import KINDS, collect
from growsearch.upkeep.verify import verify
from tests import small_search
from tests.command_line import contents
from tests.fake_trainer import outcome
from tests.messages import one_line
from tests.slotted_trainer import SlottedTrainer
from tests.small_search import interrupt, studies
from tests.upkeep.stored_values import NAME, change_study, execute, kept_of, path_of

pytestmark = pytest.mark.usefixtures("quick_sqlite")

TRIALS = 6
SPACE = (
    'controls.arms=["random", "continued"]',
    'judge.rule="not_inferior"',
    "polish={steps = 6, parts = 2, cycles = 2, learning_rate = 0.01}",
)


def search(out: Path, **options: Any) -> SearchResult:
    """A search whose trainings depend on the slots of the networks that they start from."""
    options = {"trials": TRIALS, "trainer": SlottedTrainer(), "seed": 3, **options}
    return small_search.search(out, *SPACE, **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, quick_sqlite: None) -> SearchResult:
    """A run that nothing interrupted; to be copied, not changed."""
    del quick_sqlite
    result = search(tmp_path_factory.mktemp("whole") / "run")
    assert sum(record.kept for record in result.trials) >= 3
    return result


@pytest.fixture
def run(whole: SearchResult, tmp_path: Path) -> Path:
    """A folder of its own with that run."""
    return Path(shutil.copytree(whole.folder, tmp_path / "run"))


def size(folder: Path) -> int:
    """The bytes of all networks of a run."""
    return sum(NetworkStore(folder / "weights").sizes().values())


def with_slots(folder: Path) -> set[str]:
    """The networks of a run that have slots."""
    store = NetworkStore(folder / "weights")
    return {sha256 for sha256 in store.sizes() if store.get(sha256).slots is not None}


# --- the law ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("training", "step"),
    [
        ("teacher", 2),
        ("trial 0", 2),
        ("trial 2", 2),
        ("trial 2 random", 2),
        ("trial 3 continued", 2),
        ("trial 5 continued", 0),
        ("polish 2", 0),
        ("polish 4", 0),
    ],
)
def test_a_run_that_was_collected_ends_as_if_it_had_not_been(
    whole: SearchResult, tmp_path: Path, training: str, step: int
) -> None:
    """Interrupted in any training, collected, and resumed: the same trials, controls and bytes."""
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, on_event=interrupt(training, step))
    collect(tmp_path)
    assert verify(tmp_path).is_good
    assert outcome(search(tmp_path)) == outcome(whole)
    assert verify(tmp_path).is_good


@pytest.fixture(scope="module")
def windowed(tmp_path_factory: pytest.TempPathFactory, quick_sqlite: None) -> SearchResult:
    """A run with three pending candidates that nothing interrupted."""
    del quick_sqlite
    return search(tmp_path_factory.mktemp("windowed") / "run", pending_trials=3)


@pytest.mark.parametrize("training", ["trial 2", "trial 4", "trial 4 continued"])
def test_a_run_with_several_pending_trials_ends_the_same(
    windowed: SearchResult, tmp_path: Path, training: str
) -> None:
    """The next candidates grow from networks that are no longer the best."""
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, pending_trials=3, on_event=interrupt(training, 2))
    collect(tmp_path)
    assert verify(tmp_path).is_good
    assert outcome(search(tmp_path, pending_trials=3)) == outcome(windowed)


def test_a_longer_run_with_several_pending_trials_is_the_same(
    windowed: SearchResult, tmp_path: Path
) -> None:
    """The first candidate of a later session does not know the last trials of the one before."""
    search(tmp_path, pending_trials=3, trials=4)
    collect(tmp_path)
    assert outcome(search(tmp_path, pending_trials=3)) == outcome(windowed)


def test_a_run_that_is_collected_after_each_trial_is_the_same(
    whole: SearchResult, tmp_path: Path
) -> None:
    """Nothing that a later trial needs is freed; each session has a polish of its own."""
    for trials in range(TRIALS):
        search(tmp_path, trials=trials)
        collect(tmp_path)
    assert outcome(search(tmp_path)) == outcome(whole)


def test_without_its_slots_an_incumbent_would_train_to_another_network(
    run: Path, whole: SearchResult, tmp_path: Path
) -> None:
    """The trainer of these tests sees what is lost, so that they mean something."""
    search(tmp_path / "longer", trials=TRIALS + 1)
    number, about = kept_of(run)[-1]
    store = NetworkStore(run / "weights")
    network = store.get(about.sha256)
    bare = store.put(gs.Network(network.architecture, network.weights))
    FreedAttribute(value={about.sha256: bare}).write(studies(run)[0])
    assert search(run, trials=TRIALS).best.trial_number == number == whole.best.trial_number
    with_it, without = gs.load_result(tmp_path / "longer"), search(run, trials=TRIALS + 1)
    assert with_it.trials[-1].gain != without.trials[-1].gain


# --- what is freed ------------------------------------------------------------------------------


def test_slots_of_earlier_networks_are_freed(run: Path, whole: SearchResult) -> None:
    """Those of the incumbent stay, from which more trials and a new polish go on.

    Every trial still has its network, and the best one is the polished one.
    """
    before, about = size(run), [each for _, each in kept_of(run)]
    found = collect(run)
    assert before - size(run) == found.bytes == sum(found.kinds[kind].bytes for kind in KINDS)
    polish = studies(run)[0].user_attrs["polish"]
    assert with_slots(run) == {polish["of"]}
    parts = {polish["sha256"], polish["last"]} - {polish["of"]}
    # The teacher's too, and not the incumbent's.
    assert found.kinds["slots"].files == len(about) + len(parts)
    assert parts
    assert found.after == sum(len(data) for data, _ in contents(run).values())
    assert found.kinds["orphans"].files > 0  # parts of the polish that did not become best
    assert outcome(gs.load_result(run)) == outcome(whole)
    assert verify(run).is_good
    freed = FreedAttribute.read(studies(run)[0])
    assert freed is not None
    for old, new in freed.value.items():
        one = gs.Network.load(path_of(whole.folder, old))
        other = gs.Network.load(path_of(run, new))
        assert other.slots is None
        assert all((one.flat()[name] == array).all() for name, array in other.flat().items())


def test_a_second_collection_frees_nothing(run: Path) -> None:
    """And changes nothing."""
    collect(run)
    before = contents(run / "weights")
    assert collect(run).bytes == 0
    assert contents(run / "weights") == before


def test_a_dry_run_changes_nothing(run: Path) -> None:
    """And tells what would be freed, to the byte."""
    add_files(run)
    before = {name: each for name, each in contents(run).items() if name != ".lock"}
    planned = collect(run, dry_run=True)
    assert {name: each for name, each in contents(run).items() if name != ".lock"} == before
    assert collect(run).kinds == planned.kinds
    assert planned.dry_run


def add_files(run: Path) -> None:
    """Add the files that killed sessions leave."""
    images = run / "data" / studies(run)[0].user_attrs["data"]["fingerprint"]
    for folder in (images, run / "running", run / "data" / ".partial-images"):
        folder.mkdir(parents=True)
    for name in ("train.x.npy", "train.y.npy", "held_out.x.npy", ".partial-1"):
        (images / name).write_bytes(bytes(100))
    (run / "data" / ".partial-images" / "train.x.npy").write_bytes(bytes(1000))
    (run / "running" / "trial-3.jsonl").write_bytes(bytes(10))
    (run / "weights" / ".partial-2").write_bytes(bytes(10_000))
    orphan = gs.Network.initial(gs.Architecture.parse("9(fc1)", (3,)), rng=0)
    orphan.save(path_of(run, orphan.sha256))


def test_what_killed_sessions_leave_is_freed(run: Path) -> None:
    """Images, progress, unfinished files and orphans; folders that are empty then."""
    collect(run)
    add_files(run)
    kinds = collect(run).kinds
    assert (kinds["images"].files, kinds["images"].bytes) == (3, 300)
    assert (kinds["progress"].files, kinds["progress"].bytes) == (1, 10)
    assert (kinds["partial files"].files, kinds["partial files"].bytes) == (3, 11_100)
    assert kinds["orphans"].files == 1
    assert kinds["slots"].files == 0
    assert sorted(each.name for each in run.iterdir()) == [".lock", "study.db", "weights"]


def test_files_of_others_stay(run: Path, tmp_path: Path) -> None:
    """In the folders of images and weights too; links are not followed."""
    mine, elsewhere = run / "data" / "mine", tmp_path / "elsewhere"
    for folder in (mine, elsewhere):
        folder.mkdir(parents=True)
        (folder / "train.x.npy").write_text("mine")
    (run / "data" / ("0" * 64)).symlink_to(elsewhere)
    (run / "running").symlink_to(elsewhere)
    (run / "weights" / "notes.txt").write_text("mine")
    collect(run)
    assert (mine / "train.x.npy").read_text() == (elsewhere / "train.x.npy").read_text() == "mine"
    assert (run / "weights" / "notes.txt").is_file()


def test_parents_of_pending_trials_keep_their_slots(run: Path) -> None:
    """Several of them, on different parents: their jobs are sent again."""
    study = studies(run)[0]
    kept = kept_of(run)
    parents = [kept[0], kept[-2]]
    for number, about in parents:
        architecture = gs.Network.load(path_of(run, about.sha256)).architecture
        place = next(name for name in ("fc1", "fc2") if name in str(about.architecture))
        described = Candidate.described(TRIALS, number, Widen(place, 64), architecture)
        trial = study.ask()
        for name, value in described.to_attributes().items():
            trial.set_user_attr(name, value)
    collect(run)
    slotted = with_slots(run)
    assert {about.sha256 for _, about in parents} <= slotted
    polish = study.user_attrs["polish"]
    assert slotted == {about.sha256 for _, about in parents} | {polish["of"]}


def test_a_parent_keeps_its_slots_until_all_controls_are_made(run: Path) -> None:
    """The controls of a trial start from its parent, whatever became best since."""
    number, about = kept_of(run)[1]
    parent = dict(kept_of(run))[about.parent].sha256
    execute(
        run,
        "DELETE FROM trial_user_attributes WHERE key = 'candidate' AND trial_id IN "
        "(SELECT trial_id FROM trials JOIN studies USING (study_id) "
        "WHERE study_name = ? AND number = ?)",
        f"{NAME}-control",
        2 * number,
    )
    collect(run)
    assert parent in with_slots(run)


def test_a_network_that_was_polished_keeps_its_slots(run: Path) -> None:
    """Another network became best since, and the polish has not begun again."""
    polished = studies(run)[0].user_attrs["polish"]["of"]
    with pytest.raises(KeyboardInterrupt):
        search(run, trials=TRIALS + 3, on_event=interrupt("polish 1", 0))
    assert gs.load_result(run).best.trial_number != kept_of(run)[0][0]
    assert kept_of(run)[-1][1].sha256 != polished
    collect(run)
    assert polished in with_slots(run)


# --- a network that is damaged ------------------------------------------------------------------


def test_a_damaged_incumbent_gives_way_to_a_network_without_slots(
    run: Path, whole: SearchResult
) -> None:
    """With the accuracy that it had; the search goes on from it."""
    collect(run)
    kept = kept_of(run)
    path_of(run, kept[-1][1].sha256).unlink()
    with pytest.warns(DamagedNetworkWarning):
        result = gs.load_result(run)
    number = kept[-2][0]
    assert result.best.trial_number == number
    assert result.best.network.slots is None
    assert result.best.sha256 == result.best.path.stem == result.best.network.sha256
    assert result.best.validation_accuracy == whole.study.trials[number].value
    with pytest.warns(DamagedNetworkWarning):
        longer = search(run, trials=TRIALS + 2)
    assert len(longer.trials) == TRIALS + 2
    assert [record.parent for record in longer.trials][TRIALS] == number


def test_a_damaged_network_is_left_alone_and_told(run: Path) -> None:
    """An older one; the others are freed all the same."""
    path = path_of(run, kept_of(run)[0][1].sha256)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    found = collect(run)
    assert len(found.damaged) == 1
    assert path.stem in found.damaged[0]
    assert path.is_file()
    # Of the others, of the teacher and of the polish's last part; the incumbent keeps its own.
    assert found.kinds["slots"].files == len(kept_of(run))


def test_with_a_damaged_incumbent_its_successor_keeps_its_slots(run: Path) -> None:
    """The network that the next trial grows from."""
    kept = kept_of(run)
    path_of(run, kept[-1][1].sha256).unlink()
    found = collect(run)
    assert kept[-2][1].sha256 in with_slots(run)
    assert len(found.damaged) == 0 or kept[-1][1].sha256 in found.damaged[0]


@pytest.mark.parametrize("name", ["teacher", "polish", "space", "freed"])
def test_nothing_is_freed_of_a_study_that_cannot_be_read(run: Path, name: str) -> None:
    """An attribute that another program wrote may hide the need of a network."""
    if name == "freed":
        studies(run)[0].set_user_attr("freed", {})
    change_study(run, name, lambda _: "mine")
    before = contents(run / "weights")
    with pytest.raises(DamagedRunError) as caught:
        collect(run)
    assert name in one_line(caught)
    assert contents(run / "weights") == before


# --- a kill -------------------------------------------------------------------------------------


class KilledError(BaseException):
    """The end of a process, as far as one process can play it."""


def dies(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, call: int, *, after: bool) -> None:
    """Let a process die before or after a call of a function."""
    original: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def counted(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            raise KilledError
        found = original(*args, **options)
        if calls == call:
            raise KilledError
        return found

    monkeypatch.setattr(owner, name, counted)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", [1, 3])
@pytest.mark.parametrize(
    ("owner", "name"),
    [(NetworkStore, "put"), (FreedAttribute, "write"), (NetworkStore, "remove")],
    ids=["put", "write", "remove"],
)
def test_a_kill_at_any_step_loses_nothing(
    run: Path, whole: SearchResult, owner: Any, name: str, call: int, after: bool
) -> None:
    """Every promise is kept, the result is the same, and a second collection ends the first."""
    with pytest.MonkeyPatch.context() as patch:
        dies(patch, owner, name, call, after=after)
        with pytest.raises(KilledError):
            collect(run)
    assert verify(run).is_good
    assert outcome(gs.load_result(run)) == outcome(whole)
    collect(run)
    undisturbed = shutil.copytree(whole.folder, run.parent / "undisturbed")
    collect(undisturbed)
    assert {*NetworkStore(run / "weights").sizes()} == {
        *NetworkStore(undisturbed / "weights").sizes()
    }
    assert outcome(search(run)) == outcome(whole)


def test_a_full_disk_is_one_line(run: Path, whole: SearchResult) -> None:
    """The slots, whose removal needs room, are freed after all else."""
    add_files(run)

    def no_room(store: NetworkStore, _: gs.Network) -> str:
        raise OSError(errno.ENOSPC, "its device is full", str(store.folder / "x"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NetworkStore, "put", no_room)
        with pytest.raises(RunError) as caught:
            collect(run)
    assert "its device is full" in one_line(caught)
    assert not (run / "data").exists()
    assert outcome(gs.load_result(run)) == outcome(whole)
    assert verify(run).is_good


# --- who may ------------------------------------------------------------------------------------


def test_a_run_that_is_worked_on_is_not_collected(tmp_path: Path) -> None:
    """Its networks in flight have no names yet."""
    refusals: list[str] = []

    def look(event: Any) -> None:
        if isinstance(event, Polished):
            with pytest.raises(RunError) as caught:
                collect(tmp_path, dry_run=True)
            refusals.append(one_line(caught))

    search(tmp_path, trials=1, on_event=look)
    assert refusals
    assert "another growsearch process works in it" in refusals[0]


def test_a_search_waits_for_no_collection(run: Path) -> None:
    """It is refused, in one line, while the folder is held."""
    with locked(run), pytest.raises(RunError) as caught:
        search(run)
    assert "another growsearch process works in it" in one_line(caught)


def test_no_run_is_one_line(tmp_path: Path) -> None:
    """And nothing is made by looking."""
    with pytest.raises(RunError) as caught:
        collect(tmp_path / "nowhere")
    assert "expected the folder of a run" in one_line(caught)
    assert not [*tmp_path.iterdir()]


def test_a_run_in_a_storage_of_its_own_is_collected(tmp_path: Path) -> None:
    """The folder of another run with that name is not."""
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    whole = search(tmp_path / "run", storage=url)
    other = shutil.copytree(tmp_path / "run", tmp_path / "elsewhere" / "run")
    (other / "run-id").write_text("0" * 32)
    before = contents(other / "weights")
    with pytest.raises(RunError) as caught:
        collect(other, storage=url)
    assert "another run named run" in one_line(caught)
    assert contents(other / "weights") == before
    assert collect(tmp_path / "run", storage=url).kinds["slots"].files > 0
    assert outcome(gs.load_result(tmp_path / "run", storage=url)) == outcome(whole)


def test_a_run_without_a_teacher_has_orphans_only(tmp_path: Path) -> None:
    """Interrupted in its first training."""
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, on_event=interrupt("teacher", 2))
    assert collect(tmp_path).bytes == 0
