"""The data sets that are published, a row each: mirrors, hashes, classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from growsearch.datasets.cifar import ARCHIVE as CIFAR_ARCHIVE


class Hashes(NamedTuple):
    """The hashes of one file, which tell whether it is the published one.

    Parameters
    ----------
    archive : str
        Of the gzip file that the mirrors serve, in hex digits: SHA-256, or another algorithm with
        its name in front, such as ``md5:``. Another gzip of the same bytes has another hash.
    content : str
        SHA-256 of the unpacked bytes of an IDX file, where they are known.
    """

    archive: str
    content: str = ""


@dataclass(frozen=True)
class Published:
    """A published data set: of four IDX files as MNIST, or CIFAR-10's binary archive.

    Parameters
    ----------
    name : str
        Its name in `growsearch.datasets.load`, and that of its folder in the cache.
    title : str
        Its name in sentences.
    mirrors : tuple of str
        URLs that end in ``/``, asked in this order.
    files : mapping
        Hashes of each file, under the name that it has at the mirrors.
    classes : tuple of str
        Name of each class, in the order of the labels.
    image_shape : (height, width, channels)
    """

    name: str
    title: str
    mirrors: tuple[str, ...]
    files: Mapping[str, Hashes]
    classes: tuple[str, ...]
    image_shape: tuple[int, int, int] = (28, 28, 1)

    @property
    def image_hashes(self) -> tuple[str, ...]:
        """SHA-256 of the unpacked files of images, of training and of the test, where known."""
        every = (hashes.content for name, hashes in self.files.items() if "images" in name)
        return tuple(each for each in every if each)


MNIST = Published(
    "mnist",
    "MNIST",
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    files=MappingProxyType(
        {
            "t10k-labels-idx1-ubyte.gz": Hashes(
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
            "train-labels-idx1-ubyte.gz": Hashes(
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
            "t10k-images-idx3-ubyte.gz": Hashes(
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
            "train-images-idx3-ubyte.gz": Hashes(
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
        }
    ),
    classes=tuple("0123456789"),
)

# Its authors publish the MD5 of the archives, and serve the second mirror without encryption.
FASHION_MNIST = Published(
    "fashion_mnist",
    "Fashion-MNIST",
    mirrors=(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    files=MappingProxyType(
        {
            "t10k-labels-idx1-ubyte.gz": Hashes(
                "md5:bb300cfdad3c16e7a12a480ee83cd310",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
            "train-labels-idx1-ubyte.gz": Hashes(
                "md5:25c81989df183df01b3e8a0aad5dffbe",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            ),
            "t10k-images-idx3-ubyte.gz": Hashes(
                "md5:bef4ecab320f06d8554ea6380940ec79",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            ),
            "train-images-idx3-ubyte.gz": Hashes(
                "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            ),
        }
    ),
    classes=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
)

# Its authors serve it from one place, and publish no hashes; these MD5 are torchvision's.
KMNIST = Published(
    "kmnist",
    "Kuzushiji-MNIST",
    mirrors=(
        "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    ),
    files=MappingProxyType(
        {
            "t10k-labels-idx1-ubyte.gz": Hashes("md5:7320c461ea6c1c855c0b718fb2a4b134"),
            "train-labels-idx1-ubyte.gz": Hashes("md5:e144d726b3acfaa3e44228e80efcd344"),
            "t10k-images-idx3-ubyte.gz": Hashes("md5:5c965bf0a639b31b8f53240b1b52f4d7"),
            "train-images-idx3-ubyte.gz": Hashes("md5:bdb82020997e1d708af4cf47b453dcf7"),
        }
    ),
    classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
)

# The archive without pickles; its MD5 is published beside it.
CIFAR10 = Published(
    "cifar10",
    "CIFAR-10",
    mirrors=("https://www.cs.toronto.edu/~kriz/",),
    files=MappingProxyType({CIFAR_ARCHIVE: Hashes("md5:c32a1d4ab5d03f1284b67883e8d87530")}),
    classes=(
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ),
    image_shape=(32, 32, 3),
)

PUBLISHED = {row.name: row for row in (MNIST, FASHION_MNIST, KMNIST, CIFAR10)}
"""A further data set of this kind is one more row."""
