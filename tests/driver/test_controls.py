"""The control arms of a search: paired, on fractions, repeated, tuned, of equal compute."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import growsearch as gs
from growsearch.study.attributes import Candidate
from growsearch.study.networks import DamagedNetworkWarning
from growsearch.study.result import SearchResult
from growsearch.training import TrainingPlan, TrainingResult
from growsearch.trials.arms import controls
from tests.fake_trainer import FakeTrainer
from tests.small_search import TRIALS, interrupt, search, what

pytestmark = pytest.mark.usefixtures("quick_sqlite")

EVERY_ARM = f"controls.arms={list(controls())}"


def test_controls_are_a_sibling_study_paired_by_number(finished: SearchResult) -> None:
    """One control a candidate and arm, of the same growth, in a study of its own."""
    assert finished.control_study.study_name == "digits-control"
    controls = finished.control_study.trials
    assert [c.user_attrs["candidate"] for c in controls] == list(range(TRIALS))
    for control in controls:
        candidate = finished.study.trials[control.user_attrs["candidate"]]
        assert control.user_attrs["arm"] == "random"
        assert control.params == candidate.params
        for name in ("growth", "architecture", "parameters"):
            assert control.user_attrs[name] == candidate.user_attrs[name]
        assert control.value == finished.trials[candidate.number].arms["random"].accuracy


def test_every_arm_runs_where_the_space_asks_for_it(tmp_path: Path) -> None:
    """The space decides over the arms."""
    result = search(tmp_path, 'controls.arms=["random", "scratch", "continued"]', trials=2)
    for record in result.trials:
        assert list(record.arms) == ["net2net", "random", "scratch", "continued"]
    architectures = {
        control.user_attrs["arm"]: control.user_attrs["architecture"]
        for control in result.control_study.trials[:3]
    }
    teacher = result.study.user_attrs["teacher"]["architecture"]
    assert architectures["continued"] == teacher
    assert architectures["scratch"] == architectures["random"] != teacher


def test_controls_run_on_a_fraction_of_the_trials(tmp_path: Path) -> None:
    """The lot is drawn from the seed: none at 0, some between."""
    none = search(tmp_path / "none", "controls.arms={random = 0.0}")
    assert not none.control_study.trials
    some = search(tmp_path / "some", "controls.arms={random = 0.5}", trials=8)
    assert 0 < len(some.control_study.trials) < 8
    # The sampler never learns from controls.
    assert [t.params for t in none.study.trials] == [t.params for t in some.study.trials][:TRIALS]


def test_a_finished_control_is_not_run_again(finished: SearchResult, tmp_path: Path) -> None:
    """After an interruption between two arms only the arm that lacks is run."""
    arms = 'controls.arms=["random", "scratch"]'
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, arms, trials=1, on_event=interrupt("trial 0 scratch", step=2))
    heard: list[str] = []
    result = search(tmp_path, arms, trials=1, on_event=lambda e: heard.append(what(e)))
    assert set(filter(None, heard)) == {"trial 0 scratch"}
    assert [c.user_attrs["arm"] for c in result.control_study.trials] == ["random", "scratch"]
    assert result.trials[0].arms["random"] == finished.trials[0].arms["random"]


def test_arms_have_fractions_of_their_own(tmp_path: Path) -> None:
    """One lot a trial: an arm of a smaller fraction runs on a part of another's trials."""
    arms = "controls.arms={random = 0.6, scratch = 0.3}"
    result = search(tmp_path, arms, trials=10)
    ran = {
        arm: {record.number for record in result.trials if arm in record.arms}
        for arm in ("random", "scratch")
    }
    assert 0 < len(ran["scratch"]) < len(ran["random"]) < 10
    assert ran["scratch"] < ran["random"]


def test_repeats_pair_candidates_and_controls_with_other_seeds(tmp_path: Path) -> None:
    """Three seeds: two repeats of each arm, the candidate's among the controls, all different."""
    result = search(tmp_path, EVERY_ARM, "controls.seeds=3", trials=2)
    for record in result.trials:
        for arm in record.arms:
            every = record.seeds_of(arm)
            assert sorted(every) == [0, 1, 2]
            assert len({each.curve for each in every.values()}) == 3
    comparison = result.evidence().arm("random")
    assert comparison.accuracy.n == 2
    assert comparison.variance.n == 6
    kinds = [c.user_attrs["arm"] for c in result.control_study.trials]
    assert kinds.count("net2net") == 4
    # Repeats change nothing about the search itself.
    plain = search(tmp_path / "plain", trials=2)
    assert [t.gain for t in plain.trials] == [t.gain for t in result.trials]


def test_a_tuned_control_gets_the_best_of_its_learning_rates(tmp_path: Path) -> None:
    """The candidate's rate and its neighbours are tried; the best result counts, all are told."""
    result = search(tmp_path, "controls.tuned=3", trials=3)
    for record in result.trials:
        control = record.arms["random"]
        rates = [rate for rate, _ in control.tried]
        rate = record.learning_rate
        assert rates == pytest.approx([rate, rate * 10**0.5, rate / 10**0.5])
        best = max(control.tried, key=lambda each: each[1])
        assert (control.learning_rate, control.accuracy) == best
        assert record.arms["net2net"].tried == ()


