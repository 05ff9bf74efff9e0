"""The law of the window: a run follows from space, seed, data and K, and from nothing else.

Not from the number of workers, nor from the order in which they finish, nor from deaths of workers
and of the driver. The serial run of the same K, by the executor of this process, is the oracle.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import optuna
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from growsearch.driver import opening
from growsearch.driver.events import Started, Training
from growsearch.driver.pending import default_window
from growsearch.errors import RunError
from growsearch.study.attributes import Candidate
from growsearch.study.result import SearchResult
from tests.fake_trainer import outcome, space
from tests.small_search import search
from tests.virtual_executor import VirtualExecutor, virtual

pytestmark = pytest.mark.usefixtures("quick_sqlite")

TRIALS = 6

NOT_INFERIOR = "judge.rule=not_inferior"
ARMS = "controls={arms = {random = 0.8, scratch = 0.4}, seeds = 2}"
TUNED = "controls={arms = {random = 1.0, continued = 0.5}, tuned = 3}"
NO_ARMS = "controls={arms = {}}"
RANDOM = "search.sampler=random"
HALVING = "pruning={warmup_steps = 2, tolerance = 0.02, reduction = 2}"

SPACES = (
    (),
    (RANDOM, NO_ARMS),
    (ARMS,),
    (NOT_INFERIOR, HALVING),
    (NOT_INFERIOR, ARMS, RANDOM),
    (HALVING, NO_ARMS, "search.objective=gain_per_second"),
    (TUNED, NOT_INFERIOR),
)

# A few seconds each; a number in the environment asks for more. An example is a whole run, too long
# to be shrunk.
EXAMPLES = int(os.environ.get("GROWSEARCH_TEST_EXAMPLES", "30"))
law = settings(max_examples=EXAMPLES, phases=(Phase.explicit, Phase.generate))
windows, counts = st.integers(1, 4), st.integers(1, 6)
deaths = st.sampled_from([0.0, 0.2, 0.6])


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for one run, whose study is in memory: a tenth of the time that SQLite takes."""
    study, memory = InMemoryStorage(), "/dev/shm"  # where nothing waits for a disk
    place = memory if Path(memory).is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "open_storage", lambda _: study)
        yield Path(name) / "run"


def everything(result: SearchResult) -> Any:
    """All that must be the same: the records of trials, repeats included, and the files left."""
    files = sorted(path.name for path in (result.folder / "weights").iterdir())
    return outcome(result), result.trials, files


@cache
def serial(window: int, overrides: tuple[str, ...], trials: int = TRIALS) -> Any:
    """The run in this process, one job after the other, in one session."""
    with folder() as out:
        return everything(search(out, *overrides, trials=trials, pending_trials=window))


def run(
    out: Path, executor: VirtualExecutor, window: int | None, *overrides: str, **options: Any
) -> SearchResult:
    """A session of a run with a virtual executor."""
    options = {"trials": TRIALS, "pending_trials": window, **options}
    with virtual(executor):
        return search(out, *overrides, executor=executor, **options)


