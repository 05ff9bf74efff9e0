"""The worth of growing on MNIST: candidates against all control arms, in pairs.

A search from the original's seed architecture, with every control on every trial, the scratch arm
also at equal compute. It prints the paired differences in validation accuracy with 95 % intervals
and tests, overall and by operation, and draws them. Trainings are short, so that all arms of 20
trials take a quarter of an hour on two cores with bfloat16; --steps makes them longer. The same
command continues an interrupted run.

    python benchmarks/evidence.py --data DIR [--trials 20] [--steps 60] [--out runs/evidence]
"""

from __future__ import annotations

import argparse

import optuna
from rich.console import Console

import growsearch as gs
from growsearch.reports.evidence import report
from growsearch.reports.evidence_plot import save_plot
from growsearch.reports.progress import RunDisplay
from growsearch.reproduction.job import environment
from growsearch.training.slim.precision import has_native_bfloat16

PAIRS = 20  # the fewest for the figures in README.md
ARMS = ("random", "scratch", "scratch_compute", "continued", "continued_compute")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="MNIST; see growsearch run --help")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--steps", type=int, default=60, help="of every brief training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tuned", type=int, default=1, help="learning rates for each control")
    parser.add_argument("--out", default="runs/evidence")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    precision = "bfloat16" if has_native_bfloat16() else "float32"
    space = gs.SearchSpace.load(
        "net2net",
        [
            f"controls.arms={list(ARMS)}",
            f"controls.tuned={options.tuned}",
            "teacher.steps=200",
            f"teacher.precision={precision}",
            f"training.steps={options.steps}",
            f"training.evaluate_every={max(1, options.steps // 3)}",
            f"training.precision={precision}",
        ],
    )
    trainer = gs.SlimTrainer()
    console = Console()
    with RunDisplay(console) as display:
        result = gs.search(
            space,
            trials=options.trials,
            data=options.data,
            seed=options.seed,
            out=options.out,
            trainer=trainer,
            on_event=display,
        )
    evidence = result.evidence()
    console.print(f"\nOn: {environment(trainer)}", soft_wrap=True)
    count = len(result.trials)
    console.print(f"Images: {result.data_source}; seed {options.seed}; {count} trials\n")
    fewest = min((each.accuracy.n for each in evidence.overall), default=0)
    if fewest < PAIRS:
        console.print(
            f"FEWER THAN {PAIRS} PAIRS: {fewest}. {evidence.pruned} candidates were pruned, "
            f"{evidence.failed} failed; take more --trials, the same command goes on.\n"
        )
    console.print(report(evidence))
    console.print(f"plot: {save_plot(result.trials, evidence, result.folder)}")


if __name__ == "__main__":
    main()
