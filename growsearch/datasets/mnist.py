"""MNIST: where it may lie, and how it is downloaded and verified."""

import os
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

from growsearch.datasets.dataset import Dataset
from growsearch.datasets.digits import digits
from growsearch.datasets.forms import Data, dataset_from
from growsearch.errors import DataError, DataNotFoundError

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

# SHA-256 of the files as the mirrors serve them; another gzip of the same bytes differs.
FILES = {
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    "train-labels-idx1-ubyte.gz": (
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
    ),
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "train-images-idx3-ubyte.gz": (
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    ),
}

IMAGE_SHAPE = (28, 28, 1)
CLASSES = 10
SECONDS_TO_REACH = 4.0
SECONDS_WITHOUT_BYTES = 15.0

_REMEDY = "name a folder with MNIST's IDX files or an .npz file with --data PATH or GROWSEARCH_DATA"


def load_mnist(
    data: Data | None = None, *, stand_in: str | None, validation: int, seed: int
) -> Dataset:
    """Load the data set ``mnist``; see `growsearch.datasets.load`.

    Raises
    ------
    DataNotFoundError
        If it is not where it should be, or could not be had and there is no stand-in.
    DataError
        If what was found cannot be used.
    """
    if data is not None:
        return _dataset(data, validation)
    if named := os.environ.get("GROWSEARCH_DATA"):
        try:
            return _dataset(named, validation)
        except DataError as error:
            raise type(error)(f"GROWSEARCH_DATA: {error}") from error
    try:
        folder = fetch()
    except DataNotFoundError as error:
        if stand_in is None:
            raise
        source = f"scikit-learn's load_digits, enlarged, IN PLACE OF MNIST ({error})"
        return digits(source=source, stand_in=True, validation=validation, seed=seed)
    return _dataset(folder, validation)


def cache_folder() -> Path:
    """Return the folder that downloads are kept in (it may not exist yet)."""
    import pooch

    return Path(pooch.os_cache("growsearch")) / "mnist"


def fetch() -> Path:
    """Return the cache folder, after a download of its four files unless all of them verify.

    With GROWSEARCH_OFFLINE=1 in the environment nothing is downloaded.

    Returns
    -------
    Path
        A folder that holds MNIST's four gzipped IDX files, each with its pinned SHA-256.

    Raises
    ------
    DataNotFoundError
        If no mirror delivered; its line names each mirror's failure and the remedy.
    """
    folder = cache_folder()
    if all(_verifies(folder / name, digest) for name, digest in FILES.items()):
        return folder
    if os.environ.get("GROWSEARCH_OFFLINE", "") not in ("", "0"):
        raise DataNotFoundError(
            f"MNIST is not in {folder} and GROWSEARCH_OFFLINE forbids the download: {_REMEDY}"
        )
    failures = []
    for mirror in MIRRORS:
        try:
            _download(mirror, folder)
        except (OSError, ValueError) as error:  # requests' errors are OSError, pooch's ValueError
            failures.append(f"{urlsplit(mirror).netloc}: {' '.join(str(error).split())[:160]}")
        else:
            return folder
    raise DataNotFoundError(f"MNIST could not be downloaded ({'; '.join(failures)}): {_REMEDY}")


def _dataset(data: Data, validation: int) -> Dataset:
    return dataset_from(
        data, name="mnist", validation=validation, image_shape=IMAGE_SHAPE, classes=CLASSES
    )


def _verifies(path: Path, digest: str) -> bool:
    import pooch

    try:
        return path.is_file() and bool(pooch.file_hash(str(path)) == digest)
    except OSError:
        return False


def _download(mirror: str, folder: Path) -> None:
    import pooch

    _reach(mirror)
    download = pooch.HTTPDownloader(
        progressbar=sys.stderr.isatty(),
        chunk_size=1 << 16,
        timeout=(SECONDS_TO_REACH, SECONDS_WITHOUT_BYTES),
    )
    shelf = pooch.create(path=folder, base_url=mirror, registry=FILES, retry_if_failed=1)
    for name in FILES:
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
