"""Folders of small pictures that tests make, and fuzz."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ENDINGS = {"jpg": "JPEG", "png": "PNG", "bmp": "BMP", "gif": "GIF", "webp": "WEBP"}


def picture(seed: int = 0, size: tuple[int, int] = (8, 6), mode: str = "RGB") -> Image.Image:
    """A picture of (width, height) with colours that follow from a seed, smooth enough for JPEG."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (3, 3, 3), np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BILINEAR).convert(mode)


def packed(image: Image.Image, ending: str = "png", **options: Any) -> bytes:
    """The bytes of a picture's file."""
    file = io.BytesIO()
    image.save(file, ENDINGS[ending], **options)
    return file.getvalue()


def write(path: Path, image: Image.Image | None = None, **options: Any) -> Path:
    """A picture's file, in the format that its ending says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed(image or picture(), path.suffix[1:], **options))
    return path


def write_classes(
    folder: Path,
    counts: dict[str, int],
    *,
    parts: Iterable[str] = ("",),
    ending: str = "png",
    size: tuple[int, int] = (8, 6),
) -> Path:
    """A folder with a folder for each class, and pictures of which no two are alike."""
    seed = 0
    for part in parts:
        for name, count in counts.items():
            (folder / part / name).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                seed += 1
                write(folder / part / name / f"{number:03}.{ending}", picture(seed, size))
    return folder
