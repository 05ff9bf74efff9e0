"""Networks of fixed sizes, trained from scratch for a given time or a number of updates.

Layers, images and optimizer are those of the flagship space of the data set; the rate follows a
one-cycle that ends with the training. Time counts from the start of the process. Of a size:

    python benchmarks/fixed_sizes.py --data NAME=PATH --size deep --rate 0.4 --seconds 60
        [--updates 4000 --threads 1] [--seeds 0] [--test]

It prints a line of JSON for each seed. With ``--trainer jax`` the updates are made on a GPU.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from typing import Any

import image_sets
from trainers import TRAINERS, best_precision, group_trainer

from growsearch.networks import Architecture, Network
from growsearch.training import TrainingPlan

# Widths of the convolutions before, between and behind the two poolings.
SIZES: dict[str, tuple[tuple[int, ...], ...]] = {
    "16-32-64": ((16,), (32,), (64,)),
    "16-[32-32]-[64-64]": ((16,), (32, 32), (64, 64)),
    "16-[32-32-32]-[64-64-64]": ((16,), (32, 32, 32), (64, 64, 64)),
    "32-64-128": ((32,), (64,), (128,)),
    "24-[48-48]-[96-96]": ((24,), (48, 48), (96, 96)),
    "32-[64-64]-[128-128]": ((32,), (64, 64), (128, 128)),
    "64-128-256": ((64,), (128,), (256,)),
}
SHORT = dict(zip(("seed", "deep", "deeper", "mid", "wd", "dmid", "wide"), SIZES, strict=True))
RATES = (0.2, 0.4, 0.8)
UNITS = 10_000  # of a schedule that passes with the time
_AT_THE_END = 10**9


def notation(groups: tuple[tuple[int, ...], ...], classes: int = 10) -> str:
    """Return the layers of a size: convolutions with batch norm and ReLU, a global mean at the end.

    Examples
    --------
    >>> print(notation(((8,), (16,), (16,))).partition("-pool1-")[0])
    5x5x8(conv1,activation=linear,use_bias=false)-batch_norm(bn1,activation=relu,momentum=0.9)
    """
    parts: list[str] = []
    number = 0
    for place, widths in enumerate(groups):
        for width in widths:
            number += 1
            kernel = "5x5" if number == 1 else "3x3"
            parts.append(f"{kernel}x{width}(conv{number},activation=linear,use_bias=false)")
            parts.append(f"batch_norm(bn{number},activation=relu,momentum=0.9)")
        if place < len(groups) - 1:
            parts.append(f"pool{place + 1}")
    return "-".join([*parts, "global_avg_pool(gap)", f"{classes}(fc1)"])


def size_named(name: str) -> str:
    """Return a size by its short name or by its own."""
    size = SHORT.get(name, name)
    if size not in SIZES:
        raise SystemExit(f"--sizes: expected some of {', '.join(SHORT)}, got {name!r}")
    return size


def plan_of(
    data: str, shape: tuple[int, int, int], rate: float, trainer: str = "slim"
) -> TrainingPlan:
    """Return the plan of a fixed network: the flagship's, with a one-cycle.

    The precision is bfloat16 where the device has it: unlike "auto" it takes no time to find.
    """
    return replace(
        image_sets.flagship(data, shape).training.plan_at(rate),
        steps=UNITS,
        schedule="one_cycle",
        warmup=0,
        rewarm=0,
        ema=0.0,
        evaluate_every=_AT_THE_END,
        precision=best_precision(trainer),
    )


def train(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Train a network for each seed; return what each reached and what it took."""
    import growsearch as gs

    name, _ = image_sets.parse(options.data)
    data = image_sets.dataset(options.data)
    space = image_sets.flagship(name, data.image_shape)
    architecture = Architecture.parse(
        notation(SIZES[size_named(options.size)], data.classes), input_shape=data.image_shape
    )
    networks = [
        Network.initial(architecture, rng=seed, initializer=space.teacher.initializer)
        for seed in options.seeds
    ]
    slim = gs.SlimTrainer(threads=options.threads)
    if options.trainer == "slim":
        slim.warm_up()  # before the time that is left is known
    trainer = group_trainer(options.trainer, slim)
    plan = plan_of(name, data.image_shape, options.rate, options.trainer)
    if options.updates:
        plan = replace(plan, steps=options.updates)
    else:
        left = options.seconds - (time.time() - options.began)
        if left <= 0.0:
            raise SystemExit(
                f"--seconds: expected more than {options.seconds:g}, a start took that"
            )
        plan = replace(plan, seconds=left)
    plans = [plan] * len(networks)
    found = trainer.train_all(
        networks, data.train, plans, options.seeds, evaluate_on=data.validation
    )
    results = [
        {
            "updates": each.final.step,
            "update_seconds": round(each.seconds, 3),
            "precision": each.precision,
            "parameters": architecture.parameters,
            "validation_loss": each.final.loss,
            "validation_accuracy": each.final.accuracy,
        }
        for each in found
    ]
    if options.test:
        tests = trainer.evaluate_all([each.network for each in found], data.test)
        for result, test in zip(results, tests, strict=True):
            result["test_accuracy"] = test.accuracy
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", required=True, metavar="NAME=PATH")
    parser.add_argument("--size", required=True, help=", ".join(SHORT))
    parser.add_argument("--rate", type=float, default=0.4)
    parser.add_argument("--seconds", type=float, default=60.0, help="from the start of the process")
    parser.add_argument("--updates", type=int, help="instead of a time")
    parser.add_argument("--trainer", choices=TRAINERS, default="slim")
    parser.add_argument("--threads", type=int, help="by default one for each processor")
    parser.add_argument("--seeds", default="0", help="several need --updates")
    parser.add_argument("--test", action="store_true", help="evaluate on the test images")
    parser.add_argument("--began", type=float, default=time.time(), help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.seeds = [int(each) for each in options.seeds.split(",")]
    if not options.updates and (options.trainer != "slim" or len(options.seeds) > 1):
        parser.error("--updates: expected with --trainer jax and with several seeds")
    for result in train(options):
        print(json.dumps(result))


if __name__ == "__main__":
    main()
