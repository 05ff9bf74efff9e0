"""Three more classes for a network that knows seven: what it keeps, and how fast it learns them.

A network of three convolutions with batch norm (16-32-64 filters) is trained on the images of the
first seven classes. Then all ten are trained briefly, from several starts:

add_classes, zero      three classes are added, with zeros in front of them
add_classes, mean      with the mean of the old classes' weights in front of them
add_classes, prior     with zeros, and a bias by which each takes 1 % of the probability at first
new head               the layers of the network, and a random dense layer of ten (by hand)
random weights         the network of ten classes from scratch

All have the same plan: the rate falls to 0 in the brief training. For each the accuracy on test
images of old and new classes. Before it, of the grown networks: how many of the old logits are
equal bit for bit in TensorFlow's float32, and max |Δ|.

Every training is one line of the output file, and is not repeated when the file has it.

    python benchmarks/add_classes.py --data mnist=DIR [--seeds 0,1,2,3,4] [--updates 1000]
        [--brief 0,50,200,800] [--out runs/add_classes.jsonl]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
from lineages import first
from machine import deviation, processor, versions
from row_file import Row, RowFile

from growsearch import datasets
from growsearch.datasets import Split
from growsearch.growth import AddClasses, grow
from growsearch.networks import Network
from growsearch.training import TrainingPlan
from growsearch.training.slim import SlimTrainer

OLD, NEW = 7, 3
BATCH = 128
NEVER = 10**9  # evaluate_every: at the start and at the end only
GROWN = {
    "add_classes, zero": AddClasses(NEW),
    "add_classes, mean": AddClasses(NEW, "mean"),
    "add_classes, prior": AddClasses(NEW, prior=0.01),
}
ARMS = (*GROWN, "new head", "random weights")


class Bench:
    """The trainings of a call, and the file of all that are finished."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.file = RowFile(options.out)
        self.trainer = SlimTrainer(threads=options.threads)
        name, _, path = options.data.partition("=")
        self.data = datasets.load(name, path or None)
        if self.data.classes != OLD + NEW:
            raise SystemExit(f"--data: expected {OLD + NEW} classes, got {self.data.classes}")
        self.parent = cache(self._parent)

    def plan(self, steps: int) -> TrainingPlan:
        """Return the plan of every training."""
        return TrainingPlan(
            *(steps, BATCH, self.options.rate, "momentum"),
            evaluate_every=NEVER,
            schedule="linear",
            weight_decay=1e-3,
            precision=self.options.precision,
        )

    def _parent(self, seed: int) -> Network:
        """Train a network on the first seven classes."""
        start = Network.initial(first(self.data.image_shape, OLD), rng=seed)
        train, few = (of_classes(each, 0, OLD) for each in (self.data.train, self.data.validation))
        plan = self.plan(self.options.updates)
        return self.trainer.train(start, train, plan, evaluate_on=few, seed=seed).network

    def start(self, arm: str, seed: int) -> Network:
        """Return the network of ten classes from which an arm's brief training starts."""
        fresh = Network.initial(first(self.data.image_shape, OLD + NEW), rng=1000 + seed)
        if arm == "random weights":
            return fresh
        parent = self.parent(seed)
        if arm == "new head":
            head = fresh.architecture.output.name
            return Network(fresh.architecture, {**parent.weights, head: fresh.weights[head]})
        return grow(parent, GROWN[arm], rng=seed, images=self.data.train.images[:256])

    def train(self, arm: str, seed: int, brief: int) -> Row:
        """Train an arm briefly, on all classes; return its row."""
        network = self.start(arm, seed)
        row: Row = {"arm": arm, "seed": seed, "brief": brief, **self.settings}
        if arm in GROWN:
            row |= self.old_logits(network, seed)
        if brief:
            few = Split(self.data.validation.images[:BATCH], self.data.validation.labels[:BATCH])
            plan = self.plan(brief)
            network = self.trainer.train(
                network, self.data.train, plan, evaluate_on=few, seed=seed
            ).network
        logits = self.trainer.logits(network, self.data.test.images)
        right = logits.argmax(axis=1) == self.data.test.labels
        is_old = self.data.test.labels < OLD
        return row | {
            "all": float(right.mean()),
            "old": float(right[is_old].mean()),
            "new": float(right[~is_old].mean()),
        }

    def old_logits(self, child: Network, seed: int) -> Row:
        """Compare the logits of the old classes before and after."""
        images = self.data.test.images
        old = self.trainer.logits(self.parent(seed), images)
        new = self.trainer.logits(child, images)[:, :OLD]
        return {"equal": float((old == new).mean()), "largest": float(np.abs(old - new).max())}

    @property
    def settings(self) -> Row:
        """What all rows of a table have in common."""
        names = ("updates", "rate", "precision")
        return {"data": self.data.name} | {name: getattr(self.options, name) for name in names}

    def carry_out(self) -> None:
        """Make the trainings that the file has not."""
        for seed in self.options.seeds:
            for arm in ARMS:
                for brief in self.options.brief:
                    key = {"arm": arm, "seed": seed, "brief": brief}
                    if not self.file.found(**key, **self.settings):
                        row = self.train(arm, seed, brief)
                        self.file.write(row)
                        print(
                            f"{arm}, seed {seed}, {brief} updates: old {row['old']:.4f}, "
                            f"new {row['new']:.4f}",
                            flush=True,
                        )


