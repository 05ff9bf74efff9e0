"""Milliseconds an update in float32 and in bfloat16, of convolutions that fill oneDNN's vectors.

With ``precision = "auto"`` such networks are trained in bfloat16 without a measurement, on
processors with native bfloat16: this table is the reason. Its ratios are to be 1 or more. Both
precisions take turns, and the best of three turns of each counts.

    python benchmarks/precision.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from machine import processor, versions

from growsearch.networks import Architecture
from growsearch.training import TrainingPlan
from growsearch.training.slim import SlimTrainer
from growsearch.training.slim import precision as chosen

WIDTHS = ((16, 16, 16), (16, 32, 64), (32, 32, 32), (48, 80, 112), (64, 128, 256))
SHAPES = ((28, 28, 1), (32, 32, 3))
BATCHES = (8, 32, 128)


@dataclass(frozen=True)
class Case:
    """Three convolutions, the last two behind poolings, on images of a shape."""

    widths: tuple[int, int, int]
    shape: tuple[int, int, int]
    kernel: int
    with_norm: bool
    batch_size: int

    @property
    def architecture(self) -> Architecture:
        """Its layers."""
        parts: list[str] = []
        for number, width in enumerate(self.widths, 1):
            size = f"{self.kernel}x{self.kernel}x{width}"
            if self.with_norm:
                parts.append(f"{size}(conv{number},activation=linear,use_bias=false)")
                parts.append(f"batch_norm(bn{number},activation=relu,momentum=0.9)")
            else:
                parts.append(f"{size}(conv{number})")
            parts += [f"pool{number}"] if number < len(self.widths) else []
        return Architecture.parse("-".join([*parts, "global_avg_pool(gap)", "10(out)"]), self.shape)

    def __str__(self) -> str:
        widths = "-".join(str(width) for width in self.widths)
        norm = "batch norm" if self.with_norm else "plain"
        shape = "x".join(str(size) for size in self.shape)
        return f"{widths} | {self.kernel}x{self.kernel} | {norm} | {shape} | {self.batch_size}"


def cases() -> Iterator[Case]:
    """Yield the cases: all batches on small grey images, one batch on coloured ones."""
    for shape in SHAPES:
        for widths in WIDTHS:
            for kernel in (3, 5) if widths == WIDTHS[1] else (3,):
                for with_norm in (True, False):
                    for batch_size in BATCHES if shape == SHAPES[0] else BATCHES[1:2]:
                        yield Case(widths, shape, kernel, with_norm, batch_size)


def measured(case: Case) -> Mapping[str, float]:
    """Return the seconds of an update in each precision, by the trainer's own measurement."""
    found: dict[str, float] = {}
    measure = chosen.step_seconds

    def noted(timers: Mapping[str, Callable[[int], float]]) -> dict[str, float]:
        found.update(measure(timers))
        return found

    chosen.step_seconds = noted
    plan = TrainingPlan(1, case.batch_size, optimizer="momentum", precision="auto")
    try:
        SlimTrainer().speed_of(case.architecture, plan)
    finally:
        chosen.step_seconds = measure
    return found


def main() -> None:
    print(f"{processor()}; {versions('growsearch', 'tensorflow')}\n")
    print("| widths | kernels | layers | images | batch | float32 | bfloat16 | ratio |")
    print("|" + "---|" * 8)
    chosen.candidates = lambda *_: ("float32", "bfloat16")  # all are measured
    ratios: dict[int, list[float]] = {}
    for case in cases():
        found = measured(case)
        ratio = found["float32"] / found["bfloat16"]
        ratios.setdefault(case.batch_size, []).append(ratio)
        figures = " | ".join(f"{1000.0 * value:.2f}" for value in found.values())
        print(f"| {case} | {figures} | {ratio:.2f} |", flush=True)
    for batch_size, known in sorted(ratios.items()):
        print(f"\nbatch {batch_size}: {min(known):.2f} to {max(known):.2f}, n = {len(known)}")


if __name__ == "__main__":
    main()
