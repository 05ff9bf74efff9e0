"""Runs with limits in time, tuned knobs, measured widths, and a time budget."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

import growsearch as gs
from growsearch.driver.budget import PHASES
from growsearch.driver.events import Training
from growsearch.driver.sampler import GainSampler, sampler_of
from growsearch.networks import Architecture
from growsearch.space.sections import WIDTH_MULTIPLE
from growsearch.study.attributes import SpentAttribute
from growsearch.study.open import find
from growsearch.study.read import gain_of, gain_per_second_of
from growsearch.study.result import SearchResult
from growsearch.training import Speed, TrainingPlan, TrainingResult
from tests.fake_trainer import FakeTrainer, images, outcome, space
from tests.small_search import interrupt

pytestmark = pytest.mark.usefixtures("quick_sqlite")

LIMIT = 10.0  # milliseconds


class Measuring(FakeTrainer):
    """Knows how long an update takes: by the architecture's parameters; remembers all plans."""

    def __init__(self, milliseconds: Callable[[Architecture], float] = lambda _: 1.0) -> None:
        super().__init__()
        self.milliseconds = milliseconds
        self.plans: list[TrainingPlan] = []
        self.asked: list[Architecture] = []

    def speed_of(self, architecture: Architecture, plan: TrainingPlan) -> Speed:
        self.asked.append(architecture)
        precision = "float32" if plan.precision == "auto" else plan.precision
        return Speed(precision, self.milliseconds(architecture) / 1000.0)

    def train(self, network: Any, data: Any, plan: TrainingPlan, **options: Any) -> TrainingResult:
        self.plans.append(plan)
        return super().train(network, data, plan, **options)


def search(out: Path, *overrides: str, **options: Any) -> SearchResult:
    options = {"data": images(), "trainer": Measuring(), "seed": 0, "trials": 5, **options}
    return gs.search(space(*overrides), out=out, **options)


# --- the time of an update ------------------------------------------------------------------------


def by_layers(architecture: Architecture) -> float:
    """Each layer more than the teacher's three is 8 ms."""
    return 1.0 + 8.0 * (sum(node.layer.is_producer for node in architecture.nodes) - 3)


def test_what_is_too_slow_is_refused_before_it_is_trained(tmp_path: Path) -> None:
    """A failed trial with its reason, without controls; the search goes on, and the rest counts."""
    trainer, limit = Measuring(by_layers), f"limits.step_milliseconds={LIMIT}"
    trained: list[str] = []

    def listen(event: Any) -> None:
        if isinstance(event, Training):
            trained.append(event.what)

    options = limit, "judge.margin=0.0"  # more is kept, so that some come to a second new layer
    result = search(tmp_path, *options, trials=20, trainer=trainer, on_event=listen)
    assert len(result.trials) == 20
    refused = [record for record in result.trials if record.state == "FAIL"]
    assert 0 < len(refused) < 20
    for record in refused:
        took = by_layers(Architecture.parse(record.architecture, (4, 4, 1)))
        assert took > LIMIT
        assert record.reason == (
            f"too slow: {took:.1f} ms an update, over limits.step_milliseconds = {LIMIT:g}"
        )
        assert f"trial {record.number}" not in trained
        assert list(record.arms) == ["net2net"]
        assert not record.kept
    for record in result.trials:
        if record not in refused:
            assert by_layers(Architecture.parse(record.architecture, (4, 4, 1))) <= LIMIT
            assert f"trial {record.number}" in trained
    again = search(tmp_path, *options, trials=20, trainer=Measuring(by_layers))
    assert outcome(again) == outcome(result)


def test_a_trainer_that_cannot_measure_refuses_nothing(tmp_path: Path) -> None:
    result = search(tmp_path, "limits.step_milliseconds=1e-9", trainer=FakeTrainer())
    assert {record.state for record in result.trials} == {"COMPLETE"}


def test_what_is_fast_enough_is_the_same_run(tmp_path: Path) -> None:
    """A limit that nothing reaches changes no trial, and without one nothing is measured."""
    trainer = Measuring()
    free = search(tmp_path / "free", trainer=trainer)
    assert not trainer.asked
    limited = search(tmp_path / "limited", "limits.step_milliseconds=5.0")
    assert outcome(limited) == outcome(free)


# --- knobs of training that Optuna chooses --------------------------------------------------------

