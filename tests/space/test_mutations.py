"""Damaged search spaces: each loads or is one line."""

from __future__ import annotations

import copy
import random
from typing import Any

from growsearch.errors import SearchSpaceError
from growsearch.space import SearchSpace
from tests.space_values import JUNK, values

MUTATIONS = 2500


def mutated(rng: random.Random) -> dict[str, Any]:
    """Return a shipped space with up to three changes anywhere in it."""
    changed: dict[str, Any] = copy.deepcopy(values(rng.choice(SearchSpace.shipped())))
    for _ in range(rng.randint(1, 3)):
        table: Any = changed
        while True:
            inner = [key for key in table if isinstance(table[key], dict)]
            if not inner or rng.random() < 0.3:
                break
            table = table[rng.choice(inner)]
        if not table:
            continue
        key = rng.choice(list(table))
        change = rng.choice(["drop", "junk", "junk", "scale", "rename", "swap", "into a list"])
        if change == "drop":
            del table[key]
        elif change == "junk":
            table[key] = rng.choice(JUNK)
        elif change == "scale" and isinstance(table[key], int | float):
            table[key] *= rng.choice([-1, 0, 0.5, 2, 10**6, 10**12])
        elif change == "rename":
            table[rng.choice(["x", "", "a\nb", "k" * 5000, key.upper()])] = table.pop(key)
        elif change == "swap":
            other = rng.choice(list(table))
            table[key], table[other] = table[other], table[key]
        elif change == "into a list":
            table[key] = [table[key]]
    return changed


def test_mutated_spaces_load_or_are_one_line() -> None:
    """Each of 2,500 damaged spaces gives a space or a SearchSpaceError, and nothing else."""
    loaded = 0
    for seed in range(MUTATIONS):
        changed = mutated(random.Random(seed))
        try:
            space = SearchSpace.parse(changed)
        except SearchSpaceError as error:
            text = str(error)
        else:
            loaded, text = loaded + 1, "fine"
            assert space.growth_limits.allow(space.architecture)
            assert space.plan(
                {
                    "learning_rate": space.choices.learning_rate[0],
                    **{n: b[0] for n, b in space.choices.knobs.items()},
                }
            )
        assert "\n" not in text, seed
        assert 0 < len(text) < 1500, seed
    assert 0 < loaded < MUTATIONS / 2
