"""A run with a trunk that is interrupted, or fails, goes on by the same command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from growsearch.driver.events import Training
from growsearch.driver.trunk import decay
from growsearch.driver.trunk.forks import Forked, train_forks
from growsearch.errors import DivergedError, RunError
from growsearch.networks import Architecture, Network
from growsearch.networks.store import NetworkStore
from growsearch.study.attributes import PolishAttribute, TeacherAttribute
from growsearch.study.named import networks_named
from growsearch.study.networks import DamagedNetworkWarning
from growsearch.study.result import SearchResult
from growsearch.study.standing import standing_of
from growsearch.training import Speed, TrainingPlan, TrainingResult
from tests.averaging_trainer import AveragingTrainer
from tests.messages import one_line
from tests.trunk_search import Memory, folder, interrupt, outcome, search, trunk
from tests.virtual_executor import VirtualExecutor, virtual

pytestmark = pytest.mark.usefixtures("quick_sqlite")


@cache
def whole() -> Any:
    """The outcome of a run that nothing interrupted."""
    with folder() as out:
        result = search(out)
        states = Counter(record.state for record in result.trials)
        assert states["COMPLETE"] > 5
        assert 0 < sum(record.kept for record in result.trials) < states["COMPLETE"]
        assert any(len(record.arms) > 1 for record in result.trials)
        # What nothing names is gone.
        assert NetworkStore(out / "weights").sizes().keys() == networks_named(result.study)
        return outcome(result)


# --- interruptions --------------------------------------------------------------------------------


def test_a_run_that_is_interrupted_after_any_write_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After each write to the study or of a network, one after another: the same trials and bytes.

    The n-th session ends after n writes.
    """
    memory, sessions, original = Memory(), 0, NetworkStore.put

    def put(store: NetworkStore, network: Network) -> str:
        sha256 = original(store, network)
        memory.wrote()
        return sha256

    monkeypatch.setattr(NetworkStore, "put", put)
    with folder(memory) as out:
        while True:
            sessions += 1
            memory.left = sessions
            try:
                result = search(out)
            except KeyboardInterrupt:
                continue
            break
        memory.left = 0
        assert sessions > 10
        assert outcome(result) == whole()
        assert {trial.state.name for trial in result.study.trials} <= {"COMPLETE", "FAIL"}


def test_a_run_that_is_interrupted_in_every_training_is_the_same() -> None:
    """Each training is begun twice, and each trial is announced once."""
    begun: set[str] = set()
    announced: list[int] = []

    def on_event(event: Any) -> None:
        if isinstance(event, Training) and event.step and event.what not in begun:
            begun.add(event.what)
            raise KeyboardInterrupt

    with folder() as out:
        while True:
            try:
                result = search(
                    out, on_event=on_event, callbacks=lambda _, each: announced.append(each.number)
                )
            except KeyboardInterrupt:
                continue
            break
        assert {"teacher", "trunk 1", "trial 0", "commit 20", "decay 2 2"} <= begun
        assert any(name.endswith("contest") for name in begun)
        assert any(name.endswith("random") for name in begun)
        assert outcome(result) == whole()
        assert announced == [record.number for record in result.trials]
        assert len(result.study.trials) == len(result.trials)


