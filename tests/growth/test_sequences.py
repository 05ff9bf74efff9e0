"""Long random sequences of growths of all kinds, on random graphs: no error accumulates."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from growsearch.errors import NotExactError
from growsearch.growth import (
    GROWTHS,
    AddBranch,
    AddSkip,
    Compound,
    Deepen,
    Growth,
    Widen,
    grow,
)
from growsearch.networks import INPUT, Architecture, Network
from tests.bare_graph import slim_logits
from tests.growth_cases import (
    MULTIPLIED,
    SMALL,
    difference,
    images_for,
    random_architecture,
    trained,
)

SEQUENCES, LENGTH, PORTIONS = 2000, 20, 20
IN_TENSORFLOW = 100  # of the sequences: a graph takes longer to build than 20 growths to apply
ROOMY = replace(SMALL, layers=64, width=32)
# Growing all layers at once takes as long as 20 growths of one layer: it comes less often.
WEIGHTS = {name: 0.1 if issubclass(GROWTHS[name], Compound) else 1.0 for name in GROWTHS}


def grown(seed: int) -> tuple[Network, Network, Counter[str]]:
    """A random network, the same after LENGTH random growths, and the number of each kind."""
    rng = np.random.default_rng(seed)
    architecture = random_architecture(seed)
    # In float64 no growth rounds a weight, whatever norm it widens.
    is_normed = any(node.layer.kind in MULTIPLIED for node in architecture.nodes)
    dtype = np.float64 if is_normed else np.float32
    first = network = trained(architecture, seed=seed, dtype=dtype)
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
        for _ in range(10):
            growth = drawn(operation, architecture, rng)
            if growth is not None and is_legal(growth, architecture):
                return growth
    raise AssertionError(f"the limits leave room for {LENGTH} growths")


def drawn(operation: str, architecture: Architecture, rng: np.random.Generator) -> Growth | None:
    """A growth of this kind at a random place, of random size; it may be illegal.

    Drawn, not chosen from the list of all legal sites, wherever that list takes long.
    """
    layers = [node.name for node in architecture.nodes if node.layer.is_producer][:-1]
    place = int(rng.integers(len(layers)))
    layer, width = layers[place], architecture[layers[place]].layer.width
    units = int(rng.integers(1, width + 1))
    if operation == "widen":
        zero_sum = float(rng.choice([0.0, 0.5]))
        growth = Widen(layer, width + units, zero_sum=zero_sum)
        return growth if zero_sum else growth.with_split(rng.choice([None, "new"]), architecture)
    if operation == "deepen":
        return Deepen(layer)
    if operation == "add_branch":
        return AddBranch(layer, units)
    if operation == "add_skip":
        source = [INPUT, *layers[:place]][rng.integers(place + 1)]
        return AddSkip(source, layer, "sum" if rng.random() < 0.5 else "concat")
    legal = GROWTHS[operation].sites(architecture, ROOMY)
    if not legal:
        return None
    site = legal[rng.integers(len(legal))]
    return site.sized(rng.uniform(0.0, 1.0), architecture, ROOMY)


def is_legal(growth: Growth, architecture: Architecture) -> bool:
    """True if the growth is exact here and stays within the limits."""
    try:
        return ROOMY.allow_growth(architecture, growth.grown(architecture))
    except NotExactError:
        return False


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_sequences_of_growths_keep_every_logit(portion):
    """2,000 sequences of 20 growths: <= 1e-9 relative in float64.

    The last networks of 100 of them: <= 1e-5 in TensorFlow's float32. TensorFlow's student is held
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
