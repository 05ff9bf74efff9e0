"""Acceleration: the compute that growing needs to reach what the final network has from scratch.

A first network of 16-32-64 filters (convolution, batch norm, ReLU; global average pooling) is
trained at a constant rate. It grows into the final network at once, or in steps of at most 2 in
width; the rate rises again after each and falls once, at the end: see lineages.py. Against it
stands its final network from scratch, by a one-cycle that ends near 0, for 1, 3, 6 and 12 epochs.
Final networks are x4 and x8, of which an update takes some 5 and 11 times as long as one of the
first network: deepened, and then widened. A third one, wide, is only widened.

Budgets are in epochs of the final network. A lineage of a budget has the calibrated seconds of that
number of epochs of the final network; its networks share them out. All images are shifted; those
of fashion_mnist are flipped too. Each budget of each contender is tuned: the same number of
configurations, chosen by validation loss on other seeds than those that are reported. The test
images are used once for each reported training, after it.

    saving = 1 - compute of the lineage that reaches it / compute from scratch

where the lineage's compute is interpolated between its own budgets, each wholly decayed. Compute is
FLOPs (of forward and backward passes), calibrated seconds (updates times the least milliseconds of
an update, all networks measured in turn) and the seconds that the updates took in the run. On a
busy machine, ``--clock processor`` calibrates by the processor's time instead of the time that
passes, and the seconds in the run say little.

Every training is one line of the output file, and is not repeated when the file has it. So a run
can be ended at any time, and made in parts. With ``--trainer jax`` the updates are made on a GPU,
for a file that has the costs of a CPU already; its rows have no seconds in the run.

costs    milliseconds of an update of every network; once for a file
tune     every configuration of both contenders, on the tuning seeds
run      the chosen configurations, on all seeds; then the test images
report   tables of what the file has

    python benchmarks/acceleration.py --data mnist=DIR --data fashion_mnist=DIR [--part tune]
        [--final x4] [--budgets 1,3] [--grown-budgets 0.5,1,2,3] [--seeds 0,1,2]
        [--out runs/acceleration.jsonl]
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from lineages import (
    GROWN,
    PATHS,
    SCRATCH,
    Grown,
    Scratch,
    lineage_plans,
    path,
    scratch_plan,
    stages,
    widths,
)
from lineages import updates as updates_of
from machine import deviation, processor, versions
from row_file import Row, RowFile
from savings import best_configuration, saving, where_it_ends
from trainers import TRAINERS, best_precision, group_trainer

from growsearch import datasets
from growsearch.errors import DivergedError
from growsearch.growth import Growth, grow
from growsearch.networks import Architecture, Network
from growsearch.training import Augmentation, TrainingPlan
from growsearch.training.slim import SlimTrainer
from growsearch.trials.arms import training_flops

BATCH = 128
MEASURED = 256  # images on which new batch norms measure their statistics
NEVER = 10**9  # evaluate_every: at the start and at the end only
TUNING = 1000  # the first tuning seed; reported seeds are lower
MEASURES = {"flops": "FLOPs", "seconds": "seconds", "measured": "seconds in the run"}
SHIFT = Augmentation(shift=2)
FLIPPED = ("fashion_mnist",)  # data sets whose images are flipped too, as in their search spaces
METRICS = {"accuracy": "test accuracy", "loss": "test loss"}
# Of a training, the fields that name it.
KEY = ("part", "data", "final", "contender", "budget", "configuration", "seed")


@dataclass(frozen=True)
class Task:
    """One training of one contender: a row of the output file."""

    part: str
    data: str
    final: str
    contender: str
    budget: float
    configuration: Scratch | Grown
    seed: int

    @property
    def key(self) -> Row:
        """The fields that name the row."""
        return {name: getattr(self, name) for name in KEY} | {
            "configuration": str(self.configuration)
        }


@dataclass(frozen=True)
class Course:
    """The networks of a training, one after the other, each with its plan and growths before it."""

    networks: tuple[Architecture, ...]
    plans: tuple[TrainingPlan, ...]
    growths: tuple[tuple[Growth, ...], ...]


class Bench:
    """The trainings of a call, and the file of all that are finished."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.file = RowFile(options.out)
        self.trainer = SlimTrainer(cached_graphs=8, threads=options.threads)
        self.trains = group_trainer(options.trainer, self.trainer)
        self.data = {
            name: datasets.load(name if name in datasets.LOADERS else "mnist", path)
            for name, path in options.data.items()
        }
        self.base = TrainingPlan(
            1,
            BATCH,
            optimizer="momentum",
            evaluate_every=NEVER,
            weight_decay=1e-3,
            precision=options.precision,
            augmentation=SHIFT,
        )
        scratch, grown = (each[: options.configurations] for each in (SCRATCH, GROWN))
        self.contenders: dict[str, tuple[Sequence[float], Sequence[Scratch | Grown]]] = {
            "scratch": (options.budgets, scratch),
            "grown": (options.grown_budgets, grown),
        }

    @cached_property
    def circumstances(self) -> Row:
        """The settings and costs of the file; measured and written where it has none yet."""
        settings = {
            "precision": self.options.precision,
            "threads": self.options.threads,
            "batch_size": BATCH,
            "clock": self.options.clock,
        }
        path = self.file.path
        for row in self.file.found(part="costs"):
            if (found := {name: row[name] for name in settings}) != settings:
                raise SystemExit(f"{path}: of {found}, not {settings}: use another --out")
            return row
        if self.options.trainer != "slim":
            raise SystemExit(
                f"{path}: expected the costs of updates: run --part costs --trainer slim first"
            )
        row = {"part": "costs", **settings, "processor": processor(), "costs": self.costs()}
        self.file.write(row | {"versions": versions("growsearch", "tensorflow", "numpy")})
        return row

    def costs(self) -> dict[str, float]:
        """Return the least seconds of an update of every network, all measured in turn."""
        data = next(iter(self.data.values()))
        few = datasets.Split(data.train.images[:BATCH], data.train.labels[:BATCH])

        def seconds(network: Network, count: int) -> float:
            plan, began = replace(self.base, steps=count), time.process_time()
            found = self.trainer.train(network, data.train, plan, evaluate_on=few, seed=0).seconds
            return found if self.options.clock == "wall" else time.process_time() - began

        networks = {
            str(each): Network.initial(each, rng=0)
            for final in PATHS
            for each in stages(final, data.image_shape, data.classes)
        }
        for network in networks.values():
            seconds(network, 3)  # builds the graph
        count = self.options.calibration
        one, more = (dict.fromkeys(networks, math.inf) for _ in range(2))
        for _ in range(self.options.rounds):
            for name, network in networks.items():
                one[name] = min(one[name], seconds(network, 1))
                more[name] = min(more[name], seconds(network, 1 + count))
        # Of a difference, since the processor's time has evaluations in it.
        return {name: (more[name] - one[name]) / count for name in networks}

    def cost(self, architecture: Architecture) -> float:
        """Return the calibrated seconds of an update."""
        return float(self.circumstances["costs"][str(architecture)])

    def tasks(self, part: str) -> Iterator[Task]:
        """Yield the trainings of a part, the short ones first."""
        tuning = range(TUNING, TUNING + self.options.tuning_seeds)
        seeds = tuning if part == "tune" else self.options.seeds
        lengths = [
            (budget, contender)
            for contender, (budgets, _) in self.contenders.items()
            for budget in budgets
        ]
        for budget, contender in sorted(lengths):
            for data in self.data:
                for final in self.options.final:
                    row = {"data": data, "final": final, "contender": contender, "budget": budget}
                    for configuration in self.configurations(part, row):
                        for seed in seeds:
                            yield Task(part, **row, configuration=configuration, seed=seed)

    def configurations(self, part: str, row: Row) -> list[Scratch | Grown]:
        """Return all configurations to tune, or the one that was chosen."""
        every = list(self.contenders[row["contender"]][1])
        if part == "tune":
            return every
        tuned = [
            each
            for each in self.file.rows
            if each["part"] == "tune"
            and {name: each[name] for name in row} == row
            and each["configuration"] in map(str, every)
        ]
        if len(tuned) < len(every) * self.options.tuning_seeds:
            raise SystemExit(f"{self.file.path}: {row} is not tuned yet: run --part tune first")
        chosen = best_configuration(tuned)
        return [each for each in every if str(each) == chosen]

    def is_done(self, task: Task) -> bool:
        """Return whether a training is in the file; another process may write it too."""
        return bool(self.file.found(**task.key))

    def carry_out(self, part: str) -> None:
        """Make the trainings of a part that the file has not."""
        left = [task for task in self.tasks(part) if not self.is_done(task)]
        minutes = sum(self.seconds(task) for task in left) / 60.0
        print(f"{part}: {len(left)} trainings, about {minutes:.0f} minutes of updates", flush=True)
        for group in self.groups(left):
            tasks = [task for task in group if not self.is_done(task)]
            for row in self.train_each(tasks):
                self.file.write(row)
                print(
                    f"{part} {row['data']} {row['final']} {row['contender']} {row['budget']:g} "
                    f"epochs, {row['configuration']}, seed {row['seed']}: validation "
                    f"{row['validation_accuracy']:.4f}",
                    flush=True,
                )

    def train_each(self, tasks: Sequence[Task]) -> Iterator[Row]:
        """Train a group at once, or one by one where a member's training diverges."""
        if len(tasks) > 1:
            try:
                yield from self.train(tasks)
                return
            except DivergedError:
                pass
        for task in tasks:
            yield from self.train([task])

    def groups(self, tasks: Sequence[Task]) -> list[list[Task]]:
        """Return the trainings that are made together: of the same networks and updates."""
        if not self.trains.at_once:
            return [[task] for task in tasks]
        found: dict[Any, list[Task]] = {}
        for task in tasks:
            course = self.course(task)
            alike = (task.data, course.networks, tuple(plan.steps for plan in course.plans))
            found.setdefault(alike, []).append(task)
        return list(found.values())

    def seconds(self, task: Task) -> float:
        """Return the calibrated seconds of a budget."""
        data = self.data[task.data]
        final = stages(task.final, data.image_shape, data.classes)[-1]
        return task.budget * len(data.train) / BATCH * self.cost(final)

    def course(self, task: Task) -> Course:
        """Return the networks of a training, with their plans and the growths in front of them."""
        data = self.data[task.data]
        base = replace(self.base, augmentation=replace(SHIFT, flip=task.data in FLIPPED))
        steps = max(1, round(task.budget * len(data.train) / BATCH))
        if isinstance(task.configuration, Scratch):
            final = stages(task.final, data.image_shape, data.classes)[-1]
            return Course((final,), (scratch_plan(steps, task.configuration, base),), ((),))
        at_once = task.configuration.at_once
        networks = stages(task.final, data.image_shape, data.classes, at_once=at_once)
        costs = [self.cost(each) for each in networks]
        counts = updates_of(steps * costs[-1], costs, task.configuration)
        plans = lineage_plans(counts, task.configuration, base)
        return Course(tuple(networks), tuple(plans), ((), *path(task.final, at_once=at_once)))

    def train(self, tasks: Sequence[Task]) -> list[Row]:
        """Train a group of tasks; return their rows."""
        data = self.data[tasks[0].data]
        courses = [self.course(task) for task in tasks]
        rngs = [np.random.default_rng(task.seed) for task in tasks]
        first = courses[0].networks[0]
        networks = [Network.initial(first, rng=rng) for rng in rngs]
        few = datasets.Split(data.validation.images[:BATCH], data.validation.labels[:BATCH])
        measured = 0.0
        legs = len(courses[0].plans)
        for place, step in enumerate(courses[0].growths):
            for growth in step:
                images = data.train.images[:MEASURED]
                networks = [
                    grow(network, growth, rng=rng, slots="carry-rescaled", images=images)
                    for network, rng in zip(networks, rngs, strict=True)
                ]
            results = self.trains.train_all(
                networks,
                data.train,
                [course.plans[place] for course in courses],
                [10 * task.seed + place for task in tasks],
                evaluate_on=data.validation if place == legs - 1 else few,
            )
            networks = [result.network for result in results]
            measured += sum(result.seconds for result in results) / len(results)
        rows = [
            task.key
            | {
                "validation_accuracy": result.final.accuracy,
                "validation_loss": result.final.loss,
                **self.compute(course),
                "trainer": self.options.trainer,
                **({} if self.trains.at_once else {"measured": measured}),
            }
            for task, course, result in zip(tasks, courses, results, strict=True)
        ]
        if tasks[0].part == "run":
            for row, test in zip(rows, self.trains.evaluate_all(networks, data.test), strict=True):
                row |= {"test_accuracy": test.accuracy, "test_loss": test.loss}
        return rows

    def compute(self, course: Course) -> Row:
        """Return the updates of a training, their FLOPs and calibrated seconds."""
        legs = list(zip(course.networks, course.plans, strict=True))
        return {
            "updates": [plan.steps for _, plan in legs],
            "flops": sum(training_flops(each.flops, plan.steps, BATCH) for each, plan in legs),
            "seconds": sum(self.cost(each) * plan.steps for each, plan in legs),
        }


