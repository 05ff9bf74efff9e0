"""The fall of a network that is deepened while it trains at a high constant rate.

A network of three convolutions with batch norm is trained for 600 updates of 128 images at a rate
of .4 (Nesterov's momentum), deepened behind its second and third convolution, and trained on for
150 updates at that rate, which is not warmed up again. The new kernels are 1 to 16 times the
identity; their batch norms undo it, so that every child starts with the same outputs. For each the
loss and accuracy on 1,000 validation images, every 25 updates; "none" is the network that has not
grown.

    python benchmarks/deepen_rate.py --data DIR --seeds 3
"""

from __future__ import annotations

import argparse

import numpy as np

from growsearch import datasets
from growsearch.datasets import Split
from growsearch.growth import DeepenAll, grow
from growsearch.networks import Architecture, Network
from growsearch.networks.layers import BatchNorm
from growsearch.reproduction.job import environment
from growsearch.training import Augmentation, TrainingPlan, TrainingResult
from growsearch.training.slim import SlimTrainer

ARCHITECTURE = Architecture.parse(
    "5x5x16(conv1,activation=linear,use_bias=false)-batch_norm(bn1,activation=relu,momentum=0.9)-"
    "pool1-3x3x32(conv2,activation=linear,use_bias=false)-"
    "batch_norm(bn2,activation=relu,momentum=0.9)-pool2-"
    "3x3x64(conv3,activation=linear,use_bias=false)-batch_norm(bn3,activation=relu,momentum=0.9)-"
    "global_avg_pool(gap)-10(fc1)",
    input_shape=(28, 28, 1),
)
STAGES = DeepenAll(("conv2", "conv3"))
RATE = 0.4
FACTORS = (1, 2, 4, 8, 16)


def rescaled(network: Network, factor: float) -> Network:
    """Return the deepened network with new kernels of ``factor`` times the identity."""
    weights = {layer: dict(arrays) for layer, arrays in network.weights.items()}
    for layer in STAGES.layers:
        new, norm = weights[f"{layer}_deep"], weights[f"{layer}_deep_bn"]
        kind = network.architecture[f"{layer}_deep_bn"].layer
        if not isinstance(kind, BatchNorm):
            raise TypeError(f"{layer}: expected a batch norm behind it, got {kind.kind}")
        change = factor / new["kernel"].max()
        new["kernel"] = new["kernel"] * change
        norm["mean"] = norm["mean"] * change
        norm["variance"] = (norm["variance"] + kind.epsilon) * change**2 - kind.epsilon
    return Network(network.architecture, weights, network.slots)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="MNIST, or files of the same names; see growsearch run")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    data = datasets.load("mnist", options.data)
    checked = Split(data.validation.images[:1000], data.validation.labels[:1000])
    trainer = SlimTrainer(threads=1)
    print(f"On: {environment(trainer)}")

    def train(network: Network, steps: int, rate: float, seed: int, every: int) -> TrainingResult:
        plan = TrainingPlan(
            *(steps, 128, rate, "momentum"),
            evaluate_every=every,
            weight_decay=1e-3,
            precision="bfloat16",
            augmentation=Augmentation(shift=2),
        )
        return trainer.train(network, data.train, plan, evaluate_on=checked, seed=seed)

    start = train(Network.initial(ARCHITECTURE, rng=0), 100, RATE / 4, 0, 100).network
    parent = train(start, 500, RATE, 1, 500).network
    child = grow(parent, STAGES, rng=0, images=data.train.images[:256])
    arms = {"none": parent, **{f"{factor} x": rescaled(child, factor) for factor in FACTORS}}
    for name, network in arms.items():
        curves = [train(network, 150, RATE, seed, 25).curve for seed in range(7, 7 + options.seeds)]
        losses = np.array([[each.loss for each in curve[1:]] for curve in curves])
        accuracies = np.array([[each.accuracy for each in curve[1:]] for curve in curves])
        print(
            f"{name:>5}: mean loss {losses.mean():.3f} (largest {losses.max():.3f}), accuracies "
            f"{np.round(accuracies.mean(axis=0), 3)}, smallest {accuracies.min():.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
