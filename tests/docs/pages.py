"""The pages of the site, and their blocks of code: parsed by Sybil, run in the page's order.

The blocks of a page share their names and the folder in which they run. A comment in front of a
block says where it does not run: ``<!-- not run: needs a GPU -->``. Its Python is compiled then,
unless it is quoted from the code, and its commands are parsed by click.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sybil import Document, Example, Region, Sybil
from sybil.evaluators.python import PythonEvaluator, pad
from sybil.parsers.markdown import CodeBlockParser
from sybil.parsers.markdown.lexers import DirectiveInHTMLCommentLexer

from growsearch.cli import main
from tests.command_line import ROOT, check_command, commands

PAGES = ROOT / "docs"
FEW = 2  # trials of a search, however many the page names
SMALL = ("training.steps=4", "training.evaluate_every=4")
_NOT_RUN = "reason why the next block does not run"
_NOT_RUN_LEXER = DirectiveInHTMLCommentLexer("not run", arguments="[^\n]*?")
_run_python = PythonEvaluator()


def not_run(document: Document) -> Iterator[Region]:
    """Find the comments in front of blocks that do not run."""
    for region in _NOT_RUN_LEXER(document):
        region.parsed = str(region.lexemes["arguments"]).strip()
        region.evaluator = _remember
        yield region


def _remember(example: Example) -> None:
    assert len(example.parsed.split()) > 1, "expected a reason"
    assert _NOT_RUN not in example.namespace, f"no block stands behind: {example.parsed}"
    example.namespace[_NOT_RUN] = example.parsed


def _python(example: Example) -> None:
    reason = example.namespace.pop(_NOT_RUN, None)
    if reason is None:
        _run_python(example)
    elif not reason.startswith("quoted from "):  # lines of the code, which need not be complete
        compile(pad(example.parsed, example.line), example.path, "exec")


def _shell(example: Example) -> None:
    runs = example.namespace.pop(_NOT_RUN, None) is None
    for words in commands(example.parsed):
        check_command(words)
        if runs:
            status = main(small(words))
            assert status == 0, f"{example.path}:{example.line}: growsearch {' '.join(words)}"


def small(words: Sequence[str]) -> list[str]:
    """Return a command with a search that takes seconds, in this process."""
    name, *arguments = words
    if name not in ("run", "continue"):
        return list(words)
    assert "--time-budget" not in arguments, "a test has no time for it"
    trials = FEW
    if "--trials" in arguments:
        place = arguments.index("--trials")
        trials = min(int(arguments[place + 1]), FEW)
        del arguments[place : place + 2]
    first = () if "--model" in arguments or name == "continue" else ("teacher.steps=5",)
    settings = [word for each in (*first, *SMALL) for word in ("--set", each)]
    budget = ["--trials", str(trials), "--time-budget", "none", "--workers", "0"]
    return [name, *arguments, *settings, *budget]


_SYBIL = Sybil(
    parsers=[
        not_run,
        CodeBlockParser("python", _python),
        CodeBlockParser("sh", _shell),
        CodeBlockParser("bash", _shell),
    ],
)


def examples_of(path: Path) -> list[Example]:
    """Return the blocks of a page, in order."""
    document = _SYBIL.parse(path)
    document.namespace["__file__"] = str(path)
    return list(document.examples())