class Interrupts:
    """Ctrl-C after a number of events."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, _: Any) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


# --- the law --------------------------------------------------------------------------------------


@law
@given(
    window=windows,
    workers=counts,
    overrides=st.sampled_from(SPACES),
    drawn=st.randoms(use_true_random=False),
    deaths=deaths,
    pickled=st.booleans(),
)
def test_a_run_is_the_serial_run(
    window: int,
    workers: int,
    overrides: tuple[str, ...],
    drawn: Random,
    deaths: float,
    pickled: bool,
) -> None:
    """With any number of workers, any order of their ends, and any deaths."""
    executor = VirtualExecutor(workers, drawn, deaths=deaths, pickled=pickled)
    with folder() as out:
        assert everything(run(out, executor, window, *overrides)) == serial(window, overrides)
    assert executor.largest <= workers


@law
@given(
    window=windows,
    overrides=st.sampled_from(SPACES),
    sessions=st.lists(st.tuples(counts, st.integers(1, 60)), min_size=1, max_size=3),
    drawn=st.randoms(use_true_random=False),
    deaths=deaths,
    pickled=st.booleans(),
)
def test_an_interrupted_run_is_the_serial_run(
    window: int,
    overrides: tuple[str, ...],
    sessions: list[tuple[int, int]],
    drawn: Random,
    deaths: float,
    pickled: bool,
) -> None:
    """Ctrl-C at any event, and the same call with other workers: pending trials are sent again."""
    with folder() as out:
        for workers, after in sessions:
            executor = VirtualExecutor(workers, drawn, deaths=deaths, pickled=pickled)
            with suppress(KeyboardInterrupt):
                run(out, executor, window, *overrides, on_event=Interrupts(after))
        result = run(out, VirtualExecutor(sessions[0][0], drawn), window, *overrides)
        assert everything(result) == serial(window, overrides)
        numbers = [trial.number for trial in result.trials]
    assert numbers == [*range(TRIALS)]  # nothing was begun again as another trial


@law
@given(
    window=windows,
    workers=counts,
    overrides=st.sampled_from(SPACES),
    first=st.integers(0, TRIALS),
    drawn=st.randoms(use_true_random=False),
)
def test_trials_of_two_calls_are_those_of_one(
    window: int, workers: int, overrides: tuple[str, ...], first: int, drawn: Random
) -> None:
    """Fewer trials first, then all: the window's end is no part of the run."""
    with folder() as out:
        begun = run(out, VirtualExecutor(workers, drawn), window, *overrides, trials=first)
        assert everything(begun)[0][0] == serial(window, overrides)[0][0][:first]
        result = run(out, VirtualExecutor(workers, drawn), window, *overrides, pending_trials=None)
        assert everything(result) == serial(window, overrides)


@pytest.mark.parametrize("window", [1, 3])
def test_a_run_in_sqlite_is_the_serial_run(tmp_path: Path, window: int) -> None:
    """In the database of a run folder, with deaths and an interruption."""
    executor = VirtualExecutor(4, Random(window), deaths=0.3, pickled=True)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, executor, window, ARMS, on_event=Interrupts(25))
    result = run(tmp_path, VirtualExecutor(2, Random(0), pickled=True), window, ARMS)
    assert everything(result) == serial(window, (ARMS,))
    assert not any((tmp_path / "running").iterdir())  # no job's progress is left


# --- queued trials --------------------------------------------------------------------------------

GOOD = {"op": "widen", "position": 0.5, "log2_factor": 1.0, "learning_rate": 0.001}
QUEUED: tuple[dict[str, Any], ...] = (
    GOOD,
    {"op": "deepen"},  # a part: the rest is drawn
    GOOD | {"learning_rate": 100.0},  # out of its range
    {"learning_rate": "fast"},  # of no type that can be
    GOOD | {"op": "shrink"},
    {"position": float("nan")},
)
ARE_GOOD = (True, True, False, False, False, False)


def queue(out: Path, places: Sequence[int]) -> None:
    """Queue trials in a run that has no trials yet."""
    with virtual(VirtualExecutor()):
        study = search(out, trials=0, pending_trials=None).study
    for place in places:
        study.enqueue_trial(QUEUED[place])


@pytest.mark.filterwarnings("ignore:Fixed parameter:UserWarning")
@law
@given(
    window=windows,
    workers=counts,
    places=st.lists(st.integers(0, len(QUEUED) - 1), max_size=4),
    after=st.none() | st.integers(1, 40),
    drawn=st.randoms(use_true_random=False),
)
@example(window=3, workers=5, places=[3, 0, 4, 0], after=5, drawn=Random(0))
def test_queued_trials_are_a_part_of_the_run(
    window: int, workers: int, places: list[int], after: int | None, drawn: Random
) -> None:
    """Good ones are tried, others fail with the reason, and the search goes on to all trials."""
    found = []
    for interrupted in (None, after):
        with folder() as out:
            run(out, VirtualExecutor(), window, trials=0)
            queue(out, places)
            if interrupted:
                with suppress(KeyboardInterrupt):
                    run(out, VirtualExecutor(workers, drawn), window, on_event=Interrupts(after))
                result = run(out, VirtualExecutor(workers, drawn), window)
            else:
                result = search(out, trials=TRIALS, pending_trials=window)
            assert result.ended.startswith(f"all {TRIALS} trials are done")
            found.append(everything(result))
            trials = result.trials
    assert found[0] == found[1]
    assert len(trials) == TRIALS
    for trial, place in zip(trials, places, strict=False):
        refused = trial.reason.startswith("enqueued with a value outside the space")
        assert refused is not ARE_GOOD[place]


