"""Images: which data sets are where, without a download."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from growsearch.datasets import sources
from growsearch.datasets.published import PUBLISHED
from growsearch.doctor.finding import Finding

_VARIABLE, _OFFLINE = "GROWSEARCH_DATA", "GROWSEARCH_OFFLINE"


def data() -> Iterator[Finding]:
    """Yield the findings on the images that are named, and on each published data set."""
    if named := os.environ.get(_VARIABLE):
        if Path(named).expanduser().exists():
            yield Finding("data", _VARIABLE, "ok", f"{named}, in place of published images")
        else:
            advice = f"unset {_VARIABLE}, or let it name your images"
            yield Finding("data", _VARIABLE, "wrong", f"{named}, which is not there", advice)
    is_offline = os.environ.get(_OFFLINE, "") not in ("", "0")
    for row in PUBLISHED.values():
        folder = sources.cache_folder(row.name)
        lacking = sources.missing(row, folder)
        if not lacking:
            yield Finding("data", row.title, "ok", f"in {folder}, verified")
        elif is_offline:
            advice = f"unset {_OFFLINE}, or name a folder with its files: --data PATH"
            told = f"not in {folder}, and {_OFFLINE} forbids the download"
            yield Finding("data", row.title, "note", told, advice)
        else:
            count = len(lacking)
            part = f"{count} of {len(row.files)} files missing" if count < len(row.files) else ""
            told = f"not in {folder}{f' ({part})' if part else ''}: downloaded when it is asked for"
            yield Finding("data", row.title, "ok", told)
    yield Finding("data", "digits", "ok", "scikit-learn's, always there")
