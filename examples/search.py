"""Search in Python: a shipped search space with some values changed, and two control arms.

The example shows the search as a library call, and its evidence: beside every candidate run the
same larger network with random new weights ("random") and the parent trained on without growth
("continued").

Run it with ``python examples/search.py``; it needs no download. Two trainings run at once, each in
a process of its own. New processes import this script, so that its search stands below
``if __name__ == "__main__":``. The run is stored in ``runs/example``: a second call continues it,
and here finds that all trials are done.
"""

from __future__ import annotations

import growsearch as gs

TRIALS = 6  # of fewer pairs no p-value is given
WORKERS = 2  # the trials are the same with any number of them


def main() -> None:
    """Search on the digits; print the trials, the best network and the evidence."""
    space = gs.SearchSpace.load("digits").replace(
        name="example",
        choices={"operations": ["widen", "deepen", "add_skip"]},
        training={"steps": 40},
        controls={"arms": {"random": 1.0, "continued": 1.0}},
    )
    result = gs.search(space, trials=TRIALS, out="runs/example", seed=0, workers=WORKERS)

    for trial in result.trials:
        gain = "failed" if trial.gain is None else f"{trial.gain:+.4f}"
        print(f"trial {trial.number}: {trial.growth}, {gain} over its parent: {trial.reason}")
    print(f"teacher: {result.teacher_test_accuracy:.4f} test accuracy")
    print(f"best:    {result.test_accuracy:.4f} test accuracy, {result.best.network.architecture}")
    for comparison in result.evidence().overall:
        print(comparison)


if __name__ == "__main__":
    main()
