"""How the learning rate goes on after a growth: through it, from the top again, or as if it ended.

A batch-normalised network of 16-32-64 filters is trained for a third of the updates and then grows
to 32-64-128, which trains for the rest; all with Nesterov's momentum, carried through the growth.

through    one one-cycle schedule over all updates; the growth changes nothing about it
restart    a whole one-cycle before the growth, and a cosine from RESTART after it
low        the same, from a tenth of it
constant   a whole one-cycle before the growth, and RESTART to the end
grown      no growth: the large network from random weights, one one-cycle over all updates
small      no growth: the small network, one one-cycle over all updates

Prints validation accuracy and loss at the end, mean ± standard deviation over the seeds, and the
seconds of training.

    python benchmarks/schedules.py --data DIR [--seeds 3] [--steps 3000]
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.machine import processor, versions
from benchmarks.throughput import notation
from growsearch import datasets
from growsearch.growth import Widen, grow
from growsearch.networks import Architecture, Network
from growsearch.trainers import TrainingPlan, TrainingResult
from growsearch.training import SlimTrainer

SMALL, LARGE = (16, 32, 64), (32, 64, 128)
TOP, RESTART = 0.4, 0.3
SCHEDULES = ("through", "restart", "low", "constant", "grown", "small")


def initial(widths: tuple[int, ...], seed: int) -> Network:
    return Network.initial(Architecture.parse(notation(widths), (28, 28, 1)), rng=seed)


def widened(network: Network, seed: int) -> Network:
    for n, width in enumerate(LARGE, 1):
        network = grow(network, Widen(f"conv{n}", width), rng=seed, slots="carry-rescaled")
    return network


def run(
    name: str, steps: int, seed: int, trainer: SlimTrainer, data: datasets.Dataset
) -> tuple[TrainingResult, float]:
    """One way to go on, from random weights to the end; its last part, and seconds of all."""
    whole = TrainingPlan(
        steps,
        128,
        TOP,
        "momentum",
        evaluate_every=steps,
        weight_decay=5e-4,
        precision="auto",
        schedule="one_cycle",
        shift=1,
    )
    first = steps // 3
    before, after = {
        "through": (
            replace(whole, steps=first, schedule_steps=steps),
            replace(whole, steps=steps - first, schedule_start=first, schedule_steps=steps),
        ),
        "restart": (
            replace(whole, steps=first),
            replace(whole, steps=steps - first, schedule="cosine", learning_rate=RESTART),
        ),
        "low": (
            replace(whole, steps=first),
            replace(whole, steps=steps - first, schedule="cosine", learning_rate=RESTART / 10),
        ),
        "constant": (
            replace(whole, steps=first),
            replace(whole, steps=steps - first, schedule="constant", learning_rate=RESTART / 10),
        ),
    }.get(name, (whole, None))

    def train(network: Network, plan: TrainingPlan, order: int) -> TrainingResult:
        return trainer.train(network, data.train, plan, evaluate_on=data.validation, seed=order)

    result = train(initial(LARGE if name == "grown" else SMALL, seed), before, seed)
    seconds = result.seconds
    if after is not None:
        result = train(widened(result.network, seed), after, 1000 + seed)
        seconds += result.seconds
    return result, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", help="MNIST; see growsearch run --help")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--only", default=",".join(SCHEDULES))
    options = parser.parse_args()
    data = datasets.load("mnist", options.data)
    trainer = SlimTrainer()
    print(f"{processor()}; {versions('tensorflow')}; {options.steps} updates, n = {options.seeds}")
    print("| schedule | validation accuracy | loss | seconds |\n|---|---|---|---|")
    for name in options.only.split(","):
        runs = [run(name, options.steps, seed, trainer, data) for seed in range(options.seeds)]
        accuracies = [result.final.accuracy for result, _ in runs]
        losses = [result.final.loss for result, _ in runs]
        seconds = [seconds for _, seconds in runs]
        cells = (
            f"{np.mean(values):.4f} ± {np.std(values, ddof=1) if len(values) > 1 else 0.0:.4f}"
            for values in (accuracies, losses)
        )
        print(f"| {name} | {' | '.join(cells)} | {np.mean(seconds):.0f} |", flush=True)


if __name__ == "__main__":
    main()
