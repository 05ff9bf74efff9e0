"""The repetition of a run: the command, the space as TOML, versions, the machine."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from math import ceil, isfinite
from pathlib import Path
from typing import Any

from growsearch import machine
from growsearch.networks.store import NetworkStore
from growsearch.page.facts import Fact
from growsearch.study.attributes import DataAttribute, SeedAttribute, SpaceAttribute
from growsearch.study.open import WEIGHTS
from growsearch.study.result import SearchResult

_PACKAGES = ("growsearch", "tensorflow", "keras", "optuna", "numpy", "scipy", "plotly")
SPACE_FILE = "space.toml"


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
    data = DataAttribute.read(result.study)
    if data is not None and Path(data.source).is_absolute():
        parts += ["--data", data.source]
    seed = SeedAttribute.read(result.study)
    if seed is not None:
        parts += ["--seed", str(seed.value)]
    if result.anytime is not None and result.anytime.in_seconds:
        parts += ["--time-budget", f"{max(10, 10 * ceil(sum(result.spent.values()) / 10))}s"]
    else:
        parts += ["--trials", str(len(result.trials))]
    parts += ["--out", f"runs/{result.folder.name or 'repeated'}-again"]
    return shlex.join(parts)


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


def versions() -> list[Fact]:
    """Return the versions of Python and of the packages that a search uses."""
    found = [Fact("Python", platform.python_version())]
    for name in _PACKAGES:
        try:
            found.append(Fact(name, version(name)))
        except PackageNotFoundError:
            continue
    return found


def hardware() -> list[Fact]:
    """Return the processor, its cores, the memory and the GPUs of this machine."""
    memory, gpus = machine.physical_memory(), machine.gpus()
    found = [
        Fact("system", f"{platform.system()} {platform.release()}".strip()),
        Fact("processor", machine.processor_name() or "unknown"),
        Fact("processors", str(machine.processors())),
    ]
    if isfinite(memory):
        found.append(Fact("memory", f"{memory / 1e9:.1f} GB"))
    found.append(Fact("GPUs", ", ".join(gpus) if gpus else "none"))
    return found
