"""Pages that show documents of the repository, and links that leave the folder of the pages.

``benchmarks/README.md``, ``CONTRIBUTING.md`` and ``CHANGELOG.md`` stay where a reader of the
repository looks for them; each has a page of the site with its text.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs"
SHOWN = {
    "benchmarks": ROOT / "benchmarks" / "README.md",
    "contributing": ROOT / "CONTRIBUTING.md",
    "changes": ROOT / "CHANGELOG.md",
}
HOME = {ROOT / "README.md": "index"}  # their text is not shown, but a page says the same
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!\w+:)([^)#\s]+)(#[^)\s]*)?\)")


def linked(text: str, folder: Path) -> str:
    """Return Markdown with links as the site has them.

    A link to a file without a page becomes its text. Links among the pages stay.
    """

    def replaced(match: re.Match[str]) -> str:
        words, target, anchor = match[1], (folder / match[2]).resolve(), match[3] or ""
        pages = {path: name for name, path in SHOWN.items()} | HOME
        if target in pages:
            return f"[{words}](/{pages[target]}.md{anchor})"
        if target.is_relative_to(PAGES):
            return f"[{words}](/{target.relative_to(PAGES)}{anchor})"
        return words

    return _LINK.sub(replaced, text)


def _read(app: Any, name: str, source: list[str]) -> None:
    path = SHOWN.get(name)
    if path is None:
        source[0] = linked(source[0], (PAGES / name).parent)
    else:
        app.env.note_dependency(str(path))
        source[0] = linked(path.read_text(encoding="utf-8"), path.parent)


def setup(app: Any) -> dict[str, bool]:
    """Give Sphinx the step."""
    app.connect("source-read", _read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
