"""Laws of precision: only updates are computed in bfloat16."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import log_softmax

from growsearch.networks import Node
from growsearch.networks.layers import LAYERS, Conv, Dense
from growsearch.testing.trainer_contract.cases import (
    CASES,
    CLASSES,
    FLOAT32,
    around,
    arrays,
    assert_close,
    assert_same,
    regression,
    rich,
    side_by_side,
    split,
    trained,
)
from growsearch.testing.trainer_contract.laws import Laws
from growsearch.training import MeasuresSpeed, Trainer, TrainingPlan, at_one_precision


class PrecisionLaws(Laws):
    """Laws of precision: only updates are computed in bfloat16."""

    def test_bfloat16_lowers_the_loss_and_is_evaluated_in_float32(self, trainer: Trainer) -> None:
        """Only updates are computed in bfloat16: evaluations and outputs are the reference's."""
        data, network = split(32), trained(around(Conv((3, 3), 5)))
        plan = TrainingPlan(150, 32, 0.01, precision="bfloat16")
        result = trainer.train(network, data, plan, evaluate_on=data, seed=0)
        assert result.precision == "bfloat16"
        assert result.curve[-1].loss < 0.1 * result.curve[0].loss
        logits = result.network.forward(data.images)
        assert_close(trainer.logits(result.network, data.images), logits, FLOAT32)
        expected = -log_softmax(logits, axis=1)[np.arange(32), data.labels].mean()
        assert_close(result.final.loss, expected, 1e-4)

    def test_every_layer_type_trains_in_bfloat16(self, trainer: Trainer) -> None:
        """An update in bfloat16 goes where that in float32 goes; its arrays are float32."""
        kinds = sorted(LAYERS)
        graphs = [around(CASES[kind][0], features=kind == "dense") for kind in kinds]
        network, data = trained(side_by_side(*graphs)), split(40, classes=CLASSES * len(kinds))
        before, moves = arrays(network.weights), []
        for precision in ("float32", "bfloat16"):
            plan = TrainingPlan(1, 40, 0.1, "sgd", precision=precision)
            result = trainer.train(network, data, plan, evaluate_on=data, seed=0).network
            after = arrays(result.weights)
            assert {array.dtype for array in after.values()} == {np.dtype(np.float32)}
            moves.append({name: after[name] - array for name, array in before.items()})
        for number, kind in enumerate(kinds):
            own = [name for name in before if name.startswith(f"{number}_")]
            float32, bfloat16 = (np.concatenate([m[n].ravel() for n in own]) for m in moves)
            assert_close(bfloat16, float32, 0.1, kind)
            assert np.any(bfloat16 != float32), kind

    def test_updates_below_the_resolution_of_bfloat16_add_up(self, trainer: Trainer) -> None:
        """In bfloat16 64 updates of about 1e-4 change weights of about 1 as in float32."""
        data = split(30, (2, 2, 1))
        network = regression(Node("fc1", Dense(6, "linear"), ("flat",)))
        before, moves = arrays(network.weights), []
        for precision in ("float32", "bfloat16"):
            plan = TrainingPlan(64, 30, 1e-4, "sgd", precision=precision)
            after = trainer.train(network, data, plan, evaluate_on=data, seed=0).network
            moves.append(arrays(after.weights)["fc1 kernel"] - before["fc1 kernel"])
        assert np.abs(moves[0]).max() < 64 * 2.0**-8 * np.abs(before["fc1 kernel"]).max()
        assert_close(moves[1], moves[0], 0.05)

    def test_slots_are_of_any_precision(self, trainer: Trainer) -> None:
        """A training in bfloat16 continues from float32 slots, and returns float32 slots."""
        data, plan = split(30), TrainingPlan(3, 30, 0.01)
        half = trainer.train(rich(), data, plan, evaluate_on=data, seed=0).network
        plan = replace(plan, precision="bfloat16")
        whole = trainer.train(half, data, plan, evaluate_on=data, seed=0).network
        assert whole.slots
        assert whole.slots.step == 6
        for values in whole.slots.values.values():
            assert {a.dtype for a in arrays(values).values()} == {np.dtype(np.float32)}

    def test_auto_names_what_it_took(self, trainer: Trainer) -> None:
        """The result names the precision that "auto" chose; a plan with that precision agrees."""
        data, plan = split(64), TrainingPlan(6, 8, 0.01, precision="auto")
        result = trainer.train(rich(), data, plan, evaluate_on=data, seed=0)
        assert result.precision in ("float32", "bfloat16")
        if isinstance(trainer, MeasuresSpeed):
            fixed = at_one_precision(trainer, rich().architecture, plan)
            assert fixed == replace(plan, precision=result.precision)
        named = replace(plan, precision=result.precision)
        assert_same(
            trainer.train(rich(), data, named, evaluate_on=data, seed=0).network, result.network
        )
