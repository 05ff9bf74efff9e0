"""One axis of one array through Units: copied, or split among the copies."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from growsearch.net2net.units import Units

Array = NDArray[Any]
_Scalar = TypeVar("_Scalar", bound=np.generic)

_CACHED = 2**17  # values of a block that stays in cache while more is done to it
_LARGE = 2**20  # values from which on several threads are faster than one
# Few, since memory is the limit. More threads than processors cost nothing measurable: 3.2 million
# weights take 4.4 ms in 2 or 4 threads on two processors, 10 ms in 1 or 4 threads on one.
_THREADS = 4


def copy_axis(
    array: NDArray[_Scalar], units: Units, axis: int, scale: NDArray[np.float64] | None = None
) -> NDArray[_Scalar]:
    """Replicate ``array`` along ``axis``: slice j of the result is slice ``source[j]``.

    For incoming weights, biases and batch-norm parameters. dtype is kept. With a ``scale``, slice j
    is multiplied by its value ``scale[j]``.
    """
    result = _empty(array, units, axis)
    old, new = _outer_units_inner(array, axis), _outer_units_inner(result, axis)
    factor = None if scale is None else scale.astype(array.dtype)[:, None]

    def copy(block: tuple[slice, slice]) -> None:
        rows, copies = block
        # No source is out of range; of numpy's ways not to check that, "wrap" is twice as fast.
        np.take(old[rows], units.source[copies], axis=1, out=new[block], mode="wrap")
        if factor is not None:
            new[block] *= factor[copies]

    # Without a scale each value is written once and needs no cache: one block for each thread.
    size = _CACHED if factor is not None else max(_CACHED, -(-new.size // _THREADS))
    _for_each(copy, _blocks(new, size), new.size)
    return result


def incoming_axis(array: NDArray[_Scalar], units: Units, axis: int) -> NDArray[_Scalar]:
    """Make the weights in front of units along ``axis``: those of copies, means or zeros.

    The mean of all units, whatever comes in, has the mean of their weights; so has its bias.
    """
    result = copy_axis(array, units, axis)
    if units.extra != "copies":
        moved = np.moveaxis(result, axis, 0)
        moved[units.is_new] = 0
        if units.extra == "mean":
            mean: Any = array.mean(axis=axis, dtype=np.float64)
            moved[units.is_new] = mean
    return result


def split_axis(array: NDArray[_Scalar], units: Units, axis: int) -> NDArray[_Scalar]:
    """Replicate along ``axis`` and give each copy its share: the copies sum to the old slice.

    For outgoing weights. The sum is *exactly* the old weight, also where 1/3 of a float32 is no
    float32. Let the rest of a weight w at c be ``w - c*w``. Each copy gets the rest at the begin of
    its interval less the rest at its end, so that all copies telescope to w - 0. By Sterbenz'
    lemma a rest is a multiple of w's spacing, or of half of it where both the rest and ``c*w`` lie
    below the power of two in w; hence no difference of two rests rounds or overflows.
    """
    result = _empty(array, units, axis)
    old, new = _outer_units_inner(array, axis), _outer_units_inner(result, axis)
    begin, end = (c.astype(array.dtype)[:, None] for c in units.intervals)

    def split(block: tuple[slice, slice]) -> None:
        rows, copies = block
        left, out = old[rows].take(units.source[copies], axis=1, mode="wrap"), new[block]
        left_at_end = left * end[copies]
        np.subtract(left, left_at_end, out=left_at_end)
        if begin[copies].any():  # else a block of first copies
            np.multiply(left, begin[copies], out=out)
            np.subtract(left, out, out=left)
        np.subtract(left, left_at_end, out=out)

    _for_each(split, _blocks(new, _CACHED), new.size)
    return result


def split_axis_unevenly(
    array: NDArray[_Scalar],
    units: Units,
    axis: int,
    *,
    noise: float,
    rng: np.random.Generator,
) -> NDArray[_Scalar]:
    """Split as :func:`split_axis` does, with zero-sum noise on the copies of each weight.

    Copies of one unit are equal inputs of the next layer: noise on their outgoing weights changes
    nothing if it sums to 0, and gives their gradients different directions. The sum of the copies
    is *exactly* the old weight, in the array's own dtype. The noise moves the rests at which the
    copies meet (see :func:`split_axis`), by ``noise`` times the array's standard deviation. Each
    rest stays between 0 and the old weight w and is rounded to a multiple of w's spacing, so that
    every difference of two rests is such a multiple no larger than w: none rounds. A weight of 0
    thus has no noise, and no copy has a larger weight than the old one.

    Parameters
    ----------
    array : array
        Outgoing weights.
    units : Units
    axis : int
        The axis of ``array`` that consumes the units.
    noise : float
        Standard deviation of the noise, relative to that of ``array``.
    rng : numpy.random.Generator
    """
    _empty(array, units, axis)  # checks the shape
    order = np.argsort(units.source, kind="stable")
    source = units.source[order]
    is_first = np.append(True, source[1:] != source[:-1])
    is_last = np.append(is_first[1:], True)
    end = units.intervals[1][order]

    whole: Array = array
    old = np.moveaxis(whole, axis, 0)[source]
    columns = (-1, *(1,) * (old.ndim - 1))
    with np.errstate(over="ignore"):  # what is infinite is clipped
        largest = float(np.abs(whole).max()) or 1.0
        scale = noise * float(np.std(whole / largest, dtype=np.float64))
        drawn = scale * rng.standard_normal(old.shape) * largest
        rest = old - old * end.astype(array.dtype).reshape(columns) + drawn
    spacing = _spacing(old)
    steps = np.rint(np.clip(rest, np.minimum(old, 0), np.maximum(old, 0)) / spacing)
    at_end = (steps * spacing).astype(array.dtype)
    at_end[is_last] = 0
    at_begin = np.empty_like(at_end)
    at_begin[1:] = at_end[:-1]
    at_begin[is_first] = old[is_first]
    result = np.empty_like(at_end)
    result[order] = at_begin - at_end
    return np.ascontiguousarray(np.moveaxis(result, 0, axis))


def _spacing(array: Array) -> Array:
    """Return the distance from each value to the next larger one of its binade, in float64."""
    kind = np.finfo(array.dtype)
    exponent = np.frexp(array)[1].astype(np.int64) - (kind.nmant + 1)
    return np.ldexp(1.0, np.maximum(exponent, int(kind.minexp) - kind.nmant))


def redrawn(
    array: NDArray[_Scalar], units: Units, axis: int, *, rng: np.random.Generator
) -> NDArray[_Scalar]:
    """Draw the weights of the extra units anew: normal, of the root mean square of the old ones.

    Parameters
    ----------
    array : array
        Incoming weights, with a copy for each extra unit.
    units : Units
    axis : int
        The axis of ``array`` that has the units.
    rng : numpy.random.Generator
    """
    moved = np.moveaxis(array.copy(), axis, 0)
    old = moved[~units.is_new]
    drawn = rng.standard_normal((int(units.is_new.sum()), *moved.shape[1:]))
    moved[units.is_new] = drawn * (np.linalg.norm(old.astype(np.float64)) / max(old.size, 1) ** 0.5)
    return np.ascontiguousarray(np.moveaxis(moved, 0, axis))


def add_noise(
    array: NDArray[_Scalar],
    units: Units,
    axis: int,
    *,
    noise: float,
    rng: np.random.Generator,
) -> NDArray[_Scalar]:
    """Add normal noise to the new copies only, ``noise`` times the array's standard deviation."""
    if noise == 0.0:
        return array
    out = array.copy()
    view = np.moveaxis(out, axis, 0)
    drawn = rng.normal(scale=noise * float(array.std()), size=view[units.is_new].shape)
    view[units.is_new] = view[units.is_new] + drawn.astype(array.dtype)
    return out