def test_a_campaign_that_dies_while_it_is_told_is_told_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its end is one write: before it nothing is told, after it nothing is trained again."""
    trained: list[str] = []
    with folder() as out:
        with monkeypatch.context() as patch:
            patch.setattr("growsearch.driver.trunk.campaign.tell_concluded", _dies)
            with pytest.raises(KeyboardInterrupt):
                search(out)

        def on_event(event: Any) -> None:
            if isinstance(event, Training):
                trained.append(event.what)

        result = search(out, on_event=on_event)
        assert "trial 0" not in trained
        assert "trial 1" in trained
        assert outcome(result) == whole()


def _dies(_: Any) -> None:
    raise KeyboardInterrupt


def test_a_kill_in_the_decay_loses_one_part() -> None:
    """The parts before it are stored."""
    trained: list[str] = []

    def on_event(event: Any) -> None:
        if isinstance(event, Training):
            trained.append(event.what)

    with folder() as out:
        with pytest.raises(KeyboardInterrupt):
            search(out, on_event=interrupt("decay 2 2"))
        result = search(out, on_event=on_event)
        assert set(trained) == {"decay 2 1", "decay 2 2"}
        assert outcome(result) == whole()


@pytest.mark.parametrize("seed", range(3))
def test_workers_do_not_change_a_run(seed: int) -> None:
    """Of several workers, that end their jobs in any order."""
    executor = VirtualExecutor(2 + seed, Random(seed), pickled=seed == 1)
    with folder() as out, virtual(executor):
        assert outcome(search(out, executor=executor, pending_trials=2)) == whole()
    assert executor.largest > 1


def test_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    """The same command trains nothing and writes nothing."""
    result = search(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    trainer = AveragingTrainer()
    again = search(tmp_path, trainer=trainer)
    assert not trainer.evaluated
    assert outcome(again) == outcome(result) == whole()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


# --- trials ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("trials", [0, 1, 3])
def test_no_more_trials_are_made_than_were_asked_for(trials: int) -> None:
    """Also in the middle of a campaign; the trunk is trained to its end."""
    with folder() as out:
        result = search(out, trials=trials)
        assert len(result.trials) == len(result.study.trials) == trials
        assert _decayed(result)


def test_a_campaign_of_the_last_trials_is_repeated() -> None:
    """Pending trials count as made, and are trained nevertheless."""
    with folder() as out:
        with pytest.raises(KeyboardInterrupt):
            search(out, trials=2, on_event=interrupt("trial 1"))
        result = search(out, trials=2)
        assert [record.state for record in result.trials] == ["COMPLETE"] * 2


def test_enqueued_trials_are_tried_and_refused_ones_fail_in_order() -> None:
    """Whatever is interrupted meanwhile."""
    memory = Memory()
    params = {"op": "deepen", "position": 0.5, "log2_factor": 1.0, "learning_rate": 0.001}
    with folder(memory) as out:
        with pytest.raises(KeyboardInterrupt):
            search(out, on_event=interrupt("teacher"))
        memory.study().enqueue_trial(params)
        memory.study().enqueue_trial({"op": "shrink"})
        for training in ("trial 0", "trunk 3"):
            with pytest.raises(KeyboardInterrupt):
                search(out, on_event=interrupt(training))
        result = search(out)
        assert [record.state for record in result.trials[:2]] == ["COMPLETE", "FAIL"]
        assert result.trials[0].operation == "deepen"
        assert result.study.trials[0].params == params
        assert result.trials[1].reason.startswith("enqueued with a value outside the space: ")
        assert len(result.study.trials) == len(result.trials)


def test_candidates_that_diverge_fail_and_the_search_goes_on() -> None:
    """They count, also where a whole campaign fails."""
    with folder() as out:
        result = search(out, "choices.learning_rate=[0.01, 50.0]")
        states = Counter(record.state for record in result.trials)
        assert min(states["FAIL"], states["COMPLETE"]) > 0
        assert all("nan" in each.reason for each in result.trials if each.state == "FAIL")
        assert outcome(search(out, "choices.learning_rate=[0.01, 50.0]")) == outcome(result)
    with folder() as out:
        result = search(out, "choices.learning_rate=[2.0, 50.0]")
        assert {record.state for record in result.trials} == {"FAIL"}
        assert trunk(result).campaigns > 1


def test_a_bug_in_the_training_of_a_candidate_fails_its_trial() -> None:
    """The session ends with the error; the next one goes on, and announces each trial once."""

    class Buggy(AveragingTrainer):
        def train(self, network: Network, *args: Any, **options: Any) -> TrainingResult:
            if network.parameters > 71:
                raise ValueError("no such\nkernel")
            return super().train(network, *args, **options)

    announced: list[int] = []
    options: dict[str, Any] = {"callbacks": lambda _, each: announced.append(each.number)}
    with folder() as out:
        with pytest.raises(ValueError, match=r"no such\nkernel"):
            search(out, trainer=Buggy(), **options)
        result = search(out, **options)
        assert result.trials[0].reason == "ValueError: no such kernel"
        assert [record.state for record in result.trials[:2]] == ["FAIL", "COMPLETE"]
        assert announced == [record.number for record in result.trials]
        assert len(result.study.trials) == len(result.trials)


def test_a_callback_stops_the_trials_and_not_the_trunk() -> None:
    """Those of the campaign that was told are announced; no other begins."""
    with folder() as out:
        result = search(out, callbacks=lambda study, _: study.stop())
        assert result.ended == "a callback stopped it"
        assert 0 < len(result.trials) < 5
        assert _decayed(result)


def test_where_every_growth_is_too_dear_the_trunk_is_trained_alone() -> None:
    """No candidate is no error."""
    with folder() as out:
        result = search(out, "trunk={steps = 200, dearest = 1.0}", "choices.operations=['widen']")
        assert not result.trials
        assert "no larger network is worth its price" in result.ended
        assert _decayed(result)


@pytest.mark.parametrize(("error", "is_end"), [(2.0, True), (0.5, False)])
def test_the_end_is_kept_unless_it_is_worse_beyond_the_noise(
    error: float, is_end: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit was chosen out of several by its loss, which is lower than it deserves."""
    ends: list[str] = []

    def worse(run: Any, name: str, *args: Any) -> Any:
        found = train_forks(run, name, *args)
        assert isinstance(found, Forked)
        ends.append(found.sha256)
        return replace(found, loss=found.loss + 1.0)

    monkeypatch.setattr(decay, "train_forks", worse)
    monkeypatch.setattr(decay, "loss_gain", lambda *_: (-1.0, error))
    with folder() as out:
        result = search(out)
        assert (result.best.sha256 == ends[-1]) == is_end
        standing = standing_of(result.study)
        assert standing.validation_accuracy == result.best.validation_accuracy
        assert standing.parameters == result.best.network.parameters
        assert standing.is_finished
        assert search(out).best.sha256 == result.best.sha256


