"""The real search in a process of its own, and its anytime curve, tested when it has ended.

For data sets that the command knows it is ``growsearch run SPACE --time-budget SPAN --seed SEED``;
for others the same search from Python. A finished run is read from its study: each commit, and the
network of the end.

    python benchmarks/anytime.py search --data cifar10=FILE.npz --minutes 10 --seed 0 --out DIR
    python benchmarks/anytime.py read --data NAME=PATH --out DIR
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import image_sets
from readings import descent, early, growths

from growsearch.datasets import LOADERS

if TYPE_CHECKING:
    from growsearch.study.result import SearchResult

WORKERS = 2  # as the command takes by default


def command_of(data: str, minutes: float, seed: int, out: Path) -> list[str]:
    """Return the command of a search; ``data`` is NAME=PATH."""
    name, path = image_sets.parse(data)
    if name not in LOADERS:
        command = [sys.executable, __file__, "search", "--data", data, "--out", str(out)]
        return [*command, "--minutes", f"{minutes:g}", "--seed", f"{seed}"]
    space, overrides = image_sets.flagship_overrides(name, None)
    command = [sys.executable, "-m", "growsearch", "run", space, "--seed", f"{seed}"]
    command += ["--time-budget", f"{minutes * 60.0:g}s", "--workers", f"{WORKERS}"]
    command += [f"--set={each}" for each in overrides]
    return [*command, "--out", str(out), *(["--data", path] if path else [])]


def run(data: str, minutes: float, seed: int, out: Path) -> float:
    """Search anew, and return the seconds of the whole command; its output goes into OUT.log."""
    shutil.rmtree(out, ignore_errors=True)  # an interrupted run had other work beside it
    out.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{out}.log").open("w") as log:
        began = time.monotonic()
        command = command_of(data, minutes, seed, out)
        done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False)
        took = time.monotonic() - began
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: see {log.name}")
    return round(took, 2)


def read(data: str, out: Path) -> dict[str, Any]:
    """Return the points of a finished run and its circumstances, from a process of its own."""
    command = [sys.executable, __file__, "read", "--data", data, "--out", str(out)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


# -- in the process of its own ---------------------------------------------------------------------


def search(options: argparse.Namespace) -> None:
    """Run the flagship space on images that the command does not know."""
    import growsearch as gs

    data = image_sets.dataset(options.data)
    gs.search(
        image_sets.flagship(data.name, data.image_shape),
        data=data,
        time_budget=60.0 * options.minutes,
        seed=options.seed,
        out=options.out,
        workers=WORKERS,
        began=options.began,
    )


def points_of(options: argparse.Namespace) -> dict[str, Any]:
    """Test each commit of a run and its last network, each once."""
    import growsearch as gs
    from growsearch.networks.store import NetworkStore
    from growsearch.study.attributes import ReadingsAttribute
    from growsearch.study.open import WEIGHTS

    result, data = gs.load_result(options.out), image_sets.dataset(options.data)
    stored = ReadingsAttribute.read(result.study)
    readings = stored.value if stored else ()
    parents = {trial.number: trial.parent for trial in result.trials}
    store, trainer = NetworkStore(result.folder / WEIGHTS), gs.SlimTrainer()
    commits = [(each.elapsed, store.get(each.sha256), each.trial) for each in readings if each.mark]
    end = sum(result.spent.values())
    points = []
    for seconds, network, trial in [*commits, (end, result.best.network, result.best.trial_number)]:
        test = trainer.evaluate(network, data.test)
        validation = trainer.evaluate(network, data.validation)
        points.append(
            {
                "seconds": round(seconds, 2),
                "test_accuracy": test.accuracy,
                "validation_loss": validation.loss,
                "validation_accuracy": validation.accuracy,
                "parameters": network.parameters,
                "growths": growths(trial, parents),
            }
        )
    return {
        "points": points,
        "about": {
            "architecture": str(result.best.network.architecture),
            "trials": len(result.trials),
            "kept": sum(trial.kept for trial in result.trials),
            "kept_early": early([(each.elapsed, each.trial) for each in readings], parents),
            "shares": shares_of(result),
            "spent": dict(result.spent),
            "readings": [each.model_dump() for each in readings],
        },
    }


def shares_of(result: SearchResult) -> dict[str, float]:
    """Return the shares of the workers' seconds: the run's own where it has them."""
    from growsearch.study.trunk import trunk_of

    told = result.to_json().get("shares")
    if told:
        return dict(told)
    trunk = trunk_of(result.study, result.study.get_trials(deepcopy=False))
    if trunk is None:
        return {}
    available = result.workers.available or sum(result.spent.values())
    kept = sum(each.arms["net2net"].seconds for each in result.trials if each.kept and each.arms)
    return descent(
        available,
        trunk=trunk.seconds,
        decay=WORKERS * result.spent.get("polish", 0.0),
        deciding=max(trunk.deciding - kept, 0.0),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("do", choices=("search", "read"))
    parser.add_argument("--data", required=True, metavar="NAME=PATH")
    parser.add_argument("--out", required=True)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.began = time.monotonic()
    if options.do == "search":
        search(options)
    else:
        print(json.dumps(points_of(options)))


if __name__ == "__main__":
    main()
