"""The evaluation at the end of a run: test images are looked at once, for the network kept."""

from __future__ import annotations

from typing import Any

from growsearch.driver.run import Run
from growsearch.study.attributes import FrontTestAttribute, MemberFigures, TestAttribute
from growsearch.study.networks import final_of, test_of
from growsearch.study.run_state import RunState
from growsearch.trials.measurements import Evaluated, EvaluationJob
from growsearch.trials.worker import Part


def evaluate(run: Run, state: RunState) -> None:
    """Measure the network of the run and its teacher, unless it was measured before.

    With two objectives all members of the front are measured, each of which is kept.
    """
    with run.clock.on("test"):
        _evaluate_front(run, state)
        best = final_of(run.study, run.store, state.incumbent)
        if test_of(run.study, best) is not None:
            return
        teacher = state.teacher
        has_metric = run.space.judge.metric != "accuracy"
        measured: dict[str, Any] = {}
        parts: dict[str, Part] = {"": "test", "held_out_": "held_out"}
        for prefix, part in parts.items():
            if part not in run.images:
                continue
            own = _evaluated(run, best.sha256, part)
            is_teacher = best.sha256 == teacher.sha256
            other = own if is_teacher else _evaluated(run, teacher.sha256, part)
            for name, found in ((prefix, own), (f"teacher_{prefix}", other)):
                measured[f"{name}accuracy"] = found.accuracy
                if has_metric:
                    measured[f"{name}score"] = found.score
            if own.confusion is not None:
                measured["classes"] = own.confusion.classes
                measured[f"{prefix}confusion"] = own.confusion.cells
        run.guard.check()
        TestAttribute(sha256=best.sha256, **measured).write(run.study)
    run.write_spent()


def _evaluate_front(run: Run, state: RunState) -> None:
    """Measure the members of a front that were not measured before, each once."""
    known = FrontTestAttribute.read(run.study) or FrontTestAttribute()
    missing = [each.sha256 for each in state.front if each.sha256 not in known.value]
    if not missing:
        return
    has_metric, found = run.space.judge.metric != "accuracy", dict(known.value)
    parts: tuple[Part, ...] = ("test", "held_out")
    for sha256 in missing:
        ends = {part: _evaluated(run, sha256, part) for part in parts if part in run.images}
        figures = {part: end.score if has_metric else end.accuracy for part, end in ends.items()}
        found[sha256] = MemberFigures(**figures)
    run.guard.check()
    FrontTestAttribute(value=found).write(run.study)


def _evaluated(run: Run, sha256: str, part: Part) -> Evaluated:
    job = EvaluationJob(f"evaluation on the {part} images", sha256, part, run.data, counts=True)
    return run.execute(job, "test")
