"""Growth in training mode, where batch norm uses the batch's own statistics."""

from __future__ import annotations

import numpy as np
import pytest

from growsearch.growth import Deepen, Limits, Widen, grow
from growsearch.net2net.units import SHARES
from growsearch.networks import Network
from tests.bare_graph import slim_logits
from tests.growth_cases import CASES, difference, images_for, trained

NORMALIZED = ("batch norm", "residual", "residual, projected", "depthwise", "padded", "smooth")


def outputs(network: Network, images: np.ndarray) -> np.ndarray:
    """The tf-slim graph's logits in training mode; dropout is left out, its masks differ."""
    return slim_logits(network, images, training=True)


def without_dropout(architecture):
    return architecture.with_layers(
        {
            node.name: type(node.layer)(rate=0.0)
            for node in architecture.nodes
            if node.layer.kind == "dropout"
        }
    )


@pytest.mark.parametrize("split", SHARES)
@pytest.mark.parametrize("name", NORMALIZED)
def test_widening_through_batch_norm_keeps_training_mode_too(name, split):
    """A copy has its unit's batch statistics: max |Δ| <= 1e-5 of the largest output.

    New units have their own, and no layer uses them yet.
    """
    parent = trained(without_dropout(CASES[name]))
    images = images_for(parent.architecture, seed=3, count=16)
    before = outputs(parent, images)
    for site in Widen.sites(parent.architecture, Limits()):
        width = 2 * parent.architecture[site.layer].layer.width
        child = grow(parent, Widen(site.layer, width, split), rng=1)
        assert difference(before, outputs(child, images)) <= 1e-5, site


def test_deepening_with_batch_norm_is_as_far_off_as_the_statistics():
    """Exact to 1e-3 in training mode on the batch that was measured; the more so, the more images.

    The batch norm that deepening adds is the identity for the measured mean and deviation, the
    latter with 10 bits, so that evaluation is exact.
    """
    parent = trained(CASES["conv-flatten-dense"])
    images = images_for(parent.architecture, seed=3, count=64)
    before = outputs(parent, images)

    def deviation(measured: np.ndarray) -> float:
        child = grow(parent, Deepen("conv0", batch_norm=True), rng=0, images=measured)
        return difference(before, outputs(child, images))

    def of_others(count: int) -> float:
        batches = (images_for(parent.architecture, seed=s, count=count) for s in range(100, 105))
        return float(np.mean([deviation(batch) for batch in batches]))

    assert deviation(images) <= 1e-3
    assert 1e-3 < of_others(512) < of_others(4)
