"""The treatment of an optimizer's slots in a growth: reset, carried, or carried and rescaled.

Claim: with slots carried and rescaled, the first 100 iterations after a growth lose no accuracy
against training on without growth; with slots reset they may. The table gives validation accuracy
(5,000 MNIST images) 0, 20, 40, 60, 100 and 300 iterations after the growth, mean ± standard
deviation over the seeds, paired differences to training on, and the dip: the parent's accuracy
less the lowest one of the first 100 iterations.

    python benchmarks/slots.py --data DIR [--seeds 5] [--optimizer adam] [--architecture both]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from growsearch import datasets
from growsearch.growth import TREATMENTS, Deepen, Growth, Widen, grow
from growsearch.networks import Architecture, Network
from growsearch.reproduction.job import environment
from growsearch.training import TrainingPlan
from growsearch.training.slim import SlimTrainer

ARCHITECTURES = {
    "seed": "5x5x32(conv1)-pool1-5x5x64(conv2)-pool2-1024(fc1)-10(fc2)",
    "batch norm": (
        "3x3x16(conv1,activation=linear,use_bias=false)-"
        "batch_norm(bn1,activation=relu,momentum=0.9)-pool1-"
        "3x3x32(conv2,activation=linear,use_bias=false)-"
        "batch_norm(bn2,activation=relu,momentum=0.9)-pool2-"
        "3x3x32(conv3,activation=linear,use_bias=false)-"
        "batch_norm(bn3,activation=relu,momentum=0.9)-"
        "global_avg_pool(gap)-10(fc1)"
    ),
}
GROWTHS: dict[str, dict[str, Growth]] = {
    "seed": {"widen": Widen("conv1", 64), "deepen": Deepen("conv1")},
    "batch norm": {"widen": Widen("conv2", 64), "deepen": Deepen("conv2")},
}
LEARNING_RATES = {
    "seed": {"adam": 1e-4, "adamw": 1e-4, "momentum": 1e-2},
    "batch norm": {"adam": 1e-3, "adamw": 1e-3, "momentum": 3e-2},
}
SHOWN = (0, 20, 40, 60, 100, 300)
TEACHER_STEPS = 600


def measure(
    data: datasets.Dataset, name: str, optimizer: str, seed: int, trainer: SlimTrainer
) -> dict[str, dict[int, float]]:
    """Return validation accuracy by step, for training on and for each growth and treatment."""
    rate = LEARNING_RATES[name][optimizer]
    start = Network.initial(Architecture.parse(ARCHITECTURES[name]), rng=seed)
    long = TrainingPlan(TEACHER_STEPS, 50, rate, optimizer, evaluate_every=TEACHER_STEPS)
    teacher = trainer.train(start, data.train, long, evaluate_on=data.validation, seed=seed)

    def curve(network: Network) -> dict[int, float]:
        # Evaluations 20 steps apart around the dip, then one at the end of a brief training.
        early = TrainingPlan(100, 50, rate, optimizer, evaluate_every=20)
        first = trainer.train(
            network, data.train, early, evaluate_on=data.validation, seed=1000 + seed
        )
        late = TrainingPlan(200, 50, rate, optimizer, evaluate_every=200)
        rest = trainer.train(
            first.network, data.train, late, evaluate_on=data.validation, seed=2000 + seed
        )
        return {p.step: p.accuracy for p in first.curve} | {300: rest.final.accuracy}

    curves = {"training on": curve(teacher.network)}
    for operation, growth in GROWTHS[name].items():
        for slots in TREATMENTS:
            grown = grow(
                teacher.network, growth, rng=seed, slots=slots, images=data.train.images[:256]
            )
            curves[f"{operation}, {slots}"] = curve(grown)
    return curves


def table(curves: list[dict[str, dict[int, float]]]) -> list[str]:
    """Return the table's lines for one architecture."""
    lines = [f"{'':24}" + "".join(f"{step:>16}" for step in SHOWN) + f"{'dip':>16}"]
    base = curves[0]["training on"]
    for arm in curves[0]:
        cells = []
        for step in SHOWN:
            values = np.array([each[arm][step] for each in curves])
            cells.append(f"{values.mean():.4f} ± {values.std(ddof=1):.4f}")
        dips = np.array(
            [each[arm][0] - min(each[arm][step] for step in base if step <= 100) for each in curves]
        )
        cells.append(f"{dips.mean():.4f} ± {dips.std(ddof=1):.4f}")
        lines.append(f"{arm:24}" + "".join(f"{cell:>16}" for cell in cells))
    lines.append("first 100 iterations less those of training on (mean, standard error, n):")
    for arm in curves[0]:
        if arm != "training on":
            early = [step for step in base if 0 < step <= 100]
            gains = np.array(
                [np.mean([each[arm][s] - each["training on"][s] for s in early]) for each in curves]
            )
            error = gains.std(ddof=1) / np.sqrt(len(gains))
            lines.append(f"  {arm:24}{gains.mean():+.4f} ± {error:.4f} ({len(gains)})")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="MNIST; see growsearch run --help")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--optimizer", choices=("adam", "adamw", "momentum"), default="adam")
    parser.add_argument("--architecture", choices=(*ARCHITECTURES, "both"), default="both")
    parser.add_argument("--out", type=Path, help="write all curves as JSON")
    options = parser.parse_args()
    data = datasets.load("mnist", options.data)
    trainer = SlimTrainer(cached_graphs=8)
    found: dict[str, Any] = {}
    print(f"On: {environment(trainer)}")
    chosen = ARCHITECTURES if options.architecture == "both" else (options.architecture,)
    for name in chosen:
        curves = [
            measure(data, name, options.optimizer, seed, trainer) for seed in range(options.seeds)
        ]
        found[name] = curves
        print(f"\n{name} architecture, {options.optimizer}, n = {options.seeds}")
        print("\n".join(table(curves)), flush=True)
        if options.out:
            options.out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
