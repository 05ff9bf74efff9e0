"""A sampler fitted on the gain over the parent, not on the accuracy that the study shows.

A trial's value in the study is its accuracy, so that the dashboard shows accuracies. But the parent
changes, and accuracy then depends more on the time of a proposal than on its merit: a sampler
fitted on accuracy learns nothing. So the wrapped sampler sees a mirror of the study, in memory,
whose values are the gains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from growsearch.driver.proposals import distributions
from growsearch.space import SearchSpace
from growsearch.study.attributes import Candidate
from growsearch.study.optuna_private import asked, storage_of
from growsearch.study.read import gain_of, gain_per_second_of, loss_gain_of
from growsearch.study.trials import index_in, index_of, placed
from growsearch.trials.seeds import seed_of

SamplerFactory = Callable[[int], BaseSampler]
Gain = float | tuple[float, ...]
GainOf = Callable[[FrozenTrial], Gain | None]
_WITH_GAIN = (TrialState.COMPLETE, TrialState.PRUNED)

# ``search.objective`` of a space -> the value of a trial that the sampler is fitted on.
_OBJECTIVES = {
    "gain": gain_of,
    "gain_per_second": gain_per_second_of,
    "loss_gain": loss_gain_of,
}


def _gains_of(trial: FrozenTrial) -> tuple[float, float] | None:
    """Return the gain over the parent, and the fall of the demand; None where there is none."""
    candidate = Candidate.read(trial)
    if candidate.gain is None or candidate.demand_gain is None:
        return None
    return candidate.gain, candidate.demand_gain


def sampler_of(space: SearchSpace, seed: int, window: int) -> GainSampler:
    """Return the sampler that a search space asks for, for a window of pending candidates."""
    search = space.search

    def make(seed: int) -> BaseSampler:
        if search.sampler == "random":
            return RandomSampler(seed=seed)
        return TPESampler(seed=seed, n_startup_trials=search.startup_trials, multivariate=True)

    gain: GainOf = _gains_of
    if isinstance(search.objective, str):
        gain = _OBJECTIVES[search.objective]
    objectives = 1 if search.demand is None else 2
    return GainSampler(
        make, distributions(space), seed=seed, gain=gain, window=window, objectives=objectives
    )


class GainSampler(BaseSampler):
    """Proposes by another sampler, fitted on each trial's gain.

    Every proposal comes from a new sampler, seeded by the run's seed and the trial's index, and
    knows the trials of lower indices. The last ``window - 1`` of them count as running, finished or
    not. So it depends on neither the moment nor on interruptions.

    Parameters
    ----------
    make : callable
        Seed -> sampler, such as ``lambda seed: TPESampler(seed=seed)``.
    space : mapping
        The distributions of every trial.
    seed : int
    gain : callable
        From a finished trial to its gain, or None; with several objectives to its gains.
    window : int
        Candidates that may be pending.
    objectives : int
        The number of gains of a trial, each of which is to be high.
    """

    def __init__(
        self,
        make: SamplerFactory,
        space: Mapping[str, BaseDistribution],
        *,
        seed: int,
        gain: GainOf,
        window: int = 1,
        objectives: int = 1,
    ) -> None:
        self._make = make
        self._space = dict(space)
        self._seed = seed
        self._gain = gain
        self._window = window
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(max(verbosity, optuna.logging.WARNING))
        self._mirror = optuna.create_study(  # without a line in the log
            storage=optuna.storages.InMemoryStorage(), directions=["maximize"] * objectives
        )
        optuna.logging.set_verbosity(verbosity)
        # The mirror's own trial, which never ends: samplers write their proposals into it.
        self._own = asked(self._mirror)
        self._running: dict[int, int] = {}  # trial -> its number in the mirror
        self._mirrored: set[int] = set()  # trials that are finished in the mirror
        self._learns = False  # from one trial's gain at least

    def propose(self, trials: Sequence[FrozenTrial], index: int) -> dict[str, Any]:
        """Draw all parameters of the trial of an index.

        Parameters
        ----------
        trials : sequence of FrozenTrial
            In the order of their indices; those from ``index`` on are not looked at.
        index : int
        """
        self._mirror_trials(trials[:index], settled=max(0, index - self._window + 1))
        sampler = self._make(seed_of(self._seed, index, "proposal"))
        # Asking the mirror would add a trial to it, and search all its trials for the parameters
        # that they have in common. These are known here.
        drawn = {name: each for name, each in sorted(self._space.items()) if not each.single()}
        # A study object caches its trials until ``ask``; a new object has no cache.
        mirror = optuna.load_study(
            study_name=self._mirror.study_name, storage=storage_of(self._mirror), sampler=sampler
        )
        own = self._own
        params = sampler.sample_relative(mirror, own, drawn if self._learns else {})
        for name, each in self._space.items():
            if each.single():
                params[name] = _only_value(each)
            elif name not in params:  # one of the first, drawn at random
                params[name] = sampler.sample_independent(mirror, own, name, each)
        return {name: params[name] for name in self._space}

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the parameters that are drawn together: all of them."""
        del study, trial
        return dict(self._space)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw all parameters of a trial that Optuna asks for, such as a queued one."""
        del search_space  # always the whole
        trials = study.get_trials(deepcopy=False)
        return self.propose(placed(trials), index_of(trials, trial.number))

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draw a parameter that is not in the space, such as one of a caller's own trial."""
        sampler = self._make(seed_of(self._seed, index_in(study, trial.number), param_name))
        return sampler.sample_independent(self._mirror, trial, param_name, param_distribution)

    def _mirror_trials(self, trials: Sequence[FrozenTrial], settled: int) -> None:
        """Bring the mirror up to date: the first ``settled`` trials are finished, others run.

        A pending trial and its end are the same trial of the mirror, since samplers weigh trials by
        their order.
        """
        for place, trial in enumerate(trials):
            if trial.number in self._mirrored or not self._is_inside(trial):
                continue
            if place >= settled or not trial.state.is_finished():
                if trial.number not in self._running:
                    self._running[trial.number] = self._add(trial, None)
                continue
            self._mirrored.add(trial.number)
            gain = self._gain(trial) if trial.state in _WITH_GAIN else None
            self._learns |= gain is not None
            number = self._running.pop(trial.number, None)
            if number is not None:
                state = TrialState.FAIL if gain is None else TrialState.COMPLETE
                self._mirror.tell(number, gain, state=state)
            elif gain is not None:
                self._add(trial, gain)

    def _is_inside(self, trial: FrozenTrial) -> bool:
        """Return whether a trial has every parameter in its range; a queued one may not."""
        return set(trial.params) == set(self._space) and all(
            each.low <= trial.params[name] <= each.high
            for name, each in self._space.items()
            if isinstance(each, FloatDistribution | IntDistribution)
        )

    def _add(self, trial: FrozenTrial, gain: Gain | None) -> int:
        """Add a trial to the mirror, running where it has no gain; return its number there."""
        self._mirror.add_trial(
            create_trial(
                state=TrialState.RUNNING if gain is None else TrialState.COMPLETE,
                params=trial.params,
                distributions=trial.distributions,
                values=None if gain is None else [*gain] if isinstance(gain, tuple) else [gain],
            )
        )
        return len(self._mirror.get_trials(deepcopy=False)) - 1


def _only_value(distribution: BaseDistribution) -> Any:
    """Return the one value of a distribution that has no other."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[0]
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return distribution.low
