"""A layer less: what deepening added goes without a trace."""

from __future__ import annotations

import pytest

from growsearch.errors import ArchitectureError, InvalidInputError, NotExactError
from growsearch.growth import Deepen, Limits, Remove, grow
from growsearch.networks.layers import Conv
from tests.growth_cases import CASES, case, change, images_for, same, trained


@pytest.mark.parametrize("batch_norm", [True, False, None])
@pytest.mark.parametrize("name", ["conv-flatten-dense", "batch norm", "residual", "dense only"])
def test_removing_undoes_deepening(name, batch_norm):
    """The old network is back bit for bit, slots too, as the new layer is an identity."""
    parent = trained(CASES[name])
    batch = images_for(parent.architecture, seed=1)
    for site in Deepen.sites(parent.architecture, Limits()):
        deep = grow(parent, Deepen(site.layer, batch_norm), rng=0, images=batch)
        child = grow(deep, Remove(f"{site.layer}_deep"), rng=0)
        assert same(child, parent), site
        for slot, layers in parent.slots.values.items():
            for layer, arrays in layers.items():
                for weight, array in arrays.items():
                    assert (child.slots.values[slot][layer][weight] == array).all()


def test_what_is_no_identity_is_refused_unless_asked():
    """By how much it is none is said; with exact false it goes, and the outputs change."""
    parent = trained(case(Conv((3, 3), 3), Conv((3, 3), 3, activation="tanh")))
    (site,) = Remove.sites(parent.architecture, Limits())
    assert site == Remove("conv1", exact=False)
    with pytest.raises(NotExactError, match=rf"{site.layer}: expected an identity.*exact=False"):
        grow(parent, Remove(site.layer), rng=0)
    child = grow(parent, site, rng=0)
    assert site.layer not in child.architecture
    assert change(parent, child) > 1e-6


def test_dropout_goes():
    """In evaluation mode it is an identity."""
    parent = trained(CASES["batch norm"])
    (name,) = (n.name for n in parent.architecture.nodes if n.layer.kind == "dropout")
    child = grow(parent, Remove(name), rng=0)
    assert change(parent, child) == 0.0
    assert len(child.architecture) == len(parent.architecture) - 1


@pytest.mark.parametrize("name", CASES)
def test_every_site_can_be_taken_out(name):
    """Whatever ``sites`` lists gives a network of a layer less; blocks go as wholes."""
    parent = trained(CASES[name])
    for site in Remove.sites(parent.architecture, Limits()):
        child = grow(parent, site, rng=0)
        assert child.architecture == site.grown(parent.architecture)
        assert child.parameters < parent.parameters
        assert child.forward(images_for(parent.architecture)).shape[1:] == (3,)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("dense10", "dense10: expected a layer before the output"),
        ("add8", "add8: expected a layer with one input, got 2"),
        ("conv0", "conv0: expected an output of the shape of its input"),
    ],
)
def test_layers_that_cannot_go_are_refused(layer, message):
    """With the reason, in one line."""
    with pytest.raises(NotExactError, match=message):
        Remove(layer, exact=False).grown(CASES["residual, projected"])


def test_wrong_arguments_are_named():
    with pytest.raises(InvalidInputError, match="exact: expected true or false, got 'no'"):
        Remove("conv0", exact="no")
    with pytest.raises(ArchitectureError, match="got 'conv99'"):
        Remove("conv99").grown(CASES["residual"])
