"""Grow a Keras model: train it, make it wider and deeper, and train it on with ``fit``.

The example shows that a growth changes nothing that the model computes: it prints the largest
difference between the outputs before and after the growth, which is the rounding error of float32.

Run it with ``python examples/grow_keras_model.py``; it needs no download. The images are
scikit-learn's 1,797 handwritten digits, enlarged to 28x28.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

import growsearch as gs

BATCH_SIZE, EPOCHS, LEARNING_RATE = 50, 4, 2e-3


def small_model() -> Any:
    """Return a Keras model with random weights."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(8, 5, activation="relu", name="conv1"),
            keras.layers.MaxPooling2D(name="pool1"),
            keras.layers.Conv2D(16, 5, activation="relu", name="conv2"),
            keras.layers.MaxPooling2D(name="pool2"),
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(64, activation="relu", name="fc1"),
            keras.layers.Dense(10, activation="softmax", name="fc2"),
        ]
    )


def train(model: Any, data: gs.Dataset) -> float:
    """Train a model with Keras' own ``fit``; return its validation accuracy."""
    model.compile(keras.optimizers.Adam(LEARNING_RATE), "sparse_categorical_crossentropy")
    model.fit(
        *(data.train.images, data.train.labels),
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        verbose=0,
    )
    return accuracy(model, data.validation)


def accuracy(model: Any, split: gs.Split) -> float:
    """Return the fraction of the images that a model gets right."""
    probabilities = model.predict(split.images, verbose=0)
    return float(np.mean(probabilities.argmax(axis=1) == split.labels))


def main() -> None:
    """Train, grow, train on; print the accuracies, and the difference that the growth made."""
    keras.utils.set_random_seed(0)
    data = gs.load_data("digits")
    model = small_model()
    print(f"trained:    {train(model, data):.4f}, {model.count_params():,} parameters")

    network = gs.from_keras(model)
    for growth in (gs.Widen("conv1", 16), gs.Widen("fc1", 96), gs.Deepen("fc1")):
        network = gs.grow(network, growth, rng=0)
    grown = network.to_keras()

    images = data.validation.images
    before, after = (each.predict(images, verbose=0) for each in (model, grown))
    print(
        f"grown:      {accuracy(grown, data.validation):.4f}, {grown.count_params():,} parameters"
    )
    print(f"difference: {np.abs(after - before).max():.1e}, the largest of any output")
    print(f"trained on: {train(grown, data):.4f}")


if __name__ == "__main__":
    main()
