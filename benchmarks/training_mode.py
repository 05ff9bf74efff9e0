"""The error of deepening with batch norm in training mode, by the statistics of each batch.

In evaluation mode deepening is exact. The network is trained on MNIST, deepened behind each of its
convolutions, and the logits of ten training batches of 50 images are compared in training mode:
max |Δ| and mean |Δ| relative to the largest logit, and the fraction of predictions that change.

    python benchmarks/training_mode.py --data DIR
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from slots import ARCHITECTURES

from growsearch import datasets
from growsearch.growth import Deepen, grow
from growsearch.networks import Architecture, Network
from growsearch.reproduction.job import environment
from growsearch.training import TrainingPlan
from growsearch.training.slim import SlimTrainer
from growsearch.training.slim.backend import tf, v1
from growsearch.training.slim.builders import Mode
from growsearch.training.slim.graph import build_logits
from growsearch.training.slim.variables import model_variables

MEASURED_ON = (50, 256, 1000, 5000)
BATCHES, BATCH = 10, 50


def in_training_mode(network: Network, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the tf-slim graph's logits, each batch normalised by its own statistics."""
    with tf.Graph().as_default(), v1.Session() as session:
        batch = v1.placeholder(tf.float32, (None, *network.architecture.input_shape))
        mode = Mode(training=True, seed=tf.constant([1, 2], tf.int64))
        logits = build_logits(network.architecture, batch, mode)
        session.run(v1.global_variables_initializer())
        for layer, named in model_variables(network.architecture).items():
            for name, variable in named.items():
                session.run(v1.assign(variable, network.weights[layer][name]))
        parts = np.split(images, len(images) // BATCH)
        return np.concatenate([session.run(logits, {batch: part}) for part in parts])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="MNIST; see growsearch run --help")
    options = parser.parse_args()
    data = datasets.load("mnist", options.data)
    trainer = SlimTrainer()
    architecture = Architecture.parse(ARCHITECTURES["batch norm"])
    plan = TrainingPlan(600, 50, 1e-3, "adam", evaluate_every=600)
    start = Network.initial(architecture, rng=0)
    found = trainer.train(start, data.train, plan, evaluate_on=data.validation, seed=0)
    parent = found.network
    images = data.train.images[-BATCHES * BATCH :]
    before = in_training_mode(parent, images)
    print(f"On: {environment(trainer)}")
    print(
        f"{architecture}\nvalidation accuracy {found.final.accuracy:.4f}; n = {len(images)} images"
    )
    print(f"{'deepened':>10}{'measured on':>13}{'max':>9}{'mean':>9}{'changed':>9}")
    for layer in ("conv1", "conv2", "conv3"):
        for count in MEASURED_ON:
            child = grow(parent, Deepen(layer), rng=0, images=data.train.images[:count])
            after = in_training_mode(child, images)
            off = np.abs(after - before) / np.abs(before).max()
            changed = (after.argmax(1) != before.argmax(1)).mean()
            print(f"{layer:>10}{count:>13}{off.max():>9.4f}{off.mean():>9.4f}{changed:>9.4f}")


if __name__ == "__main__":
    main()
