"""Control arms as they are typed, and the help that names them."""

from __future__ import annotations

from dataclasses import replace

import click
import pytest

from growsearch.cli import main
from growsearch.cli.options import Arms
from growsearch.trials import arms


@pytest.mark.parametrize(
    ("text", "fractions"),
    [
        ("random", {"random": 1.0}),
        ("random,scratch:0.5", {"random": 1.0, "scratch": 0.5}),
        (" random , scratch:.5 ", {"random": 1.0, "scratch": 0.5}),
        ("none", {}),
        (" none ", {}),
        ("", {}),
    ],
)
def test_arms_are_read_with_their_fractions(text: str, fractions: dict[str, float]) -> None:
    """An arm without a fraction runs on every trial; none is no arm."""
    assert Arms().convert(text, None, None) == fractions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("random:often", "expected fractions such as random:0.5, got 'random:often'"),
        ("random:", "expected fractions such as random:0.5, got 'random:'"),
        ("random, random:0.5", "expected each arm once, got 'random, random:0.5'"),
    ],
)
def test_no_other_form_of_arms_is_read(text: str, expected: str) -> None:
    """A fraction that is no number and an arm that is named twice are refused."""
    with pytest.raises(click.BadParameter, match=expected):
        Arms().convert(text, None, None)


def test_the_help_names_the_arms_of_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The help of ``run`` names a new arm, with its question, without a change of its text."""
    row = replace(arms.ARMS["random"], question="does a smaller start pay?")
    monkeypatch.setitem(arms.ARMS, "pruned_back", row)
    assert main(["run", "--help"]) == 0
    named = ", ".join(f"{arm} ({arms.ARMS[arm].question})" for arm in arms.controls())
    assert "pruned_back (does a smaller start pay?)" in named
    assert f"Arms: {named}." in " ".join(capsys.readouterr().out.split())