@pytest.mark.filterwarnings("ignore:Fixed parameter:UserWarning")
@pytest.mark.parametrize("window", [1, 2, 4])
@pytest.mark.parametrize("bad", [p for p, good in enumerate(ARE_GOOD) if not good])
def test_a_queue_of_bad_trials_ends_no_search(window: int, bad: int) -> None:
    """Also where nothing else is in the window, and where later proposals know of them."""
    with folder() as out:
        run(out, VirtualExecutor(), window, trials=0)
        queue(out, [bad] * 3)
        result = run(out, VirtualExecutor(2), window)
    assert [trial.state for trial in result.trials[:3]] == ["FAIL"] * 3
    assert "FAIL" not in [trial.state for trial in result.trials[3:]]
    assert result.ended == f"all {TRIALS} trials are done"


# --- callbacks ------------------------------------------------------------------------------------


@law
@given(window=windows, workers=counts, stop=st.integers(0, 4), drawn=st.randoms())
def test_a_stopped_search_judges_what_is_pending(
    window: int, workers: int, stop: int, drawn: Random
) -> None:
    """A callback's ``study.stop()``: no trial is asked for, the rest of the window is finished."""
    called: list[int] = []

    def callback(study: optuna.Study, trial: FrozenTrial) -> None:
        called.append(trial.number)
        if trial.number == stop:
            study.stop()

    with folder() as out:
        result = run(out, VirtualExecutor(workers, drawn), window, callbacks=callback)
        done = len(result.trials)
        assert called == [*range(done)]  # each once, in order
        assert stop < done <= TRIALS
        assert everything(result)[0][0] == serial(window, ())[0][0][:done]
        if done < TRIALS:
            assert result.ended == "a callback stopped it"
        result = run(out, VirtualExecutor(workers, drawn), window)
        assert everything(result) == serial(window, ())


def test_a_serial_run_asks_as_late_as_it_can() -> None:
    """With one worker the callbacks of a trial come before the next trial is asked for."""
    trials: list[int] = []

    def callback(study: optuna.Study, trial: FrozenTrial) -> None:
        trials.append(len(study.trials))
        assert trial.number == len(study.trials) - 1

    for window in (1, 2, 4):
        with folder() as out:
            run(out, VirtualExecutor(), window, callbacks=callback)
    assert trials == [*range(1, TRIALS + 1)] * 3


# --- the order of the work ------------------------------------------------------------------------


def sent(window: int, workers: int, trials: int) -> list[str]:
    """The order in which jobs are sent, where they end in that order."""
    executor = VirtualExecutor(workers)
    with folder() as out:
        run(out, executor, window, trials=trials)
    jobs = [name for name in executor.submitted if name.startswith("trial")]
    return [name.removeprefix("trial ").replace(" random", "c") for name in jobs]


def test_the_oldest_trials_work_is_sent_first() -> None:
    """A trial's controls before the candidates asked since; with workers to spare, beside them."""
    assert sent(window=1, workers=1, trials=3) == ["0", "0c", "1", "1c", "2", "2c"]
    assert sent(window=3, workers=1, trials=3) == ["0", "0c", "1", "1c", "2", "2c"]
    assert sent(window=1, workers=2, trials=3) == ["0", "0c", "1", "1c", "2", "2c"]
    assert sent(window=2, workers=2, trials=4) == ["0", "1", "0c", "1c", "2", "3", "2c", "3c"]
    assert sent(window=3, workers=3, trials=3) == ["0", "1", "2", "0c", "1c", "2c"]


