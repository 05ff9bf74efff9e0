"""The sampler learns from gains, and from the trials that an index may know of alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from growsearch.driver.sampler import GainSampler
from growsearch.study.attributes import FAILURE, INTERRUPTED, Candidate
from growsearch.study.read import gain_of, gain_per_second_of
from growsearch.study.trials import begin, fail, placed

SPACE: dict[str, BaseDistribution] = {
    "op": CategoricalDistribution(["widen", "deepen"]),
    "position": FloatDistribution(0.0, 1.0),
    "log2_factor": FloatDistribution(0.5, 2.0),
    "learning_rate": FloatDistribution(1e-4, 1e-2, log=True),
}
LAST = 20


def gain(params: Mapping[str, Any]) -> float:
    """The landscape: the best gain is 1, that of a random proposal about 0.35."""
    right = 0.4 * (params["op"] == "deepen")
    near = 1 - abs(params["position"] - 0.8)
    fast = 1 - abs(np.log10(params["learning_rate"]) + 2.5) / 1.5
    return float(right + 0.3 * near**2 + 0.3 * fast**2)


def tpe(seed: int) -> BaseSampler:
    return TPESampler(seed=seed, n_startup_trials=8, multivariate=True)


def random(seed: int) -> BaseSampler:
    return RandomSampler(seed=seed)


def sampler(
    make: Callable[[int], BaseSampler] = tpe, seed: int = 0, window: int = 1
) -> GainSampler:
    return GainSampler(make, SPACE, seed=seed, gain=gain_of, window=window)


def tell(study: optuna.Study, trial: optuna.Trial, *, drift: float = 0.05) -> None:
    """The accuracy drifts with the number of the trial, as it does under a growing parent."""
    found = gain(trial.params)
    trial.set_user_attr("gain", found)
    study.tell(trial, drift * trial.number + 0.1 * found)


def run(used: BaseSampler, trials: int) -> optuna.Study:
    study = optuna.create_study(direction="maximize", sampler=used)
    for _ in range(trials):
        tell(study, study.ask(SPACE))
    return study


def last_gains(make: Callable[[int], BaseSampler]) -> float:
    """Mean gain of the last proposals, over several seeds."""
    return float(
        np.mean(
            [
                gain(trial.params)
                for seed in range(4)
                for trial in run(sampler(make, seed), 50).trials[-LAST:]
            ]
        )
    )


def test_fitted_on_gains_it_beats_random_under_drift() -> None:
    """Accuracies rise with the trial number whatever is proposed; the gains tell what is good."""
    assert last_gains(tpe) > last_gains(random) + 0.15


def test_it_sees_the_gains_of_its_own_process() -> None:
    """Proposals after the startup trials follow the gains: others, if these are others."""

    def proposals(sign: float) -> list[dict[str, Any]]:
        study = optuna.create_study(direction="maximize", sampler=sampler())
        for _ in range(12):
            trial = study.ask(SPACE)
            trial.set_user_attr("gain", sign * gain(trial.params))
            study.tell(trial, 0.5)
        return [trial.params for trial in study.trials]

    assert proposals(1.0)[:8] == proposals(-1.0)[:8]
    assert proposals(1.0)[9:] != proposals(-1.0)[9:]


@pytest.mark.parametrize("make", [tpe, random])
@pytest.mark.parametrize("after", [1, 7, 8, 9, 15])
def test_it_depends_on_finished_trials_only(make: Callable[[int], BaseSampler], after: int) -> None:
    """A new sampler, in the middle of a study, proposes what the old one would have."""
    whole = run(sampler(make), 16)
    study = run(sampler(make), after)
    while len(study.trials) < 16:
        study.sampler = sampler(make)
        tell(study, study.ask(SPACE))
    assert [t.params for t in study.trials] == [t.params for t in whole.trials]


def test_failed_trials_do_not_break_it() -> None:
    """Trials without a gain, without parameters, still running: it goes on."""
    study = optuna.create_study(direction="maximize", sampler=sampler())
    for number in range(24):
        trial = study.ask(SPACE)
        if number % 4 == 1:
            study.tell(trial, state=TrialState.FAIL)
        elif number % 4 == 2:
            trial.report(-1.0, 0)
            trial.set_user_attr("gain", -1.0)
            study.tell(trial, state=TrialState.PRUNED)
        elif number % 8 == 3:
            study.add_trial(optuna.create_trial(value=1.0))
        else:
            tell(study, trial)
    assert set(study.ask(SPACE).params) == set(SPACE)


def test_an_interrupted_trial_is_proposed_again() -> None:
    """The repetition has the same place, so it has the same parameters."""
    study = run(sampler(), 10)
    lost = study.ask(SPACE)
    lost.set_user_attr(FAILURE, INTERRUPTED)
    study.tell(lost, state=TrialState.FAIL)
    assert study.ask(SPACE).params == lost.params


def test_a_diverged_trial_is_not_proposed_again() -> None:
    """It counts, so the next one has another place."""
    study = run(sampler(), 10)
    diverged = study.ask(SPACE)
    diverged.set_user_attr(FAILURE, "the loss became nan")
    study.tell(diverged, state=TrialState.FAIL)
    assert study.ask(SPACE).params != diverged.params


def test_the_study_stays_as_it_is() -> None:
    """Asking adds one trial, and no attribute of a sampler's."""
    study = run(sampler(), 12)
    study.ask(SPACE)
    assert len(study.trials) == 13
    assert all(not trial.system_attrs for trial in study.trials)


