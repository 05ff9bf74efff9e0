"""Searches that make networks smaller too: from beyond the limits into them, step by step."""

from __future__ import annotations

from pathlib import Path

from growsearch.driver.proposals import decode
from growsearch.growth import SHRINKS
from growsearch.space import SearchSpace
from growsearch.upkeep.verify import verify
from tests.small_search import search

OPERATIONS = 'choices.operations=["narrow_all", "widen", "narrow"]'
ROOMY = "teacher.architecture=3x3x8(conv1)-pool1-3x3x8(conv2)-pool2-16(fc1)-3(fc2)"


def test_a_network_beyond_the_limits_narrows_into_them() -> None:
    """Nothing else is legal before; behind the limit's edge it may widen again."""
    first = SearchSpace.load("digits", [ROOMY, "teacher.input_shape=[8, 8, 1]"]).architecture
    least = first.parameters // 4
    space = SearchSpace.load(
        "digits",
        [
            *(ROOMY, OPERATIONS, "teacher.input_shape=[8, 8, 1]"),
            *("limits.width_multiple=2", f"limits.parameters={least}"),
        ],
    )
    architecture = space.architecture
    drawn = {"op": "widen", "position": 0.0, "log2_factor": 0.5, "learning_rate": 1e-3}
    operations = []
    while architecture.parameters > least:
        growth = decode(drawn, architecture, space)
        assert growth is not None
        operations.append(growth.operation)
        smaller = growth.grown(architecture)
        assert smaller.parameters < architecture.parameters
        architecture = smaller
    assert set(operations) <= set(SHRINKS)
    assert len(operations) > 1
    while architecture.parameters > least // 2:
        growth = decode(drawn | {"op": "narrow_all"}, architecture, space)
        assert growth is not None
        architecture = growth.grown(architecture)
    widened = decode(drawn, architecture, space)
    assert widened is not None
    assert widened.operation == "widen"


def test_smaller_networks_are_judged_like_others(tmp_path: Path) -> None:
    """Each is trained beside its control, kept or not, and can be verified."""
    found = search(tmp_path / "run", ROOMY, OPERATIONS, "judge.rule=not_inferior", trials=6)
    assert {record.operation for record in found.trials} >= {"narrow_all"}
    for record in found.trials:
        assert record.state == "COMPLETE", record.reason
        assert set(record.arms) == {"net2net", "random"}
    assert verify(tmp_path / "run").is_good
