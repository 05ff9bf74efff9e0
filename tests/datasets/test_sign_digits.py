"""A real folder of photographs: 2,062 hand signs in ten classes, three of them of 3024x3024."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from growsearch.datasets import load_images

pytestmark = pytest.mark.usefixtures("own_cache")


def test_photographs_become_a_data_set(sign_digits_folder: Path) -> None:
    """From the archive: classes, sizes and splits; what was resized is said."""
    data = load_images(sign_digits_folder / "sign-digits.tar.gz")
    assert data.name == "sign-digits"
    assert data.class_names == tuple("0123456789")
    assert data.image_shape == (100, 100, 3)
    assert any("to 3024x3024 pixels are resized to 100x100" in note for note in data.notes)
    total = [len(data.train), len(data.validation), len(data.test)]
    assert data.files is not None
    assert sum(total) == len(data.files)
    for split in (data.train, data.validation, data.test):
        shares = np.bincount(split.labels, minlength=10) / len(split)
        assert abs(shares - 0.1).max() < 0.02
    assert 0.3 < data.train.images[:100].mean() < 0.9