def test_parameters_of_a_callers_own_trial_are_drawn_too() -> None:
    """A name that is none of the space's does not break it."""
    study = run(sampler(), 12)
    trial = study.ask(SPACE)
    assert 0.0 <= trial.suggest_float("mine", 0.0, 1.0) <= 1.0


def test_one_fixed_value_is_a_distribution_too() -> None:
    """A range of a single value, as a space may have it."""
    fixed = {**SPACE, "log2_factor": FloatDistribution(1.0, 1.0)}
    used = GainSampler(tpe, fixed, seed=0, gain=gain_of)
    study = optuna.create_study(direction="maximize", sampler=used)
    for _ in range(12):
        tell(study, study.ask(fixed))
    assert {trial.params["log2_factor"] for trial in study.trials} == {1.0}


def ended(gain: float | None, seconds: object = 2.0, updates: int = 10) -> optuna.trial.FrozenTrial:
    known = {"gain": gain, "seconds": seconds}
    attributes = {name: value for name, value in known.items() if value is not None}
    if not updates:
        return optuna.create_trial(value=0.5, user_attrs=attributes)
    reports = {0: 0.0, updates: gain or 0.0}
    return optuna.create_trial(value=0.5, user_attrs=attributes, intermediate_values=reports)


def test_the_gain_per_second_prefers_the_quick() -> None:
    """Of equal gains the quicker, of equal losses too; any gain before none, none before a loss."""
    order = [
        ended(0.02, 1.0),
        ended(0.02, 4.0),
        ended(0.001, 4.0),
        ended(0.0, 100.0),
        ended(-0.02, 1.0),
        ended(-0.02, 4.0),
    ]
    found = [gain_per_second_of(trial) for trial in order]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(found)
    assert found[0] == pytest.approx(4 * found[1])


def test_a_candidate_that_was_given_up_was_not_quick() -> None:
    """It made fewer updates in its time: a large loss stays worse than a small one."""
    given_up, finished = ended(-0.4, 0.2, updates=10), ended(-0.1, 2.0, updates=100)
    assert gain_per_second_of(given_up) < gain_per_second_of(finished)


@pytest.mark.parametrize("trial", [ended(0.1, None), ended(0.1, 0.0), ended(0.1, 1.0, updates=0)])
def test_without_a_time_the_gain_counts_as_it_is(trial: optuna.trial.FrozenTrial) -> None:
    assert gain_per_second_of(trial) == 0.1


def test_without_a_gain_there_is_none_per_second() -> None:
    assert gain_per_second_of(ended(None)) is None


def test_parameters_are_drawn_together() -> None:
    """From the first gain on the sampler is asked for all that have more than one value at once."""
    asked: list[set[str]] = []

    class Recording(TPESampler):
        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
            asked.append(set(search_space))
            return super().sample_relative(study, trial, search_space)

    fixed = {**SPACE, "log2_factor": FloatDistribution(1.0, 1.0)}
    used = GainSampler(
        lambda seed: Recording(seed=seed, multivariate=True),
        fixed,
        seed=0,
        gain=gain_of,
    )
    study = optuna.create_study(direction="maximize", sampler=used)
    for _ in range(3):
        tell(study, study.ask(fixed))
    assert asked == [set(), *[set(SPACE) - {"log2_factor"}] * 2]


def test_asking_leaves_nothing_behind() -> None:
    """It is fitted on finished trials, each once, and knows what is pending, as running."""
    used = sampler()
    study = run(used, 12)
    for _ in range(3):
        study.ask(SPACE)
    finished = [trial for trial in used._mirror.trials if trial.state.is_finished()]
    assert [trial.value for trial in finished] == [gain_of(t) for t in study.trials[:12]]
    running = [trial.params for trial in used._mirror.trials if not trial.state.is_finished()]
    assert running == [{}, *(trial.params for trial in study.trials[12:14])]  # and its own


# --- a window of pending trials -------------------------------------------------------------------

# Of the sampler before there was a window, with seed 3: operations and positions.
RECORDED = [
    ("widen", 0.6577179390286307),
    ("deepen", 0.0866956720157902),
    ("widen", 0.7168563873545165),
    ("widen", 0.7100390856156858),
    ("deepen", 0.35650135420372886),
    ("widen", 0.36730413273161644),
    ("widen", 0.017783270969061515),
    ("deepen", 0.24694442853893583),
    ("deepen", 0.1147713973310566),
    ("deepen", 0.9866864411110121),
    ("deepen", 0.1959257595041594),
    ("deepen", 0.14344964932956583),
    ("deepen", 0.12320273802500267),
    ("deepen", 0.4930316440153997),
]