KNOBS = {"weight_decay": (0.001, 0.1), "label_smoothing": (0.05, 0.2), "ema": (0.5, 0.9)}
TUNED = [f"choices.{name}={list(bounds)}" for name, bounds in KNOBS.items()]
TUNED += ["training.optimizer='adamw'"]  # whose weights decay


def test_tuned_knobs_are_in_plans_and_stored(tmp_path: Path) -> None:
    """Candidate and control are trained with what Optuna chose, which is what the trial says."""
    trainer = Measuring()
    result = search(tmp_path, *TUNED, trainer=trainer)
    teacher, *plans = trainer.plans
    assert (teacher.weight_decay, teacher.label_smoothing, teacher.ema) == (None, 0.0, 0.0)
    assert len(plans) == 2 * len(result.trials)
    for place, trial in enumerate(result.study.trials):
        for name, (low, high) in KNOBS.items():
            assert low <= trial.params[name] <= high
            for plan in plans[2 * place : 2 * place + 2]:
                assert getattr(plan, name) == trial.params[name]
    for name in KNOBS:
        assert len({trial.params[name] for trial in result.study.trials}) > 1
    assert all(
        control.params == result.study.trials[control.user_attrs["candidate"]].params
        for control in result.control_study.trials
    )


def test_a_resumed_run_chooses_the_same_knobs(tmp_path: Path) -> None:
    whole = search(tmp_path / "whole", *TUNED)
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "run", *TUNED, on_event=interrupt("trial 2", 2))
    assert outcome(search(tmp_path / "run", *TUNED)) == outcome(whole)


def test_knobs_that_are_left_out_are_the_spaces(tmp_path: Path) -> None:
    trainer = Measuring()
    result = search(tmp_path, "training.ema=0.25", trainer=trainer, trials=2)
    assert {plan.ema for plan in trainer.plans[1:]} == {0.25}
    assert "ema" not in result.study.trials[0].params


# --- what the sampler is fitted on ----------------------------------------------------------------


