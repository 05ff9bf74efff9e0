"""The published formulas of updates and schedules, in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from growsearch.datasets import Split
from growsearch.networks import Network
from growsearch.networks.optimizers import OPTIMIZERS
from growsearch.training import TrainingPlan

Array = NDArray[Any]
State = dict[str, Any]


def gradients(x: Array, labels: Array, weights: dict[str, Array]) -> dict[str, Array]:
    """Return the gradients of the mean cross-entropy of softmax regression."""
    error = softmax(x @ weights["kernel"] + weights["bias"], axis=1)
    error[np.arange(len(labels)), labels] -= 1.0
    return {"kernel": x.T @ error / len(x), "bias": error.mean(axis=0)}


def adam(w: Array, g: Array, state: State, step: int, plan: TrainingPlan, decay: float) -> Array:
    """Take a step of Adam: arXiv:1412.6980, algorithm 1; decay of arXiv:1711.05101, algorithm 2."""
    state["m"] = 0.9 * state["m"] + 0.1 * g
    state["v"] = 0.999 * state["v"] + 0.001 * g**2
    m, v = state["m"] / (1 - 0.9**step), state["v"] / (1 - 0.999**step)
    return np.asarray(w - plan.learning_rate * (m / (np.sqrt(v) + 1e-8) + decay * w))


def momentum(
    w: Array, g: Array, state: State, step: int, plan: TrainingPlan, decay: float
) -> Array:
    """Take a step of Nesterov's momentum, with the gradient at the look-ahead.

    Sutskever et al., ICML 2013; decay of arXiv:1711.05101, algorithm 1.
    """
    del step
    state["momentum"] = plan.momentum * state["momentum"] + g
    move = g + plan.momentum * state["momentum"]
    return np.asarray(w - plan.learning_rate * (move + decay * w))


def sgd(w: Array, g: Array, state: State, step: int, plan: TrainingPlan, decay: float) -> Array:
    """Take a step of gradient descent."""
    del state, step, decay
    return np.asarray(w - plan.learning_rate * g)


# One formula for each of OPTIMIZERS.
FORMULAS = {"adam": adam, "adamw": adam, "momentum": momentum, "sgd": sgd}


def scheduled(plan: TrainingPlan, step: int, steps: int) -> float:
    """Return the rate of a step of a schedule, from 0, as a share of the highest.

    Cosine: arXiv:1608.03983, equation 5; one cycle: PyTorch's OneCycleLR with its defaults; wsd:
    arXiv:2405.18392, equation 1, with a linear cooldown; inverse_sqrt: arXiv:2106.04560, section
    3.5. The warm-up is linear.
    """
    if step < plan.warmup:
        return (step + 1) / plan.warmup
    after, length = step - plan.warmup, steps - plan.warmup
    if plan.schedule == "constant":
        return 1.0
    if plan.schedule == "linear":
        return 1.0 - after / length
    if plan.schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * after / length))
    if plan.schedule == "wsd":
        begins = steps - plan.decay_share * steps
        return 1.0 if step < begins else 1.0 - (step - begins) / (steps - begins)
    if plan.schedule == "inverse_sqrt":
        return math.sqrt(plan.timescale / (plan.timescale + after))
    top = 0.3 * steps - 1.0
    first, last, share = (
        (1 / 25, 1.0, step / top)
        if step <= top
        else (1.0, 1 / 250_000, (step - top) / (steps - 1.0 - top))
    )
    return last + (first - last) * 0.5 * (1.0 + math.cos(math.pi * share))


def updated(network: Network, data: Split, plan: TrainingPlan) -> tuple[State, dict[str, State]]:
    """Return weights and slots of softmax regression after updates on all of the data."""
    x = data.images.reshape(len(data), -1).astype(np.float64)
    weights = {n: np.array(a, np.float64) for n, a in network.weights["fc"].items()}
    states: dict[str, State] = {
        name: {
            slot: np.array(network.slots.values[slot]["fc"][name], np.float64)
            if network.slots
            else np.zeros_like(weights[name])
            for slot in OPTIMIZERS[plan.optimizer].degrees
        }
        for name in weights
    }
    step = network.slots.step if network.slots else 0
    for _ in range(plan.steps):
        step += 1
        slopes = gradients(x, data.labels, weights)
        for name, g in slopes.items():
            w, state = weights[name], states[name]
            decay = plan.decay if name == "kernel" else 0.0
            weights[name] = FORMULAS[plan.optimizer](w, g, state, step, plan, decay)
    return weights, states
