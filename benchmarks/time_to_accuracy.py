"""Test accuracy by time from the start of the process: growsearch, its ablations, its peers.

Every contender is a process of its own, one after the other, and starts with nothing:

growsearch   ``growsearch run mnist --time-budget BUDGET``: a trunk grows, and is committed to
mnist_fast   the search before there were trunks: brief trials, then a long polish
continued    the same search in which nothing may grow: the teacher is polished for the rest
scratch      the same search, every candidate trained from random weights, as the teacher was
final        the network that growsearch ended with, trained from random weights for all the time:
             one cycle, then a cycle with averaged weights, as the last of the polish of mnist_fast
plain        Optuna (TPE, MedianPruner) over Keras networks from scratch, as tutorials have it
expert       the same with knowledge of the machine and the data: see peers.py
autokeras    AutoKeras's defaults, where it is installed

A contender's curve is the test accuracy of the network it held at the time; networks are chosen on
validation images, and those of growsearch are tested after their run, outside its time.

    python benchmarks/time_to_accuracy.py --data [NAME=]PATH [--budget 600] [--seeds 3]
        [--only growsearch,final] [--out runs/time_to_accuracy]

``final`` reads the run of growsearch in the same folder.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anytime
import image_sets
import numpy as np
from machine import deviation, processor, versions

MARKS = (0.1, 0.2, 0.4, 1.0)  # of the budget: 1, 2, 4 and 10 minutes of ten
SEARCHES = ("mnist_fast", "continued", "scratch")
CONTENDERS = ("growsearch", *SEARCHES, "final", "plain", "expert", "autokeras")


class Contender:
    """One contender in its own process, with its curve of (seconds, test accuracy)."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.began: float = options.began
        self.ends = self.began + options.budget
        self.points: list[tuple[float, float]] = []

    def report(self, accuracy: float, at: float | None = None) -> None:
        """Record the test accuracy of the network that the contender now holds."""
        seconds = (time.time() if at is None else at) - self.began
        self.points.append((round(seconds, 1), accuracy))

    def run(self) -> None:
        """Compete, then write the curve and its circumstances as JSON."""
        name = self.options.child
        about: dict[str, Any] = {}
        if name == "growsearch":
            about = self._growsearch()
        elif name in SEARCHES:
            about = self._search(name)
        elif name == "final":
            about = self._final()
        else:
            self._peer(name)
        result = {"contender": name, "seed": self.options.seed, "budget": self.options.budget}
        result |= {"points": self.points, **about}
        self._path(name).write_text(json.dumps(result))

    def _path(self, name: str) -> Path:
        return Path(self.options.out) / f"{name}-{self.options.seed}.json"

    def _folder(self, name: str) -> Path:
        return Path(self.options.out) / f"{name}-{self.options.seed}"

    def _growsearch(self) -> dict[str, Any]:
        data, seed, out = self.options.data, self.options.seed, self._folder("growsearch")
        seconds = anytime.run(data, self.options.budget / 60.0, seed, out)
        found = anytime.read(data, out)
        self.points = [(each["seconds"], each["test_accuracy"]) for each in found["points"]]
        return {"seconds": seconds, **found["about"]}

    def _search(self, name: str) -> dict[str, Any]:
        import optuna

        import growsearch as gs
        from growsearch.driver.events import Polished, TeacherReady, TrialFinished
        from growsearch.trials import arms

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        data = image_sets.dataset(self.options.data)
        space = image_sets.before_trunks(data.name, data.image_shape)
        if name == "continued":  # nothing can grow, so the polish takes all the time
            space = space.replace(limits={"parameters": space.architecture.parameters})
        if name == "scratch":  # each gets the teacher's training: a warm restart is too short
            arms.ARMS[arms.CANDIDATE] = arms.ARMS["scratch"]
            teacher = space.teacher
            rates = (teacher.learning_rate / 2, teacher.learning_rate * 1.5)
            own = {key: getattr(teacher, key) for key in ("steps", "schedule", "shift")}
            space = space.replace(choices={"learning_rate": rates}, training=own)
        held: list[float] = []

        def on_event(event: object) -> None:
            kept = isinstance(event, TrialFinished) and event.record.kept
            better = isinstance(event, Polished) and event.better
            if isinstance(event, TeacherReady) or kept or better:
                held.append(time.time())
                networks.append(self._held(folder))

        folder = self._folder(name)
        shutil.rmtree(folder, ignore_errors=True)  # a run that was killed would go on
        networks: list[Any] = []
        result = gs.search(
            space,
            time_budget=self.options.budget,
            data=data,
            seed=self.options.seed,
            out=folder,
            workers=anytime.WORKERS if name == "mnist_fast" else 0,  # scratch changes this process
            on_event=on_event,
            began=time.monotonic() - (time.time() - self.began),
        )
        ended = time.time()
        trainer, test = gs.SlimTrainer(), data.test
        for at, network in zip(held, networks, strict=True):
            self.report(trainer.evaluate(network, test).accuracy, at)
        return {
            "seconds": round(ended - self.began, 1),
            "architecture": str(result.best.network.architecture),
            "parameters": result.best.network.parameters,
            "trials": len(result.trials),
            "kept": sum(trial.kept for trial in result.trials),
            "spent": dict(result.spent),
            "validation": result.best.validation_accuracy,
        }

    def _held(self, folder: Path) -> Any:
        import growsearch as gs

        return gs.load_result(folder).best.network

    def _final(self) -> dict[str, Any]:
        from dataclasses import replace

        import growsearch as gs

        architecture = self._held(self._folder("growsearch")).architecture
        data = image_sets.dataset(self.options.data)
        space = image_sets.before_trunks(data.name, data.image_shape)
        assert space.polish
        rate = space.teacher.learning_rate  # what suits random weights
        one_cycle = replace(space.polish.plan, schedule="one_cycle", learning_rate=rate)
        plans = (one_cycle, 0.4), (space.polish.last_plan, 1.0)  # until which part of the budget
        network = gs.Network.initial(architecture, rng=self.options.seed)
        trainer, trained = gs.SlimTrainer(), list[tuple[float, Any]]()
        for number, (whole, until) in enumerate(plans):
            seconds = self.began + until * self.options.budget - time.time() - 2.0
            plan = replace(whole, steps=10_000, evaluate_every=10**9, seconds=seconds)
            seed = 2 * self.options.seed + number
            network = trainer.train(
                network, data.train, plan, evaluate_on=data.validation, seed=seed
            ).network
            trained.append((time.time(), network))
        for ended, network in trained:
            self.report(trainer.evaluate(network, data.test).accuracy, ended)
        return {"architecture": str(architecture), "seconds": round(ended - self.began, 1)}

    def _peer(self, name: str) -> None:
        import peers

        data = image_sets.dataset(self.options.data)
        if name == "autokeras":
            peers.autokeras(data, self.options.seed, self.ends, self.report)
        else:
            expert = name == "expert"
            seed = self.options.seed
            peers.optuna_keras(data, seed, self.ends, self.report, expert=expert)


