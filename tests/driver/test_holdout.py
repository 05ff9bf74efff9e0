"""The images held out of the choice: a half like the other, which only the end looks at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import growsearch as gs
from growsearch.datasets import Split
from growsearch.driver.holdout import hold_out
from growsearch.networks.store import NetworkStore
from growsearch.study.networks import teacher_of
from growsearch.study.result import SearchResult
from tests.fake_trainer import FakeTrainer, images
from tests.messages import one_line
from tests.small_search import search

pytestmark = pytest.mark.usefixtures("quick_sqlite")


def test_the_best_is_measured_where_nothing_was_chosen(finished: SearchResult) -> None:
    """Its accuracy on the held-out half is computed at the end; the choice never saw the half."""
    trainer, validation = FakeTrainer(), images().validation
    _, held_out = hold_out(validation, 0.5)
    found = trainer.evaluate(finished.best.network, held_out).accuracy
    assert finished.held_out_accuracy == found
    teacher = teacher_of(finished.study, NetworkStore(finished.folder / "weights"))
    assert (
        finished.teacher_held_out_accuracy == trainer.evaluate(teacher.network, held_out).accuracy
    )
    evidence = finished.evidence()
    assert evidence.held_out.optimism == pytest.approx(
        (finished.best.validation_accuracy - finished.held_out_accuracy)
        - (finished.teacher_accuracy - finished.teacher_held_out_accuracy)
    )


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.9])
def test_both_halves_are_alike_in_whatever_order_the_images_stand(fraction: float) -> None:
    """Every image in one part only; sorted labels, and labels by turns, are in both as often."""
    count = 4000
    for labels in (np.arange(count) // (count // 4), np.arange(count) % 2):
        pixels = np.arange(count, dtype=np.float32).reshape(-1, 1, 1, 1) / count
        choice, rest = hold_out(Split(pixels, labels), fraction)
        together = np.concatenate([part.images.ravel() for part in (choice, rest) if part])
        assert np.array_equal(np.sort(together), pixels.ravel())
        assert len(choice) == round(count * (1 - fraction))
        for part in filter(None, (choice, rest)):
            shares = np.bincount(part.labels) / len(part)
            assert np.abs(shares - shares.mean()).max() < 0.05


def test_few_images_leave_no_class_out() -> None:
    """A class with two images is in both parts; the sizes are those of a random choice, nearly."""
    for seed in range(200):
        rng = np.random.default_rng(seed)
        labels = rng.permutation(np.repeat(np.arange(4), rng.integers(1, 6, 4)))
        pixels = np.arange(len(labels), dtype=np.float32).reshape(-1, 1, 1, 1) / len(labels)
        fraction = float(rng.choice([0.2, 0.5, 0.8]))
        parts = [part for part in hold_out(Split(pixels, labels), fraction) if part]
        together = np.concatenate([part.images.ravel() for part in parts])
        assert np.array_equal(np.sort(together), pixels.ravel())
        for label in np.flatnonzero(np.bincount(labels) >= 2):
            assert all(label in part.labels for part in parts), seed


def test_too_few_images_to_hold_out_are_one_line(tmp_path: Path) -> None:
    dataset = images()
    one = Split(dataset.validation.images[:1], dataset.validation.labels[:1])
    with pytest.raises(gs.GrowsearchError) as caught:
        search(tmp_path, data=replace(dataset, validation=one))
    assert "judge.held_out" in one_line(caught)
    search(tmp_path, "judge.held_out=0.0", data=replace(dataset, validation=one), trials=1)
