"""Widening a 3136x1024 dense layer to 2048 units takes at most 3x the time of writing its result.

Measured on an AMD EPYC (Zen 5), 2 processors, Python 3.11, numpy 2.4.6, float32, medians, n = 100,
in one run:

    dense 3136x1024 -> 2048, dense x10      write .65 ms  wider 1.9 ms  loop .7 s   wider/write 2.9
    conv 5x5x32x64 -> 128, dense 3136x1024  write .71 ms  wider 5.0 ms  loop .07 s  wider/write 7.1

The second case has most of its values in the consuming kernel, where each copy gets its share.

"Writing" is ``np.full`` of the three resulting arrays (w1, b1, w2): the time to allocate and fill
them once. "Loop" is the textbook version below, which appends one unit after the other.
Ratios are of medians; writing and widening take turns, so that a busy machine slows both.

    python benchmarks/net2net_speed.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from machine import deviation, processor, versions
from numpy.typing import NDArray

from growsearch.net2net import verify_wider, wider

Array = NDArray[Any]
Layers = tuple[Array, Array, Array]

N, N_LOOP = 100, 3
LIMIT = 3.0  # of the dense case


def loop_and_concatenate(w1: Array, b1: Array, w2: Array, new_width: int, *, rng: int) -> Layers:
    """Widen unit by unit, as Net2Net's algorithm 1 reads: the reference for speed."""
    generator = np.random.default_rng(rng)
    old = w1.shape[-1]
    w2 = w2.reshape(-1, old, w2.shape[-1])  # (positions, units, outputs)
    source = list(range(old))
    for _ in range(new_width - old):
        unit = int(generator.integers(old))
        source.append(unit)
        w1 = np.concatenate([w1, w1[..., unit : unit + 1]], axis=-1)
        b1 = np.concatenate([b1, b1[unit : unit + 1]])
        w2 = np.concatenate([w2, w2[:, unit : unit + 1]], axis=1)
    copies = np.bincount(source)
    for new, unit in enumerate(source):
        w2[:, new] /= copies[unit]
    return w1, b1, w2.reshape(-1, w2.shape[-1])


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def compare(name: str, layers: Layers, new_width: int) -> float:
    """Print one line of the table; return widening over writing."""
    student = wider(*layers, new_width, rng=0)
    error = verify_wider(layers, student, samples=1)
    assert error < 1e-9, f"{name}: not function-preserving, max |Δ| = {error}"
    shapes = [(array.shape, array.dtype) for array in student if array is not None]

    def write() -> list[Array]:
        return [np.full(shape, 1.0, dtype) for shape, dtype in shapes]

    def widen() -> object:
        return wider(*layers, new_width, rng=0)

    for _ in range(5):  # warm up: threads, memory
        write(), widen()
    times = np.array([(seconds(write), seconds(widen)) for _ in range(N)])
    loops = [
        seconds(lambda: loop_and_concatenate(*layers, new_width, rng=0)) for _ in range(N_LOOP)
    ]
    writing, widening = np.median(times, axis=0)
    spread = [deviation(column) for column in times.T]
    loop = float(np.median(loops))
    print(
        f"{name:<38} write {writing * 1e3:.2f} ± {spread[0] * 1e3:.2f} ms   "
        f"wider {widening * 1e3:.2f} ± {spread[1] * 1e3:.2f} ms   loop {loop:.2f} s   "
        f"wider/write {widening / writing:.1f}   loop/wider {loop / widening:.0f}"
    )
    return float(widening / writing)


def main() -> int:
    """Print the table; return 0 where the claim holds on this machine, else 1."""
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> Array:
        return rng.standard_normal(shape, dtype=np.float32)

    print(f"{processor()}; {versions('numpy')}")
    print(f"medians ± standard deviation, n = {N} (loop: {N_LOOP}), float32")
    ratio = compare(
        "dense 3136x1024 -> 2048, dense x10",
        (normal(3136, 1024), normal(1024), normal(1024, 10)),
        2048,
    )
    compare(
        "conv 5x5x32x64 -> 128, dense 3136x1024",
        (normal(5, 5, 32, 64), normal(64), normal(3136, 1024)),
        128,
    )
    print(f"claim: dense wider/write <= {LIMIT:.0f}: {'holds' if ratio <= LIMIT else 'FAILS'}")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    raise SystemExit(main())
