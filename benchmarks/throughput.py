"""Training images a second: SlimTrainer against Keras ``fit`` and PyTorch, side by side.

Each framework runs in a process of its own that sleeps while another is measured; in each round
all take their turn, so that a busy machine slows all. Network, batch size, Adam and data in memory
are the same. Each framework counts at its best of float32 and bfloat16, PyTorch also at its best of
one thread and all (channels last, fused Adam). The ratio is between the best of each, round by
round. PyTorch takes part if it is installed.

The processor's use stands beside the speed: the arithmetic of the steps each second (three times
the forward pass) as a share of that of one large matrix product in TensorFlow, in the same
precision. The share that a peer leaves unused is the most that a trainer of the same computation
can gain on it.

    python benchmarks/throughput.py [--rounds 5] [--seconds 1.5] [--networks seed,norm-32-64-128]
        [--batches 50,128,256] [--out FILE.json]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from machine import deviation, processor, versions

from growsearch.networks import Architecture

IMAGES = 8192
RATE = 1e-4
KERNELS = (5, 3, 3)
NETWORKS: dict[str, tuple[int, ...]] = {
    "seed": (),
    "norm-16-32-64": (16, 32, 64),
    "norm-32-64-128": (32, 64, 128),
}
# Framework -> its settings: precision, and for PyTorch the threads.
SETTINGS = {
    "growsearch": ("float32", "bfloat16"),
    "keras": ("float32", "bfloat16"),
    "pytorch": ("float32", "bfloat16", "float32 1 thread", "bfloat16 1 thread"),
}


def data() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.random((IMAGES, 28, 28, 1), np.float32), rng.integers(0, 10, IMAGES)


def notation(widths: tuple[int, ...]) -> str:
    """Return the network in growsearch's notation."""
    if not widths:
        return "5x5x32(conv1)-pool1-5x5x64(conv2)-pool2-1024(fc1)-10(fc2)"
    parts = [
        f"{k}x{k}x{width}(conv{n},activation=linear,use_bias=false)-"
        f"batch_norm(bn{n},activation=relu)" + (f"-pool{n}" if n < len(KERNELS) else "")
        for n, (k, width) in enumerate(zip(KERNELS, widths, strict=True), 1)
    ]
    return "-".join([*parts, "global_avg_pool(gap)", "10(fc)"])


class Growsearch:
    """Our trainer, timed without its evaluations."""

    def __init__(self) -> None:
        from growsearch.datasets import Split
        from growsearch.training.slim import SlimTrainer

        self.data = Split(*data())
        self.few = Split(self.data.images[:10], self.data.labels[:10])
        self.trainer = SlimTrainer(cached_graphs=2)

    def prepare(self, network: str, batch: int, setting: str) -> Callable[[int], float]:
        """Return a function that trains for some steps and returns their seconds."""
        from growsearch.networks import Network
        from growsearch.training import TrainingPlan

        architecture = Architecture.parse(notation(NETWORKS[network]), (28, 28, 1))
        start = Network.initial(architecture, rng=0)

        def run(steps: int) -> float:
            plan = TrainingPlan(steps, batch, RATE, evaluate_every=steps, precision=setting)
            result = self.trainer.train(start, self.data, plan, evaluate_on=self.few, seed=0)
            return result.seconds

        return run