def normal(
    shape: tuple[int, ...], dtype: np.dtype[Any], *, std: float, rng: np.random.Generator
) -> Array:
    """Draw new weights N(0, std²) in ``dtype``."""
    if not 0.0 <= std < np.inf:
        raise ValueError(f"std: expected a finite number, 0 or more, got {std!r}")
    return (std * rng.standard_normal(shape)).astype(dtype)


def constant(size: int, dtype: np.dtype[Any], *, bias: float) -> Array:
    """Return new biases, all of one value."""
    if not -np.inf < bias < np.inf:
        raise ValueError(f"bias: expected a finite number, got {bias!r}")
    return np.full(size, bias, dtype)


def _for_each(
    work: Callable[[tuple[slice, slice]], None], blocks: list[tuple[slice, slice]], size: int
) -> None:
    """Apply ``work`` to each block, in threads if the arrays are large.

    numpy releases the interpreter's lock meanwhile. Each thread gets neighbouring blocks: two
    threads that first write to one huge page would both clear all of it.
    """

    def some(share: list[tuple[slice, slice]]) -> None:
        for block in share:
            work(block)

    if size < _LARGE:
        some(blocks)
    else:
        each = -(-len(blocks) // _THREADS)
        list(_threads().map(some, [blocks[i : i + each] for i in range(0, len(blocks), each)]))


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="net2net")


if hasattr(os, "register_at_fork"):  # a forked process inherits the pool but not its threads
    os.register_at_fork(after_in_child=_threads.cache_clear)


def _empty(array: NDArray[_Scalar], units: Units, axis: int) -> NDArray[_Scalar]:
    if array.shape[axis] != units.old:
        raise ValueError(
            f"axis {axis} of an array of shape {array.shape}: expected {units.old} units, "
            f"got {array.shape[axis]}"
        )
    shape = list(array.shape)
    shape[axis] = len(units)
    return np.empty(shape, array.dtype)


def _outer_units_inner(array: Array, axis: int) -> Array:
    """View ``array`` with the axes before ``axis`` as one, and those after it."""
    outer, inner = math.prod(array.shape[:axis]), math.prod(array.shape[axis:][1:])
    return array.reshape(outer, array.shape[axis], inner)


def _blocks(new: Array, size: int) -> list[tuple[slice, slice]]:
    """Cut ``new``, of shape (outer, units, inner), into contiguous blocks of about ``size``."""
    outer, units, inner = new.shape
    width = min(units, -(-size // max(1, inner)))
    height = -(-size // max(1, width * inner))
    return [
        (slice(row, row + height), slice(unit, unit + width))
        for row in range(0, outer, height)
        for unit in range(0, units, width)
    ]
