"""Learning rates after a growth: the schedule goes on, starts again, or is at its end.

A batch-normalised network of 16-32-64 filters is trained for a third of the updates and then grows
to 32-64-128, which trains for the rest. Nesterov's momentum is carried through the growth. With
``--seconds`` all get the same time instead of the same updates, a third of it before the growth:
an update of the small network takes half as long.

through    one one-cycle schedule over all updates; the growth changes nothing about it
restart    a whole one-cycle before the growth, and a cosine from RESTART after it
low        the same, from a tenth of it
constant   a whole one-cycle before the growth, and a tenth of RESTART to the end
grown      no growth: the large network from random weights, one one-cycle over all updates
small      no growth: the small network, one one-cycle over all updates

Prints validation accuracy and loss at the end, mean ± standard deviation over the seeds, and the
seconds of training.

    python benchmarks/schedules.py --data DIR [--seeds 3] [--steps 3000 | --seconds 20]
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
from machine import deviation, processor, versions
from throughput import notation

from growsearch import datasets
from growsearch.growth import Widen, grow
from growsearch.networks import Architecture, Network
from growsearch.training import Augmentation, TrainingPlan, TrainingResult
from growsearch.training.slim import SlimTrainer

SMALL, LARGE = (16, 32, 64), (32, 64, 128)
TOP, RESTART = 0.8, 0.3  # rates of the teacher and of the candidates
SCHEDULES = ("through", "restart", "low", "constant", "grown", "small")


def initial(widths: tuple[int, ...], seed: int) -> Network:
    return Network.initial(Architecture.parse(notation(widths), (28, 28, 1)), rng=seed)


def widened(network: Network, seed: int) -> Network:
    for n, width in enumerate(LARGE, 1):
        network = grow(network, Widen(f"conv{n}", width), rng=seed, slots="carry-rescaled")
    return network


def run(
    name: str,
    steps: int,
    time: float | None,
    seed: int,
    trainer: SlimTrainer,
    data: datasets.Dataset,
) -> tuple[TrainingResult, float]:
    """Train by one schedule from random weights; return the last part and the seconds of all.

    ``time`` are the seconds of all parts, with all evaluations but the last; without it the steps
    count.
    """
    whole = TrainingPlan(
        steps,
        128,
        TOP,
        "momentum",
        evaluate_every=steps,
        weight_decay=1e-3,
        precision="auto",
        schedule="one_cycle",
        augmentation=Augmentation(shift=1),
    )
    first = steps // 3
    few = datasets.Split(data.train.images[:128], data.train.labels[:128])
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
        if time is not None:
            # One step that is thrown away builds the graphs, once for all seeds.
            once = replace(plan, steps=1, schedule_steps=None, schedule_start=0)
            trainer.train(network, few, once, evaluate_on=few, seed=order)
            plan = replace(plan, seconds=time * plan.steps / steps, evaluate_every=10**9)
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
    parser.add_argument("--seconds", type=float, help="for each, instead of steps")
    parser.add_argument("--only", default=",".join(SCHEDULES))
    options = parser.parse_args()
    data = datasets.load("mnist", options.data)
    trainer = SlimTrainer()
    length = f"{options.seconds:g} s" if options.seconds else f"{options.steps} updates"
    print(f"{processor()}; {versions('tensorflow')}; {length}, n = {options.seeds}")
    print("| schedule | validation accuracy | loss | seconds |\n|---|---|---|---|")
    for name in options.only.split(","):
        runs = [
            run(name, options.steps, options.seconds, seed, trainer, data)
            for seed in range(options.seeds)
        ]
        accuracies = [result.final.accuracy for result, _ in runs]
        losses = [result.final.loss for result, _ in runs]
        seconds = [seconds for _, seconds in runs]
        cells = (
            f"{np.mean(values):.4f} ± {deviation(values):.4f}" for values in (accuracies, losses)
        )
        print(f"| {name} | {' | '.join(cells)} | {np.mean(seconds):.0f} |", flush=True)


if __name__ == "__main__":
    main()
