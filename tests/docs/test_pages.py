"""Every block of Python and every command of the documentation runs, or says why it does not."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from tests.docs.pages import PAGES, examples_of, small

pytestmark = pytest.mark.usefixtures("own_machine", "quick_sqlite", "closed_connections")

FILES = sorted(PAGES.rglob("*.md"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PAGES)))
def test_blocks_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a page run in their order, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    for example in examples_of(path):
        example.evaluate()


@pytest.mark.parametrize(
    ("block", "error"),
    [
        ("```python\n1 / 0\n```\n", ZeroDivisionError),
        ("```sh\ngrowsearch run digits --no-such-option\n```\n", click.NoSuchOption),
        ("```sh\ngrowsearch show runs/nothing\n```\n", AssertionError),
        ("<!-- not run: needs a GPU -->\n```sh\ngrowsearch walk\n```\n", AssertionError),
        ("<!-- not run: needs a GPU -->\n```python\nx = = 1\n```\n", SyntaxError),
        ("<!-- not run: -->\n", AssertionError),
    ],
)
def test_a_broken_block_fails(
    block: str, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error, an unknown option or command, wrong syntax; also where the block does not run."""
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.md"
    page.write_text(block, encoding="utf-8")
    examples = examples_of(page)
    for example in examples[:-1]:  # the comment that says why a block does not run
        example.evaluate()
    with pytest.raises(error):
        examples[-1].evaluate()


def test_a_block_that_does_not_run_is_marked_alone(tmp_path: Path) -> None:
    """The comment holds for the block behind it, and for no other."""
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- not run: needs a GPU -->\n```python\n1 / 0\n```\n\n```python\nran = True\n```\n",
        encoding="utf-8",
    )
    examples = examples_of(page)
    for example in examples:
        example.evaluate()
    assert examples[-1].namespace["ran"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PAGES)))
def test_commands_stand_in_blocks_of_a_shell(path: Path) -> None:
    """No command escapes these tests in a block without a language, or as a text."""
    blocks = re.findall(
        r"^```(.*)\n([\s\S]*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [
        block
        for language, block in blocks
        if language not in ("sh", "bash")
        and re.search(r"^(\$ )?growsearch \w", block, re.MULTILINE)
    ] == []


def test_searches_are_small() -> None:
    """At most two trials, in this process; other commands stay as they are."""
    assert small(["show", "runs/first"]) == ["show", "runs/first"]
    words = small(["run", "digits", "--trials", "6", "--seed", "1"])
    assert words[:4] == ["run", "digits", "--seed", "1"]
    assert words[words.index("--trials") + 1] == "2"
    assert words[-2:] == ["--workers", "0"]
