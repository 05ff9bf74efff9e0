"""A network narrowed to half its FLOPs and trained on, beside the same architecture from scratch.

A network of three convolutions with batch norm (32-64-128 filters) is trained, every layer is
narrowed by one factor until the network has half its FLOPs, and it is trained on. Its arms differ
in the units that go:

activation     those that move their readers least on 128 images; their means go to the biases
magnitude      those with the least product of the lengths of their weights
random         any

Beside them stands the narrowed architecture from scratch, in two lengths:

scratch            with the FLOPs of both trainings together: equal compute
scratch, brief     with the updates of the second training alone

Every training is a one-cycle that ends near 0. For each the test accuracy and loss, and those right
after the narrowing. Every training is one line of the output file, and is not repeated when the
file has it.

    python benchmarks/narrow.py --data fashion_mnist=DIR [--seeds 0,1,2,3,4] [--epochs 6]
        [--more 1,3] [--share 0.5] [--out runs/narrow.jsonl]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from fixed_sizes import SIZES, notation
from machine import deviation, processor, versions
from row_file import Row, RowFile

from growsearch import datasets
from growsearch.datasets import Split
from growsearch.growth import Limits, NarrowAll, grow
from growsearch.growth.narrow import By
from growsearch.networks import Architecture, Network
from growsearch.training import Augmentation, TrainingPlan
from growsearch.training.slim import SlimTrainer
from growsearch.trials.arms import training_flops

BATCH = 128
MEASURED = 256  # images for activations
NEVER = 10**9  # evaluate_every: at the start and at the end only
NARROWED = ("activation", "magnitude", "random")
ARMS = (*NARROWED, "scratch", "scratch, brief")


def narrowing(architecture: Architecture, share: float) -> NarrowAll:
    """Return the narrowing of all layers by one factor, to at most a share of the FLOPs.

    Examples
    --------
    >>> chain = Architecture.parse("3x3x16(conv1)-3x3x16(conv2)-pool1-10(fc1)")
    >>> narrowing(chain, 0.5)
    NarrowAll(layers=('conv1', 'conv2'), widths=(11, 11), by='activation')
    """
    (site,) = NarrowAll.sites(architecture, Limits())
    low, high = 0.0, 8.0  # of the exponent; FLOPs fall with it
    for _ in range(30):
        middle = (low + high) / 2
        found = site.sized(middle, architecture, Limits()).grown(architecture)
        low, high = (middle, high) if found.flops > share * architecture.flops else (low, middle)
    return site.sized(high, architecture, Limits())


class Bench:
    """The trainings of a call, and the file of all that are finished."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.file = RowFile(options.out)
        self.trainer = SlimTrainer(threads=options.threads)
        name, _, path = options.data.partition("=")
        self.data = datasets.load(name, path or None)
        text = notation(SIZES[options.size], self.data.classes)
        self.architecture = Architecture.parse(text, self.data.image_shape)
        self.growth = narrowing(self.architecture, options.share)
        self.smaller = self.growth.grown(self.architecture)
        self.parent = cache(self._parent)

    def steps(self, epochs: float) -> int:
        """Return the updates of a number of epochs."""
        return max(1, round(epochs * len(self.data.train) / BATCH))

    def trained(self, network: Network, steps: int, seed: int) -> Network:
        """Train once, by a one-cycle."""
        plan = TrainingPlan(
            *(steps, BATCH, self.options.rate, "momentum"),
            evaluate_every=NEVER,
            schedule="one_cycle",
            weight_decay=1e-3,
            precision=self.options.precision,
            augmentation=Augmentation(shift=2, flip=self.data.name == "fashion_mnist"),
        )
        few = Split(self.data.validation.images[:BATCH], self.data.validation.labels[:BATCH])
        network = replace(network, slots=None)
        return self.trainer.train(
            network, self.data.train, plan, evaluate_on=few, seed=seed
        ).network

    def _parent(self, seed: int) -> Network:
        start = Network.initial(self.architecture, rng=seed)
        return self.trained(start, self.steps(self.options.epochs), seed)

    def flops(self, architecture: Architecture, epochs: float) -> float:
        """Return the FLOPs of a training."""
        return training_flops(architecture.flops, self.steps(epochs), BATCH)

    def train(self, arm: str, seed: int, more: float) -> Row:
        """Train an arm; return its row."""
        steps = self.steps(more)
        row: Row = {"arm": arm, "seed": seed, "more": more}
        if arm in NARROWED:
            by: By = "magnitude" if arm == "magnitude" else "activation"
            start = grow(
                self.parent(seed),
                replace(self.growth, by=by),
                rng=seed,
                fill="random" if arm == "random" else "net2net",
                slots="reset",
                images=self.data.train.images[:MEASURED],
            )
            row |= {f"{name}_before": value for name, value in self.tested(start).items()}
            compute = self.flops(self.architecture, self.options.epochs)
            compute += self.flops(self.smaller, more)
        else:
            start = Network.initial(self.smaller, rng=seed)
            if arm == "scratch":
                ratio = self.architecture.flops / self.smaller.flops
                steps += round(self.steps(self.options.epochs) * ratio)
            compute = training_flops(self.smaller.flops, steps, BATCH)
        network = self.trained(start, steps, 100 + seed)
        return row | {"updates": steps, "flops": compute} | self.tested(network)

    def tested(self, network: Network) -> Row:
        """Return accuracy and loss on the test images."""
        found = self.trainer.evaluate(network, self.data.test)
        return {"accuracy": found.accuracy, "loss": found.loss}

    @property
    def settings(self) -> Row:
        """What all rows of a table have in common."""
        names = ("epochs", "share", "size", "rate", "precision")
        return {"data": self.data.name} | {name: getattr(self.options, name) for name in names}

    def carry_out(self) -> None:
        """Make the trainings that the file has not."""
        for seed in self.options.seeds:
            if not self.file.found(arm="before", seed=seed, **self.settings):
                row = {"arm": "before", "seed": seed, **self.settings}
                self.file.write(row | self.tested(self.parent(seed)))
            for more in self.options.more:
                for arm in ARMS:
                    if not self.file.found(arm=arm, seed=seed, more=more, **self.settings):
                        row = self.train(arm, seed, more)
                        self.file.write(row | self.settings)
                        print(
                            f"{arm}, seed {seed}, {more:g} epochs more: {row['accuracy']:.4f}",
                            flush=True,
                        )


