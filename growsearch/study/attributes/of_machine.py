"""The attribute of the machine that a run was made on, and of the versions that made it."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from math import isfinite
from typing import ClassVar, Self

from pydantic import Field, StrictStr

from growsearch import machine
from growsearch.study.attributes.base import Count, StudyAttribute

_PACKAGES = ("growsearch", "tensorflow", "keras", "optuna", "numpy", "scipy")


class MachineAttribute(StudyAttribute):
    """The driver's machine in the last session, and the versions of Python and of packages.

    Parameters
    ----------
    system, processor : str
    processors : int
        Those that the driver and its processes may use.
    memory : int
        Bytes; 0 where the system is silent.
    gpus : tuple of str
    versions : mapping
        Name of a package, or "Python" -> its version.
    """

    attribute: ClassVar[str] = "machine"
    system: StrictStr = ""
    processor: StrictStr = ""
    processors: Count = 0
    memory: Count = 0
    gpus: tuple[StrictStr, ...] = ()
    versions: dict[StrictStr, StrictStr] = Field(default_factory=dict)

    @classmethod
    def now(cls) -> Self:
        """Return what this process runs on."""
        memory = machine.physical_memory()
        versions = {"Python": platform.python_version()}
        for name in _PACKAGES:
            try:
                versions[name] = version(name)
            except PackageNotFoundError:
                continue
        return cls(
            system=f"{platform.system()} {platform.release()}".strip(),
            processor=machine.processor_name(),
            processors=machine.processors(),
            memory=int(memory) if isfinite(memory) else 0,
            gpus=machine.gpus(),
            versions=versions,
        )
