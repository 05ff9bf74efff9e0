"""Laws of the curve: where it is measured, and how a training ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax

from growsearch.networks import Network
from growsearch.networks.layers import Conv
from growsearch.testing.trainer_contract.cases import (
    FLOAT32,
    around,
    arrays,
    assert_close,
    assert_same,
    rich,
    split,
    trained,
)
from growsearch.testing.trainer_contract.laws import Laws
from growsearch.training import Point, Trainer, TrainingPlan


class CurveLaws(Laws):
    """Laws of the curve: where it is measured, and how a training ends."""

    def test_the_curve_goes_from_start_to_end(self, trainer: Trainer) -> None:
        """A curve has points at step 0, at multiples of ``evaluate_every`` and at the last step."""
        data, validation = split(64), split(33, seed=1)
        points: list[Point] = []
        result = trainer.train(
            rich(),
            data,
            TrainingPlan(7, 8, 0.01, evaluate_every=3),
            evaluate_on=validation,
            seed=0,
            on_evaluation=points.append,
        )
        assert tuple(points) == result.curve
        assert [point.step for point in points] == [0, 3, 6, 7]
        assert result.final == points[-1]
        for network, point in ((rich(), points[0]), (result.network, points[-1])):
            found = trainer.evaluate(network, validation)
            assert (found.accuracy, found.loss) == (point.accuracy, point.loss)
        assert result.seconds > 0.0
        assert result.images_per_second == pytest.approx(7 * 8 / result.seconds)

    def test_a_start_that_is_known_need_not_be_evaluated(self, trainer: Trainer) -> None:
        """Without ``evaluate_start`` all points after the first update are the same."""
        data = split(64)
        plan = TrainingPlan(5, 8, 0.01, evaluate_every=2)
        curves = [
            trainer.train(rich(), data, each, evaluate_on=data, seed=0).curve
            for each in (plan, replace(plan, evaluate_start=False))
        ]
        assert curves[0][1:] == tuple(point for point in curves[1] if point.step)

    def test_a_point_has_the_logits_of_its_evaluation(self, trainer: Trainer) -> None:
        """Logits, where a trainer gives them, are those that accuracy and loss follow from.

        The curve of the result is without, since it would hold them all.
        """
        data, validation = split(64), split(33, seed=1)
        points: list[Point] = []
        result = trainer.train(
            rich(),
            data,
            TrainingPlan(4, 8, 0.01, evaluate_every=2),
            evaluate_on=validation,
            seed=0,
            on_evaluation=points.append,
        )
        assert all(point.logits is None for point in result.curve)
        for point in points:
            if point.logits is not None:
                hits = point.logits.argmax(axis=1) == validation.labels
                assert point.accuracy == pytest.approx(hits.mean())
                losses = -log_softmax(np.asarray(point.logits, np.float64), axis=1)
                found = losses[np.arange(len(validation)), validation.labels].mean()
                assert_close(point.loss, found, FLOAT32)
        if points[-1].logits is not None:
            last = trainer.logits(result.network, validation.images)
            assert_close(points[-1].logits, last, FLOAT32)

    def test_training_lowers_the_loss(self, trainer: Trainer) -> None:
        """A few images are learnt by heart."""
        data, network = split(32), trained(around(Conv((3, 3), 5)))
        plan = TrainingPlan(200, 32, 0.01)
        curve = trainer.train(network, data, plan, evaluate_on=data, seed=0).curve
        assert curve[-1].loss < 0.1 * curve[0].loss
        assert curve[-1].accuracy == 1.0

    @pytest.mark.parametrize("ends_at", [0, 4])
    def test_on_evaluation_can_end_a_training(self, trainer: Trainer, ends_at: int) -> None:
        """A true result of ``on_evaluation`` ends the training with the network of that step."""
        data, plan = split(64), TrainingPlan(6, 8, 0.01, evaluate_every=2)

        def train(plan: TrainingPlan, end: Callable[[Point], bool] | None = None) -> Any:
            return trainer.train(rich(), data, plan, evaluate_on=data, seed=0, on_evaluation=end)

        result = train(plan, lambda point: point.step >= ends_at)
        assert [point.step for point in result.curve] == list(range(0, ends_at + 1, 2))
        assert result.network.slots.step == ends_at
        expected = (
            train(replace(plan, steps=ends_at)).network.weights if ends_at else rich().weights
        )
        for name, array in arrays(expected).items():
            assert np.array_equal(arrays(result.network.weights)[name], array), name

    def test_an_error_in_on_evaluation_passes_through(self, trainer: Trainer) -> None:
        """An exception of a callback reaches the caller; the next training is unaffected."""
        data, plan = split(64), TrainingPlan(6, 8, 0.01, evaluate_every=2)

        def train(callback: Any = None) -> Network:
            return trainer.train(
                rich(), data, plan, evaluate_on=data, seed=0, on_evaluation=callback
            ).network

        def fail(point: Point) -> None:
            if point.step == 4:
                raise KeyError("mine")

        expected = train()
        with pytest.raises(KeyError, match="mine"):
            train(fail)
        assert_same(train(), expected)

    @pytest.mark.parametrize("field", ["seconds", "time_limit"])
    @pytest.mark.parametrize("seconds", [1e-6, 0.3])
    @pytest.mark.parametrize("starts", [True, False])
    def test_a_timed_training_ends(
        self, trainer: Trainer, field: str, seconds: float, starts: bool
    ) -> None:
        """A training ends after a time, whatever its ``steps``, even without an update."""
        data, gives_up = split(16), time.monotonic() + 120.0

        def is_endless(_: Point) -> bool:
            return time.monotonic() > gives_up

        plan = TrainingPlan(10**9, 8, 0.01, evaluate_every=5, schedule="cosine")
        timed = {"seconds": replace(plan, seconds=seconds)}
        timed["time_limit"] = replace(plan, time_limit=seconds)
        plan = replace(timed[field], evaluate_start=starts)
        result = trainer.train(
            rich(), data, plan, evaluate_on=data, seed=0, on_evaluation=is_endless
        )
        assert time.monotonic() < gives_up
        assert result.curve[0].step == 0 or not starts
        assert result.final.step < 10**9
        if not result.final.step:
            assert_same(replace(result.network, slots=None), rich())
