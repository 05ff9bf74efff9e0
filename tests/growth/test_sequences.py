"""Long random sequences of growths of all kinds, on random graphs: no error accumulates."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from growsearch.errors import NotExactError
from growsearch.growth import GROWTHS, AddSkip, Growth, grow
from growsearch.networks import INPUT, Architecture, Network
from tests.bare_graph import slim_logits
from tests.growth.test_cases import (
    SMALL,
    difference,
    images_for,
    random_architecture,
    trained,
)

SEQUENCES, LENGTH, PORTIONS = 2000, 20, 20
IN_TENSORFLOW = 200  # of the sequences: a graph takes as long to build as 20 growths to apply
ROOMY = replace(SMALL, layers=64, width=32)
# Growing all layers at once takes as long as 8 growths of one layer: it comes less often.
WEIGHTS = {operation: 0.25 if operation == "widen_all" else 1.0 for operation in GROWTHS}


def grown(seed: int) -> tuple[Network, Network, Counter[str]]:
    """A random network, the same after LENGTH random growths, and the number of each kind."""
    rng = np.random.default_rng(seed)
    first = network = trained(random_architecture(seed), seed=seed)
    batch = images_for(first.architecture, seed=1, count=2)
    kinds: Counter[str] = Counter()
    for _ in range(LENGTH):
        growth = random_growth(network.architecture, rng)
        network = grow(network, growth, rng=rng, images=batch)
        kinds[growth.operation] += 1
    return first, network, kinds


def random_growth(architecture: Architecture, rng: np.random.Generator) -> Growth:
    """A legal growth of a random kind, place and size."""
    weights = np.array(list(WEIGHTS.values())) / sum(WEIGHTS.values())
    for operation in rng.choice(list(WEIGHTS), len(WEIGHTS), replace=False, p=weights):
        if operation == "add_skip":
            legal = random_skip(architecture, rng)
        else:
            legal = GROWTHS[operation].sites(architecture, ROOMY)
        if legal:
            site = legal[rng.integers(len(legal))]
            return site.sized(rng.uniform(0.0, 1.0), architecture, ROOMY)
    raise AssertionError(f"the limits leave room for {LENGTH} growths")


def random_skip(architecture: Architecture, rng: np.random.Generator) -> tuple[AddSkip, ...]:
    """The first legal one of 10 random shortcuts; a list of all takes a third of the test's time.

    Sites leave out a shortcut that is already there; here it may come twice.
    """
    layers = [node.name for node in architecture.nodes if node.layer.is_producer][:-1]
    for _ in range(10):
        target = int(rng.integers(len(layers)))
        source = [INPUT, *layers[:target]][rng.integers(target + 1)]
        skip = AddSkip(source, layers[target], "sum" if rng.random() < 0.5 else "concat")
        try:
            larger = skip.grown(architecture)
        except NotExactError:
            continue
        if ROOMY.allow_growth(architecture, larger):
            return (skip,)
    return ()


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_sequences_of_growths_keep_every_logit(portion):
    """2,000 sequences of 20 growths: <= 1e-9 relative in float64.

    The last networks of 200 of them: <= 1e-5 in TensorFlow's float32. TensorFlow's student is held
    against the float64 teacher: one graph fewer, and a law more.
    """
    kinds: Counter[str] = Counter()
    seeds = range(portion, SEQUENCES, PORTIONS)
    for seed in seeds:
        first, last, done = grown(seed)
        kinds += done
        images = images_for(first.architecture, seed=99)
        teacher = first.forward(images)
        assert difference(teacher, last.forward(images)) <= 1e-9, seed
        if seed in seeds[: IN_TENSORFLOW // PORTIONS]:
            assert difference(teacher, slim_logits(last, images, training=False)) <= 1e-5, seed
    assert set(kinds) == set(GROWTHS)
