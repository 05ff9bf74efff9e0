"""The choice of a precision for a machine and an architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from growsearch.networks import Architecture
from growsearch.testing.trainer_contract.cases import regression, split
from growsearch.training import Speed, Trainer, TrainingPlan, at_one_precision
from growsearch.training.slim import SlimTrainer
from growsearch.training.slim import precision as module
from growsearch.training.slim.backend import tf, v1
from growsearch.training.slim.builders import Mode
from growsearch.training.slim.graph import build_logits
from growsearch.training.slim.precision import candidates, step_seconds
from growsearch.training.slim.variables import model_variables
from tests.fake_trainer import FakeTrainer

PLAN = TrainingPlan(2, 8, precision="auto")
NETWORK = regression()


@pytest.mark.parametrize(("capability", "native"), [((8, 0), True), ((7, 5), False)])
def test_the_capability_of_the_gpu_decides(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], native: bool
) -> None:
    """The GPU is asked if it trains, and not the processor."""
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: ["gpu"])
    details = {"compute_capability": capability}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda _: details)
    assert module.has_native_bfloat16.__wrapped__() is native


@pytest.mark.parametrize("slow", ["a", "b"])
def test_a_step_takes_what_the_best_turn_took(slow: str) -> None:
    """Neither the first steps count nor a disturbance that hits one of several turns."""

    def timer(name: str) -> Callable[[int], float]:
        calls: list[int] = []

        def seconds(steps: int) -> float:
            calls.append(steps)
            if name != slow and len(calls) in (1, 3):
                return 50.0
            return steps * (0.02 if name == slow else 0.01)

        return seconds

    found = step_seconds({name: timer(name) for name in "ab"})
    assert found == pytest.approx({name: 0.02 if name == slow else 0.01 for name in "ab"})


@pytest.mark.parametrize("faster", ["float32", "bfloat16"])
def test_auto_takes_what_is_faster(monkeypatch: pytest.MonkeyPatch, faster: str) -> None:
    """One measurement an architecture and batch size, of both; the result names the outcome."""
    measured: list[set[str]] = []

    def judge(timers: Mapping[str, Callable[[int], float]]) -> dict[str, float]:
        measured.append(set(timers))
        assert all(timer(2) > 0.0 for timer in timers.values())
        return {name: 0.01 if name == faster else 0.02 for name in timers}

    monkeypatch.setattr(module, "has_native_bfloat16", lambda: True)
    monkeypatch.setattr(module, "step_seconds", judge)
    trainer, data = SlimTrainer(), split(32, (2, 2, 1))
    for seed in range(2):
        result = trainer.train(NETWORK, data, PLAN, evaluate_on=data, seed=seed)
        assert result.precision == faster
    assert trainer.speed_of(NETWORK.architecture, PLAN) == Speed(faster, 0.01)
    assert measured == [{"float32", "bfloat16"}]
    trainer.speed_of(NETWORK.architecture, replace(PLAN, batch_size=16))
    assert len(measured) == 2


NORM = "batch_norm(bn1,activation=relu)"


@pytest.mark.parametrize(
    ("layers", "batch_size", "in_question"),
    [
        ("3x3x16(a)-5x5x32(b)-global_avg_pool(p)-10(out)", 32, False),
        (
            f"3x3x48(a,activation=linear,use_bias=false)-{NORM}-global_avg_pool(p)-10(out)",
            128,
            False,
        ),
        ("3x3x16(a)-flatten(p)-100(b)-10(out)", 32, False),
        ("3x3x16(a)-3x3x24(b)-global_avg_pool(p)-10(out)", 32, True),
        ("3x3x16(a)-3x3x32(b,groups=2)-global_avg_pool(p)-10(out)", 32, True),
        ("3x3x16(a)-3x3x16(b)-global_avg_pool(p)-10(out)", 31, True),
        ("flatten(p)-128(a)-10(out)", 128, True),
    ],
)
def test_full_vectors_need_no_measurement(
    monkeypatch: pytest.MonkeyPatch, layers: str, batch_size: int, in_question: bool
) -> None:
    """Of a processor with bfloat16, where oneDNN's vectors are full; and never of a GPU."""
    architecture = Architecture.parse(layers, (8, 8, 1))
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    monkeypatch.setattr(module, "has_native_bfloat16", lambda: True)
    monkeypatch.setattr(module, "_gpus", list)
    both = ("float32", "bfloat16")
    assert candidates(architecture, batch_size) == (both if in_question else ("bfloat16",))
    monkeypatch.setattr(module, "_gpus", lambda: ["gpu"])
    assert candidates(architecture, batch_size) == both
    monkeypatch.setattr(module, "_gpus", list)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")  # TensorFlow's own kernels emulate it
    assert candidates(architecture, batch_size) == both
    monkeypatch.setattr(module, "has_native_bfloat16", lambda: False)
    assert candidates(architecture, batch_size) == ("float32",)


