"""The evaluation at the end of a run: test images are looked at once, for the network kept."""

from __future__ import annotations

from growsearch.driver.run import Run
from growsearch.study.attributes import TestAttribute
from growsearch.study.networks import final_of, test_of
from growsearch.study.run_state import RunState
from growsearch.trials.measurements import EvaluationJob
from growsearch.trials.worker import Part


def evaluate(run: Run, state: RunState) -> None:
    """Measure the network of the run and its teacher, unless it was measured before."""
    with run.clock.on("test"):
        best = final_of(run.study, run.store, state.incumbent)
        if test_of(run.study, best) is not None:
            return
        teacher = state.teacher
        accuracies: dict[str, float] = {}
        parts: dict[str, Part] = {"accuracy": "test", "held_out_accuracy": "held_out"}
        for name, part in parts.items():
            if part not in run.images:
                continue
            accuracies[name] = _accuracy(run, best.sha256, part)
            is_teacher = best.sha256 == teacher.sha256
            accuracies[f"teacher_{name}"] = (
                accuracies[name] if is_teacher else _accuracy(run, teacher.sha256, part)
            )
        run.guard.check()
        TestAttribute(sha256=best.sha256, **accuracies).write(run.study)
    run.write_spent()


def _accuracy(run: Run, sha256: str, part: Part) -> float:
    job = EvaluationJob(f"evaluation on the {part} images", sha256, part, run.data)
    return run.execute(job, "test").accuracy
