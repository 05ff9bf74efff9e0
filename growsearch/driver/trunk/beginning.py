"""The beginning of a trunk: from the first network, of a damaged file, and after a divergence."""

from __future__ import annotations

from growsearch.driver.run import Run
from growsearch.driver.trunk.legs import LegDivergedError, store_trunk
from growsearch.errors import DivergedError, NetworkFileError, RunError
from growsearch.study.attributes import ReadingsAttribute, TeacherAttribute, Trunk
from growsearch.study.networks import incumbent_of, warn_damaged
from growsearch.study.run_state import RunState, read_state

_RETRIES = 3  # of a training of the trunk that diverged, each at half the learning rate


def begin(run: Run) -> None:
    """Store the first network as the trunk, unless an earlier session did.

    Where a file of a known trunk is damaged, it goes on from another one, with a warning.

    Raises
    ------
    RunError
        When the trunk was trained with a time budget, and now there is none, or the other way
        round: its costs are of another unit.
    """
    state = read_state(run.study, run.store)
    if state.trunk is not None and state.trunk.measured != run.costs.measured:
        units = "with a time budget", "without a time budget"
        before, now = units if state.trunk.measured else reversed(units)
        raise RunError(
            f"{run.store.folder.parent}: this run was started {before}, not {now}: expected "
            "--time-budget as before; use another --out to start a new run"
        )
    trunk = _first(run) if state.trunk is None else _from_sound(run, state)
    if trunk != state.trunk:
        store_trunk(run, trunk)


def _first(run: Run) -> Trunk:
    """Return the trunk that begins with the first network."""
    teacher = TeacherAttribute.read(run.study)
    assert teacher is not None
    steps, _, loss = teacher.curve[-1]
    cost = run.costs.of_first_update(teacher)
    return Trunk(
        weights=teacher.last or teacher.sha256,
        average=teacher.sha256,
        validation_accuracy=teacher.validation_accuracy,
        validation_loss=loss,
        learning_rate=run.space.teacher.learning_rate,
        updates=steps,
        seconds=teacher.seconds,
        training_flops=teacher.training_flops,
        step_cost=cost,
        trained=steps * cost,
        precision=teacher.precision or "float32",
        measured=run.costs.measured,
    )


def _from_sound(run: Run, state: RunState) -> Trunk:
    """Return the trunk of an earlier session, with networks that verify.

    Instead of its weights it goes on from its averages, or the other way round; else from the last
    commit since its last growth, or from the network of the last growth that verifies.
    """
    trunk = state.trunk
    assert trunk is not None
    weights = state.freed.stored(trunk.weights)
    average = state.freed.stored(trunk.average)
    damaged = _damage(run, weights), _damage(run, average)
    if damaged == (None, None):
        return trunk
    changed: dict[str, object] = {"version": trunk.version + 1}
    if damaged[1] is None:
        warn_damaged(f"the trunk goes on from its averages: {damaged[0]}")
        return trunk.model_copy(update=changed | {"weights": average})
    if damaged[0] is None:
        warn_damaged(f"the trunk goes on without averages: {damaged[1]}")
        return _read_by(run, trunk.model_copy(update=changed), weights)
    readings = ReadingsAttribute.read(run.study) or ReadingsAttribute()
    since = [each for each in reversed(readings.commits) if each.trial == trunk.trial]
    for each in since:
        if _damage(run, sha256 := state.freed.stored(each.sha256)) is None:
            warn_damaged(f"the trunk goes on from the commit at {each.elapsed:.0f}: {damaged[0]}")
            return _read_by(run, trunk.model_copy(update=changed | {"weights": sha256}), sha256)
    best = incumbent_of(state.judged, state.teacher, run.store, state.freed)
    whose = "the first network" if best.trial_number is None else f"trial {best.trial_number}"
    warn_damaged(f"the trunk goes on from {whose}: {damaged[0]}")
    changed |= {"weights": best.sha256, "trial": best.trial_number}
    return _read_by(run, trunk.model_copy(update=changed), best.sha256)


def _damage(run: Run, sha256: str) -> str | None:
    """Return what is wrong with a network's file; None if it verifies."""
    try:
        run.store.get(sha256)
    except NetworkFileError as error:
        return str(error)
    return None


def _read_by(run: Run, trunk: Trunk, sha256: str) -> Trunk:
    """Return the trunk, read by a network whose accuracy is measured."""
    found = run.evaluated(sha256, "trunk")
    changed: dict[str, object] = {"average": sha256, "validation_accuracy": found.score}
    if found.losses is not None:
        changed["validation_loss"] = float(found.losses.mean(dtype="float64"))
    return trunk.model_copy(update=changed)


def slow_down(run: Run, trunk: Trunk, error: LegDivergedError) -> None:
    """Halve the trunk's learning rate, since a training diverged at it.

    Raises
    ------
    DivergedError
        When it was halved three times already.
    """
    if trunk.failures >= _RETRIES:
        raise DivergedError(
            f"the trunk cannot be trained on: {error}; its learning rate was halved {_RETRIES} "
            f"times, to {trunk.learning_rate:g}: start again in a new --out, with a lower "
            "teacher.learning_rate and choices.learning_rate"
        ) from None
    changed = {
        "learning_rate": trunk.learning_rate / 2.0,
        "failures": trunk.failures + 1,
        "version": trunk.version + 1,
    }
    store_trunk(run, trunk.model_copy(update=changed))