def test_equal_compute_buys_the_ancestrys_updates(tmp_path: Path) -> None:
    """The arm's FLOPs are the candidate's and, from scratch, all its ancestors', one step off."""
    result = search(tmp_path, EVERY_ARM)
    teacher = result.study.user_attrs["teacher"]["training_flops"]
    own = {None: teacher}
    depth = 0
    for record in result.trials:
        candidate = record.arms["net2net"]
        ancestry = own[record.parent]
        own[record.number] = ancestry + candidate.flops
        for arm in ("random", "scratch"):
            assert record.arms[arm].curve[-1][0] == candidate.curve[-1][0]
        assert record.ancestry_flops == ancestry
        for arm, paid in (("scratch_compute", ancestry), ("continued_compute", 0.0)):
            compute = record.arms[arm]
            step = compute.flops / compute.curve[-1][0]
            assert 0.0 <= compute.flops - (paid + candidate.flops) < step * (1 + 1e-9)
        depth = max(depth, 0 if record.parent is None else 1)
    assert depth, "some candidate has a grandparent"
    assert (
        teacher
        == 3
        * gs.Architecture.parse(result.study.user_attrs["teacher"]["architecture"], (4, 4, 1)).flops
        * 2
        * 50
    )


def test_a_resumed_run_gives_the_same_evidence(tmp_path: Path) -> None:
    """Interrupted in a candidate, in a control and in a repeat: nothing differs, or runs twice."""
    options = (EVERY_ARM, "controls.seeds=2", "controls.tuned=2")
    whole = search(tmp_path / "whole", *options)
    for where in ("trial 1", "trial 2 scratch", "trial 2 net2net/1", "trial 3 continued/1"):
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path / "run", *options, on_event=interrupt(where, step=2))
    resumed = search(tmp_path / "run", *options)
    assert resumed.evidence() == whole.evidence()
    keys = [
        (c.user_attrs["candidate"], c.user_attrs["arm"], c.user_attrs["repeat"])
        for c in resumed.control_study.trials
    ]
    assert len(keys) == len(set(keys)) == len(whole.control_study.trials)


class Undecided(FakeTrainer):
    """Chooses bfloat16 every second time that it may choose, and remembers plans."""

    def __init__(self) -> None:
        super().__init__()
        self.plans: list[TrainingPlan] = []

    def train(self, network: Any, data: Any, plan: TrainingPlan, **options: Any) -> TrainingResult:
        self.plans.append(plan)
        chosen = sum(each.precision == "auto" for each in self.plans)
        precision = ("bfloat16", "float32")[chosen % 2] if plan.precision == "auto" else None
        result = super().train(network, data, plan, **options)
        return replace(result, precision=precision or plan.precision)


def test_arms_are_compared_at_one_precision(tmp_path: Path) -> None:
    """Left to the trainer, precision is chosen once a trial, also after an interruption."""
    options = (EVERY_ARM, "training.precision='auto'")
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, *options, trainer=Undecided(), on_event=interrupt("trial 1 scratch", 2))
    trainer = Undecided()
    result = search(tmp_path, *options, trainer=trainer, trials=4)
    taken = [Candidate.read(trial).precision for trial in result.study.trials]
    assert set(taken) == {"float32", "bfloat16"}
    # From trial 1 scratch on; the teacher's precision is not left open.
    expected = [*[taken[1]] * 4, "auto", *[taken[2]] * 5, "auto", *[taken[3]] * 5]
    assert [plan.precision for plan in trainer.plans] == expected


def test_from_scratch_is_by_he_whatever_the_teacher_was(tmp_path: Path) -> None:
    """The control is as strong as it can be: biases begin at 0, not at the teacher's .1."""
    starts: list[float] = []

    class Watches(FakeTrainer):
        def train(self, network: Any, *args: Any, **options: Any) -> Any:
            starts.append(float(np.abs(network.weights["conv1"]["bias"]).max()))
            return super().train(network, *args, **options)

    overrides = "teacher.initializer='truncated_normal'", "controls.arms=['scratch']"
    search(tmp_path, *overrides, trials=1, trainer=Watches())
    teacher, _, scratch = starts
    assert (teacher, scratch) == (np.float32(0.1), 0.0)


def test_controls_of_a_lost_parent_are_passed_over(finished: SearchResult, tmp_path: Path) -> None:
    """With a warning, and the search goes on: the file was deleted while the run stood still."""
    child = next(record for record in finished.trials if record.parent is not None)
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, on_event=interrupt(f"trial {child.number} random", 2))
    parent = Candidate.read(finished.study.trials[child.parent])
    (tmp_path / "weights" / f"{parent.sha256}.safetensors").unlink()
    with pytest.warns(DamagedNetworkWarning) as caught:
        result = search(tmp_path)
    assert any("its controls are passed over" in str(warning.message) for warning in caught)
    assert len(result.trials) == TRIALS
    assert list(result.trials[child.number].arms) == ["net2net"]
    announced: list[int] = []
    with pytest.warns(DamagedNetworkWarning):
        search(tmp_path, callbacks=lambda _, record: announced.append(record.number))
    assert announced == []


def test_a_control_of_fewer_updates_keeps_room_for_its_schedule(tmp_path: Path) -> None:
    """Of a network that became smaller: its warm-up would be longer than its schedule."""
    overrides = (
        "training.schedule=cosine",
        "training.warmup=3",
        'choices.operations=["narrow_all"]',
        'controls.arms=["continued_compute"]',
        "limits.width_multiple=1",
        "judge.rule=not_inferior",
    )
    result = search(tmp_path, *overrides, trials=2)
    for record in result.trials:
        arms = record.arms
        assert arms["continued_compute"].curve[-1][0] < arms["net2net"].curve[-1][0]


def test_repeats_need_no_arms(tmp_path: Path) -> None:
    """A candidate is trained with each seed, whether or not it has controls."""
    result = search(tmp_path, "controls.seeds=3", "controls.arms=[]", trials=2)
    for record in result.trials:
        assert sorted(record.seeds_of("net2net")) == [0, 1, 2]
        assert set(record.arms) == {"net2net"}
