"""Regret: the best fixed network, chosen in hindsight for exactly the time, less one search.

At each mark (minutes) the table compares, by test accuracy on the same processors:

ours     ``growsearch run`` with the largest mark as its time budget, read at all marks: the last
         commit that was stored by then, at most 5 % later
knew     the same command with each smaller mark as its time budget
fixed    networks of fixed sizes from scratch, one-cycle, the space's images and optimizer, for
         exactly the mark from the start of their process; the rate of each size is the best of
         three on validation images at one minute, with a seed of its own
others   the space mnist_fast, a search from random weights, and Optuna over Keras by an expert,
         with the largest mark as their budget: see time_to_accuracy.py

The best fixed size is the one of the lowest mean validation loss over the seeds. Test images are
looked at once a network, when its time is over.

Each row is a line of JSON in --out, and one that is there is not made again: the table can be made
in parts, in any order, and a broken command goes on. With --emulate an update of each size and the
start are measured once, alone; then as many updates as fit into the time are trained in single
threads, two trainings side by side, which takes less time; or with --trainer jax on a GPU, for
costs of updates that the file has already. With --leaders K only the K best sizes
of the first seed are trained with the other seeds.

    python benchmarks/regret.py --data NAME=PATH... --out FILE.jsonl
        [--only ours,knew,fixed,others] [--sizes seed,deep,...] [--marks 1,2,4,10] [--seeds 0,1,2]
        [--emulate [--trainer jax]] [--leaders 3] [--contenders mnist_fast,scratch,expert] [--table]

NAME is mnist, fashion_mnist, or the name of a folder or tar archive of JPEG files
(train/CLASS/*.jpg, test/CLASS/*.jpg), which get the space fashion_mnist.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anytime
import image_sets
from fixed_sizes import RATES, SHORT, size_named
from machine import processor, versions
from regrets import Part, Point, Row, best_rate, leaders, tables, updates_within
from trainers import TRAINERS

PARTS = ("ours", "knew", "fixed", "others")
OTHERS = ("mnist_fast", "scratch", "expert")
TUNING_MINUTES = 1.0
TUNING_SEED = 1000  # of no row of the table
COST_SECONDS = 30.0
PAIRS_GAIN = 1.3  # of two trainings in single threads over one in two: 1.2 to 1.45 were measured
AT_ONCE = {"slim": 2, "jax": 4}  # trainings of a number of updates
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Asked:
    """The table that was asked for.

    Parameters
    ----------
    data : dict
        Name of a data set -> NAME=PATH.
    out : Path
        The file of the rows.
    parts, sizes, contenders : tuple of str
    marks : tuple of float
        Minutes, rising.
    seeds : tuple of int
    emulate : bool
    trainer : "slim" or "jax"
        Of the fixed sizes.
    leaders : int or None
    """

    data: dict[str, str]
    out: Path
    parts: tuple[str, ...]
    sizes: tuple[str, ...]
    contenders: tuple[str, ...]
    marks: tuple[float, ...]
    seeds: tuple[int, ...]
    emulate: bool = False
    trainer: str = "slim"
    leaders: int | None = None

    @property
    def folder(self) -> Path:
        """The folder of runs and decoded images, beside the file of the rows."""
        return self.out.with_suffix("")

    def rows(self) -> list[Row]:
        """Read all rows that are there; a line that a killed command left half is passed over."""
        found: list[Row] = []
        if self.out.exists():
            for line in self.out.read_text().splitlines():
                try:
                    found.append(Row.from_json(json.loads(line)))
                except json.JSONDecodeError:
                    print(f"{self.out}: passing over half a line", file=sys.stderr)
        return found

    def lacking(self, wanted: Sequence[Row]) -> list[Row]:
        """Return those of some rows that are not there yet."""
        there = {row.key for row in self.rows()}
        return [row for row in wanted if row.key not in there]

    def row(self, part: Part, data: str, contender: str, minutes: float, seed: int) -> Row:
        """Return a row that is to be made, with the circumstances that all rows have."""
        about = {
            "machine": processor(),
            "versions": versions("growsearch", "tensorflow", "keras", "optuna", "numpy"),
        }
        return Row(part, data, contender, minutes, seed, about=about)


# -- which rows are wanted -------------------------------------------------------------------------


def costs(asked: Asked) -> list[Row]:
    """Return the rows of the cost of an update."""
    if not asked.emulate:
        return []
    minutes = COST_SECONDS / 60.0
    return [
        asked.row("cost", data, size, minutes, 0) for data in asked.data for size in asked.sizes
    ]


def tunings(asked: Asked) -> list[Row]:
    """Return the rows that a rate is chosen from."""
    return [
        replace(asked.row("tune", data, size, TUNING_MINUTES, TUNING_SEED), rate=rate)
        for data in asked.data
        for size in asked.sizes
        for rate in RATES
    ]


def fixed(asked: Asked, seeds: Sequence[int], rows: Sequence[Row]) -> list[Row]:
    """Return the rows of fixed sizes with some seeds; the first seed decides who leads."""
    found = []
    for data in asked.data:
        for mark in asked.marks:
            sizes = list(asked.sizes)
            if asked.leaders is not None and asked.seeds[0] not in seeds:
                sizes = leaders(rows, data, mark, asked.seeds[0], asked.leaders)
            for seed in seeds:
                for size in sizes:
                    rate = best_rate(rows, data, size)
                    if rate is not None:
                        row = asked.row("fixed", data, size, mark, seed)
                        found.append(replace(row, rate=rate))
    return found


def searches(asked: Asked, part: Part) -> list[Row]:
    """Return the rows of the search: read at all marks, or with each smaller mark as its budget."""
    budgets = asked.marks[-1:] if part == "ours" else asked.marks[:-1]
    return [
        asked.row(part, data, "growsearch", minutes, seed)
        for seed in asked.seeds
        for data in asked.data
        for minutes in budgets
    ]


def others(asked: Asked) -> list[Row]:
    """Return the rows of the other contenders."""
    return [
        asked.row("others", data, name, asked.marks[-1], seed)
        for seed in asked.seeds
        for data in asked.data
        for name in asked.contenders
    ]


# -- how a row is made -----------------------------------------------------------------------------


def make(asked: Asked, rows: Sequence[Row]) -> list[Row]:
    """Measure a row, or several that are trained at once, in processes of their own."""
    before = {"began": time.strftime("%Y-%m-%d %H:%M:%S"), "load": round(os.getloadavg()[0], 2)}
    row = rows[0]
    if row.part in ("ours", "knew"):
        found = [_searched(asked, row)]
    elif row.part == "others":
        found = [_contended(asked, row)]
    elif row.part == "cost":
        found = [([], _cost(asked, row))]
    else:
        found = _trained(asked, rows)
    return [
        replace(each, points=tuple(points), about={**each.about, **before, **about})
        for each, (points, about) in zip(rows, found, strict=True)
    ]


def _searched(asked: Asked, row: Row) -> tuple[list[Point], dict[str, Any]]:
    out = asked.folder / f"{row.part}-{row.data}-{row.minutes:g}-{row.seed}"
    wall = anytime.run(asked.data[row.data], row.minutes, row.seed, out)
    found = anytime.read(asked.data[row.data], out)
    return [Point(**each) for each in found["points"]], {**found["about"], "wall": wall}


def _contended(asked: Asked, row: Row) -> tuple[list[Point], dict[str, Any]]:
    out = asked.folder / f"others-{row.data}-{row.minutes:g}"
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(_HERE / "time_to_accuracy.py"), "--child", row.contender]
    command += ["--data", asked.data[row.data], "--budget", f"{60.0 * row.minutes:g}"]
    command += ["--seed", f"{row.seed}", "--out", str(out), "--began", repr(time.time())]
    subprocess.run(command, check=True)
    found = json.loads((out / f"{row.contender}-{row.seed}.json").read_text())
    return [Point(*each) for each in found.pop("points")], found


def _trained(asked: Asked, rows: Sequence[Row]) -> list[tuple[list[Point], dict[str, Any]]]:
    """Train one size for a time; the rows differ in their seeds alone."""
    row = rows[0]
    seconds = 60.0 * row.minutes
    options = ["--rate", f"{row.rate}", "--seeds", ",".join(f"{each.seed}" for each in rows)]
    options += ["--test"] if row.part == "fixed" else []
    if asked.emulate:
        cost = next(r for r in asked.rows() if r.key == _cost_key(asked, row)).about
        updates = updates_within(seconds, cost["overhead"], cost["update"])
        options += ["--updates", f"{updates}", "--threads", "1", "--trainer", asked.trainer]
    else:
        options += ["--seconds", f"{seconds:g}"]
    results = []
    for found in _train(asked, row, options):
        point = Point(
            seconds,
            found.pop("test_accuracy", None),
            found.pop("validation_loss"),
            found.pop("validation_accuracy"),
            found.pop("parameters"),
        )
        about = {**found, "emulated": asked.emulate, "trainer": asked.trainer}
        results.append(([point], about))
    return results


def _cost(asked: Asked, row: Row) -> dict[str, Any]:
    """Return the seconds of an update, and all others until the end of the updates."""
    seconds = 60.0 * row.minutes
    (found,) = _train(asked, row, ["--seconds", f"{seconds:g}"])
    update = found["update_seconds"] / found["updates"]
    return {"update": update, "overhead": seconds - found["update_seconds"], **found}


def _cost_key(asked: Asked, row: Row) -> tuple[object, ...]:
    return asked.row("cost", row.data, row.contender, COST_SECONDS / 60.0, 0).key


def _train(asked: Asked, row: Row, options: Sequence[str]) -> list[dict[str, Any]]:
    """Train a fixed size in a process of its own; return what it tells, one of each seed."""
    began = time.time()
    command = [sys.executable, str(_HERE / "fixed_sizes.py"), "--data", asked.data[row.data]]
    command += ["--size", row.contender, "--began", repr(began), *options]
    # Several processes share a GPU: none takes most of its memory at once.
    shared = {"TF_CPP_MIN_LOG_LEVEL": "3", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    environment = {**os.environ, **shared}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [{**each, "wall": round(time.time() - began, 2)} for each in found]


# -- the command -----------------------------------------------------------------------------------


def complete(asked: Asked, name: str, wanted: Sequence[Row], *, at_once: int = 1) -> None:
    """Make those of the rows that are not there yet, and store each when it is made."""
    lacking = asked.lacking(wanted)
    minutes = sum(row.minutes for row in lacking) / (1.0 if at_once == 1 else PAIRS_GAIN)
    print(f"{name}: {len(lacking)} of {len(wanted)} rows, some {minutes:.0f} min", flush=True)
    lock = threading.Lock()

    def one(rows: Sequence[Row]) -> None:
        for made in make(asked, rows):
            with lock, asked.out.open("a") as file:
                file.write(json.dumps(made.to_json()) + "\n")
            print(f"  {told(made)}", flush=True)

    with ThreadPoolExecutor(at_once) as pool:
        for done in [pool.submit(one, rows) for rows in grouped(asked, lacking)]:
            done.result()


def grouped(asked: Asked, rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows that are made together: on a GPU all seeds of one size and time."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        is_trained = asked.trainer == "jax" and row.part in ("tune", "fixed")
        groups.setdefault(replace(row, seed=0).key if is_trained else row.key, []).append(row)
    return list(groups.values())


def told(row: Row) -> str:
    """Return a row in a line."""
    rate = f" at {row.rate:g}" if row.rate else ""
    name = f"{row.part} {row.data} {row.contender}{rate}, {row.minutes:g} min, seed {row.seed}"
    if row.part == "cost":
        return f"{name}: {1000.0 * row.about['update']:.2f} ms an update"
    if not row.points:
        return f"{name}: nothing"
    last = row.points[-1]
    figures = {"loss": last.validation_loss, "test accuracy": last.test_accuracy}
    known = [f"{what} {value:.4f}" for what, value in figures.items() if value is not None]
    return f"{name}: {', '.join(known)}"


def compete(asked: Asked) -> None:
    """Make all rows that are lacking, part by part."""
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    if asked.out.exists() and not asked.out.read_bytes().endswith(b"\n"):
        with asked.out.open("a") as file:  # a killed command left half a line
            file.write("\n")
    pairs = AT_ONCE[asked.trainer] if asked.emulate else 1
    for part in asked.parts:
        if part == "fixed":
            if asked.trainer != "slim":
                check_costs(asked)
            complete(asked, "cost of an update", costs(asked))
            complete(asked, "tuned rates", tunings(asked), at_once=pairs)
            for seeds in (asked.seeds[:1], asked.seeds[1:]):
                wanted = fixed(asked, seeds, asked.rows())
                complete(asked, f"fixed, seeds {seeds}", wanted, at_once=pairs)
        elif part == "others":
            complete(asked, "others", others(asked))
        else:
            complete(asked, part, searches(asked, "ours" if part == "ours" else "knew"))


def check_costs(asked: Asked) -> None:
    """Refuse to measure costs on a machine that is lent for its GPU: those of another count."""
    if lacking := asked.lacking(costs(asked)):
        names = ", ".join(f"{row.data} {row.contender}" for row in lacking)
        raise SystemExit(
            f"{asked.out}: expected the costs of {names}: measure them with --trainer slim first"
        )


def asked_of(options: argparse.Namespace) -> Asked:
    """Return the table that was asked for, with images that open in a moment."""
    out = Path(options.out)
    folder = out.with_suffix("")
    texts = options.data or []
    data = {image_sets.parse(text)[0]: image_sets.prepared(text, folder) for text in texts}
    parts = tuple(options.only.split(","))
    if unknown := set(parts) - set(PARTS):
        raise SystemExit(f"--only: expected some of {', '.join(PARTS)}, got {', '.join(unknown)}")
    return Asked(
        data=data,
        out=out,
        parts=parts,
        sizes=tuple(size_named(each) for each in options.sizes.split(",")),
        contenders=tuple(options.contenders.split(",")),
        marks=tuple(sorted(float(each) for each in options.marks.split(","))),
        seeds=tuple(int(each) for each in options.seeds.split(",")),
        emulate=options.emulate,
        trainer=options.trainer,
        leaders=options.leaders,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", nargs="+", metavar="NAME=PATH")
    parser.add_argument("--out", required=True, metavar="FILE.jsonl")
    parser.add_argument("--only", default=",".join(PARTS), help="some of " + ",".join(PARTS))
    parser.add_argument("--sizes", default=",".join(SHORT), help="some of " + ",".join(SHORT))
    parser.add_argument("--contenders", default=",".join(OTHERS), help="of others")
    parser.add_argument("--marks", default="1,2,4,10", help="minutes")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--emulate", action="store_true", help="fixed sizes by updates")
    parser.add_argument("--trainer", choices=TRAINERS, default="slim", help="with --emulate")
    parser.add_argument("--leaders", type=int, metavar="K", help="sizes with further seeds")
    parser.add_argument("--table", action="store_true", help="print the tables of the rows only")
    options = parser.parse_args()
    if not options.table and not options.data:
        parser.error("--data: expected NAME=PATH, unless only the --table is asked for")
    if options.trainer != "slim" and not options.emulate:
        parser.error("--trainer jax: expected --emulate too: times are those of SlimTrainer")
    asked = asked_of(options)
    print(f"{processor()}; {versions('growsearch', 'tensorflow', 'keras', 'optuna')}\n")
    if not options.table:
        compete(asked)
    rows = [row for row in asked.rows() if not asked.data or row.data in asked.data]
    machines = sorted({row.about["machine"] for row in rows if "machine" in row.about})
    print(f"\n{len(rows)} rows, measured on {'; '.join(machines) or 'nothing'}")
    print("Mean ± standard deviation (n - 1) over seeds\n")
    print(tables(rows, asked.marks))


if __name__ == "__main__":
    main()
