"""A sampler fitted on the gain over the parent, not on the accuracy that the study shows.

A trial's value in the study is its accuracy, so that the dashboard shows accuracies. But the parent
changes, and accuracy then depends more on the time of a proposal than on its merit: a sampler
fitted on accuracy learns nothing. So the wrapped sampler sees a mirror of the study, in memory,
whose values are the gains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from growsearch.study.optuna_private import asked, storage_of
from growsearch.study.read import gain_of, gain_per_second_of
from growsearch.study.trials import index_in
from growsearch.trials.seeds import seed_of

SamplerFactory = Callable[[int], BaseSampler]

# ``search.objective`` of a space -> the value of a trial that the sampler is fitted on.
_OBJECTIVES = {"gain": gain_of, "gain_per_second": gain_per_second_of}


def sampler_of(space: SearchSpace, seed: int) -> GainSampler:
    """Return the sampler that a search space asks for."""
    search = space.search

    def make(seed: int) -> BaseSampler:
        if search.sampler == "random":
            return RandomSampler(seed=seed)
        return TPESampler(seed=seed, n_startup_trials=search.startup_trials, multivariate=True)

    return GainSampler(
        make,
        distributions(space),
        seed=seed,
        gain=_OBJECTIVES[search.objective],
        index=index_in,
    )


class GainSampler(BaseSampler):
    """Proposes by another sampler, fitted on each trial's gain.

    Every proposal comes from a new sampler, seeded by the run's seed and the trial's index. So it
    depends on the finished trials alone, and a resumed run proposes the same as an uninterrupted
    one.

    Parameters
    ----------
    make : callable
        Seed -> sampler, such as ``lambda seed: TPESampler(seed=seed)``.
    space : mapping
        The distributions of every trial.
    seed : int
    gain, index : callable
        From a finished trial to its gain, or None; from a trial's number to its index.
    """

    def __init__(
        self,
        make: SamplerFactory,
        space: Mapping[str, BaseDistribution],
        *,
        seed: int,
        gain: Callable[[FrozenTrial], float | None],
        index: Callable[[Study, int], int],
    ) -> None:
        self._make = make
        self._space = dict(space)
        self._seed = seed
        self._gain = gain
        self._index = index
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(max(verbosity, optuna.logging.WARNING))
        self._mirror = optuna.create_study(  # without a line in the log
            storage=optuna.storages.InMemoryStorage(), direction="maximize"
        )
        optuna.logging.set_verbosity(verbosity)
        # The mirror's own trial, which never ends: samplers write their proposals into it.
        self._own = asked(self._mirror)
        self._mirrored: set[int] = set()

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the parameters that are drawn together: all of them."""
        del study, trial
        return dict(self._space)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw all parameters from the sampler fitted on the gains so far."""
        del search_space  # always the whole
        self._mirror_finished(study)
        index = self._index(study, trial.number)
        sampler = self._make(seed_of(self._seed, index, "proposal"))
        # Asking the mirror would add a trial to it, and search all its trials for the parameters
        # that they have in common. These are known here.
        drawn = {name: each for name, each in sorted(self._space.items()) if not each.single()}
        # A study object caches its trials until ``ask``; a new object has no cache.
        mirror = optuna.load_study(
            study_name=self._mirror.study_name, storage=storage_of(self._mirror), sampler=sampler
        )
        own, learns = self._own, bool(self._mirrored)
        params = sampler.sample_relative(mirror, own, drawn if learns else {})
        for name, each in self._space.items():
            if each.single():
                params[name] = _only_value(each)
            elif name not in params:  # one of the first, drawn at random
                params[name] = sampler.sample_independent(mirror, own, name, each)
        return params

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draw a parameter that is not in the space, such as one of a caller's own trial."""
        sampler = self._make(seed_of(self._seed, self._index(study, trial.number), param_name))
        return sampler.sample_independent(self._mirror, trial, param_name, param_distribution)

    def _mirror_finished(self, study: Study) -> None:
        finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        for trial in finished:
            if trial.number in self._mirrored:
                continue
            self._mirrored.add(trial.number)
            gain = self._gain(trial)
            if gain is not None and set(trial.params) == set(self._space):
                self._mirror.add_trial(
                    create_trial(params=trial.params, distributions=trial.distributions, value=gain)
                )


def _only_value(distribution: BaseDistribution) -> Any:
    """Return the one value of a distribution that has no other."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[0]
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return distribution.low
