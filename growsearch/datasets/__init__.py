"""Images and labels: `load` finds a data set by name, checks it, and returns it read-only."""

from functools import partial
from typing import Protocol

from growsearch.checks import LARGEST_SEED, whole_number
from growsearch.datasets.dataset import Dataset, Split
from growsearch.datasets.digits import load_digits
from growsearch.datasets.forms import Data
from growsearch.datasets.given import NAME as OWN
from growsearch.datasets.given import joined, load_own
from growsearch.datasets.published import PUBLISHED
from growsearch.datasets.sources import load_published
from growsearch.datasets.stored import StoredImages
from growsearch.errors import DataError

__all__ = [
    "LOADERS",
    "OWN",
    "Data",
    "Dataset",
    "Loader",
    "Split",
    "StoredImages",
    "joined",
    "load",
]


class Loader(Protocol):
    """Finds one data set; a new data set is one of these and one line in `LOADERS`."""

    def __call__(
        self, data: Data | None = None, *, stand_in: str | None, validation: int, seed: int
    ) -> Dataset:
        """Return the data set; the arguments are those of `load`."""


LOADERS: dict[str, Loader] = {
    **{name: partial(load_published, name) for name in PUBLISHED},
    "digits": load_digits,
    OWN: load_own,
}

STAND_INS = ("digits",)


def load(
    name: str,
    data: Data | None = None,
    *,
    stand_in: str | None = None,
    validation: int = 5000,
    seed: int = 0,
) -> Dataset:
    """Load a data set.

    MNIST and Fashion-MNIST are looked for in `data`; else where the environment variable
    GROWSEARCH_DATA points; else in the cache folder, into which they are downloaded (not with
    GROWSEARCH_OFFLINE=1) and verified. Images of your own in MNIST's format may be loaded under
    either name; the images of one are refused under the name of the other.

    Parameters
    ----------
    name : str
        ``mnist`` or ``fashion_mnist`` (28x28x1, 10 classes), or ``digits`` (scikit-learn's,
        enlarged to that size), or ``own`` for `data` of any shape and number of classes.
    data : path, arrays or Dataset, optional
        A folder with the four IDX files (gzipped or not), an ``.npz`` file in the layout of Keras,
        ``((x_train, y_train), (x_test, y_test))`` as ``keras.datasets.mnist.load_data()`` returns
        it, or a `Dataset`, which is returned as it is. Images are uint8, or floats from 0 to 1.
        If it cannot be used, that is an error, never a reason for the stand-in.
    stand_in : str, optional
        ``digits`` to take these if the data set is nowhere and cannot be downloaded; the result
        then has ``stand_in=True`` and must be announced.
    validation : int
        At most this many of the first training images become the validation split, never more
        than a sixth: the first 5,000 of the 60,000 of MNIST and of Fashion-MNIST, as in
        TensorFlow's original reader.
    seed : int
        Shuffles ``digits`` into its splits. The others are never shuffled.

    Returns
    -------
    Dataset
        Checked and read-only.

    Raises
    ------
    DataNotFoundError
        If there is nothing at the place named, or nothing could be had.
    DataError
        If the name is unknown or the data cannot be used; one line says what and where.

    Examples
    --------
    >>> digits = load("digits")
    >>> len(digits.train), len(digits.validation), len(digits.test), digits.image_shape
    (1197, 300, 300, (28, 28, 1))
    """
    if name not in LOADERS:
        raise DataError(f"expected a data set out of {', '.join(LOADERS)}, got {name!r}")
    if stand_in is not None and stand_in not in STAND_INS:
        raise DataError(f"expected a stand-in out of {', '.join(STAND_INS)}, got {stand_in!r}")
    if isinstance(data, str) and not data:
        raise DataError("data: expected a path, got ''")  # it would be the working directory
    validation = whole_number("validation", validation, 1, error=DataError)
    seed = whole_number("seed", seed, 0, LARGEST_SEED, error=DataError)
    return LOADERS[name](data, stand_in=stand_in, validation=validation, seed=seed)
