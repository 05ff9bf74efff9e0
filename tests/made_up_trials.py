"""Trials made up with curves: a candidate and two controls, of which one trains longer."""

from __future__ import annotations

import numpy as np

from growsearch.trials.records import ArmResult, TrialRecord


def arm(last: float, *, steps: int = 60, first: float = 0.1) -> ArmResult:
    curve = tuple(
        (step, float(first + (last - first) * step / steps), 0.5)
        for step in range(0, steps + 1, 20)
    )
    return ArmResult(last, 0.5, 2.0, curve, flops=1e10)


def trials(count: int) -> list[TrialRecord]:
    rng = np.random.default_rng(0)
    return [
        TrialRecord(
            number=number,
            state="COMPLETE",
            parent=None,
            growth="",
            operation=("widen", "deepen")[number % 2],
            layer="conv1",
            layer_kind="conv",
            old_size="",
            new_size="",
            learning_rate=1e-3,
            architecture="",
            parameters=0,
            flops=0,
            arms={
                "net2net": arm(0.97 + 0.01 * rng.random(), first=0.96),
                "random": arm(0.96 + 0.01 * rng.random()),
                "scratch_compute": arm(0.9 + 0.01 * rng.random(), steps=200),
            },
            gain=0.01,
            seconds=2.0,
            kept=True,
            reason="",
        )
        for number in range(count)
    ]