def test_without_a_window_proposals_are_those_of_earlier_versions() -> None:
    """Bit by bit: a run that an earlier version began goes on as it would have."""
    trials = run(sampler(seed=3), len(RECORDED)).trials
    assert [(t.params["op"], t.params["position"]) for t in trials] == RECORDED


def asked(used: GainSampler, study: optuna.Study) -> optuna.trial.FrozenTrial:
    """Propose the next trial and begin it, as the driver does."""
    trials = placed(study.get_trials(deepcopy=False))
    return begin(study, used.propose(trials, len(trials)), SPACE, Candidate())


def end(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
    """Finish a trial, every seventh by a failure."""
    if trial.number % 7 == 5:
        fail(study, trial, "the loss became nan")
        return
    found = gain(trial.params)
    study._storage.set_trial_user_attr(trial._trial_id, "gain", found)
    study.tell(trial.number, 0.05 * trial.number + 0.1 * found)


def windowed(
    window: int, drawn: np.random.Generator | None, make: Callable[[int], BaseSampler], count: int
) -> list[dict[str, Any]]:
    """Proposals of a window: full at all times without a generator, else as full as is drawn.

    A new sampler now and then is a new session.
    """
    used, study = sampler(make, 1, window), optuna.create_study(direction="maximize")
    pending: list[optuna.trial.FrozenTrial] = []
    while len(study.trials) < count:
        if drawn is not None and drawn.random() < 0.2:
            used = sampler(make, 1, window)
        is_asked = len(pending) < window and (drawn is None or drawn.random() < 0.6)
        if is_asked or not pending:
            pending.append(asked(used, study))
        else:
            end(study, pending.pop(0))
    return [trial.params for trial in study.trials]


@pytest.mark.parametrize("make", [tpe, random])
@pytest.mark.parametrize("window", [1, 2, 4])
def test_a_proposal_does_not_depend_on_the_moment(
    make: Callable[[int], BaseSampler], window: int
) -> None:
    """Trials that ended early are no more known than if they ran: the window's last are running."""
    expected = windowed(window, None, make, 24)
    for seed in range(6):
        assert windowed(window, np.random.default_rng(seed), make, 24) == expected


def test_a_window_changes_proposals() -> None:
    """They know less; the first of all are drawn at random, the same with any window."""
    found = [windowed(window, None, tpe, 24) for window in (1, 2, 4)]
    assert found[0][:8] == found[1][:8] == found[2][:8]
    assert found[0] != found[1] != found[2]


def test_trials_from_the_index_on_are_not_looked_at() -> None:
    """Those that are there already change nothing."""
    study = run(sampler(), 16)
    trials = study.get_trials(deepcopy=False)
    for index in (0, 5, 9, 15):
        alone = sampler(window=3).propose(trials[:index], index)
        assert sampler(window=3).propose(trials, index) == alone


def test_a_pending_trial_and_its_end_are_one_trial_of_the_mirror() -> None:
    """Samplers weigh trials by their order, which must not be that of their ends."""
    used, study = sampler(window=3), optuna.create_study(direction="maximize")
    pending = [asked(used, study) for _ in range(3)]

    def mirrored() -> list[tuple[float, TrialState]]:
        return [(t.params["position"], t.state) for t in used._mirror.trials[1:]]

    assert [state for _, state in mirrored()] == [TrialState.RUNNING] * 2  # all before the last
    while len(study.trials) < 9:
        end(study, pending.pop(0))
        pending.append(asked(used, study))
    positions = [trial.params["position"] for trial in study.trials[:8]]
    states = [TrialState.COMPLETE] * 5 + [TrialState.FAIL] + [TrialState.RUNNING] * 2
    assert mirrored() == list(zip(positions, states, strict=True))


@pytest.mark.parametrize("window", [1, 3])
@pytest.mark.parametrize("rate", [100.0, float("inf")])
def test_a_queued_value_out_of_range_does_not_break_it(window: int, rate: float) -> None:
    """Such a trial is pending until its turn comes, and fails then."""
    study = run(sampler(), 10)
    study.enqueue_trial({"learning_rate": rate})
    with pytest.warns(UserWarning, match="out of range"):
        bad = study.ask(SPACE)
    used = sampler(window=window)
    trials = placed(study.get_trials(deepcopy=False))
    before = used.propose(trials, 11)
    bad.set_user_attr(FAILURE, "enqueued with a value outside the space")
    study.tell(bad, state=TrialState.FAIL)
    trials = placed(study.get_trials(deepcopy=False))
    assert used.propose(trials, 11) == sampler(window=window).propose(trials, 11) == before
