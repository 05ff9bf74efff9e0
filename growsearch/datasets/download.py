"""Downloads that go on where an earlier one broke off."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any


class Resuming:
    """A downloader of pooch that keeps the beginning of a file whose download breaks off.

    Parameters
    ----------
    folder : Path
        Where beginnings are kept.
    progressbar : bool
        True to show one.
    chunk_size : int
        Bytes.
    timeout : (float, float)
        Seconds to reach the server, and seconds without a byte.
    """

    def __init__(
        self, folder: Path, *, progressbar: bool, chunk_size: int, timeout: tuple[float, float]
    ) -> None:
        self._folder, self._progressbar = folder, progressbar
        self._chunk_size, self._timeout = chunk_size, timeout

    def __call__(self, url: str, output_file: str, _pooch: Any) -> None:
        """Download a file to a path, as pooch calls it.

        Raises
        ------
        OSError
            When the server or the disk fails; what has come is kept.
        """
        kept = self._folder / f".partial-{hashlib.sha256(url.encode()).hexdigest()[:16]}"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._fetch(url, kept)
        shutil.move(kept, output_file)

    def _fetch(self, url: str, kept: Path) -> None:
        import requests
        from tqdm import tqdm

        before = kept.stat().st_size if kept.is_file() else 0
        headers = {"Accept-Encoding": "identity"}
        if before:
            headers["Range"] = f"bytes={before}-"
        with requests.get(url, headers=headers, stream=True, timeout=self._timeout) as answer:
            is_rest = answer.status_code == requests.codes.partial_content
            if not before or is_rest:
                answer.raise_for_status()
            elif not answer.ok:  # what was kept is no beginning of what is there now
                kept.unlink()
                self._fetch(url, kept)
                return
            first = before if is_rest else 0
            rest = answer.headers.get("Content-Length", "")
            total = first + int(rest) if rest.isdecimal() else None
            with (
                kept.open("ab" if is_rest else "wb") as file,
                tqdm(
                    total=total,
                    initial=first,
                    unit="B",
                    unit_scale=True,
                    leave=False,
                    disable=not self._progressbar,
                ) as bar,
            ):
                for chunk in answer.iter_content(self._chunk_size):
                    bar.update(file.write(chunk))
                if total is not None and file.tell() < total:
                    raise requests.ConnectionError(
                        f"broke off after {file.tell():,} of {total:,} bytes"
                    )
