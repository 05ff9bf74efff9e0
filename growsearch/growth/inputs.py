"""More input channels: the network reads them, and computes what it computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from growsearch.checks import check_choice, whole_number
from growsearch.errors import InvalidInputError, NotExactError
from growsearch.growth.flow import Flow, widen_input
from growsearch.growth.growth import Growth, Limits, Setting
from growsearch.growth.replicate import replicate
from growsearch.net2net import Units
from growsearch.networks import INPUT, Architecture, Network

FirstInputs = Literal["zero", "copy"]
FIRST_INPUTS: tuple[FirstInputs, ...] = get_args(FirstInputs)


@dataclass(frozen=True)
class AddInputs(Growth):
    """Give the input ``n`` more channels, behind the old ones: from three to four, say.

    Parameters
    ----------
    n : int
        Number of new channels; of new features, where the input is no image.
    init : "zero" or "copy"
        The weights that read a new channel: zeros, with which the outputs are the old ones for any
        value of the channel; or a share of those of an old channel, with which they are the old
        ones where the new channel repeats it. New channel j repeats old channel j modulo the number
        of old ones: grey becomes colour, one image becomes two.
    """

    n: int
    init: FirstInputs = "zero"

    operation: ClassVar[str] = "add_inputs"

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", whole_number("n", self.n, 1))
        check_choice("init", self.init, FIRST_INPUTS)

    @classmethod
    def sites(cls, architecture: Architecture, limits: Limits) -> tuple[Self, ...]:
        """Return one more channel, where all layers that read the input can take it."""
        site = cls(1)
        try:
            grown = site.grown(architecture)
        except NotExactError:
            return ()
        return (site,) if limits.allow_growth(architecture, grown) else ()

    def grown(self, architecture: Architecture) -> Architecture:
        return self._flow(architecture).architecture

    def apply(self, network: Network, setting: Setting) -> Network:
        return replicate(network, self._flow(network.architecture), setting)

    @property
    def place(self) -> str:
        return INPUT

    def sizes(self, architecture: Architecture) -> tuple[str, str]:
        old = architecture.input_shape[-1]
        return f"{old} channels", f"{old + self.n} channels"

    def extended(self, images: Any) -> NDArray[Any]:
        """Return images of the old channels with new ones: zeros, or the repeated channels.

        On these the grown network computes what the old one computes on ``images``.
        """
        array = np.asarray(images)
        if array.ndim < 2:
            raise InvalidInputError(f"images: expected (n, …, channels), got shape {array.shape}")
        new = array[..., np.arange(self.n) % array.shape[-1]]
        return np.concatenate([array, new if self.init == "copy" else np.zeros_like(new)], axis=-1)

    def _flow(self, architecture: Architecture) -> Flow:
        old = architecture.input_shape[-1]
        repeated = np.arange(self.n) % old if self.init == "copy" else np.zeros(self.n, np.intp)
        source = np.concatenate([np.arange(old), repeated])
        if self.init == "copy":
            share = 1.0 / np.bincount(source)[source]
        else:
            share = np.concatenate([np.ones(old), np.zeros(self.n)])
        return widen_input(architecture, Units(source, share, old))
