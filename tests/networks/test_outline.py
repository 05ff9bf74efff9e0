"""The outline of an architecture: widths, stage by stage."""

from __future__ import annotations

import pytest

import growsearch as gs
from growsearch.networks.outline import outline


@pytest.mark.parametrize(
    ("chain", "drawn"),
    [
        ("10(fc1)", "no hidden layer"),
        ("3x3x8(a)-pool1-4(b)-10(c)", "8-4"),
        ("3x3x8(a)-3x3x8(b)-pool1-4(c)-4(d)-10(e)", "[8-8]-[4-4]"),
        ("3x3x8(a,stride=2x2)-3x3x8(b)-10(c)", "[8-8]"),
    ],
)
def test_stages_are_layers_of_one_size(chain: str, drawn: str) -> None:
    """Layers whose outputs have one height and width stand together; the output layer is none."""
    assert outline(gs.Architecture.parse(chain, (8, 8, 1))) == drawn


def test_joins_are_counted() -> None:
    """A skip has a convolution of its own, and is counted behind the widths."""
    parent = gs.Architecture.parse("3x3x8(a)-3x3x8(b)-10(c)", (8, 8, 1))
    skipped = gs.AddSkip("a", "b").grown(parent)
    assert outline(skipped) == "[8-8-8] + 1 join"
