"""A job that averages the weights of stored networks of one architecture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from growsearch.errors import RunError
from growsearch.networks import Network
from growsearch.trials.measurements import evaluated
from growsearch.trials.progress import OnPoint
from growsearch.trials.worker import WorkerContext


@dataclass(frozen=True)
class AverageJob:
    """Average stored networks, evaluate the average on the selection images, and store it.

    Networks that were trained from one network on, in different orders of the images, lie in one
    basin: the average of their weights is better than each (Gupta et al., arXiv:2001.02312). The
    statistics of batch norm are averaged too.

    Parameters
    ----------
    name : str
    networks : tuple of str
        The SHA-256 of each.
    data : str
        The fingerprint of the run's images.
    class_weight : "none" or "balanced"
        The weights that losses are multiplied by, as of :class:`growsearch.TrainingPlan`.
    """

    name: str
    networks: tuple[str, ...]
    data: str
    class_weight: str = "none"

    def carry_out(self, context: WorkerContext, on_point: OnPoint) -> Averaged:
        """Return the average, stored, with its accuracy and loss."""
        del on_point
        context.check(self.data)
        network = average([context.networks.get(sha256) for sha256 in self.networks])
        found = evaluated(context, network, context.images["selection"], self.class_weight)
        return Averaged(context.networks.put(network), found.score, found.loss)


@dataclass(frozen=True)
class Averaged:
    """The outcome of an average.

    Parameters
    ----------
    sha256 : str
    accuracy, loss : float
        On the selection images; the first by the run's metric.
    """

    sha256: str
    accuracy: float
    loss: float


def average(networks: list[Network]) -> Network:
    """Return the network of the mean weights, without slots.

    Raises
    ------
    RunError
        When the architectures differ.

    Examples
    --------
    >>> from growsearch.networks import Architecture
    >>> architecture = Architecture.parse("4(fc1)", (2,))
    >>> one, other = (Network.initial(architecture, rng=seed) for seed in (0, 1))
    >>> both = average([one, other])
    >>> bool(np.allclose(2 * both.weights["fc1"]["kernel"],
    ...                  one.weights["fc1"]["kernel"] + other.weights["fc1"]["kernel"]))
    True
    """
    architecture = networks[0].architecture
    if any(network.architecture != architecture for network in networks):
        raise RunError("an average: expected networks of one architecture")
    groups = [Network(architecture, network.weights).flat() for network in networks]
    mean = {
        path: np.mean([group[path] for group in groups], axis=0, dtype=np.float64).astype(
            array.dtype
        )
        for path, array in groups[0].items()
    }
    return Network.from_flat(architecture, mean).named(networks[0].class_names)
