"""Images and labels: `load` finds a data set by name, checks it, and returns it read-only."""

import os
from functools import partial
from typing import Protocol

from growsearch.checks import LARGEST_SEED, whole_number
from growsearch.datasets.brightness import with_darkness_told
from growsearch.datasets.dataset import Dataset, Split
from growsearch.datasets.digits import load_digits
from growsearch.datasets.files import ImageFile, ImageFiles
from growsearch.datasets.forms import IN_MEMORY, Data
from growsearch.datasets.given import NAME as OWN
from growsearch.datasets.given import in_order, joined, load_own
from growsearch.datasets.own import ImageSize, is_images, load_images, pictures_for
from growsearch.datasets.pixels import Pixels
from growsearch.datasets.published import PUBLISHED
from growsearch.datasets.sources import load_published
from growsearch.datasets.stored import StoredImages
from growsearch.datasets.streams import are_streams, load_streams
from growsearch.errors import DataError

__all__ = [
    "IN_MEMORY",
    "LOADERS",
    "OWN",
    "Data",
    "Dataset",
    "ImageFile",
    "ImageFiles",
    "ImageSize",
    "Loader",
    "Pixels",
    "Split",
    "StoredImages",
    "are_pictures",
    "in_order",
    "joined",
    "load",
    "load_images",
    "pictures_for",
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


def _own(name: str, data: Data | None) -> Data | None:
    """Return the images that are named, or where the environment says that published ones are."""
    if data is None and name in PUBLISHED:
        return os.environ.get("GROWSEARCH_DATA") or None
    return data


def are_pictures(name: str, data: Data | None = None) -> bool:
    """Return whether `load` would read image files, which are resized, and no arrays."""
    own = _own(name, data)
    return not are_streams(own) and is_images(own)


def load(
    name: str,
    data: Data | None = None,
    *,
    stand_in: str | None = None,
    validation: int = 5000,
    seed: int = 0,
    image_size: ImageSize | None = None,
    channels: int | None = None,
    skip_unreadable: bool = False,
) -> Dataset:
    """Load a data set.

    Published images are looked for in `data`; else where the environment variable GROWSEARCH_DATA
    points; else in the cache folder, into which they are downloaded (not with
    GROWSEARCH_OFFLINE=1) and verified. Images of your own in MNIST's format may be loaded under
    its name; the images of one published data set are refused under the name of another. All
    other images of your own are a data set of their own name.

    Parameters
    ----------
    name : str
        ``mnist``, ``fashion_mnist`` or ``kmnist`` (28x28x1, 10 classes), ``cifar10`` (32x32x3, 10
        classes), or ``digits`` (scikit-learn's, enlarged to 28x28x1), or ``own``
        for images without a published name, which are `data`.
    data : path, arrays, pipelines or Dataset, optional
        A folder with a folder for each class, or what else `load_images` takes; a folder with the
        published files (IDX gzipped or not), an ``.npz`` file in the layout of Keras or MedMNIST,
        ``((x_train, y_train), (x_test, y_test))`` as ``keras.datasets.mnist.load_data()`` returns
        it; a ``tf.data.Dataset`` or a Keras ``PyDataset``, or a pair (training, test) or a mapping
        of them; or a `Dataset`, which is returned as it is. Images are uint8, or floats from 0 to
        1. If it cannot be used, that is an error, never a reason for the stand-in.
    stand_in : str, optional
        ``digits`` to take these if the data set is nowhere and cannot be downloaded; the result
        then has ``stand_in=True`` and must be announced.
    validation : int
        At most this many of the first training images become the validation split, never more
        than a sixth: the first 5,000 of the 60,000 of MNIST and of Fashion-MNIST, as in
        TensorFlow's original reader.
    seed : int
        Splits ``digits``, and images of your own that come unsplit. The others are never shuffled.
    image_size, channels, skip_unreadable
        Of images of your own; see `load_images`.

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
    own = _own(name, data)
    if are_streams(own):
        found = load_streams(own, validation=validation, seed=seed)
    elif is_images(own):
        try:
            found = load_images(
                own,
                image_size=image_size,
                channels=channels,
                validation=validation,
                seed=seed,
                skip_unreadable=skip_unreadable,
            )
        except DataError as error:
            if data is not None:
                raise
            raise type(error)(f"GROWSEARCH_DATA: {error}") from error
    else:
        found = LOADERS[name](data, stand_in=stand_in, validation=validation, seed=seed)
    return found if found is data else with_darkness_told(found)
