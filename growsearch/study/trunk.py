"""The trunk of a run, read from its study: its state, and the network that it is read by."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.trial import FrozenTrial

from growsearch.errors import NetworkFileError
from growsearch.networks.store import NetworkStore
from growsearch.study.attributes import (
    Candidate,
    FreedAttribute,
    HoldsAttributes,
    Trunk,
    TrunkAttribute,
)
from growsearch.study.networks import Best, incumbent_of, warn_damaged
from growsearch.study.trials import is_interrupted


def trunk_of(study: HoldsAttributes, trials: Sequence[FrozenTrial]) -> Trunk | None:
    """Return the trunk of a run; None of a run that has none.

    It is an attribute of the study after a training of its own, and stands in the last trial of a
    campaign after that: the tell of this trial is the commit of the whole campaign.

    Raises
    ------
    RunError
        When it is not what growsearch writes.
    """
    found: Trunk | None = TrunkAttribute.read(study)
    if found is None:
        return None
    for trial in reversed(trials):
        if not trial.state.is_finished() or is_interrupted(trial):
            continue
        if Candidate.carries_trunk(trial):
            told = Candidate.read(trial).trunk
            return told if told is not None and told.version > found.version else found
    return found


def best_of_trunk(
    trunk: Trunk,
    trials: Sequence[FrozenTrial],
    teacher: Best,
    store: NetworkStore,
    freed: FreedAttribute,
) -> Best:
    """Return the trunk's averages as the incumbent.

    Where the file is damaged, the network of its last growth takes its place, with a warning.
    """
    try:
        network = store.get(sha256 := freed.stored(trunk.average))
    except NetworkFileError as error:
        warn_damaged(f"the trunk's averages are passed over: {error}")
        return incumbent_of(trials, teacher, store, freed)
    path = store.path(sha256)
    loss = trunk.validation_loss
    return Best(network, trunk.validation_accuracy, trunk.trial, path, validation_loss=loss)
