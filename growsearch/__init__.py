"""Architecture search that grows networks instead of training every candidate from scratch.

The public names load on first use: importing growsearch loads neither TensorFlow nor Optuna.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Public name -> the module it comes from.
_HOME = {
    "AddBranch": "growsearch.growth",
    "AddClasses": "growsearch.growth",
    "AddInputs": "growsearch.growth",
    "AddSkip": "growsearch.growth",
    "Architecture": "growsearch.networks",
    "Augmentation": "growsearch.training",
    "Dataset": "growsearch.datasets",
    "Deepen": "growsearch.growth",
    "EnlargeKernel": "growsearch.growth",
    "GrowsearchError": "growsearch.errors",
    "Limits": "growsearch.growth",
    "LocalExecutor": "growsearch.execution.local",
    "Narrow": "growsearch.growth",
    "NarrowAll": "growsearch.growth",
    "Network": "growsearch.networks",
    "RayExecutor": "growsearch.execution.ray",
    "Remove": "growsearch.growth",
    "SearchResult": "growsearch.study.result",
    "SearchSpace": "growsearch.space",
    "SlimTrainer": "growsearch.training.slim",
    "Split": "growsearch.datasets",
    "TrainingPlan": "growsearch.training",
    "Widen": "growsearch.growth",
    "WidenAll": "growsearch.growth",
    "continue_search": "growsearch.continuation",
    "export": "growsearch.exports",
    "from_keras": "growsearch.interop.keras",
    "grow": "growsearch.growth",
    "load_data": "growsearch.datasets",
    "load_images": "growsearch.datasets",
    "load_result": "growsearch.study.result",
    "measure_change": "growsearch.growth",
    "pick": "growsearch.study.front",
    "reproduce": "growsearch.reproduction.run",
    "search": "growsearch.api",
    "sites": "growsearch.growth",
}
_ALIAS = {"load_data": "load"}

__all__ = [
    "AddBranch",
    "AddClasses",
    "AddInputs",
    "AddSkip",
    "Architecture",
    "Augmentation",
    "Dataset",
    "Deepen",
    "EnlargeKernel",
    "GrowsearchError",
    "Limits",
    "LocalExecutor",
    "Narrow",
    "NarrowAll",
    "Network",
    "RayExecutor",
    "Remove",
    "SearchResult",
    "SearchSpace",
    "SlimTrainer",
    "Split",
    "TrainingPlan",
    "Widen",
    "WidenAll",
    "continue_search",
    "export",
    "from_keras",
    "grow",
    "load_data",
    "load_images",
    "load_result",
    "measure_change",
    "net2net",
    "pick",
    "reproduce",
    "search",
    "sites",
]

if TYPE_CHECKING:
    from growsearch import net2net
    from growsearch.api import search
    from growsearch.continuation import continue_search
    from growsearch.datasets import Dataset, Split, load_images
    from growsearch.datasets import load as load_data
    from growsearch.errors import GrowsearchError
    from growsearch.execution.local import LocalExecutor
    from growsearch.execution.ray import RayExecutor
    from growsearch.exports import export
    from growsearch.growth import (
        AddBranch,
        AddClasses,
        AddInputs,
        AddSkip,
        Deepen,
        EnlargeKernel,
        Limits,
        Narrow,
        NarrowAll,
        Remove,
        Widen,
        WidenAll,
        grow,
        measure_change,
        sites,
    )
    from growsearch.interop.keras import from_keras
    from growsearch.networks import Architecture, Network
    from growsearch.reproduction.run import reproduce
    from growsearch.space import SearchSpace
    from growsearch.study.front import pick
    from growsearch.study.result import SearchResult, load_result
    from growsearch.training import Augmentation, TrainingPlan
    from growsearch.training.slim import SlimTrainer


def __getattr__(name: str) -> Any:
    if name == "net2net":
        return import_module("growsearch.net2net")
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), _ALIAS.get(name, name))
        globals()[name] = value
        return value
    raise AttributeError(f"module 'growsearch' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
