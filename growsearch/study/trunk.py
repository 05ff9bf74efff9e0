"""The trunk of a run, read from its study: its state, and the network that it is read by."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState

from growsearch.errors import NetworkFileError
from growsearch.networks.store import NetworkStore
from growsearch.study.attributes import (
    Candidate,
    HoldsAttributes,
    Trunk,
    TrunkAttribute,
)
from growsearch.study.networks import Best, incumbent_of, warn_damaged


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
        if trial.state.is_finished() and trial.state != TrialState.FAIL:
            told = Candidate.read(trial).trunk
            if told is not None:
                return told if told.version > found.version else found
    return found


def best_of_trunk(
    trunk: Trunk, trials: Sequence[FrozenTrial], teacher: Best, store: NetworkStore
) -> Best:
    """Return the trunk's averages as the incumbent.

    Where the file is damaged, the network of its last growth takes its place, with a warning.
    """
    try:
        network = store.get(trunk.average)
    except NetworkFileError as error:
        warn_damaged(f"the trunk's averages are passed over: {error}")
        return incumbent_of(trials, teacher, store)
    path = store.path(trunk.average)
    return Best(network, trunk.validation_accuracy, trunk.trial, path)
