"""The law that every fault is held against: a run ends as one that nothing disturbed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

import growsearch as gs
from growsearch.errors import NetworkFileError
from growsearch.study.attributes import Candidate, Control
from growsearch.study.result import SearchResult
from growsearch.study.trials import is_interrupted
from tests.fake_trainer import outcome


@dataclass(frozen=True)
class Counts:
    """The broken promises of a run, counted.

    Parameters
    ----------
    lost : int
        Results that the undisturbed run has and this one has not, or has with other values, and
        networks of complete trials that do not verify.
    duplicates : int
        Results beyond the first of a trial, or of a control.
    stuck : int
        Trials that are still running.
    """

    lost: int = 0
    duplicates: int = 0
    stuck: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.lost + other.lost,
            self.duplicates + other.duplicates,
            self.stuck + other.stuck,
        )


def undisturbed(result: SearchResult, reference: SearchResult) -> Counts:
    """Count what a run lacks, has twice or left running, against one that nothing disturbed."""
    found, expected = results(result), results(reference)
    lost = sum(found.get(key) != value for key, value in expected.items())
    unverified = sum(not _verifies(result.folder, sha256) for sha256 in _kept(result))
    study, controls = result.study.trials, result.control_study.trials
    counted = [t for t in study if t.state.is_finished() and not is_interrupted(t)]
    places = Counter(Candidate.read(trial).index for trial in counted if _is_described(trial))
    pairs = Counter((each.candidate, each.arm, each.repeat) for each in map(Control.read, controls))
    twice = (places - Counter(places.keys())).total() + (pairs - Counter(pairs.keys())).total()
    beyond = len(found.keys() - expected.keys())
    running = [t for t in (*study, *controls) if not t.state.is_finished()]
    return Counts(lost + unverified, twice + beyond, len(running))


def results(result: SearchResult) -> dict[Any, Any]:
    """Every result of a run by its place: candidates, their controls, and its end."""
    trials, *end = outcome(result)
    found: dict[Any, Any] = {"end": end}
    for place, (*candidate, arms) in enumerate(trials):
        found[place] = candidate
        found |= {(place, name): arm for name, arm in arms.items()}
    return found


def stored(url: str) -> dict[tuple[str, int], Any]:
    """Every finished trial of both studies, as the database has it at a moment."""
    found = {}
    try:
        names = optuna.get_all_study_names(url)
    except Exception:  # not even the tables are there
        return {}
    for name in names:
        study = optuna.load_study(study_name=name, storage=url)
        for trial in study.get_trials(deepcopy=False):
            if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
                about = (trial.params, trial.values, trial.user_attrs, trial.datetime_start)
                found[name, trial.number] = about
    return found


def lost_since(before: dict[tuple[str, int], Any], after: dict[tuple[str, int], Any]) -> Counts:
    """Count the finished trials that are gone, or have changed."""
    return Counts(lost=sum(after.get(key) != value for key, value in before.items()))


def sqlite(folder: Path) -> str:
    """The URL of a run folder's own database."""
    return f"sqlite:///{folder / 'study.db'}"


def _is_described(trial: Any) -> bool:
    return Candidate.is_whole(trial)


def _kept(result: SearchResult) -> list[str]:
    complete = [t for t in result.study.trials if t.state == TrialState.COMPLETE]
    return [sha256 for t in complete if (sha256 := Candidate.read(t).sha256)]


def _verifies(folder: Path, sha256: str) -> bool:
    try:
        return gs.Network.load(folder / "weights" / f"{sha256}.safetensors").sha256 == sha256
    except (NetworkFileError, OSError):
        return False
