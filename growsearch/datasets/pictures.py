"""One picture of a user, read as untrusted input: its header, and its pixels in a given shape."""

from __future__ import annotations

import hashlib
import io
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from growsearch.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

Shape = tuple[int, int, int]

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
ENDINGS = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp"})
MOST_PIXELS = 89_478_485
"""A larger picture is refused: it may be a few bytes that expand; Pillow warns from here on."""
MOST_BYTES = 1 << 29
"""A larger file is refused."""

_WHITE = np.uint8(255)
_TURNED = (5, 6, 7, 8)  # EXIF orientations that swap height and width
_ORIENTATION = 0x0112
_DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
_GREY = ("1", "L", "LA", "La", *_DEEP)


class Outline(NamedTuple):
    """The part of a picture that its header tells."""

    height: int
    width: int
    is_grey: bool


def outline_of(path: Path) -> Outline:
    """Read the header of a picture, as it is to be looked at: EXIF orientation is applied.

    Raises
    ------
    DataError
        Says in a few words why the file cannot be read.
    """
    with _told():
        _check_regular(path)
        with path.open("rb") as file, _opened(file) as image:
            turned = False
            with suppress(Exception):  # damaged EXIF data are none
                turned = image.getexif().get(_ORIENTATION) in _TURNED
            width, height = reversed(image.size) if turned else image.size
            return Outline(height, width, image.mode in _GREY)


def read_picture(path: Path, shape: Shape) -> tuple[NDArray[np.uint8], str]:
    """Read a picture as bytes of a shape, with the SHA-256 of its file.

    It is turned as its EXIF data say, laid on white where it is transparent, scaled to 8 bits, and
    resized, not cropped, as `keras.utils.load_img` does; of an animation it is the first picture.

    Parameters
    ----------
    path : Path
    shape : (height, width, channels)
        Channels are 1 for grey and 3 for colour.

    Returns
    -------
    (pixels, SHA-256) : uint8 array of that shape, 64 hex digits

    Raises
    ------
    DataError
        Says in a few words why the file cannot be read.
    """
    with _told():
        _check_regular(path)
        data = path.read_bytes()
        with _opened(io.BytesIO(data)) as image:
            return _pixels(image, shape), hashlib.sha256(data).hexdigest()


@contextmanager
def _told() -> Iterator[None]:
    """Turn the errors of the block into a DataError that says why in a few words."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # foreign bytes: whatever a decoder trips over
        raise DataError(_reason(error)) from None


def _check_regular(path: Path) -> None:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise DataError("no regular file")  # reading a named pipe would wait for ever
    if not found.st_size:
        raise DataError("empty")
    if found.st_size > MOST_BYTES:
        raise DataError(f"{found.st_size:,} bytes, at most {MOST_BYTES:,} are read")


def _opened(file: io.BytesIO | io.BufferedReader) -> Image:
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        raise DataError("no JPEG, PNG, BMP, GIF or WebP image") from None
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise DataError(f"{width}x{height} pixels, at most {MOST_PIXELS:,} are read")
    return image


def _pixels(image: Image, shape: Shape) -> NDArray[np.uint8]:
    from PIL import Image as PillowImage
    from PIL import ImageOps

    height, width, channels = shape
    longer = 2 * max(height, width)
    image.draft(None, (longer, longer))  # a large JPEG is decoded at a part of its size
    image.load()
    whole: Image = image
    with suppress(Exception):  # damaged EXIF data are none
        whole = ImageOps.exif_transpose(image) or image
    if whole.mode in _DEEP:
        deep, clear = np.asarray(whole), whole.info.get("transparency")
        grey = _eight_bits(deep)
        whole = PillowImage.fromarray(
            grey if clear is None else np.where(deep == clear, _WHITE, grey)
        )
    if whole.has_transparency_data:
        layers = whole.convert("RGBA")
        white = PillowImage.new("RGBA", layers.size, "white")
        whole = PillowImage.alpha_composite(white, layers)
    whole = whole.convert("L" if channels == 1 else "RGB")
    if whole.size != (width, height):
        whole = whole.resize((width, height), PillowImage.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(whole, np.uint8).reshape(shape)


def _eight_bits(deep: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Return grey values of 16 bits as 8 bits; values up to 255 as they are."""
    values = np.nan_to_num(deep.astype(np.float64), posinf=65535.0, neginf=0.0)
    if deep.dtype.itemsize == 2 or values.max() > 255.0:
        values = values / 257.0
    return np.rint(values).clip(0, 255).astype(np.uint8)


def _reason(error: Exception) -> str:
    """Return an error of the system or of a decoder in a few words."""
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split())[:120] or type(error).__name__
