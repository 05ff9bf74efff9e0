"""One picture: what it looks like is what is read, in 8 bits, or a reason in a few words."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from growsearch.datasets import pictures
from growsearch.datasets.pictures import outline_of, read_picture
from growsearch.errors import DataError
from tests.pictures import ENDINGS, packed, picture, write

LOSSY = {"jpg": 30, "webp": 60}  # of 255; the pictures are small and coloured


def read(path: Path, shape: tuple[int, int, int] = (6, 8, 3)) -> np.ndarray:
    return read_picture(path, shape)[0].astype(int)


@pytest.mark.parametrize("ending", ENDINGS)
def test_each_format_is_read(tmp_path: Path, ending: str) -> None:
    """JPEG, PNG, BMP, GIF and WebP, whatever the ending of the file says."""
    image = picture(mode="L")
    for name in (f"a.{ending}", "a.jpg"):
        path = tmp_path / name
        path.write_bytes(packed(image, ending))
        assert outline_of(path)[:2] == (6, 8)
        assert abs(read(path, (6, 8, 1))[..., 0] - np.asarray(image)).max() <= LOSSY.get(ending, 0)


def test_grey_and_colour_become_one_another(tmp_path: Path) -> None:
    """A grey picture has three equal channels; a coloured one its luminance."""
    grey = write(tmp_path / "grey.png", picture(mode="L"))
    found = read(grey)
    assert (found == found[..., :1]).all()
    assert outline_of(grey).is_grey
    colour = write(tmp_path / "colour.png")
    assert not outline_of(colour).is_grey
    expected = np.asarray(picture().convert("L"))
    assert (read(colour, (6, 8, 1))[..., 0] == expected).all()


def test_sixteen_bits_are_scaled(tmp_path: Path) -> None:
    """The darkest and the brightest of 65,536 values are 0 and 255, not clipped."""
    deep = (np.arange(48).reshape(6, 8) * (65535 / 47)).astype(np.uint16)
    path = tmp_path / "deep.png"
    Image.fromarray(deep).save(path)
    assert outline_of(path).is_grey
    assert abs(read(path, (6, 8, 1))[..., 0] - deep / 257).max() <= 0.5


def test_transparent_is_white(tmp_path: Path) -> None:
    """White shows through a transparent picture, and no hidden colour."""
    image = picture().convert("RGBA")
    image.putalpha(Image.fromarray(np.repeat(np.uint8([[0, 255]]), 6, 0).repeat(4, 1)))
    found = read(write(tmp_path / "a.png", image))
    assert (found[:, :4] == 255).all()
    assert (found[:, 4:] == np.asarray(picture())[:, 4:]).all()
    palette = image.convert("P")
    palette.info["transparency"] = palette.getpixel((7, 0))
    path = tmp_path / "p.png"
    palette.save(path, transparency=palette.getpixel((7, 0)))
    assert (read(path)[0, 7] == 255).all()


def test_four_inks_become_colour(tmp_path: Path) -> None:
    """A CMYK JPEG, as printers use, looks as it did."""
    path = write(tmp_path / "inks.jpg", picture(size=(64, 48)).convert("CMYK"), quality=95)
    with Image.open(path) as image:
        assert image.mode == "CMYK"
    expected = np.asarray(picture(size=(64, 48)), int)
    assert abs(read(path, (48, 64, 3)) - expected).mean() < 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_as_its_camera_says(tmp_path: Path, orientation: int) -> None:
    """EXIF orientations 1 to 8: size and pixels are those that a viewer shows."""
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    path = write(tmp_path / "photo.png", picture(), exif=exif)
    with Image.open(path) as image:
        shown = ImageOps.exif_transpose(image)
    assert outline_of(path)[:2] == (shown.height, shown.width)
    assert (shown.size == (6, 8)) == (orientation > 4)
    expected = np.asarray(shown.convert("RGB"))
    assert (read(path, (shown.height, shown.width, 3)) == expected).all()


def test_a_photograph_among_small_ones_is_made_small(tmp_path: Path) -> None:
    """3024x3024 becomes 100x100 with the same colours; a PNG and a JPEG agree."""
    large = picture(5, (3024, 3024))
    expected = np.asarray(picture(5, (100, 100)), int)
    for name in ("a.jpg", "a.png"):
        found = read(write(tmp_path / name, large), (100, 100, 3))
        assert abs(found - expected).mean() < 3


def test_an_animation_is_its_first_picture(tmp_path: Path) -> None:
    """GIF and WebP with several pictures."""
    pages = [picture(seed, mode="L") for seed in range(3)]
    path = tmp_path / "moving.gif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    assert (read(path, (6, 8, 1))[..., 0] == np.asarray(pages[0])).all()


def test_what_is_no_picture_has_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty, text, cut short, too large, gone, a folder, a pipe: a few words, and no waiting."""
    whole = packed(picture(size=(400, 300)), "jpg")
    files = {
        "empty.png": (b"", "empty"),
        "text.png": (b"hello", "no JPEG, PNG, BMP, GIF or WebP image"),
        "cut.jpg": (whole[: len(whole) // 2], "truncated|broken"),
        "cut.png": (packed(picture(size=(64, 48)))[:200], "."),
        "tiff.png": (b"II*\0" + bytes(100), "no JPEG, PNG, BMP, GIF or WebP image"),
    }
    for name, (data, words) in files.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(DataError, match=words) as raised:
            read_picture(path, (6, 8, 3))
        assert "\n" not in str(raised.value)
        assert "0x" not in str(raised.value)
    for path, words in {tmp_path / "none.png": "No such file", tmp_path: "no regular file"}.items():
        for reader in (outline_of, lambda each: read_picture(each, (6, 8, 3))):
            with pytest.raises(DataError, match=words):
                reader(path)  # type: ignore[operator]
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(DataError, match="no regular file"):
        read_picture(tmp_path / "pipe.png", (6, 8, 3))
    monkeypatch.setattr(pictures, "MOST_PIXELS", 47)
    with pytest.raises(DataError, match="8x6 pixels, at most 47 are read"):
        read_picture(write(tmp_path / "bomb.png"), (6, 8, 3))
    monkeypatch.setattr(pictures, "MOST_BYTES", 10)
    with pytest.raises(DataError, match="bytes, at most 10 are read"):
        outline_of(tmp_path / "bomb.png")


def test_transparent_grey_of_sixteen_bits_is_white(tmp_path: Path) -> None:
    """The one value that a PNG calls transparent."""
    deep = np.full((6, 8), 30000, np.uint16)
    deep[:, :4] = 100
    path = tmp_path / "deep.png"
    Image.fromarray(deep).save(path, transparency=100)
    with Image.open(path) as image:
        assert image.info["transparency"] == 100
    assert (read(path, (6, 8, 1))[:, :4] == 255).all()
    assert (read(path, (6, 8, 1))[:, 4:] == 117).all()