def at(points: list[tuple[float, float]], seconds: float) -> float:
    """Return the accuracy held at a time; NaN where there was no network yet."""
    reached = [accuracy for when, accuracy in points if when <= seconds]
    return reached[-1] if reached else float("nan")


def compete(options: argparse.Namespace, names: list[str]) -> None:
    """Run each contender once a seed, unless its curve is already there."""
    for seed in range(options.seeds):
        for name in names:
            path = Path(options.out) / f"{name}-{seed}.json"
            if not path.exists():
                command = [sys.executable, __file__, "--child", name, "--seed", str(seed)]
                command += ["--began", repr(time.time()), "--budget", str(options.budget)]
                command += ["--data", options.data]
                subprocess.run([*command, "--out", options.out], check=True)
            found = json.loads(path.read_text())
            if (budget := found.get("budget", options.budget)) != options.budget:
                raise SystemExit(f"{path}: of a budget of {budget:g} s: use another --out")
            print(f"{name} {seed}: {(found['points'] or ['nothing'])[-1]}", flush=True)


def table(options: argparse.Namespace, names: list[str]) -> str:
    """Return a table of mean ± standard deviation over the seeds at each mark."""
    marks = [options.budget * mark for mark in MARKS]
    lines = [
        "| contender | n | " + " | ".join(f"{mark:.0f} s" for mark in marks) + " |",
        "|---|---|" + "---|" * len(marks),
    ]
    slack = 1.05  # a run may end within five hundredths of its budget
    for name in names:
        found = [Path(options.out) / f"{name}-{seed}.json" for seed in range(options.seeds)]
        runs = [json.loads(path.read_text())["points"] for path in found]
        cells = [spread([at(run, mark * slack) for run in runs]) for mark in marks]
        lines.append(f"| {name} | {len(runs)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    """Return mean ± standard deviation; a dash where a run held nothing yet."""
    if not values or np.isnan(values).any():
        return "–"
    noise = f" ± {deviation(values):.4f}" if len(values) > 1 else ""
    return f"{np.mean(values):.4f}{noise}".replace("0.", ".")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--data", metavar="[NAME=]PATH", default="mnist=", help="mnist, fashion_mnist or JPEG files"
    )
    parser.add_argument("--budget", type=float, default=600.0, help="seconds of each contender")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default=",".join(CONTENDERS))
    parser.add_argument("--out", default="runs/time_to_accuracy")
    parser.add_argument("--child", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        Contender(options).run()
        return
    Path(options.out).mkdir(parents=True, exist_ok=True)
    options.data = image_sets.prepared(options.data, Path(options.out))
    names = [
        name for name in options.only.split(",") if name != "autokeras" or find_spec("autokeras")
    ]
    print(f"{processor()}; {versions('tensorflow', 'keras', 'optuna', 'autokeras')}")
    print(f"budget {options.budget:g} s, n = {options.seeds} seeds, mean ± std of test accuracy")
    compete(options, names)
    print(table(options, names))


if __name__ == "__main__":
    main()
