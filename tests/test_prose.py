"""The docstrings: each begins with a verb or with the noun that it is about."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import growsearch

PACKAGE = Path(growsearch.__file__).parent
TESTS = Path(__file__).parent
MODULES = sorted([*PACKAGE.rglob("*.py"), *TESTS.rglob("*.py")])
# A clause without its noun: "What a run knows" for "The knowledge of a run".
NO_NOUN = re.compile(r"(?:How|What|Where|Whether|Which|Who|Whoever|Whose|Why)\b")
NO_NAME = re.compile(r"\b(?:any|every|no|some)body\b|\bwhoever\b", re.IGNORECASE)


def docstrings(text: str) -> Iterator[tuple[int, str]]:
    """Yield the docstring of a module and of each class and function in it, with its line."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node)
            if docstring:
                yield node.body[0].lineno, docstring


def faults(text: str) -> list[str]:
    """Return each docstring that opens without a noun, or has an actor without a name."""
    return [
        f"{line}: {docstring.splitlines()[0]}"
        for line, docstring in docstrings(text)
        if NO_NOUN.match(docstring) or NO_NAME.search(docstring)
    ]


@pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: path.relative_to(PACKAGE.parent).as_posix()
)
def test_docstrings_name_their_subject(path: Path) -> None:
    """No docstring opens with a bare relative clause, and every actor in it has a name."""
    assert faults(path.read_text(encoding="utf-8")) == []


def test_faulty_docstrings_are_found() -> None:
    """In a module, a class, a method and a function, at the opening and in the middle."""
    text = '''"""What is here."""
class Found:
    """How large it is."""
    def one(self):
        """Return the value that nobody reads."""
        def inner():
            """Whoever calls it waits."""
async def other():
    """Return what is asked."""
'''
    assert [fault.partition(":")[0] for fault in faults(text)] == ["1", "3", "5", "7"]
