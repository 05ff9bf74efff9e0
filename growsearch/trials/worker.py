"""The context that a worker keeps between jobs, and the protocol of a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from growsearch.datasets import Split
from growsearch.errors import RunError
from growsearch.networks.store import NetworkStore
from growsearch.training import Point, Trainer

Part = Literal["train", "selection", "held_out", "test"]
T_co = TypeVar("T_co", covariant=True)

_SAMPLE = 256  # training images on which new batch normalisations measure their statistics


@dataclass(frozen=True)
class WorkerContext:
    """The trainer, the images and the stored networks that a worker keeps from job to job.

    Parameters
    ----------
    trainer : Trainer
    images : mapping
        The splits by part: "train"; "selection", the validation images on which candidates are
        selected; "held_out", the other validation images, where there are some; "test".
    networks : NetworkStore
    data : str
        The fingerprint of the images, which jobs name too.
    """

    trainer: Trainer
    images: Mapping[str, Split]
    networks: NetworkStore
    data: str

    @property
    def sample(self) -> Any:
        """A batch of training images, for statistics."""
        return self.images["train"].images[:_SAMPLE]

    def check(self, data: str) -> None:
        """Refuse a job that is about other images.

        Raises
        ------
        RunError
            When the fingerprints differ.
        """
        if data != self.data:
            raise RunError(
                f"a job: expected the images with fingerprint {data[:12]}, got {self.data[:12]}: "
                "every worker must open the run's own data"
            )


OnPoint = Callable[["Job[Any]", Point], bool]


class Job(Protocol[T_co]):
    """Work that an executor carries out: a small frozen value that can be pickled."""

    @property
    def name(self) -> str:
        """The job's name, for progress displays and errors."""
        ...

    def carry_out(self, context: WorkerContext, on_point: OnPoint) -> T_co:
        """Do the work; the same job gives the same outcome in every worker of the run.

        Parameters
        ----------
        context : WorkerContext
        on_point : callable
            Called with the job and each point of a training's curve; a true result ends the
            training there.
        """
        ...
