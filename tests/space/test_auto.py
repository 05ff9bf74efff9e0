"""The space around a network that is given: nothing to write, everything to change."""

from __future__ import annotations

import pytest

from growsearch.errors import SearchSpaceError
from growsearch.growth import Limits
from growsearch.networks import Architecture
from growsearch.space import AUTO, SearchSpace, read_shipped
from growsearch.space.auto import limits_of, operations_of
from tests.space_values import refused

GIVEN = Architecture.parse("3x3x24(conv1)-pool1-40(fc1)-3(fc2)", (12, 10, 3))


def test_the_space_needs_nothing_but_a_network() -> None:
    """Its first network is the given one, not trained, with room to grow and places for it."""
    space = SearchSpace.load(AUTO, first=GIVEN)
    assert space.architecture == GIVEN
    assert space.teacher.steps == 0
    assert space.limits.model_dump(exclude_none=True) == limits_of(GIVEN)
    assert limits_of(GIVEN) == {
        "layers": 8,
        "width": 160,
        "parameters": 4 * GIVEN.parameters,
        "flops": 4 * GIVEN.flops,
        "width_multiple": 8,
    }
    for operation in operations_of(GIVEN, Limits(**limits_of(GIVEN))):
        assert operation in space.choices.operations
    assert read_shipped(AUTO).startswith("# ")


@pytest.mark.parametrize(
    ("change", "section", "key", "value"),
    [
        ("limits.parameters=50000", "limits", "parameters", 50000),
        ("limits.width_multiple=1", "limits", "width_multiple", 1),
        ('choices.operations=["widen"]', "choices", "operations", ("widen",)),
        ("teacher.steps=20", "teacher", "steps", 20),
        ("training.steps=7", "training", "steps", 7),
    ],
)
def test_every_key_may_be_set(change: str, section: str, key: str, value: object) -> None:
    """Those that follow from the network too; the others stay."""
    space = SearchSpace.load(AUTO, change, first=GIVEN)
    assert getattr(getattr(space, section), key) == value
    plain = SearchSpace.load(AUTO, first=GIVEN)
    assert space.replace(**{section: getattr(plain, section)}) == plain


def test_a_trunk_takes_the_place_of_the_polish() -> None:
    """It ends with a decay."""
    space = SearchSpace.load(AUTO, "trunk.candidates=2", first=GIVEN)
    assert space.trunk is not None
    assert space.polish is None


def test_another_space_keeps_its_settings() -> None:
    """Its first network is the given one; its limits must have room for it."""
    space = SearchSpace.load("digits", first=GIVEN)
    assert space.architecture == GIVEN
    assert space.limits == SearchSpace.load("digits").limits
    text = refused(SearchSpace.load, "digits", "limits.parameters=10", first=GIVEN)
    assert "limits" in text


def test_without_a_network_it_is_no_space() -> None:
    """The message says what it needs; the list of spaces that load by name lacks it."""
    assert AUTO not in SearchSpace.shipped()
    with pytest.raises(SearchSpaceError, match=r"by --model PATH or network=, got none"):
        SearchSpace.load(AUTO)
