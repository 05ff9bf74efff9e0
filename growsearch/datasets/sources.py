"""The sources of a published data set: where it may lie, how it is downloaded and verified."""

import os
import sys
import threading
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from growsearch.datasets.dataset import Dataset
from growsearch.datasets.digits import digits
from growsearch.datasets.download import Resuming
from growsearch.datasets.forms import Data, dataset_from
from growsearch.datasets.idx import idx_hash, read_idx
from growsearch.datasets.published import PUBLISHED, Hashes, Published
from growsearch.errors import DataError, DataNotFoundError

IMAGE_SHAPE = (28, 28, 1)
CHUNK = 1 << 13
"""Bytes that are written at a time; where a line breaks, the last ones that came are lost."""
SECONDS_TO_REACH = 4.0
SECONDS_WITHOUT_BYTES = 15.0


def load_published(
    name: str, data: Data | None = None, *, stand_in: str | None, validation: int, seed: int
) -> Dataset:
    """Load a data set out of `PUBLISHED`; see `growsearch.datasets.load`.

    Raises
    ------
    DataNotFoundError
        If it is not where it should be, or could not be had and there is no stand-in.
    DataError
        If the images found cannot be used, or are those of another row.
    """
    row = PUBLISHED[name]
    if data is not None:
        return _dataset(row, data, validation)
    if named := os.environ.get("GROWSEARCH_DATA"):
        try:
            return _dataset(row, named, validation)
        except DataError as error:
            raise type(error)(f"GROWSEARCH_DATA: {error}") from error
    try:
        folder = fetch(row)
    except DataNotFoundError as error:
        if stand_in is None or row.image_shape != IMAGE_SHAPE:
            raise
        source = f"scikit-learn's load_digits, enlarged, IN PLACE OF {row.title} ({error})"
        return digits(source=source, stand_in=True, validation=validation, seed=seed)
    return replace(_dataset(row, folder, validation), paths=())  # the cache is no choice of theirs


def cache_folder(name: str) -> Path:
    """Return the folder that downloads of a data set are kept in (it may not exist yet)."""
    import pooch

    return Path(pooch.os_cache("growsearch")) / name


def fetch(row: Published) -> Path:
    """Return the cache folder, after a download of those of its files that do not verify.

    With GROWSEARCH_OFFLINE=1 in the environment nothing is downloaded.

    Returns
    -------
    Path
        A folder that holds the row's files, each with the hash of the archive, or with that of the
        content if it was packed again.

    Raises
    ------
    DataNotFoundError
        If no mirror delivered; its line names each mirror's failure and the remedy.
    """
    folder = cache_folder(row.name)
    if not missing(row, folder):
        return folder
    remedy = (
        f"name a folder with {row.title}'s files or an .npz file with --data PATH or "
        "GROWSEARCH_DATA"
    )
    if os.environ.get("GROWSEARCH_OFFLINE", "") not in ("", "0"):
        raise DataNotFoundError(
            f"{row.title} is not in {folder} and GROWSEARCH_OFFLINE forbids the download: {remedy}"
        )
    failures = []
    for mirror in row.mirrors:
        try:
            _download(row, mirror, folder)
        except (OSError, ValueError) as error:  # requests' errors are OSError, pooch's ValueError
            failures.append(f"{urlsplit(mirror).netloc}: {' '.join(str(error).split())[:160]}")
        else:
            return folder
    raise DataNotFoundError(
        f"{row.title} could not be downloaded ({'; '.join(failures)}): {remedy}"
    )


def _dataset(row: Published, data: Data, validation: int) -> Dataset:
    others = (other for other in PUBLISHED.values() if other.name != row.name)
    return dataset_from(
        data,
        name=row.name,
        validation=validation,
        image_shape=row.image_shape,
        class_names=row.classes,
        others={digest: other.name for other in others for digest in other.image_hashes},
    )


def missing(row: Published, folder: Path) -> list[str]:
    """Return the names of a data set's files that are not in a folder, or do not verify."""
    return [name for name, hashes in row.files.items() if not _verifies(folder / name, hashes)]


def _verifies(path: Path, hashes: Hashes) -> bool:
    import pooch

    algorithm, _, digest = hashes.archive.rpartition(":")
    try:
        if not path.is_file():
            return False
        if pooch.file_hash(str(path), alg=algorithm or "sha256") == digest:
            return True
        return bool(hashes.content) and idx_hash(read_idx(path)) == hashes.content
    except (OSError, DataError):
        return False


def _download(row: Published, mirror: str, folder: Path) -> None:
    import pooch

    _reach(mirror)
    download = Resuming(
        folder,
        progressbar=sys.stderr.isatty(),
        chunk_size=CHUNK,
        timeout=(SECONDS_TO_REACH, SECONDS_WITHOUT_BYTES),
    )
    registry = {name: hashes.archive for name, hashes in row.files.items()}
    shelf = pooch.create(path=folder, base_url=mirror, registry=registry, retry_if_failed=1)
    for name in missing(row, folder):
        shelf.fetch(name, downloader=download)


def _reach(mirror: str) -> None:
    # A socket's time limit covers neither the name server nor a host's further addresses. Waiting
    # for a thread does, so that an offline machine learns it in seconds.
    import requests

    failures: list[str] = ["no answer"]

    def ask() -> None:
        try:
            requests.head(mirror, timeout=SECONDS_TO_REACH).close()
            failures.clear()
        except (OSError, ValueError) as error:  # requests raises both
            failures[0] = type(error).__name__

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(SECONDS_TO_REACH)
    if failures:
        raise ConnectionError(f"cannot be reached ({failures[0]})")
