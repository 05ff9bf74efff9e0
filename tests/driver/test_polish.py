"""The last training of the best network: in parts, resumable, within the time budget."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import growsearch as gs
from growsearch.driver.events import Polished, Training
from growsearch.driver.polish import part_of
from growsearch.errors import InvalidInputError
from growsearch.networks.store import NetworkStore
from growsearch.study.networks import DamagedNetworkWarning
from growsearch.study.result import SearchResult
from growsearch.study.run_state import read_state
from growsearch.testing.drifting_trainer import TOO_FAST
from growsearch.training import TrainingPlan
from tests import trunk_search
from tests.fake_trainer import FakeTrainer, images, outcome, space

pytestmark = pytest.mark.usefixtures("quick_sqlite")

POLISH = "polish={steps = 9, parts = 3, learning_rate = 0.01}"


class Planner(FakeTrainer):
    """Remembers the plans of all polishes, and takes a timed one for a few updates."""

    def __init__(self) -> None:
        super().__init__()
        self.plans: list[TrainingPlan] = []

    def train(self, network: Any, data: Any, plan: TrainingPlan, **options: Any) -> Any:
        if plan.schedule_steps is not None:
            self.plans.append(plan)
        return super().train(network, data, plan, **options)


def search(out: Path, *overrides: str, polish: str = POLISH, **options: Any) -> SearchResult:
    options = {"data": images(), "trainer": FakeTrainer(), "seed": 0, "trials": 3, **options}
    return gs.search(space(polish, *overrides), out=out, **options)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, quick_sqlite: None) -> SearchResult:
    """A run with a polish that nothing interrupted; to be copied, not changed."""
    del quick_sqlite
    return search(tmp_path_factory.mktemp("polished") / "run")


def test_the_best_network_is_trained_on(finished: SearchResult) -> None:
    """The result is the best part of the polish, its trial the one that was polished."""
    unpolished = read_state(finished.study, NetworkStore(finished.folder / "weights")).incumbent
    best = finished.best
    assert best.polished
    assert best.trial_number == unpolished.trial_number
    assert best.network.architecture == unpolished.network.architecture
    assert best.validation_accuracy > unpolished.validation_accuracy
    test = finished.study.user_attrs["test"]
    assert test["sha256"] == best.path.stem
    assert finished.test_accuracy == test["accuracy"]


def test_parts_share_one_schedule(tmp_path: Path) -> None:
    """Their steps follow on each other, in the schedule of all."""
    trainer = Planner()
    search(tmp_path, trainer=trainer)
    places = [(p.schedule_start, p.steps, p.schedule_steps, p.seconds) for p in trainer.plans]
    assert places == [(0, 3, 9, None), (3, 3, 9, None), (6, 3, 9, None)]


def test_a_finished_polish_is_not_repeated(finished: SearchResult, tmp_path: Path) -> None:
    """The same command again trains nothing and changes nothing."""
    folder = shutil.copytree(finished.folder, tmp_path / "run")
    trainer = Planner()
    again = search(Path(folder), trainer=trainer)
    assert not trainer.plans
    assert again.best.path.name == finished.best.path.name
    assert outcome(again) == outcome(finished)


@pytest.mark.parametrize("part", [1, 2, 3])
def test_an_interrupted_polish_goes_on(finished: SearchResult, tmp_path: Path, part: int) -> None:
    """Ctrl-C in any part, and before its result is stored: the same as without."""

    def interrupt(event: Any) -> None:
        if isinstance(event, Training) and (event.what, event.step) == (f"polish {part}", 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, on_event=interrupt)
    interrupted = gs.load_result(tmp_path)
    assert interrupted.test_accuracy is None
    assert interrupted.study.user_attrs.get("polish", {}).get("done", 0) == part - 1
    trainer = Planner()
    assert outcome(search(tmp_path, trainer=trainer)) == outcome(finished)
    assert len(trainer.plans) == 3 - part + 1


def test_each_part_is_told(tmp_path: Path) -> None:
    """An event has the part, the number of parts, the accuracy, and whether it is better."""
    told: list[Any] = []
    result = search(tmp_path, on_event=told.append)
    parts = [event for event in told if isinstance(event, Polished)]
    assert [(event.part, event.parts) for event in parts] == [(1, 3), (2, 3), (3, 3)]
    best = max(event.validation_accuracy for event in parts if event.better)
    assert result.best.validation_accuracy == best


def test_a_part_that_is_worse_is_not_kept(tmp_path: Path) -> None:
    """The network of the run is the best of all parts, not the last."""

    class Worse(Planner):
        def train(self, network: Any, data: Any, plan: TrainingPlan, **options: Any) -> Any:
            result = super().train(network, data, plan, **options)
            if plan.schedule_steps is None:
                return result
            final = replace(result.final, accuracy=0.01 if plan.schedule_start else 0.99)
            return replace(result, curve=(*result.curve[:-1], final))

    told: list[Polished] = []
    result = search(
        tmp_path,
        trainer=Worse(),
        on_event=lambda event: told.append(event) if isinstance(event, Polished) else None,
    )
    assert [event.better for event in told] == [True, False, False]
    assert result.best.validation_accuracy == told[0].validation_accuracy


def test_a_polish_that_diverges_leaves_the_best(tmp_path: Path) -> None:
    """NaN ends the polish, not the run, and the same command does not try it again."""
    polish = f"polish={{steps = 9, parts = 3, learning_rate = {TOO_FAST * 2}}}"
    result = search(tmp_path, polish=polish)
    assert not result.best.polished
    assert result.test_accuracy is not None
    assert "nan" in result.study.user_attrs["polish"]["failure"]
    trainer = Planner()
    search(tmp_path, polish=polish, trainer=trainer)
    assert not trainer.plans


def test_a_damaged_polish_is_passed_over(finished: SearchResult, tmp_path: Path) -> None:
    """A flipped byte is found by its hash; the unpolished network serves, with a warning."""
    folder = Path(shutil.copytree(finished.folder, tmp_path / "run"))
    path = folder / "weights" / finished.best.path.name
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    with pytest.warns(DamagedNetworkWarning, match="polished network is passed over"):
        result = gs.load_result(folder)
    assert not result.best.polished
    assert result.test_accuracy is None  # what was tested is another network


def test_more_trials_that_beat_the_best_are_polished_again(tmp_path: Path) -> None:
    """A polish belongs to the network that it began with."""
    first = search(tmp_path, trials=1)
    more = search(tmp_path, trials=8)
    assert more.best.trial_number != first.best.trial_number
    assert more.study.user_attrs["polish"]["done"] == 3
    assert more.study.user_attrs["test"]["sha256"] == more.best.path.stem


def test_a_polish_fills_the_time_budget(tmp_path: Path) -> None:
    """With a budget each part gets its share of what is left; without one there is none."""
    trainer = Planner()
    timed = "polish={parts = 4, share = 0.5, learning_rate = 0.01}"
    search(tmp_path / "without", polish=timed, trainer=trainer)
    assert not trainer.plans
    result = search(tmp_path / "with", polish=timed, trainer=trainer, time_budget=1000.0)
    assert len(result.trials) == 3
    seconds = [plan.seconds for plan in trainer.plans]
    # The trainer takes no time, so that each part leaves what it was given to those after it.
    assert [s and round(s / 1000.0, 2) for s in seconds] == pytest.approx(
        [1 / 4, 1 / 3, 1 / 2, 1], abs=0.05
    )
    assert sum(result.spent.values()) < 1000.0


def test_more_time_polishes_once_more(tmp_path: Path) -> None:
    """A larger budget than before is used; the same one again is not, once it is spent."""
    timed = "polish={parts = 2, share = 0.9, learning_rate = 0.01}"
    trainer = Planner()
    search(tmp_path, polish=timed, trainer=trainer, time_budget=500.0, trials=1)
    assert len(trainer.plans) == 2
    search(tmp_path, polish=timed, trainer=trainer, time_budget=1000.0, trials=1)
    assert len(trainer.plans) == 4


@pytest.mark.parametrize("t_mul", [1, 2, 3])
@pytest.mark.parametrize("cycles", [1, 2, 3])
@pytest.mark.parametrize(("steps", "parts"), [(20, 1), (70, 3), (101, 7)])
def test_parts_make_up_the_whole(steps: int, parts: int, cycles: int, t_mul: int) -> None:
    """The parts are all steps, none twice, and those of a cycle make up its schedule."""
    plans = [
        part_of(TrainingPlan(steps), part, cycles, parts, None, t_mul)
        for part in range(cycles * parts)
    ]
    assert sum(plan.steps for plan in plans) == steps
    for cycle in range(cycles):
        own = plans[cycle * parts : (cycle + 1) * parts]
        covered = [s for p in own for s in range(p.schedule_start, p.schedule_start + p.steps)]
        assert covered == list(range(len(covered)))
        assert {p.schedule_steps for p in own} == {len(covered)}
        lengths = [t_mul**each for each in range(cycles)]
        assert len(covered) == pytest.approx(steps * lengths[cycle] / sum(lengths), abs=1)


def test_each_cycle_rewarms_once() -> None:
    """The rate rises again where a schedule begins, not in the parts that go on with it."""
    for left in (None, 60.0):
        plans = [part_of(TrainingPlan(90, rewarm=7), n, 2, 3, left) for n in range(6)]
        assert [plan.rewarm for plan in plans] == [7, 0, 0, 7, 0, 0]


def test_the_last_cycle_may_differ(tmp_path: Path) -> None:
    """The keys that it names hold to its last part; other keys, and cycles before it, stay."""
    last = "{learning_rate = 0.02, schedule = 'constant', ema = 0.5, zoom = 0.1}"
    own = "cycles = 2, schedule = 'cosine', shift = 1"
    polish = POLISH.replace("}", f", {own}, last = {last}}}")
    trainer = Planner()
    search(tmp_path, trainer=trainer, polish=polish)
    told = [
        (p.learning_rate, p.schedule, p.ema, p.augmentation.zoom, p.augmentation.shift)
        for p in trainer.plans
    ]
    before, after = (0.01, "cosine", 0.0, 0.0, 1), (0.02, "constant", 0.5, 0.1, 1)
    assert told == [before] * 3 + [after] * 3
    assert [plan.steps for plan in trainer.plans] == [1, 1, 1, 2, 2, 2]
    equal = Planner()
    search(tmp_path / "equal", trainer=equal, polish=polish.replace("}}", "}, t_mul = 1}"))
    assert [plan.steps for plan in equal.plans] == [1, 2, 1, 2, 1, 2]


@pytest.mark.parametrize("key", ["shift", "erase"])
@pytest.mark.parametrize("section", ["teacher", "training", "polish", "polish.last"])
def test_augmentation_that_no_image_bears_is_refused_before_the_search(
    tmp_path: Path, section: str, key: str
) -> None:
    """Not after all trials, when its turn comes."""
    last = f"polish={{steps = 9, last = {{{key} = 100}}}}"
    wrong = last if section == "polish.last" else f"{section}.{key}=100"
    with pytest.raises(InvalidInputError, match=f"{section}.{key}: expected at most"):
        search(tmp_path, wrong)


def test_augmentation_of_the_end_of_a_decay_is_refused_before_the_search(tmp_path: Path) -> None:
    """As of every other training."""
    with pytest.raises(InvalidInputError, match=r"trunk\.last\.shift: expected at most"):
        trunk_search.search(tmp_path, "trunk.last={shift = 100}")


def test_cycles_double_in_time() -> None:
    """With a budget the second cycle gets twice the time of the first."""
    plans = [part_of(TrainingPlan(1), part, 2, 2, left) for part, left in enumerate((6, 5, 4, 2))]
    assert [plan.seconds for plan in plans] == [1.0, 1.0, 2.0, 2.0]
    assert [plan.schedule_start == 0 for plan in plans] == [True, False, True, False]
