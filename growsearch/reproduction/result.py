"""The result of a reproduction as frozen values: curves, repeats, rows beside the published."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.errors import InvalidInputError
from growsearch.growth import Treatment
from growsearch.reproduction.experiments import EXPERIMENTS, Experiment


@dataclass(frozen=True)
class AccuracyCurve:
    """Test accuracy at each evaluation of one training."""

    experiment: str
    slots: Treatment
    accuracy: tuple[float, ...]


@dataclass(frozen=True)
class Repeat:
    """All experiments with one seed.

    Parameters
    ----------
    seed : int
    curves : tuple of AccuracyCurve
    seconds : float
        Wall-clock time of all trainings: the sum, also where some ran beside each other.
    environment : str
        The machine and the versions; of several, each once.
    """

    seed: int
    curves: tuple[AccuracyCurve, ...]
    seconds: float
    environment: str


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation over n seeds; one seed has no deviation."""

    mean: float
    std: float | None
    n: int


@dataclass(frozen=True)
class Row:
    """One iteration of one experiment beside the published figure.

    ``difference`` is our mean less the published figure, both rounded to four digits; None where
    nothing was published or nothing can be compared.
    """

    iteration: int
    accuracy: Spread
    carried: Spread | None
    published: float | None
    difference: float | None


@dataclass(frozen=True)
class Reproduction:
    """The test accuracies of a reproduction; the original's are of test images too.

    Parameters
    ----------
    iterations : int
        The number given to :func:`growsearch.reproduce`; the original's is 1,000.
    steps : tuple of int
        Updates after which every network was evaluated.
    source : str
        Where the images came from.
    stand_in : bool
        Whether the images stand in for MNIST.
    fingerprint : str
        The hash of the images.
    test_images : int
        The number of test images.
    caveats : tuple of str
        Why the published figures are no measure for these accuracies; empty if they are.
    repeats : tuple of Repeat
        One repeat a seed.

    Raises
    ------
    InvalidInputError
        When a curve is missing, or has not exactly one accuracy a step.
    """

    iterations: int
    steps: tuple[int, ...]
    source: str
    stand_in: bool
    fingerprint: str
    test_images: int
    caveats: tuple[str, ...] = ()
    repeats: tuple[Repeat, ...] = ()

    def __post_init__(self) -> None:
        expected = {(e.name, slots) for e in EXPERIMENTS for slots in e.treatments}
        for repeat in self.repeats:
            if {(c.experiment, c.slots) for c in repeat.curves} != expected:
                raise InvalidInputError(
                    f"seed {repeat.seed}: expected the curves of all experiments"
                )
            for curve in repeat.curves:
                check_curve(repeat.seed, curve, self.steps)
        if len(set(self.seeds)) != len(self.seeds):
            raise InvalidInputError(f"seeds: expected each once, got {self.seeds}")

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the repeats."""
        return tuple(repeat.seed for repeat in self.repeats)

    @property
    def comparable(self) -> bool:
        """True where the published figures are a measure for these accuracies."""
        return not self.caveats

    @property
    def seconds(self) -> float:
        """Wall-clock time of all trainings, seconds: the sum, also of those beside each other."""
        return sum(repeat.seconds for repeat in self.repeats)

    @property
    def environments(self) -> tuple[str, ...]:
        """The machines and versions that the repeats ran on, each once."""
        return tuple(dict.fromkeys(repeat.environment for repeat in self.repeats))

    def accuracies(self, experiment: str, slots: Treatment = "reset") -> NDArray[np.float64]:
        """Return the test accuracies of one experiment, shape (seeds, steps)."""
        curves = [
            curve.accuracy
            for repeat in self.repeats
            for curve in repeat.curves
            if (curve.experiment, curve.slots) == (experiment, slots)
        ]
        return np.array(curves, np.float64).reshape(len(curves), len(self.steps))

    def rows(self, experiment: Experiment) -> tuple[Row, ...]:
        """Return one experiment beside its published figures, a row an evaluation."""
        ours = spreads(self.accuracies(experiment.name))
        carried: tuple[Spread | None, ...] = (None,) * len(ours)
        if "carry" in experiment.treatments:
            carried = spreads(self.accuracies(experiment.name, "carry"))
        rows = []
        for step, each, other in zip(self.steps, ours, carried, strict=bool(ours)):
            published = experiment.published.get(step)
            difference = None
            if published is not None and self.comparable:
                difference = round(round(each.mean, 4) - published, 4)
            rows.append(Row(step, each, other, published, difference))
        return tuple(rows)

    def to_json(self) -> dict[str, Any]:
        """Return the reproduction as plain JSON values, with the rows of all tables."""
        return {
            "measured_on": "test images, as the original's were",
            **asdict(self),
            "comparable": self.comparable,
            "experiments": [
                {"name": e.name, "title": e.title, "rows": [asdict(r) for r in self.rows(e)]}
                for e in EXPERIMENTS
            ],
        }

    @classmethod
    def from_json(cls, text: str | bytes) -> Reproduction:
        """Read the text of :meth:`to_json`'s values, as untrusted input.

        Raises
        ------
        InvalidInputError
            When the text is anything else; the message names the first wrong value.
        """
        from pydantic import TypeAdapter, ValidationError

        try:
            return TypeAdapter(Reproduction).validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the whole"
            raise InvalidInputError(f"a reproduction: {where}: {first['msg']}") from None


def check_curve(seed: int, curve: AccuracyCurve, steps: tuple[int, ...]) -> None:
    """Refuse a curve that has not exactly one accuracy a step.

    Raises
    ------
    InvalidInputError
    """
    fits = len(curve.accuracy) == len(steps)
    if not fits or not all(0.0 <= value <= 1.0 for value in curve.accuracy):
        raise InvalidInputError(
            f"seed {seed}: {curve.experiment}: expected {len(steps)} accuracies from 0 to 1, "
            f"got {curve.accuracy}"
        )


def spreads(accuracies: NDArray[np.float64]) -> tuple[Spread, ...]:
    """Return mean and deviation of each column of an array of shape (seeds, steps).

    Examples
    --------
    >>> spreads(np.array([[0.5], [0.7]]))[0].mean
    0.6
    """
    n = len(accuracies)
    if n == 0:
        return ()
    stds = accuracies.std(axis=0, ddof=1) if n > 1 else [None] * accuracies.shape[1]
    return tuple(
        Spread(float(mean), None if std is None else float(std), n)
        for mean, std in zip(accuracies.mean(axis=0), stds, strict=True)
    )