@pytest.mark.parametrize("objective", ["gain", "gain_per_second"])
def test_the_sampler_is_fitted_on_the_objective(
    tmp_path: Path, objective: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its values are the gains, or those per second: where times differ, proposals do."""

    class Uneven(Measuring):
        """The more parameters, the longer."""

        def train(self, network: Any, *args: Any, **options: Any) -> TrainingResult:
            result = super().train(network, *args, **options)
            return dataclasses.replace(result, seconds=0.001 * network.parameters)

    samplers: list[GainSampler] = []

    def kept(*given: Any) -> GainSampler:
        samplers.append(sampler_of(*given))
        return samplers[-1]

    monkeypatch.setattr("growsearch.driver.opening.sampler_of", kept)
    result = search(
        tmp_path, f"search.objective={objective!r}", trials=12, trainer=Uneven(), data=images(3)
    )
    mirror = samplers[0]._mirror
    fitted = [trial.value for trial in mirror.trials if trial.value is not None]
    of = {"gain": gain_of, "gain_per_second": gain_per_second_of}[objective]
    finished = [of(trial) for trial in result.study.trials]
    assert fitted == finished[: len(fitted)]
    assert len(fitted) == 11  # all that were finished when the last one was asked for


# --- widths ---------------------------------------------------------------------------------------

AUTO = "limits.width_multiple='auto'"


def by_fours(architecture: Architecture) -> float:
    """A machine whose kernels take four channels together."""
    width = next(node.layer.width for node in architecture.nodes if node.layer.is_producer)
    return architecture.flops * (5.0 if width % 4 else 1.0)


def test_the_multiple_is_measured_once_a_run(tmp_path: Path) -> None:
    """It is kept on resume, though the machine is another one by then."""
    first = Measuring(by_fours)
    result = search(tmp_path, AUTO, trials=2, trainer=first)
    assert result.study.user_attrs["width_multiple"] == 4
    assert len(first.asked) == 4  # 32, 33, 34 and 36 channels
    second = Measuring(lambda architecture: float(architecture.flops))
    result = search(tmp_path, AUTO, trials=8, trainer=second)
    assert not second.asked
    assert result.study.user_attrs["width_multiple"] == 4
    widened = [record for record in result.trials if record.operation == "widen"]
    assert widened
    assert all(int(record.new_size) % 4 == 0 for record in widened)


def test_without_measurements_the_multiple_is_bfloat16s(tmp_path: Path) -> None:
    result = search(tmp_path, AUTO, trials=1, trainer=FakeTrainer())
    assert result.study.user_attrs["width_multiple"] == WIDTH_MULTIPLE


def test_a_number_is_not_measured(tmp_path: Path) -> None:
    trainer = Measuring()
    result = search(tmp_path, trials=1, trainer=trainer)
    assert "width_multiple" not in result.study.user_attrs
    assert not trainer.asked


# --- the time of a run ----------------------------------------------------------------------------


class Hours:
    """Time that passes only in trainings: each takes as long as it is told to."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        patch.setattr("growsearch.driver.budget.time", self)
        patch.setattr("growsearch.driver.polish.time", self)

    def monotonic(self) -> float:
        return self.now


class Slow(FakeTrainer):
    """Takes a number of seconds a training, and one an evaluation of its own."""

    def __init__(self, hours: Hours, seconds: float) -> None:
        super().__init__()
        self.hours, self.seconds = hours, seconds
        self.trained = 0

    def train(self, network: Any, data: Any, plan: TrainingPlan, **options: Any) -> TrainingResult:
        self.trained += 1
        self.hours.now += self.seconds if plan.seconds is None else plan.seconds
        return super().train(network, data, plan, **options)


@pytest.fixture
def hours(monkeypatch: pytest.MonkeyPatch) -> Hours:
    return Hours(monkeypatch)


def budgeted(
    out: Path, hours: Hours, budget: float | None, *overrides: str, **options: Any
) -> tuple[SearchResult, int]:
    """A run whose trainings take 10 seconds each; how many there were in this session."""
    trainer = Slow(hours, 10.0)
    result = search(
        out,
        *overrides,
        **{"trials": 50, "trainer": trainer, "time_budget": budget, "began": hours.now, **options},
    )
    return result, trainer.trained


def test_spent_phases_sum_to_the_whole(tmp_path: Path, hours: Hours) -> None:
    """Teacher, candidates and controls by their trainings; none is counted twice."""
    result, _ = budgeted(tmp_path, hours, None, trials=3)
    assert tuple(result.spent) == PHASES
    expected = {"teacher": 10.0, "candidates": 30.0, "controls": 30.0}
    assert dict(result.spent) == dict.fromkeys(PHASES, 0.0) | expected
    assert sum(result.spent.values()) == hours.now - 1000.0


def test_earlier_sessions_count_in_the_budget(tmp_path: Path, hours: Hours) -> None:
    """Of 100 s the teacher takes 10 and each trial 20: four, in however many sessions."""
    first, _ = budgeted(tmp_path, hours, 100.0, trials=2)
    assert len(first.trials) == 2
    hours.now += 1e6  # nobody works between two sessions
    second, trained = budgeted(tmp_path, hours, 100.0)
    assert (len(second.trials), trained) == (4, 4)
    assert "leaves no room" in second.ended
    assert sum(second.spent.values()) == 90.0
    third, trained = budgeted(tmp_path, hours, 100.0)
    assert (len(third.trials), trained) == (4, 0)
    assert dict(third.spent) == dict(second.spent)


class Telling(Slow):
    """Trains an image a second, as it says."""

    def train(self, *arguments: Any, **options: Any) -> TrainingResult:
        found = super().train(*arguments, **options)
        return dataclasses.replace(found, images_per_second=1.0)


MANY_IMAGES = ("training.batch_size=50", "teacher.batch_size=50")


def test_a_first_trial_is_estimated_by_the_first_network(tmp_path: Path, hours: Hours) -> None:
    """At an image a second its four updates take 200 s, and those of each control as long."""
    trainer = Telling(hours, 10.0)
    result, _ = budgeted(tmp_path, hours, 100.0, *MANY_IMAGES, trainer=trainer)
    assert (len(result.trials), trainer.trained) == (0, 1)
    assert "whose 4 updates, with its controls, take about 400 s" in result.ended
    assert result.ended.endswith("fewer training.steps, or fewer controls")
    more, _ = budgeted(tmp_path / "more", hours, 500.0, *MANY_IMAGES, trainer=Telling(hours, 10.0))
    assert more.trials
    for arms, text in (
        ("controls.seeds=5", "whose 4 updates, with its controls, take about 2000 s"),
        ("controls.arms=[]", ""),
    ):
        out, trainer = tmp_path / arms[9:13], Telling(hours, 10.0)
        other, _ = budgeted(out, hours, 500.0, *MANY_IMAGES, arms, trainer=trainer)
        assert text in other.ended
        assert bool(other.trials) != bool(text)


def test_a_refused_trial_tells_no_length(tmp_path: Path, hours: Hours) -> None:
    """It takes no time; the first one that would be trained is still estimated."""
    first, _ = budgeted(
        tmp_path, hours, 500.0, *MANY_IMAGES, trainer=Telling(hours, 10.0), trials=0
    )
    first.study.enqueue_trial({"op": "shrink"})
    for budget, trials in ((500.0, 1), (100.0, 50)):
        result, _ = budgeted(
            tmp_path, hours, budget, *MANY_IMAGES, trainer=Telling(hours, 10.0), trials=trials
        )
        assert [record.state for record in result.trials] == ["FAIL"]
    assert "whose 4 updates, with its controls, take about 400 s" in result.ended


def test_another_batch_size_tells_nothing(tmp_path: Path, hours: Hours) -> None:
    """Images a second of other batches are others: the trial is begun as before."""
    other = ("training.batch_size=50", "teacher.batch_size=25")
    result, _ = budgeted(tmp_path, hours, 100.0, *other, trainer=Telling(hours, 10.0))
    assert result.trials


def test_an_interrupted_session_counts_too(tmp_path: Path, hours: Hours) -> None:
    """Also the training that was lost: the time is gone."""
    for where, spent in (
        ("teacher", {"teacher": 10.0}),
        ("trial 0", {"teacher": 20.0, "candidates": 10.0}),
        ("trial 0 random", {"teacher": 20.0, "candidates": 20.0, "controls": 10.0}),
    ):
        with pytest.raises(KeyboardInterrupt):
            budgeted(tmp_path, hours, None, on_event=interrupt(where, 2))
        stored = SpentAttribute.read(find(tmp_path, None)[0]).value
        assert stored == dict.fromkeys(PHASES, 0.0) | spent


def test_a_killed_session_counts_up_to_what_it_stored(
    tmp_path: Path, hours: Hours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a last word: teacher, trials and parts of the polish stand with their time."""
    monkeypatch.setattr("growsearch.driver.opening._kept", lambda *_: nullcontext())
    polish = "polish={steps = 9, parts = 3, learning_rate = 0.01}"
    for where, spent in (
        ("trial 0", {"teacher": 10.0}),
        ("polish 2", {"teacher": 10.0, "candidates": 10.0, "controls": 10.0, "polish": 10.0}),
    ):
        with pytest.raises(KeyboardInterrupt):
            budgeted(tmp_path, hours, None, polish, trials=1, on_event=interrupt(where, 0))
        stored = SpentAttribute.read(find(tmp_path, None)[0]).value
        assert stored == dict.fromkeys(PHASES, 0.0) | spent


def test_a_finished_run_keeps_its_bytes(tmp_path: Path, hours: Hours) -> None:
    """With a budget that is used up, the same command writes nothing."""
    polish = "polish={parts = 2, share = 0.4, learning_rate = 0.01}"
    result, _ = budgeted(tmp_path, hours, 100.0, polish)
    assert sum(result.spent.values()) == pytest.approx(100.0, abs=1.0)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    again, trained = budgeted(tmp_path, hours, 100.0, polish)
    assert not trained
    assert outcome(again) == outcome(result)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_polish_in_vain_is_time_spent_too(tmp_path: Path, hours: Hours) -> None:
    """The network stays if no part is better, and the same command does not try again."""
    polish = "polish={parts = 2, share = 0.4, learning_rate = 0.01}"

    class Vain(Slow):
        def train(self, network: Any, data: Any, plan: TrainingPlan, **options: Any) -> Any:
            result = super().train(network, data, plan, **options)
            if plan.seconds is None:
                return result
            final = dataclasses.replace(result.final, accuracy=0.01)
            return dataclasses.replace(result, curve=(*result.curve[:-1], final))

    budgeted(tmp_path, hours, 100.0, polish, trainer=Vain(hours, 10.0))
    more = Vain(hours, 10.0)
    result, _ = budgeted(tmp_path, hours, 300.0, polish, trainer=more, trials=2)
    assert more.trained == 2
    assert result.spent["polish"] > 200.0
    again = Vain(hours, 10.0)
    budgeted(tmp_path, hours, 300.0, polish, trainer=again, trials=2)
    assert again.trained == 0
