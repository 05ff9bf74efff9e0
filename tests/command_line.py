"""The command line on the digits: a small run's arguments, and what it prints."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest

from growsearch.cli import main
from growsearch.cli.app import app

ROOT = Path(__file__).parents[1]
SMALL = [
    *("--set", "teacher.steps=5"),
    *("--set", "teacher.architecture=3x3x4(conv1)-pool1-8(fc1)-10(fc2)"),
    *("--set", "training.steps=4"),
    *("--set", "training.evaluate_every=2"),
]
IN_PROCESS = ("--workers", "0")  # where the law is not one of workers: their start takes seconds
COMMAND = [sys.executable, "-m", "growsearch"]
SECONDS = 120  # for a process that should have ended long ago
TRIAL = re.compile(
    r"^ +(\d+) (widen|deepen) \w+ \d+ → \d+( layers)? +(teacher|\d+) +0\.\d{4} [+-]0\.\d{4} "
    r"(kept|not kept) +random 0\.\d{4}$",
    re.MULTILINE,
)


def run_digits(folder: Path, *more: str) -> list[str]:
    """The arguments of a small run, in the command's own process unless more are given."""
    return ["run", "digits", *SMALL, "--out", str(folder), *IN_PROCESS, *more]


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and time of every file below a folder."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 2) -> str:
    """The one line that a bad command gets; everything else about it is checked."""
    assert main(list(arguments)) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("growsearch: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    return err


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words behind each ``growsearch`` in the lines of a shell."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while "growsearch" in words:
            words = words[words.index("growsearch") + 1 :]
            ends = [words.index(word) for word in ("&&", "||", "&", "|", ">") if word in words]
            yield words[: min(ends, default=len(words))]


def check_command(words: Sequence[str]) -> None:
    """Let click take a command, its options and their values; nothing runs."""
    name, *arguments = words
    # Without the parent's settings click would keep a help option that has no -h.
    parent = click.Context(app, **app.context_settings)
    command = app.get_command(parent, name)
    assert command is not None, f"growsearch {name}: no such command"
    command.make_context(name, arguments, parent=parent)
