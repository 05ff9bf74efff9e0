"""Long random sequences of growths of all kinds, on random graphs: nothing adds up."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from growsearch.growth import GROWTHS, grow
from growsearch.networks import Network
from tests.bare_graph import slim_logits
from tests.growth.test_cases import (
    SMALL,
    difference,
    images_for,
    random_architecture,
    trained,
)

SEQUENCES, LENGTH, PORTIONS = 2000, 20, 20
ROOMY = replace(SMALL, layers=64, width=32)


def grown(seed: int) -> tuple[Network, Network, Counter[str]]:
    """A random network, the same after LENGTH random growths, and how often each kind came."""
    rng = np.random.default_rng(seed)
    first = network = trained(random_architecture(seed), seed=seed)
    batch = images_for(first.architecture, seed=1, count=2)
    kinds: Counter[str] = Counter()
    for _ in range(LENGTH):
        for operation in rng.permutation(list(GROWTHS)):
            if legal := GROWTHS[operation].sites(network.architecture, ROOMY):
                break
        else:
            raise AssertionError(f"the limits leave room for {LENGTH} growths")
        site = legal[rng.integers(len(legal))]
        growth = site.sized(rng.uniform(0.0, 1.0), network.architecture, ROOMY)
        network = grow(network, growth, rng=rng, images=batch)
        kinds[growth.operation] += 1
    return first, network, kinds


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_sequences_of_growths_keep_every_logit(portion):
    """2,000 sequences of 20 growths: <= 1e-9 relative in float64, <= 1e-5 in TensorFlow's float32.

    TensorFlow's student is held against the float64 teacher: one graph fewer, and a law more.
    """
    kinds: Counter[str] = Counter()
    for seed in range(portion, SEQUENCES, PORTIONS):
        first, last, done = grown(seed)
        kinds += done
        images = images_for(first.architecture, seed=99)
        teacher = first.forward(images)
        assert difference(teacher, last.forward(images)) <= 1e-9, seed
        assert difference(teacher, slim_logits(last, images, training=False)) <= 1e-5, seed
    assert set(kinds) == set(GROWTHS)
