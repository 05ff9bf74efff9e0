"""Hypothesis strategies that the tests share: every new feature adds the values it works on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from growsearch.net2net import Units
from growsearch.net2net.units import SHARES

Array = NDArray[Any]

# A law holds however busy the machine is.
settings.register_profile("growsearch", deadline=None)
settings.load_profile("growsearch")

# --- net2net: units, kernels, pairs of layers ---------------------------------------------------

DTYPES = (np.float16, np.float32, np.float64)
KINDS = ("dense", "conv", "flatten")

seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from(DTYPES)
splits = st.sampled_from(SHARES[:2])  # of copies; with the third, extra units are new
odd_sizes = st.sampled_from((1, 3, 5))


@st.composite
def units(draw: st.DrawFn, max_old: int = 5, max_new: int = 24) -> Units:
    """Units as widening, flattening, grouping and concatenation make them; also out of order."""
    old = draw(st.integers(1, max_old))
    new = draw(st.integers(old + 1, max_new))
    rng = np.random.default_rng(draw(seeds))
    result = Units.replicate(old, new, rng=rng, split=draw(st.sampled_from(SHARES)))
    shape = draw(st.sampled_from(("plain", "before", "after", "concatenated", "shuffled")))
    if shape == "before":
        return result.expand(before=3)
    if shape == "after":
        return result.expand(after=3)
    if shape == "concatenated":
        return Units.concatenate([result, Units.unchanged(2), result])
    if shape == "shuffled":
        order = rng.permutation(new)
        return Units(result.source[order], result.share[order], old)
    return result


@st.composite
def any_weights(draw: st.DrawFn, shape: tuple[int, ...]) -> Array:
    """Every finite weight: zeros of both signs, subnormal numbers, the largest of its dtype."""
    dtype = np.dtype(draw(dtypes))
    finite = hnp.from_dtype(dtype, allow_nan=False, allow_infinity=False)
    return draw(hnp.arrays(dtype, shape, elements=finite))


@dataclass(frozen=True)
class Layers:
    """Two layers of which the first can be widened: the arguments of ``wider``."""

    w1: Array
    b1: Array | None
    w2: Array
    layout: str

    @property
    def teacher(self) -> tuple[Array, Array | None, Array]:
        return self.w1, self.b1, self.w2

    @property
    def width(self) -> int:
        return self.w1.shape[0 if self.layout in ("OIHW", "OI") else -1]

    def in_pytorch_layout(self) -> Layers:
        """The same layers, transposed; across a flatten, channels first."""
        assert self.layout == "HWIO"
        w2 = self.w2
        if self.w1.ndim == 4 and w2.ndim == 2:
            w2 = channels_first(w2, self.width)
        return replace(self, w1=to_pytorch(self.w1), w2=to_pytorch(w2), layout="OIHW")


def to_pytorch(kernel: Array) -> Array:
    """(in, out) as (out, in), (kh, kw, in, out) as (out, in, kh, kw)."""
    return kernel.T if kernel.ndim == 2 else kernel.transpose(3, 2, 0, 1)


def channels_first(dense: Array, channels: int) -> Array:
    """Reorder the inputs of (positions·channels, out) to (channels·positions, out)."""
    folded = dense.reshape(-1, channels, dense.shape[1])
    return folded.transpose(1, 0, 2).reshape(dense.shape)


@st.composite
def layers(
    draw: st.DrawFn, kinds: tuple[str, ...] = KINDS, layouts: tuple[str, ...] = ("HWIO", "OIHW")
) -> Layers:
    """Dense to dense, convolution to convolution, convolution to dense across a flatten."""
    kind, layout = draw(st.sampled_from(kinds)), draw(st.sampled_from(layouts))
    rng, dtype = np.random.default_rng(draw(seeds)), draw(dtypes)
    inputs, width, outputs = (draw(st.integers(1, 4)) for _ in range(3))

    def kernel(*shape: int) -> Array:
        return rng.normal(size=shape).astype(dtype)

    size = () if kind == "dense" else (draw(odd_sizes), draw(odd_sizes))
    if kind == "conv":
        w2 = kernel(draw(odd_sizes), draw(odd_sizes), width, outputs)
    else:
        positions = draw(st.sampled_from((1, 6, 7))) if kind == "flatten" else 1
        w2 = kernel(positions * width, outputs)
    b1 = kernel(width) if draw(st.booleans()) else None
    result = Layers(kernel(*size, inputs, width), b1, w2, "HWIO")
    return result if layout == "HWIO" else result.in_pytorch_layout()


# --- files --------------------------------------------------------------------------------------

# For laws that write each example into the same temporary folder.
quick = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes cut short, extended, or with some of them overwritten."""
    kind = draw(st.sampled_from(["cut", "extend", "overwrite", "replace"]))
    if kind == "cut":
        return data[: draw(st.integers(0, len(data) - 1))]
    if kind == "extend":
        return data + draw(st.binary(min_size=1, max_size=40))
    if kind == "replace":
        return draw(st.binary(max_size=64))
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        changed[draw(st.integers(0, len(changed) - 1))] = draw(st.integers(0, 255))
    return bytes(changed)