def of_classes(split: Split, least: int, below: int) -> Split:
    """Return the images of some classes, which are numbered from ``least`` on."""
    chosen = (split.labels >= least) & (split.labels < below)
    return Split(split.images[chosen], split.labels[chosen])


def tables(rows: list[Row]) -> Iterator[str]:
    """Yield the table of accuracies, and a line on the old logits."""
    lengths = sorted({row["brief"] for row in rows})
    yield f"| start | {' | '.join(f'{n} updates: old, new, all' for n in lengths)} |"
    yield f"|---|{'---|' * len(lengths)}"
    for arm in ARMS:
        cells = []
        for brief in lengths:
            here = [row for row in rows if (row["arm"], row["brief"]) == (arm, brief)]
            cells.append(", ".join(_spread([r[n] for r in here]) for n in ("old", "new", "all")))
        yield f"| {arm} | {' | '.join(cells)} |"
    grown = [row for row in rows if "equal" in row]
    if grown:
        yield (
            f"old logits of the grown networks, in float32: {min(r['equal'] for r in grown):.2%} "
            f"equal bit for bit at least, max |Δ| {max(r['largest'] for r in grown):.2g}"
        )


def _spread(values: list[float]) -> str:
    return f"{np.mean(values):.4f} ± {deviation(values):.4f}" if values else "–"


def numbers(text: str) -> list[int]:
    """Read whole numbers with commas between them."""
    return [int(part) for part in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    option: Callable[..., Any] = parser.add_argument
    option("--data", default="mnist", metavar="NAME[=PATH]")
    option("--seeds", type=numbers, default=[0, 1, 2, 3, 4])
    option("--updates", type=int, default=1000, help="of the network of seven classes")
    option("--brief", type=numbers, default=[0, 50, 200, 800], help="updates on all classes")
    option("--rate", type=float, default=0.05, help="the highest, of Nesterov's momentum")
    option("--precision", default="float32")
    option("--threads", type=int)
    option("--out", default="runs/add_classes.jsonl")
    options = parser.parse_args()
    bench = Bench(options)
    print(f"{processor()}; {versions('growsearch', 'tensorflow', 'numpy')}", flush=True)
    bench.carry_out()
    rows = bench.file.found(**bench.settings)
    print(f"n = {len({row['seed'] for row in rows})} seeds, mean ± std, test accuracy\n")
    print(*tables(rows), sep="\n")


if __name__ == "__main__":
    main()