def _decayed(result: SearchResult) -> bool:
    polish = PolishAttribute.read(result.study)
    return polish is not None and polish.done == 2 and not polish.lasts


# --- the trunk ------------------------------------------------------------------------------------


class Diverging(AveragingTrainer):
    """Diverges above a learning rate, but for the first network."""

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.limit, self.trained = limit, 0

    def train(
        self, network: Network, data: Any, plan: TrainingPlan, **options: Any
    ) -> TrainingResult:
        self.trained += 1
        if self.trained > 1 and plan.learning_rate > self.limit:
            raise DivergedError("the loss became nan")
        return super().train(network, data, plan, **options)


def test_a_trunk_that_diverges_goes_on_at_half_its_learning_rate() -> None:
    """As often as it takes, up to three times."""
    with folder() as out:
        result = search(out, trainer=Diverging(0.003), trials=0)
        assert trunk(result).learning_rate == pytest.approx(0.0025)
        assert trunk(result).failures == 0
        assert _decayed(result)


def test_a_trunk_that_always_diverges_is_one_line() -> None:
    """Of three halvings; the same command says the same."""
    with folder() as out:
        for limit in (0.001, 0.0):
            trainer = Diverging(limit)
            trainer.trained = int(limit == 0.0)
            with pytest.raises(DivergedError, match=r"halved 3 times, to 0\.00125") as caught:
                search(out, "choices.learning_rate=[0.005, 0.01]", trainer=trainer)
            assert one_line(caught).startswith("the trunk cannot be trained on: the loss became")


