"""Values as they are typed: arms, sizes, amounts; and the help that names the arms."""

from __future__ import annotations

from dataclasses import replace

import click
import pytest

from growsearch.cli import main
from growsearch.cli.options import Amount, Arms, Size
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
    # A line may also end behind a hyphen: so no space counts.
    assert "".join(f"Arms: {named}.".split()) in "".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8G", 8_000_000_000),
        ("512M", 512_000_000),
        ("1.5GB", 1_500_000_000),
        (" 2 T ", 2_000_000_000_000),
        ("1Gi", 2**30),
        ("4MiB", 4 * 2**20),
    ],
)
def test_a_size_of_memory_is_read_in_bytes(text: str, size: int) -> None:
    """A unit is a power of 1000, and with an i of 1024."""
    assert Size().convert(text, None, None) == size


@pytest.mark.parametrize(
    "text", ["", "0", "0G", "8", "-8G", "G", "8g", "8K", "8 gigabytes", "1e3M", "nanG", "9" * 400]
)
def test_no_other_size_is_read(text: str) -> None:
    """A number without a unit would be bytes, too few for any worker."""
    with pytest.raises(click.BadParameter, match="expected a size of memory"):
        Size().convert(text, None, None)


def test_an_amount_may_be_a_fraction() -> None:
    """Of processors and GPUs; of GPUs there may be none."""
    assert Amount(above=True).convert(".25", None, None) == 0.25
    assert Amount().convert("0", None, None) == 0.0


@pytest.mark.parametrize(
    ("text", "above", "least"),
    [
        ("0", True, "more than 0"),
        *((text, False, "of at least 0") for text in ("-1", "nan", "inf", "many", "")),
    ],
)
def test_no_other_amount_is_read(text: str, above: bool, least: str) -> None:
    """Amounts are finite, and of processors there are some."""
    with pytest.raises(click.BadParameter, match=f"expected a number {least}"):
        Amount(above=above).convert(text, None, None)
