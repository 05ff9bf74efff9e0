"""The zoo: models that people have come back as they went, and grow without changing."""

from __future__ import annotations

import pytest

import growsearch as gs
from growsearch.training.slim.backend import tf
from tests.zoo import laws, table

keras = tf.keras
# Of every kind of model one that is cheap; -m zoo takes all.
FAST = (
    "MobileNetV2",
    "image_classification_from_scratch",
    "image_classification_with_vision_transformer",
    "oxford_pets_image_segmentation",
    "captcha_ocr",
    "siamese_contrastive",
    "attention_mil_classification",
)
FAST_MODELS = [name for name in table.ZOO if name in FAST]
# Rounding adds up over hundreds of layers: in float64 they are held to 1e-9 as the others.
VERY_DEEP = 150
SMALL, DEEP, FLOAT64 = 1e-5, 1e-4, 1e-9


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(0)


def check(name: str, each: int) -> None:
    """Hold one model to the laws; say what it grew by where one fails."""
    model = laws.at_work(table.ZOO[name]())
    network = gs.from_keras(model)
    assert table.rows_of_the_page().get(name) == table.row(name, network.architecture), (
        "docs/keras.md: python -m tests.zoo.table writes the table again"
    )
    before = laws.outputs_of(model)
    assert laws.difference(before, laws.outputs_of(network.to_keras())) <= SMALL
    grown, done = laws.grown_by_sites(network, each)
    whole = laws.grown_whole(network) if each > 1 else []
    for child in (grown, *whole):
        assert child.parameters >= network.parameters
        off = laws.difference(before, laws.outputs_of(child.to_keras()))
        if off > SMALL:
            assert len(child.architecture) > VERY_DEEP, (done, off)
            assert off <= DEEP, (done, off)
            exact = [laws.outputs_of(n.to_keras(dtype="float64")) for n in (network, child)]
            assert laws.difference(*exact) <= FLOAT64, done


@pytest.mark.parametrize("name", FAST_MODELS)
def test_a_fast_selection_grows_once_by_every_kind(name):
    """There and back, then one growth of every kind: max |Δ| <= 1e-5 of the largest output."""
    check(name, 1)


@pytest.mark.zoo
@pytest.mark.parametrize("name", table.ZOO)
def test_the_zoo_grows_three_times_by_every_kind(name):
    """There and back, then three growths of every kind: 1e-5, and 1e-4 for very deep ones."""
    check(name, laws.EACH)


def test_the_page_lists_the_zoo():
    """Every model has a row in docs/keras.md, and every row a model."""
    assert list(table.rows_of_the_page()) == list(table.ZOO)
