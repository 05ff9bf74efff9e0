"""Larger kernels: the old one in a frame of zeros."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count, islice
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from growsearch.checks import whole_number
from growsearch.errors import InvalidInputError, NotExactError
from growsearch.growth.edit import Edit
from growsearch.growth.growth import Growth, Limits, Setting
from growsearch.growth.replicate import fresh, rebuild, unlearnt
from growsearch.net2net import enlarge_kernel
from growsearch.networks import Architecture, Network
from growsearch.networks.layer import Pair, Window
from growsearch.networks.layers import padding_before

Array = NDArray[Any]

_LARGEST = 11  # pixels, where the limits say nothing
# Pixels added along (height, width); the first legal pair is the site. Even numbers keep the centre
# of an odd kernel; with stride and padding "valid" a single pixel may be exact too.
_STEPS = ((2, 2), (2, 0), (0, 2))
_SINGLE_STEPS = ((1, 1), (1, 0), (0, 1))


@dataclass(frozen=True)
class EnlargeKernel(Growth):
    """Give a convolution a larger kernel: 3x3 to 5x5, the old one centred in zeros.

    The old kernel must read the same pixels from its new place: that follows from stride, padding,
    dilation and the image's size, for each axis alone (TensorFlow pads ``same`` by the kernel's
    size, the odd pixel at the end). Where no place does, the layer is no site.

    Parameters
    ----------
    layer : str
        A convolution, depthwise or separable convolution.
    kernel : (int, int) or int
        Height and width after the growth, neither smaller than before.
    """

    layer: str
    kernel: Pair

    operation: ClassVar[str] = "enlarge_kernel"

    def __post_init__(self) -> None:
        kernel: Any = self.kernel
        pair = kernel if isinstance(kernel, tuple | list) else (kernel, kernel)
        if len(pair) != 2:
            raise InvalidInputError(f"kernel: expected height and width, got {kernel!r}")
        object.__setattr__(self, "kernel", tuple(whole_number("kernel", k, 1) for k in pair))

    @classmethod
    def sites(cls, architecture: Architecture, limits: Limits) -> tuple[Self, ...]:
        found: list[Self] = []
        for node in architecture.nodes:
            if (window := node.layer.window) is not None:
                height, width = window.kernel
                steps = _STEPS if window.padding == "same" else (*_STEPS, *_SINGLE_STEPS)
                every = (cls(node.name, (height + down, width + right)) for down, right in steps)
                legal = (site for site in every if site._is_legal(architecture, limits))
                found.extend(islice(legal, 1))
        return tuple(found)

    def sized(self, log2_factor: float, architecture: Architecture, limits: Limits) -> Self:
        old = self._window(architecture).kernel
        wanted = max(old) * 2.0**log2_factor
        down, right = self.kernel[0] - old[0], self.kernel[1] - old[1]
        best = self
        for times in count(2):
            site = replace(self, kernel=(old[0] + times * down, old[1] + times * right))
            if max(site.kernel) > wanted or not site._is_legal(architecture, limits):
                break
            best = site
        return best

    def grown(self, architecture: Architecture) -> Architecture:
        return self._edit(architecture).after

    def _edit(self, architecture: Architecture) -> Edit:
        self._offsets(architecture)
        layer = architecture[self.layer].layer
        return Edit(architecture, {self.layer: layer.with_kernel(self.kernel)})

    def apply(self, network: Network, setting: Setting) -> Network:
        architecture = self.grown(network.architecture)
        top, left = self._offsets(network.architecture)
        spatial = self._window(architecture).weight
        spec = architecture.weights[self.layer][spatial]

        def framed(array: Array, frame: Array | None) -> Array:
            return enlarge_kernel(array, self.kernel, offset=(top, left), frame=frame)

        def change(layer: str, name: str, array: Array) -> Array:
            if (layer, name) != (self.layer, spatial):
                return array
            if setting.fill == "random":
                return framed(array, fresh(spec, spec.shape, array.dtype, setting.rng))
            return framed(array, None)

        def change_slot(layer: str, name: str, array: Array, degree: int, optimizer: str) -> Array:
            del optimizer
            if (layer, name) != (self.layer, spatial):
                return array
            usual = unlearnt(array, degree, spec, setting)
            return framed(array, np.full(spec.shape, usual, array.dtype))

        return rebuild(network, architecture, change, change_slot, setting)

    @property
    def place(self) -> str:
        return self.layer

    def sizes(self, architecture: Architecture) -> tuple[str, str]:
        old = self._window(architecture).kernel
        return f"{old[0]}x{old[1]}", f"{self.kernel[0]}x{self.kernel[1]}"

    def _is_legal(self, architecture: Architecture, limits: Limits) -> bool:
        if max(self.kernel) > (limits.kernel or _LARGEST):
            return False
        try:
            return limits.allow_edit(self._edit(architecture))
        except NotExactError:
            return False

    def _window(self, architecture: Architecture) -> Window:
        """Return how the layer reads its input, before the growth or after it."""
        layer = architecture[self.layer].layer
        if layer.window is None:
            raise NotExactError(f"{self.layer}: expected a convolution, got {layer.kind}")
        return layer.window

    def _offsets(self, architecture: Architecture) -> Pair:
        """Return where the old kernel stands in the new one, from the top and from the left."""
        layer = self._window(architecture)
        old = layer.kernel
        if self.kernel == old or self.kernel[0] < old[0] or self.kernel[1] < old[1]:
            raise NotExactError(
                f"{self.layer}: expected a larger kernel than {old[0]}x{old[1]}, "
                f"got {self.kernel[0]}x{self.kernel[1]}"
            )
        (shape,) = architecture.input_shapes(architecture[self.layer])
        top, left = (_offset(shape[axis], layer, self.kernel, axis) for axis in (0, 1))
        if top is None or left is None:
            raise NotExactError(
                f"{self.layer}: in a {self.kernel[0]}x{self.kernel[1]} kernel with stride "
                f"{layer.stride} and {layer.padding} padding on {shape[0]}x{shape[1]} pixels, the "
                f"old {old[0]}x{old[1]} one reads other pixels wherever it stands"
            )
        return top, left


def _offset(pixels: int, window: Window, kernel: Pair, axis: int) -> int | None:
    """Return where the old kernel stands in the new one along an axis, or None if nowhere.

    Position p of the output reads from pixel ``p·stride - before`` on; the old taps keep their
    pixels if the padding before grows by a whole number of taps, and the output keeps its size.
    """
    old, new = window.kernel[axis], kernel[axis]
    stride, dilation = window.stride[axis], window.dilation[axis]
    if window.padding == "valid":
        reach = [(size - 1) * dilation + 1 for size in (old, new)]
        sizes = {(pixels - r) // stride if r <= pixels else -1 for r in reach}
        return 0 if len(sizes) == 1 else None
    grown = padding_before(pixels, new, stride, dilation)
    offset, rest = divmod(grown - padding_before(pixels, old, stride, dilation), dilation)
    return offset if rest == 0 and 0 <= offset <= new - old else None
