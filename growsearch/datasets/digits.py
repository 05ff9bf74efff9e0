"""Handwritten digits that come with scikit-learn, in the size of MNIST: no network needed."""

import numpy as np
from numpy.typing import NDArray

from growsearch.datasets.dataset import Dataset, Split
from growsearch.datasets.forms import Data, dataset_from

SIDE = 28
BOX = 20
VALIDATION = TEST = 300


def load_digits(
    data: Data | None = None, *, stand_in: str | None, validation: int, seed: int
) -> Dataset:
    """Load the data set ``digits``, or `data` in its place; see `growsearch.datasets.load`.

    Raises
    ------
    DataError
        If `data` cannot be used.
    """
    del stand_in  # always at hand
    if data is not None:
        return dataset_from(data, name="images", validation=validation)
    return digits(source="scikit-learn's load_digits, enlarged", validation=validation, seed=seed)


def digits(*, source: str, stand_in: bool = False, validation: int, seed: int) -> Dataset:
    """Make 1,797 digits of 28x28x1, shuffled and stratified: 1,197 train, 300 validation, 300 test.

    As in MNIST, a digit fills a box of 20x20 in the middle (LeCun et al. 1998, section III.A).

    Parameters
    ----------
    source : str
        What the data set says about its origin.
    stand_in : bool
        Whether it replaces another data set.
    validation : int
        At most this many validation images, if that is below 300.
    seed : int
        Decides which image goes to which split.

    Returns
    -------
    Dataset
        The same for the same `seed`.
    """
    from sklearn.datasets import load_digits as bundled
    from sklearn.model_selection import train_test_split

    small = bundled()
    images, labels = enlarge(small.images / 16), small.target.astype(np.int64)
    rest, test = train_test_split(
        np.arange(len(labels)), test_size=TEST, stratify=labels, random_state=seed
    )
    train, chosen = train_test_split(
        rest, test_size=VALIDATION, stratify=labels[rest], random_state=seed
    )
    chosen, train = chosen[:validation], np.concatenate([train, chosen[validation:]])
    return Dataset(
        "digits",
        Split(images[train], labels[train]),
        Split(images[chosen], labels[chosen]),
        Split(images[test], labels[test]),
        source=source,
        stand_in=stand_in,
        class_names=tuple("0123456789"),
    )


def enlarge(small: NDArray[np.floating]) -> NDArray[np.float32]:
    """Enlarge images (n, 8, 8) bilinearly to 20x20, centred in (n, 28, 28, 1), blank around."""
    from scipy.ndimage import zoom

    factor = BOX / small.shape[1]
    box = zoom(small, (1, factor, factor), order=1, grid_mode=True, mode="nearest")
    margin = (SIDE - BOX) // 2
    around = ((0, 0), (margin, margin), (margin, margin))
    return np.pad(box.clip(0, 1).astype(np.float32), around)[..., np.newaxis]
