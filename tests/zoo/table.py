"""The table of the zoo in docs/keras.md; ``python -m tests.zoo.table`` writes it again."""

from __future__ import annotations

import re
from pathlib import Path

import growsearch as gs
from growsearch.growth import Widen
from growsearch.networks import Architecture
from tests.zoo.applications import APPLICATIONS
from tests.zoo.examples import EXAMPLES
from tests.zoo.laws import LIMITS

PAGE = Path(__file__).parents[2] / "docs" / "keras.md"
ZOO = {**APPLICATIONS, **EXAMPLES}
HEAD = "| model | layers | only Keras computes | layers that can widen |\n|---|---|---|---|\n"


def row(name: str, architecture: Architecture) -> str:
    """Return the row of one model."""
    widen = len(Widen.sites(architecture, LIMITS))
    return f"| {name} | {len(architecture)} | {kept(architecture)} | {widen} |"


def kept(architecture: Architecture) -> str:
    """Return the number of nodes that only Keras computes, and their kinds."""
    kinds = {getattr(each.layer, "class_name", each.layer.kind) for each in architecture.opaque}
    return f"{len(architecture.opaque)}: {', '.join(sorted(kinds))}" if kinds else "0"


def rows_of_the_page() -> dict[str, str]:
    """Return the rows in the page, by model."""
    found = re.findall(r"^\| ([\w, ]+) \| \d+ \|.*$", PAGE.read_text(), flags=re.MULTILINE)
    lines = re.findall(r"^\| [\w, ]+ \| \d+ \|.*$", PAGE.read_text(), flags=re.MULTILINE)
    return dict(zip(found, lines, strict=True))


def main() -> None:
    """Write the table again."""
    rows = {}
    for name, build in ZOO.items():
        rows[name] = row(name, gs.from_keras(build()).architecture)
        print(rows[name], flush=True)
    text = PAGE.read_text()
    start = text.index(HEAD)
    end = re.compile(r"\n(?!\|)").search(text, start)
    rest = text[end.start() + 1 :] if end else ""
    PAGE.write_text(text[:start] + HEAD + "\n".join(rows.values()) + "\n" + rest)


if __name__ == "__main__":
    main()
