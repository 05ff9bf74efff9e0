"""The notes below the tables of a run's evidence: methods, and what flatters which arm."""

from __future__ import annotations

from collections.abc import Iterator

from growsearch.evidence.comparison import Evidence, HeldOut
from growsearch.evidence.statistics import FEWEST_PAIRS
from growsearch.trials.arms import ARMS, CANDIDATE, Arm

Note = tuple[str, str]


def notes(evidence: Evidence) -> list[Note]:
    """Return each note as a term and its text."""
    return [
        *_questions(evidence),
        *_methods(evidence),
        *_compute(evidence),
        *_saving(evidence),
        *_left_out(evidence),
        *_selection(evidence),
    ]


def _rows(evidence: Evidence) -> dict[str, Arm]:
    """Return the controls that ran and their rows; an old run may have an arm without a row."""
    return {each.arm: ARMS[each.arm] for each in evidence.overall if each.arm in ARMS}


def _questions(evidence: Evidence) -> Iterator[Note]:
    for arm, row in _rows(evidence).items():
        yield arm, row.question


def _methods(evidence: Evidence) -> Iterator[Note]:
    yield (
        "pairs",
        f"{CANDIDATE} and its control: same parent, same images in the same order; one pair for "
        "each seed of a trial. All parents descend from one teacher, so the p-values hold for "
        "this teacher.",
    )
    text = "By bootstrap, each at 95 %."
    if any(not each.accuracy.enough for each in (*evidence.overall, *evidence.by_operation)):
        text += f" An interval and a test need at least {FEWEST_PAIRS} pairs that differ."
    yield "intervals", text
    yield "effect size", "Cohen's d_z: mean difference in standard deviations of the differences."
    yield "p-values", "Of Wilcoxon's signed-rank test, corrected by Holm over a table's controls."
    yield (
        "costs",
        "Of training after the growth; the parent's training is left out. FLOPs: floating-point "
        "operations of forward and backward passes.",
    )


def _compute(evidence: Evidence) -> Iterator[Note]:
    rows = _rows(evidence)
    own = [arm for arm, row in rows.items() if row.length == "flops"]
    if paying := [arm for arm, row in rows.items() if row.length == "lineage"]:
        others = f" {', '.join(own)}: for those of {CANDIDATE} alone." if own else ""
        yield (
            "compute",
            f"Updates for the FLOPs of {CANDIDATE} and all its ancestors: {', '.join(paying)}."
            f"{others} Other arms make the same number of updates as {CANDIDATE}.",
        )
    elif from_scratch := [arm for arm, row in rows.items() if not row.inherits]:
        others = " or ".join(arm for arm, row in ARMS.items() if row.length == "lineage")
        yield (
            "compute",
            f"The updates of {CANDIDATE} itself, without those of its ancestors: "
            f"{', '.join(from_scratch)}. For equal compute, run {others}: --arms with another "
            "--out.",
        )
    equal = [arm for arm, row in rows.items() if row.grows and row.length == "updates"]
    if equal or own:
        parts = []
        if equal:
            parts.append(f"{', '.join(equal)} by the same updates of the same architecture")
        if own:
            parts.append(f"{', '.join(own)} by more updates of the parent's")
        yield (
            "additional",
            f"Equal additional FLOPs, as where the parent exists already: {'; '.join(parts)}.",
        )
    if evidence.tuned > 1:
        yield (
            "tuning",
            f"Each control has the best of {evidence.tuned} learning rates, chosen on the images "
            f"that are compared; {CANDIDATE} has one. That flatters the controls.",
        )


def _saving(evidence: Evidence) -> Iterator[Note]:
    if not evidence.acceleration:
        return
    yield (
        "saving",
        "Ancestors: the first network and all networks between it and the candidate. Trainings of "
        "refused candidates and of controls, and all evaluations, are in neither sum. A candidate "
        "that has the accuracy before its first update counts with its ancestors' whole trainings, "
        "which is an upper bound of its compute.",
    )
    for each in evidence.acceleration:
        if each.censored:
            yield (
                "never reached",
                f"In {each.censored} of {each.pairs} pairs {CANDIDATE} never has the final "
                f"accuracy of {each.arm}. They count with the lineage's whole compute, a lower "
                "bound: the mean saving is an upper bound.",
            )


def _left_out(evidence: Evidence) -> Iterator[Note]:
    counts = {"pruned": evidence.pruned, "failed": evidence.failed}
    parts = [f"{count} {what}" for what, count in counts.items() if count]
    if parts:
        yield (
            "left out",
            f"Candidates: {', '.join(parts)}. They have no controls and are in no comparison.",
        )
    failed = [f"{each.failed} of {each.arm}" for each in evidence.overall if each.failed]
    if failed:
        yield (
            "failed controls",
            f"Beside candidates that did not fail: {', '.join(failed)}. They are in no pair, which "
            "flatters their arms.",
        )


def _selection(evidence: Evidence) -> Iterator[Note]:
    if (held_out := evidence.held_out) is None:
        return
    yield "winner's curse", _winners_curse(held_out)
    if any(not row.inherits for row in _rows(evidence).values()):
        yield (
            "selection",
            "All arms are compared on the images that networks are chosen on. Arms that inherit "
            "a chosen parent's weights inherit its luck; those from scratch do not.",
        )


def _winners_curse(held_out: HeldOut) -> str:
    found = (
        f"the first accuracy is {held_out.optimism:+.4f} too high by the choice."
        if held_out.optimism > 0.0
        else "no excess by the choice is seen."
    )
    return (
        f"The best network has {held_out.chosen_on:.4f} on the validation images that it was "
        f"chosen on (teacher {held_out.teacher_chosen_on:.4f}) and {held_out.held_out:.4f} on "
        f"those held out (teacher {held_out.teacher_held_out:.4f}): {found}"
    )