class Keras:
    """``fit`` on arrays, after an epoch that builds the graph."""

    def __init__(self) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        self.x, self.y = data()

    def prepare(self, network: str, batch: int, setting: str) -> Callable[[int], float]:
        """Return a function that trains for some steps and returns their seconds."""
        import keras
        from keras import layers

        keras.config.set_dtype_policy("float32" if setting == "float32" else "mixed_bfloat16")
        model = keras.Sequential([keras.Input((28, 28, 1))])
        widths = NETWORKS[network]
        for n, (k, width) in enumerate(zip(KERNELS, widths, strict=False), 1):
            model.add(layers.Conv2D(width, k, padding="same", use_bias=False))
            model.add(layers.BatchNormalization())
            model.add(layers.ReLU())
            if n < len(KERNELS):
                model.add(layers.MaxPooling2D())
        if widths:
            model.add(layers.GlobalAveragePooling2D())
        else:
            for width in (32, 64):
                model.add(layers.Conv2D(width, 5, padding="same", activation="relu"))
                model.add(layers.MaxPooling2D())
            model.add(layers.Flatten())
            model.add(layers.Dense(1024, activation="relu"))
        model.add(layers.Dense(10, dtype="float32"))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(RATE), loss)

        def run(steps: int) -> float:
            index = np.arange(steps * batch) % IMAGES
            x, y = self.x[index], self.y[index]
            began = time.perf_counter()
            model.fit(x, y, batch_size=batch, epochs=1, verbose=0)
            return time.perf_counter() - began

        return run


