"""An optimizer is one row; its builder, its formula and its slots follow."""

from __future__ import annotations

from growsearch.networks.optimizers import OPTIMIZERS
from growsearch.testing.trainer_contract.formulas import FORMULAS
from growsearch.training.slim.optimizers import BUILDERS


def test_every_optimizer_has_a_builder_and_a_formula() -> None:
    """The trainer builds and the contract checks every optimizer that plans accept."""
    assert set(BUILDERS) == set(FORMULAS) == set(OPTIMIZERS)


def test_slots_have_the_degrees_that_growth_knows() -> None:
    """Growth scales slots of degree 1 and 2; an adaptive optimizer has one to divide by."""
    for name, row in OPTIMIZERS.items():
        assert set(row.degrees.values()) <= {1, 2}, name
        assert row.adaptive == (2 in row.degrees.values()), name