def tables(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the tables of what a file has, one for each data set, final network and metric.

    They have the seeds that are finished at every budget of both contenders.
    """
    tuned, done = ([row for row in rows if row["part"] == part] for part in ("tune", "run"))
    for data, final in dict.fromkeys((row["data"], row["final"]) for row in done):
        groups: dict[tuple[str, float], dict[int, Row]] = {}
        tried: set[tuple[int, int]] = set()
        for row in (row for row in done if (row["data"], row["final"]) == (data, final)):
            same = ("data", "final", "contender", "budget")
            of_it = [each for each in tuned if all(each[name] == row[name] for name in same)]
            if row["configuration"] == best_configuration(of_it):
                groups.setdefault((row["contender"], row["budget"]), {})[row["seed"]] = row
                names = {each["configuration"] for each in of_it}
                tried.add((len(names), len({each["seed"] for each in of_it})))
        seeds = sorted(set.intersection(*map(set, groups.values()))) if groups else []
        found: dict[str, dict[float, list[Row]]] = {"scratch": {}, "grown": {}}
        for (contender, budget), each in sorted(groups.items()):
            found[contender][budget] = [each[seed] for seed in seeds]
        counts = ", ".join(f"{n} configurations on {k} tuning seed(s)" for n, k in sorted(tried))
        for metric, words in METRICS.items():
            title = f"\n{data}, {final}: {words}, n = {len(seeds)} seeds; {counts} for each cell\n"
            table = _table(found["scratch"], found["grown"], metric) if seeds else ["no whole seed"]
            yield title + "\n".join(table)


def _table(
    scratch: dict[float, list[Row]], grown: dict[float, list[Row]], metric: str
) -> Iterator[str]:
    """Yield the lines of one table: a row a budget, then where the lead ends."""
    sign = -1.0 if metric == "loss" else 1.0  # higher is better
    every = [row for of in (scratch, grown) for each in of.values() for row in each]
    measures = {key: name for key, name in MEASURES.items() if all(key in row for row in every)}
    heads = ["epochs", "from scratch", "grown", *(f"saving of {m}" for m in measures.values())]
    yield f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}"
    values = np.array([[sign * row[f"test_{metric}"] for row in each] for each in grown.values()])
    found: dict[str, dict[float, Any]] = {measure: {} for measure in measures}
    for budget in sorted({*scratch, *grown}):
        cells = [
            _spread([row[f"test_{metric}"] for row in of.get(budget, [])])
            for of in (scratch, grown)
        ]
        for measure in measures:
            if budget in scratch and len(values):
                compute = [float(np.mean([r[measure] for r in each])) for each in grown.values()]
                theirs = scratch[budget]
                found[measure][budget] = saving(
                    compute,
                    values,
                    float(np.mean([row[measure] for row in theirs])),
                    np.array([sign * row[f"test_{metric}"] for row in theirs]),
                )
            cells.append(str(found[measure].get(budget, "–")))
        yield f"| {budget:g} | {' | '.join(cells)} |"
    for measure, name in measures.items():
        if found[measure]:
            yield f"saving of {name}, by epochs: {where_it_ends(found[measure])}"


def _spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.4f} ± {deviation(values):.4f}" if values else "–"


def _named(text: str) -> tuple[str, str | None]:
    name, _, path = text.partition("=")
    return name, path or None


def _list(kind: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    return lambda text: [kind(part) for part in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    option = parser.add_argument
    option(
        "--data",
        action="append",
        metavar="NAME[=PATH]",
        help="default: mnist; a name that growsearch does not know is read in MNIST's format",
    )
    option("--part", choices=("costs", "tune", "run", "report"), help="all by default")
    option("--final", type=_list(str), default=["x4", "x8"], help=",".join(PATHS))
    option("--budgets", type=_list(float), default=[1.0, 3.0, 6.0, 12.0], help="from scratch")
    option("--grown-budgets", type=_list(float), default=[0.5, 1.0, 2.0, 3.0, 6.0, 12.0])
    option("--seeds", type=_list(int), default=[0, 1, 2, 3, 4], help="0,1,2,3,4 by default")
    option("--tuning-seeds", type=int, default=1, help="seeds of each configuration")
    option("--configurations", type=int, default=len(SCRATCH), help="of each contender")
    option("--trainer", choices=TRAINERS, default="slim", help="jax: on a GPU")
    option("--precision", choices=("float32", "bfloat16"))
    option("--threads", type=int, help="of TensorFlow; by default one for each processor")
    option("--clock", choices=("wall", "processor"), default="wall", help="of the costs")
    option("--rounds", type=int, default=7, help="of the measurement of costs")
    option("--calibration", type=int, default=20, help="updates in each of its rounds")
    option("--out", default="runs/acceleration.jsonl")
    options = parser.parse_args()
    stored = [row["precision"] for row in RowFile(options.out).found(part="costs")]
    options.precision = options.precision or (stored or [best_precision(options.trainer)])[0]
    options.data = dict(map(_named, options.data or ["mnist"]))
    bench = Bench(options)
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{processor()}{load}; {versions('growsearch', 'tensorflow', 'numpy')}")
    print(f"{options.precision}, n = {len(options.seeds)} seeds, mean ± std", flush=True)
    for part in ("costs", "tune", "run", "report"):
        if options.part not in (None, part):
            continue
        if part == "costs":
            first = min(bench.circumstances["costs"].values())
            print(f"milliseconds of an update, by the clock {options.clock}:")
            for name, seconds in bench.circumstances["costs"].items():
                architecture = Architecture.parse(name, (28, 28, 1))
                print(
                    f"{1000.0 * seconds:8.2f}, x{seconds / first:.1f}: {widths(architecture)}, "
                    f"{architecture.parameters:,} parameters, "
                    f"{architecture.flops / 1e6:.1f} MFLOPs an image"
                )
        elif part == "report":
            print(*tables(bench.file.rows), sep="\n")
        else:
            bench.carry_out(part)


if __name__ == "__main__":
    main()