def test_a_known_precision_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training by "auto" names it; its speed is measured on request, at this precision alone."""
    monkeypatch.setattr(module, "candidates", lambda *_: ("bfloat16",))
    monkeypatch.setattr(module, "step_seconds", None)
    trainer, data = SlimTrainer(), split(32, (2, 2, 1))
    result = trainer.train(NETWORK, data, PLAN, evaluate_on=data, seed=0)
    assert result.precision == "bfloat16"
    monkeypatch.setattr(module, "step_seconds", lambda timers: dict.fromkeys(timers, 0.5))
    assert trainer.speed_of(NETWORK.architecture, PLAN) == Speed("bfloat16", 0.5)


def test_auto_without_bfloat16_measures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Emulated bfloat16 is never tried, and a single precision is timed only on request."""
    monkeypatch.setattr(module, "has_native_bfloat16", lambda: False)
    monkeypatch.setattr(module, "step_seconds", None)
    data = split(32, (2, 2, 1))
    result = SlimTrainer().train(NETWORK, data, PLAN, evaluate_on=data, seed=0)
    assert result.precision == "float32"
    monkeypatch.setattr(module, "step_seconds", lambda timers: dict.fromkeys(timers, 0.5))
    assert SlimTrainer().speed_of(NETWORK.architecture, PLAN) == Speed("float32", 0.5)


def test_arms_can_be_given_one_precision() -> None:
    """A plan is fixed by a trainer that chooses, and left alone by one that does not."""

    class Chooser(FakeTrainer):
        def speed_of(self, architecture: Architecture, plan: TrainingPlan) -> Speed:
            assert (architecture, plan) == (NETWORK.architecture, PLAN)
            return Speed("bfloat16", 0.01)

    chooser: Trainer = Chooser()
    fixed = at_one_precision(chooser, NETWORK.architecture, PLAN)
    assert fixed == replace(PLAN, precision="bfloat16")
    assert at_one_precision(chooser, NETWORK.architecture, fixed) is fixed
    assert at_one_precision(FakeTrainer(), NETWORK.architecture, PLAN) is PLAN


def test_many_positions_do_not_stop_a_bias() -> None:
    """A bias's gradient in bfloat16 is the sum over all positions, not its first few hundred."""
    architecture = Architecture.parse(
        "1x1x16(conv1,activation=linear)-global_avg_pool(gap)-2(out)", (28, 28, 1)
    )
    gradients = []
    for dtype in (tf.float32, tf.bfloat16):
        with tf.Graph().as_default(), v1.Session() as session:
            images = tf.ones((64, *architecture.input_shape))
            out = build_logits(architecture, images, Mode(training=True, dtype=dtype))
            variables = model_variables(architecture)
            session.run(v1.global_variables_initializer())
            session.run(variables["out"]["kernel"].assign(np.ones((16, 2))))
            (gradient,) = tf.gradients(tf.reduce_sum(out), variables["conv1"]["bias"])
            gradients.append(session.run(gradient))
    assert np.allclose(gradients[0], 128.0, rtol=1e-3)  # 64 images, two outputs
    assert np.allclose(gradients[1], 128.0, rtol=0.01)