def test_with_one_pending_trial_controls_cost_no_time() -> None:
    """The next candidate is at a worker while the controls of the one before it are."""
    executor = VirtualExecutor(2)
    with folder() as out:
        run(out, executor, 1)
    assert executor.largest == 2


# --- the judgement of siblings --------------------------------------------------------------------


@pytest.mark.parametrize("window", [2, 4])
def test_a_candidate_of_an_earlier_incumbent_must_be_superior(window: int) -> None:
    """Of two siblings that are both "not worse" the second would undo the growth of the first."""
    with folder() as out:
        result = run(out, VirtualExecutor(), window, NOT_INFERIOR, trials=16)
    best, accuracy, late = None, result.teacher_accuracy, []
    for trial in result.trials:
        if trial.parent == best:
            assert re.search("is (not )?worse than the best so far", trial.reason)
        else:
            late.append(trial)
            assert not re.search("is (not )?worse than", trial.reason)
            assert trial.validation_accuracy is not None
            assert not trial.kept or trial.validation_accuracy > accuracy
        if trial.kept:
            assert trial.validation_accuracy is not None
            best, accuracy = trial.number, trial.validation_accuracy
    assert late
    assert not all(trial.kept for trial in late)


@pytest.mark.filterwarnings("ignore::growsearch.study.networks.DamagedNetworkWarning")
@pytest.mark.parametrize("seed", [1, 3])
def test_a_candidate_whose_parent_is_damaged_must_still_beat_it(seed: int) -> None:
    """The worker stores no network below its parent, so that none can be kept."""
    damaged: list[float] = []

    def damage(event: Any) -> None:
        if not isinstance(event, Training) or event.what == "teacher" or event.step != 4 or damaged:
            return
        study = optuna.load_study(study_name="digits", storage=opening.open_storage(""))
        finished = study.get_trials(states=(TrialState.COMPLETE,))
        if kept := [trial for trial in finished if Candidate.is_kept(trial)]:
            damaged.append(kept[-1].value or 0.0)
            name = f"{Candidate.read(kept[-1]).sha256}.safetensors"
            (out / "weights" / name).write_bytes(b"damaged")

    with folder() as out:
        options = {"seed": seed, "trials": TRIALS, "pending_trials": 1, "on_event": damage}
        result = search(out, NO_ARMS, "judge.margin=0.0", **options)
        found = next(t for t in result.trials if (t.validation_accuracy or 1.0) < damaged[0])
    assert len(result.trials) == TRIALS
    assert not found.kept


# --- the number of pending trials -----------------------------------------------------------------


def test_the_number_is_the_runs_own() -> None:
    """It is fixed when the run is created, and the same call goes on with it."""
    with folder() as out:
        run(out, VirtualExecutor(), 3, trials=1)
        with pytest.raises(RunError, match="started with 3 pending trials, not 2"):
            run(out, VirtualExecutor(), 2)
        assert everything(search(out, trials=TRIALS, pending_trials=None)) == serial(3, ())


@pytest.mark.parametrize(
    ("overrides", "workers", "expected"),
    [
        ((), 1, 1),
        ((), 2, 1),
        ((), 3, 2),
        ((NO_ARMS,), 5, 5),
        ((NO_ARMS,), 64, 8),
        ((ARMS,), 8, 2),  # 1 + 1.2 arms, and a repeat of each and of the candidate: 4.4 jobs
        ((TUNED,), 8, 2),  # 1 + 1.5 arms of three rates: 5.5
    ],
)
def test_by_default_as_many_as_keep_the_workers_busy(
    overrides: tuple[str, ...], workers: int, expected: int
) -> None:
    """Beside the controls; also where the workers are those of a caller's executor."""
    assert default_window(workers, space(*overrides)) == expected
    found: list[int] = []

    def listen(event: Any) -> None:
        if isinstance(event, Started):
            found.append(event.pending_trials)

    with folder() as out:
        run(out, VirtualExecutor(workers), None, *overrides, trials=0, on_event=listen)
    assert found == [expected]
