"""The repetition of a run: the command, the space as TOML, versions, the machine."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from growsearch import datasets
from growsearch.networks.store import NetworkStore
from growsearch.page.facts import Fact
from growsearch.study.attributes import (
    DataAttribute,
    MachineAttribute,
    PendingTrialsAttribute,
    SeedAttribute,
    SpaceAttribute,
)
from growsearch.study.open import WEIGHTS
from growsearch.study.result import SearchResult

SPACE_FILE = "space.toml"
IMAGES = "IMAGES"
"""Stands in the command for images that it cannot name."""


def space_text(result: SearchResult) -> str | None:
    """Return the search space of a run as TOML; None where the run has not stored it."""
    import tomli_w

    space = SpaceAttribute.read(result.study)
    if space is None:
        return None
    text = tomli_w.dumps(_without_none(space.value), multiline_strings=True)
    return text.strip() + "\n"


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values without those that are None, which TOML does not have: single keys first."""
    plain = {
        key: value
        for key, value in values.items()
        if value is not None and not isinstance(value, dict)
    }
    tables = {key: _without_none(each) for key, each in values.items() if isinstance(each, dict)}
    return {**plain, **tables}


def command(result: SearchResult) -> str:
    """Return the command that repeats a run, with its space in a file beside it."""
    parts = ["growsearch", "run", SPACE_FILE]
    if result.start is not None:
        stored = NetworkStore(result.folder / WEIGHTS).path(result.start.sha256)
        parts += ["--model", result.start.source if result.start.file_sha256 else str(stored)]
    place = _place_of_images(result)
    if place:
        parts += ["--data", place]
    seed = SeedAttribute.read(result.study)
    if seed is not None:
        parts += ["--seed", str(seed.value)]
    if result.anytime is not None and result.anytime.in_seconds:
        parts += ["--time-budget", f"{max(10, 10 * ceil(sum(result.spent.values()) / 10))}s"]
    else:
        parts += ["--trials", str(len(result.trials))]
    pending = PendingTrialsAttribute.read(result.study)
    if pending is not None:  # its default follows the number of workers
        parts += ["--pending-trials", str(pending.value)]
    parts += ["--out", f"runs/{result.folder.name or 'repeated'}-again"]
    return shlex.join(parts)


def _place_of_images(result: SearchResult) -> str:
    """Return the path of a run's images; "" where none need be named."""
    data = DataAttribute.read(result.study)
    if data is None:
        return ""
    if len(data.paths) == 1:
        return data.paths[0]
    published = data.name in datasets.LOADERS and data.source != datasets.IN_MEMORY
    return "" if not data.paths and (data.stand_in or published) else IMAGES


def images_to_name(result: SearchResult) -> str:
    """Return what `IMAGES` stands for in the command; "" where it is not there."""
    return (result.data_source or "") if _place_of_images(result) == IMAGES else ""


def about(result: SearchResult) -> list[Fact]:
    """Return the origin of a run's networks and images."""
    found = [Fact("run folder", str(result.folder.absolute()))]
    seed = SeedAttribute.read(result.study)
    began = [trial.datetime_start for trial in result.study.get_trials(deepcopy=False)]
    times = [each for each in began if each is not None]
    if times:
        found.append(Fact("first trial began", f"{min(times):%Y-%m-%d %H:%M}"))
    found.append(Fact("images", result.data_source or "not stored"))
    if result.class_names:
        found.append(Fact("classes", ", ".join(result.class_names)))
    if result.start is not None:
        found.append(Fact("started from", result.start.source))
        if result.start.file_sha256:
            found.append(Fact("SHA-256 of that file", result.start.file_sha256))
    if seed is not None:
        found.append(Fact("seed", str(seed.value)))
    found.append(Fact("weights of the best network", str(result.best.path.absolute())))
    return found


@dataclass(frozen=True)
class Environment:
    """Versions and machine of a run; a note says whose they are."""

    versions: tuple[Fact, ...]
    machine: tuple[Fact, ...]
    note: str


def environment(result: SearchResult) -> Environment:
    """Return the versions and the machine of a run's last session.

    A run of an earlier version has not stored them: then they are those of this process.
    """
    stored = MachineAttribute.read(result.study)
    known = stored or MachineAttribute.now()
    note = "Of the session that worked on the run last."
    if stored is None:
        note = "Of the process that wrote this report: the run has not stored its own."
    memory = [Fact("memory", f"{known.memory / 1e9:.1f} GB")] if known.memory else []
    return Environment(
        tuple(Fact(name, text) for name, text in known.versions.items()),
        (
            Fact("system", known.system),
            Fact("processor", known.processor or "unknown"),
            Fact("processors", str(known.processors)),
            *memory,
            Fact("GPUs", ", ".join(known.gpus) or "none"),
        ),
        note,
    )