class PyTorch:
    """A plain loop, channels last, autocast for bfloat16."""

    def __init__(self) -> None:
        import torch

        x, y = data()
        images = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
        self.x = images.to(memory_format=torch.channels_last)
        self.y = torch.from_numpy(y)
        self.threads = torch.get_num_threads()

    def prepare(self, network: str, batch: int, setting: str) -> Callable[[int], float]:
        """Return a function that trains for some steps and returns their seconds."""
        import torch
        from torch import nn

        widths = NETWORKS[network]
        parts: list[Any] = []
        if widths:
            for n, (k, width) in enumerate(zip(KERNELS, widths, strict=True), 1):
                before = widths[n - 2] if n > 1 else 1
                parts += [
                    nn.Conv2d(before, width, k, padding=k // 2, bias=False),
                    nn.BatchNorm2d(width),
                    nn.ReLU(),
                    *([nn.MaxPool2d(2)] if n < len(KERNELS) else []),
                ]
            parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 10)]
        else:
            for before, width in ((1, 32), (32, 64)):
                parts += [nn.Conv2d(before, width, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)]
            parts += [nn.Flatten(), nn.Linear(3136, 1024), nn.ReLU(), nn.Linear(1024, 10)]
        model = nn.Sequential(*parts).to(memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(model.parameters(), RATE, fused=True)
        loss_of = nn.CrossEntropyLoss()
        precision, _, single = setting.partition(" ")

        def run(steps: int) -> float:
            torch.set_num_threads(1 if single else self.threads)
            began = time.perf_counter()
            order = torch.cat([torch.randperm(IMAGES) for _ in range(-(-steps * batch // IMAGES))])
            for step in range(steps):
                some = order[step * batch : (step + 1) * batch]
                optimizer.zero_grad(set_to_none=True)
                with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                    loss = loss_of(model(self.x[some]), self.y[some])
                loss.backward()
                optimizer.step()
            return time.perf_counter() - began

        return run


FRAMEWORKS: dict[str, Callable[[], Any]] = {
    "growsearch": Growsearch,
    "keras": Keras,
    "pytorch": PyTorch,
}


def multiply_large(pipe: Any, rounds: int) -> None:
    """Send the operations a second of a large matrix product, by precision, one number a round."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    size, times = 4096, 3

    @tf.function  # type: ignore[untyped-decorator]
    def multiply(a: Any, b: Any) -> Any:
        return tf.add_n([tf.reduce_max(tf.matmul(a, b + i)) for i in range(times)])

    found: dict[str, list[float]] = {}
    for precision in ("float32", "bfloat16"):
        a = tf.cast(tf.random.normal((size, size)), precision)
        multiply(a, a)
        for _ in range(rounds):
            began = time.perf_counter()
            multiply(a, a).numpy()
            seconds = time.perf_counter() - began
            found.setdefault(precision, []).append(2.0 * times * size**3 / seconds)
    pipe.send(found)


def work(framework: str, pipe: Any) -> None:
    """Send images a second for each (network, batch, setting, seconds) received, until None."""
    made = FRAMEWORKS[framework]()
    runs: dict[Any, tuple[Callable[[int], float], int]] = {}
    while (asked := pipe.recv()) is not None:
        network, batch, setting, seconds = asked
        key = network, batch, setting
        if key not in runs:
            if len(runs) >= len(SETTINGS[framework]):
                runs.clear()  # the networks before
            run = made.prepare(network, batch, setting)
            run(3)
            runs[key] = run, max(5, round(5 * seconds / run(5)))
        run, steps = runs[key]
        pipe.send(steps * batch / run(steps))


def measure_product(rounds: int) -> dict[str, list[float]]:
    """Measure operations a second of one large matrix product by precision, a number a round."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=multiply_large, args=(there, rounds), daemon=True)
    process.start()
    there.close()  # so that a process that fails is an error here
    product: dict[str, list[float]] = here.recv()
    process.join()
    for precision, speeds in product.items():
        mean, noise = np.mean(speeds) / 1e9, deviation(speeds) / 1e9
        print(f"one large product in {precision}: {mean:,.0f} ± {noise:,.0f} GFLOP/s", flush=True)
    return product


def measure(arguments: argparse.Namespace, product: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Measure images a second by network, batch size, framework and setting, a number a round."""
    context = multiprocessing.get_context("spawn")
    pipes = {}
    for framework in FRAMEWORKS:
        if framework != "pytorch" or find_spec("torch"):
            pipes[framework], theirs = context.Pipe()
            context.Process(target=work, args=(framework, theirs), daemon=True).start()
            theirs.close()  # so that a process that fails is an error here
    rows = []
    for network in arguments.networks.split(","):
        for batch in map(int, arguments.batches.split(",")):
            speeds: dict[str, dict[str, list[float]]] = {
                framework: {setting: [] for setting in SETTINGS[framework]} for framework in pipes
            }
            for _ in range(arguments.rounds):
                for framework, pipe in pipes.items():
                    for setting in SETTINGS[framework]:
                        pipe.send((network, batch, setting, arguments.seconds))
                        speeds[framework][setting].append(pipe.recv())
            rows.append({"network": network, "batch": batch, "speeds": speeds})
            show(rows[-1], product)
    for pipe in pipes.values():
        pipe.send(None)
    return rows


def show(row: dict[str, Any], product: dict[str, list[float]]) -> None:
    """Print each framework at its best, ours over the peers, and the use of the processor."""
    best = {
        framework: max(settings.items(), key=lambda item: float(np.mean(item[1])))
        for framework, settings in row["speeds"].items()
    }
    cells = [
        f"{framework} {np.mean(rounds):6,.0f} ± {deviation(rounds):4,.0f} ({setting})"
        for framework, (setting, rounds) in best.items()
    ]
    ours = np.array(best["growsearch"][1])
    peers = {f: np.array(rounds) for f, (_, rounds) in best.items() if f != "growsearch"}
    ratios = [
        f"x{np.mean(ours / rounds):.2f} ± {deviation(ours / rounds):.2f} of {f}"
        for f, rounds in peers.items()
    ]
    print(f"{row['network']:14} {row['batch']:3}  {'  '.join(cells + ratios)}", flush=True)
    image = 3 * Architecture.parse(notation(NETWORKS[row["network"]]), (28, 28, 1)).flops
    used = [
        f"{framework} {image * np.mean(rounds) / np.mean(product[setting.split()[0]]):.0%}"
        for framework, (setting, rounds) in best.items()
    ]
    print(f"{'':18}  of one large product: {', '.join(used)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of one measurement, about")
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--batches", default="50,128,256")
    parser.add_argument("--out", type=Path, help="write every number as JSON")
    arguments = parser.parse_args()
    load = f", load {os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else ""
    print(
        f"{processor()}{load}; {versions('tensorflow', 'keras', 'torch')}; "
        f"n = {arguments.rounds}, mean ± std, images a second"
    )
    product = measure_product(arguments.rounds)
    rows = measure(arguments, product)
    if arguments.out:
        arguments.out.write_text(json.dumps({"product": product, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
