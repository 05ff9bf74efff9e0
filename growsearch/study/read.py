"""The records of a run, read from its studies: one a trial, its controls beside it; gains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from optuna.study import Study
from optuna.trial import FrozenTrial

from growsearch.study.attributes import Candidate, Control, TeacherAttribute, arm_result
from growsearch.study.attributes.base import Trained
from growsearch.study.trials import trials_that_count
from growsearch.study.untrusted import untrusted
from growsearch.trials.arms import CANDIDATE
from growsearch.trials.records import ArmResult, TrialRecord

# Of one candidate: (arm, repeat) -> result. The candidate's own seeds are repeat 0.
ControlResults = Mapping[tuple[str, int], ArmResult]


def gain_of(trial: FrozenTrial) -> float | None:
    """Return the gain over the parent; None where there is none."""
    return Candidate.read(trial).gain


def loss_gain_of(trial: FrozenTrial) -> float | None:
    """Return the gain in loss over the trunk at equal cost; None where there is none."""
    return Candidate.read(trial).loss_gain


def gain_per_second_of(trial: FrozenTrial) -> float | None:
    """Return the gain over the parent for each second of an update; None without a gain.

    All candidates have the same number of updates, so this orders them by the gain for each second
    of training, and a pruned candidate does not seem quick. A negative gain is multiplied by the
    seconds instead, so that the slower of two candidates is the worse.
    """
    candidate = Candidate.read(trial)
    gain, seconds = candidate.gain, candidate.seconds
    updates = max(trial.intermediate_values, default=0)
    if gain is None or not (seconds > 0.0 and updates):
        return gain
    one = seconds / updates
    return gain / one if gain > 0.0 else gain * one


def records(study: Study, control_study: Study) -> tuple[TrialRecord, ...]:
    """Return one record for each trial that counts, with its controls."""
    controls = controls_by_number(control_study)
    teacher = TeacherAttribute.read(study)
    found = [record(trial, controls.get(trial.number, {})) for trial in trials_that_count(study)]
    # Trial -> FLOPs and seconds of its own and its ancestors' trainings; under None, the teacher's.
    lineages: dict[int | None, tuple[float, float]] = {}
    if teacher is not None and teacher.training_flops:  # 0: not stored
        lineages[None] = teacher.training_flops, teacher.seconds
    for place, each in enumerate(found):
        if each.ancestry_flops is None and each.parent in lineages:
            flops, seconds = lineages[each.parent]
            own = each.arms[CANDIDATE]
            lineages[each.number] = flops + own.flops, seconds + own.seconds
            found[place] = replace(each, ancestry_flops=flops, ancestry_seconds=seconds)
    return tuple(found)


def trained(study: Study) -> list[tuple[int, float]]:
    """Return updates and seconds of the trainings of a run: the teacher's and the candidates'."""
    teacher = TeacherAttribute.read(study)
    known: list[Trained] = [] if teacher is None else [teacher]
    known += [Candidate.read(trial) for trial in trials_that_count(study)]
    return [(each.curve[-1][0], each.seconds) for each in known if each.curve and each.curve[-1][0]]


def controls_by_number(control_study: Study, only: int | None = None) -> dict[int, ControlResults]:
    """Return the finished controls by the number of their candidate; of one candidate, or all."""
    controls: dict[int, dict[tuple[str, int], ArmResult]] = {}
    for trial in control_study.get_trials(deepcopy=False):
        if not trial.state.is_finished():
            continue
        if only is not None and not Control.is_of(trial, only):
            continue  # before the rest of it is read: this is asked after each trial
        control = Control.read(trial)
        if control.candidate is not None and control.arm:
            with untrusted(f"control {trial.number}"):
                result = arm_result(trial, control)
            controls.setdefault(control.candidate, {})[control.arm, control.repeat] = result
    return dict(controls)


def controls_of(control_study: Study, number: int) -> ControlResults:
    """Return the finished controls of one candidate."""
    return controls_by_number(control_study, number).get(number, {})


def record(trial: FrozenTrial, controls: ControlResults) -> TrialRecord:
    """Return the record of one finished trial.

    Raises
    ------
    RunError
        When its attributes are not what growsearch writes.
    """
    about = Candidate.read(trial)
    with untrusted(f"trial {trial.number}"):
        whole = arm_result(trial, about)
        candidate = whole.until(about.compared_at)
        values: Sequence[float] = trial.values or ()
    arms = {CANDIDATE: candidate}
    repeats: dict[str, dict[int, ArmResult]] = {}
    for (arm, repeat), result in controls.items():
        if repeat == 0:
            arms[arm] = result
        else:
            repeats.setdefault(arm, {})[repeat] = result
    return TrialRecord(
        number=trial.number,
        state=trial.state.name,
        parent=about.parent,
        growth=about.growth,
        operation=about.operation,
        layer=about.layer,
        layer_kind=about.layer_kind,
        old_size=about.old,
        new_size=about.new,
        learning_rate=candidate.learning_rate,
        architecture=about.architecture,
        parameters=about.parameters,
        flops=about.flops,
        arms=arms,
        repeats=repeats,
        gain=about.gain,
        judged_accuracy=None if candidate is whole else whole.accuracy,
        seconds=candidate.seconds + sum(result.seconds for result in controls.values()),
        kept=about.kept,
        reason=about.reason or about.failure or "",
        ancestry_flops=about.start_flops if about.start else None,
        loss_gain=about.loss_gain,
        elapsed=about.elapsed,
        demand=values[1] if len(values) > 1 else None,
    )