@pytest.mark.parametrize("lost", [("weights",), ("average",), ("weights", "average")])
@pytest.mark.parametrize("training", ["trial 2", "decay 1"])
def test_a_trunk_whose_files_are_lost_goes_on_from_another_network(
    lost: tuple[str, ...], training: str
) -> None:
    """With a warning, whatever was interrupted."""
    memory = Memory()
    with folder(memory) as out:
        with pytest.raises(KeyboardInterrupt):
            search(out, on_event=interrupt(training))
        study = memory.study()
        before = trunk(_Studied(study))  # type: ignore[arg-type]
        for part in lost:
            (out / "weights" / f"{getattr(before, part)}.safetensors").unlink()
        with pytest.warns(DamagedNetworkWarning) as caught:
            result = search(out)
        assert any("the trunk goes on" in str(each.message) for each in caught)
        assert _decayed(result)
        assert {trial.state.name for trial in result.study.trials} <= {"COMPLETE", "FAIL"}


class _Studied:
    """A result, as far as its study is asked for."""

    def __init__(self, study: Any) -> None:
        self.study = study


# --- with a time budget ---------------------------------------------------------------------------


class Seconds:
    """Time that passes only in trainings."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        for module in ("budget", "polish", "trunk.decay"):
            patch.setattr(f"growsearch.driver.{module}.time", self)

    def monotonic(self) -> float:
        return self.now


class Slow(AveragingTrainer):
    """Takes a hundredth of a second an update, and remembers the networks that it trained."""

    def __init__(self, seconds: Seconds) -> None:
        super().__init__()
        self.seconds = seconds
        self.trained: list[str] = []

    def train(
        self, network: Network, data: Any, plan: TrainingPlan, **options: Any
    ) -> TrainingResult:
        self.trained.append(network.sha256)
        found = super().train(network, data, plan, **options)
        seconds = 0.01 * plan.steps if plan.seconds is None else plan.seconds
        self.seconds.now += seconds
        return replace(found, seconds=seconds)


@pytest.fixture
def budgeted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[SearchResult, Slow]]:
    """Return a function that searches for some seconds of a time that does not pass."""
    clock = Seconds(monkeypatch)

    def run(out: Path, budget: float, **options: Any) -> tuple[SearchResult, Slow]:
        trainer = Slow(clock)
        timed = {"time_budget": budget, "began": clock.now, "trainer": trainer}
        return search(out, "controls.arms={}", **timed, **options), trainer

    return run


def test_a_longer_budget_goes_on_from_the_trunk(
    budgeted: Callable[..., tuple[SearchResult, Slow]], tmp_path: Path
) -> None:
    """And not from the decayed network; the same budget once more changes nothing."""
    result, _ = budgeted(tmp_path, 10.0)
    before = trunk(result)
    assert _decayed(result)
    longer, trainer = budgeted(tmp_path, 40.0)
    assert trainer.trained[0] == before.weights
    assert trunk(longer).updates > before.updates
    assert _decayed(longer)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    again, trainer = budgeted(tmp_path, 40.0)
    assert not trainer.trained
    assert outcome(again) == outcome(longer)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files


def test_the_trunk_alone_ends_in_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Though its updates take longer than before; beside candidates all are compared by cost."""
    limits: list[float | None] = []

    class Watched(Slow):
        def train(self, network, data, plan, **options):  # type: ignore[no-untyped-def]
            limits.append(plan.time_limit)
            return super().train(network, data, plan, **options)

    clock = Seconds(monkeypatch)
    timed = {"time_budget": 40.0, "began": clock.now, "trainer": Watched(clock)}
    search(tmp_path, "controls.arms={}", **timed)
    alone = [limit for limit in limits if limit is not None]
    assert 0 < len(alone) < len(limits)
    assert max(alone) <= 0.1 * 40.0 + 1e-9
    limits.clear()
    search(tmp_path / "by updates", "controls.arms={}", trainer=Watched(clock))
    assert set(limits) == {None}


def test_an_interrupted_campaign_that_comes_too_late_is_given_up(
    budgeted: Callable[..., tuple[SearchResult, Slow]], tmp_path: Path
) -> None:
    """No trial is left running."""
    with pytest.raises(KeyboardInterrupt):
        budgeted(tmp_path, 10.0, on_event=interrupt("trial 0"))
    result, _ = budgeted(tmp_path, 0.2)
    assert {trial.state.name for trial in result.study.trials} == {"FAIL"}
    assert not result.trials


