"""Peers, as users would write them: Optuna over Keras networks trained from scratch.

Two versions, both with TPE and a MedianPruner over validation accuracy after each epoch: "plain" as
tutorials have it, and "expert" with knowledge of this machine: widths in multiples of 16,
bfloat16 where the processor has it, batch normalisation, global pooling, shifted images, a cosine
schedule. AutoKeras takes part where it is installed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from growsearch.datasets import Dataset

Report = Callable[[float], None]  # called with the test accuracy of the best network so far

PLAIN_EPOCHS, EXPERT_EPOCHS = 5, 8


def optuna_keras(dataset: Dataset, seed: int, ends: float, report: Report, *, expert: bool) -> None:
    """Search until ``ends`` (``time.time``), reporting each network that is the best so far."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import optuna

    from growsearch.training.slim.precision import has_native_bfloat16

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    keras.utils.set_random_seed(seed)
    if expert and has_native_bfloat16():
        keras.config.set_dtype_policy("mixed_bfloat16")
    best = 0.0

    class Watch(keras.callbacks.Callback):  # type: ignore[misc]
        def __init__(self, trial: Any) -> None:
            super().__init__()
            self.trial = trial

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            del batch, logs
            if time.time() > ends:
                self.model.stop_training = True

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if time.time() < ends:
                self.trial.report(logs["val_accuracy"], epoch)
                if self.trial.should_prune():
                    raise optuna.TrialPruned

    def objective(trial: Any) -> float:
        nonlocal best
        keras.backend.clear_session()
        build = expert_network if expert else plain_network
        model, batch, epochs = build(trial, dataset)
        model.fit(
            dataset.train.images,
            dataset.train.labels,
            batch_size=batch,
            epochs=epochs,
            validation_data=(dataset.validation.images, dataset.validation.labels),
            validation_batch_size=500,
            callbacks=[Watch(trial)],
            verbose=0,
        )
        x, y = dataset.validation.images, dataset.validation.labels
        accuracy = float(np.mean(model.predict(x, 500, verbose=0).argmax(1) == y))
        if accuracy > best:
            best = accuracy
            test = dataset.test
            found = model.predict(test.images, 500, verbose=0).argmax(1) == test.labels
            report(float(np.mean(found)))
        return accuracy

    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=1),
    )
    while time.time() < ends:
        study.optimize(objective, n_trials=1)


def plain_network(trial: Any, dataset: Dataset) -> tuple[Any, int, int]:
    """Build a tutorial's network: one to three convolutions, a dense layer, dropout, Adam."""
    import keras
    from keras import layers

    model = keras.Sequential([keras.Input(dataset.image_shape)])
    for n in range(trial.suggest_int("convolutions", 1, 3)):
        filters = trial.suggest_int(f"filters{n}", 16, 128)
        kernel = trial.suggest_categorical(f"kernel{n}", [3, 5])
        model.add(layers.Conv2D(filters, kernel, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dense(trial.suggest_int("units", 32, 512, log=True), activation="relu"))
    model.add(layers.Dropout(trial.suggest_float("dropout", 0.0, 0.5)))
    model.add(layers.Dense(dataset.classes, activation="softmax"))
    rate = trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True)
    batch = trial.suggest_categorical("batch", [32, 64, 128])
    model.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model, batch, PLAIN_EPOCHS


def expert_network(trial: Any, dataset: Dataset) -> tuple[Any, int, int]:
    """Build a network of widths and layers that suit this machine, and images that suit the data.

    Images other than MNIST's are mirrored, as in the search spaces of growsearch.
    """
    import keras
    from keras import layers

    batch = 128
    shift = trial.suggest_int("shift", 0, 2) / dataset.image_shape[0]
    model = keras.Sequential([keras.Input(dataset.image_shape)])
    if dataset.name != "mnist":
        model.add(layers.RandomFlip("horizontal", dtype="float32"))
    if shift:
        model.add(layers.RandomTranslation(shift, shift, fill_mode="constant", dtype="float32"))
    for n, (low, high) in enumerate([(16, 48), (32, 96), (64, 160)]):
        filters = trial.suggest_int(f"filters{n}", low, high, step=16)
        kernel = trial.suggest_categorical(f"kernel{n}", [3, 5])
        model.add(layers.Conv2D(filters, kernel, padding="same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU())
        if n < 2:
            model.add(layers.MaxPooling2D())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(dataset.classes, dtype="float32"))
    model.add(layers.Activation("softmax", dtype="float32"))
    rate = trial.suggest_float("learning_rate", 1e-3, 1e-2, log=True)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate, EXPERT_EPOCHS * len(dataset.train) // batch
    )
    model.compile(
        keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model, batch, EXPERT_EPOCHS


def autokeras(dataset: Dataset, seed: int, ends: float, report: Report) -> None:
    """Run AutoKeras's image classifier with its own defaults, until ``ends``.

    It has no time limit of its own, so it is stopped after the trial during which ``ends`` passes.
    """
    import keras
    from autokeras import ImageClassifier

    keras.utils.set_random_seed(seed)
    trials = 0
    while time.time() < ends:
        trials += 1
        search = ImageClassifier(max_trials=trials, overwrite=trials == 1, seed=seed)
        search.fit(
            dataset.train.images,
            dataset.train.labels,
            validation_data=(dataset.validation.images, dataset.validation.labels),
            epochs=PLAIN_EPOCHS,
            verbose=0,
        )
        found = search.predict(dataset.test.images, verbose=0).astype(int).ravel()
        report(float(np.mean(found == dataset.test.labels)))
