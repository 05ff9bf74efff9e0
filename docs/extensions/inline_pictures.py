"""Our SVG pictures as parts of the page, so that they follow its light or dark colours."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes

_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)  # of the file alone: the page has its own


def _inlined(app: Any, document: nodes.document, _name: str) -> None:
    """Put the text of each picture in the place of its link."""
    for image in list(document.findall(nodes.image)):
        path = Path(app.srcdir) / image["uri"]
        if path.suffix == ".svg" and path.parent.name == "pictures":
            picture = _STYLE.sub("", path.read_text(encoding="utf-8"))
            image.replace_self(nodes.raw("", picture, format="html"))


def setup(app: Any) -> dict[str, bool]:
    """Give Sphinx the step."""
    app.connect("doctree-resolved", _inlined)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