def test_fewer_growths_are_tried_where_less_time_is_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A session that goes on later than the one that planned the campaign ends it in time."""
    clock, options = Seconds(monkeypatch), ("controls.arms={}", "trunk.candidates=6")
    timed = {"time_budget": 40.0, "trainer": Slow(clock)}
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, *options, began=clock.now, on_event=interrupt("trial 3"), **timed)
    result = search(tmp_path, *options, began=clock.now - 14.0, **timed)
    assert [record.number for record in result.trials[:3]] == [0, 1, 2]
    assert result.trials[1].elapsed == result.trials[2].elapsed < 24.0
    given_up = [trial.number for trial in result.study.trials if trial.state.name == "FAIL"]
    assert given_up[0] == 3
    assert _decayed(result)


def test_growths_of_a_trunk_that_went_on_are_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They are no trials that were made: as many as were asked for are tried in their place."""
    clock, options = Seconds(monkeypatch), ("controls.arms={}", "trunk.candidates=3")
    timed = {"time_budget": 40.0, "trainer": Slow(clock)}

    def goes_on(**further: Any) -> SearchResult:
        return search(tmp_path, *options, began=clock.now, trials=4, **timed, **further)

    with pytest.raises(KeyboardInterrupt):
        goes_on(on_event=interrupt("trial 2"))
    with monkeypatch.context() as patch:
        patch.setattr("growsearch.driver.trunk.timetable.Timetable._campaign", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            goes_on(on_event=interrupt("trunk 3"))
    result = goes_on()
    assert sum(trial.state.name == "FAIL" for trial in result.study.trials) >= 2
    assert [record.state for record in result.trials] == ["COMPLETE"] * 4


@pytest.mark.parametrize("budget", [None, 40.0])
def test_a_run_keeps_the_unit_of_its_costs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, budget: float | None
) -> None:
    """Seconds or updates: another one is refused in one line, before anything is trained."""
    clock = Seconds(monkeypatch)
    timed = {"began": clock.now, "trainer": Slow(clock)}
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, time_budget=budget, on_event=interrupt("trial 1"), **timed)
    other = 40.0 if budget is None else None
    with pytest.raises(RunError, match="started with") as raised:
        search(tmp_path, time_budget=other, **timed)
    assert "expected --time-budget as before" in one_line(raised)
    search(tmp_path, time_budget=budget, **timed)


def test_no_growth_is_tried_that_is_too_dear_by_then(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The time that is left becomes less while a campaign's growths are proposed, one by one."""
    calls = 0

    def within_price(space: Any, *_: Any, **__: Any) -> Any:
        nonlocal calls
        calls += 1
        limits = space.limits.model_copy(update={"flops": 1 if calls > 6 else None})
        return space.model_copy(update={"limits": limits})

    monkeypatch.setattr("growsearch.driver.candidates.within_price", within_price)
    result = search(tmp_path, "trunk.candidates=8", "controls.arms={}")
    assert 0 < len(result.trials) < 6
    assert _decayed(result)


def test_the_first_network_takes_a_share_of_the_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As many updates as fit, if all of them would take longer."""

    class Measured(Slow):
        def speed_of(self, architecture: Architecture, plan: TrainingPlan) -> Speed:
            del architecture, plan
            return Speed("float32", 0.01)

    clock = Seconds(monkeypatch)
    for flops, steps in ((0.0, 200), (1e12, 300)):
        monkeypatch.setattr("growsearch.driver.teacher._SURE_FLOPS", flops)
        timed = {"time_budget": 10.0, "began": clock.now, "trainer": Measured(clock)}
        out = tmp_path / str(steps)
        result = search(out, "controls.arms={}", "teacher.steps=300", trials=0, **timed)
        teacher = TeacherAttribute.read(result.study)
        assert teacher is not None
        assert teacher.curve[-1][0] == steps