def tables(rows: list[Row]) -> Iterator[str]:
    """Yield the table: an arm a line, a length of the second training a column."""
    lengths = sorted({row["more"] for row in rows if "more" in row})
    heads = [f"{more:g} epochs more: accuracy, loss, FLOPs" for more in lengths]
    yield f"| arm | right after | {' | '.join(heads)} |"
    yield f"|---|---|{'---|' * len(lengths)}"
    whole = [row for row in rows if row["arm"] == "before"]
    yield f"| before | {_spread(whole, 'accuracy')} |{' |' * len(lengths)}"
    for arm in ARMS:
        cells = [_spread([row for row in rows if row["arm"] == arm], "accuracy_before")]
        for more in lengths:
            here = [row for row in rows if (row["arm"], row.get("more")) == (arm, more)]
            flops = f"{np.mean([row['flops'] for row in here]):.2g}" if here else "–"
            cells.append(f"{_spread(here, 'accuracy')}, {_spread(here, 'loss')}, {flops}")
        yield f"| {arm} | {' | '.join(cells)} |"


def _spread(rows: list[Row], name: str) -> str:
    values = [row[name] for row in rows if name in row]
    return f"{np.mean(values):.4f} ± {deviation(values):.4f}" if values else "–"


def numbers(kind: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    """Return a reader of numbers with commas between them."""
    return lambda text: [kind(part) for part in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    option = parser.add_argument
    option("--data", default="fashion_mnist", metavar="NAME[=PATH]")
    option("--size", default="32-64-128", choices=list(SIZES))
    option("--seeds", type=numbers(int), default=[0, 1, 2, 3, 4])
    option("--epochs", type=float, default=6.0, help="of the network before")
    option("--more", type=numbers(float), default=[1.0, 3.0], help="epochs after narrowing")
    option("--share", type=float, default=0.5, help="of the FLOPs that stay, at most")
    option("--rate", type=float, default=0.4, help="the highest of each one-cycle")
    option("--precision", default="float32")
    option("--threads", type=int)
    option("--out", default="runs/narrow.jsonl")
    options = parser.parse_args()
    bench = Bench(options)
    print(f"{processor()}; {versions('growsearch', 'tensorflow', 'numpy')}")
    before, after = bench.architecture, bench.smaller
    print(
        f"{bench.growth}: {before.parameters:,} -> {after.parameters:,} parameters, "
        f"{before.flops / 1e6:.2f} -> {after.flops / 1e6:.2f} MFLOPs an image",
        flush=True,
    )
    bench.carry_out()
    rows = bench.file.found(**bench.settings)
    print(f"n = {len({row['seed'] for row in rows})} seeds, mean ± std, test images\n")
    print(*tables(rows), sep="\n")


if __name__ == "__main__":
    main()
