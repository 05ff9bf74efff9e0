"""The controls that a candidate gets: a function of the space, the run's seed and its index."""

from __future__ import annotations

from growsearch.space.space import SearchSpace
from growsearch.trials.arms import CANDIDATE
from growsearch.trials.seeds import seed_of


def wanted_controls(space: SearchSpace, seed: int, index: int) -> list[tuple[str, int]]:
    """Return (arm, repeat) of every control of a complete candidate, with its own repeats.

    One number is drawn for all arms, and an arm with fraction f runs where it is below f: so an
    arm's trials are among those of every arm with a larger fraction.

    Parameters
    ----------
    space : SearchSpace
    seed : int
        The run's.
    index : int
        The candidate's.

    Examples
    --------
    >>> space = SearchSpace.load("digits").replace(controls={"arms": ["random"], "seeds": 2})
    >>> wanted_controls(space, 0, 0)
    [('random', 0), ('net2net', 1), ('random', 1)]
    >>> wanted_controls(space.replace(controls={"arms": []}), 0, 0)
    [('net2net', 1)]
    """
    controls = space.controls
    lot = seed_of(seed, index, "controls") / 2**31
    arms = [arm for arm, fraction in controls.arms.items() if lot < fraction]
    repeated = [CANDIDATE, *arms] if arms or not controls.arms else []
    repeats = [(arm, repeat) for repeat in range(1, controls.seeds) for arm in repeated]
    return [(arm, 0) for arm in arms] + repeats
