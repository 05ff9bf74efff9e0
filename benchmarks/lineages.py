"""Grown lineages: the path from the first network to a final one, and its trainings in a budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from growsearch.growth import Deepen, Growth, WidenAll
from growsearch.networks import Architecture
from growsearch.training import TrainingPlan

FIRST = (16, 32, 64)
KERNELS = (5, 3, 3)
WARM_UP = 100  # updates at the start of a lineage, at most half of its first training
REWARM = 60  # updates after a growth, at most a quarter of the training that follows
_WIDTHS = ("conv1", "conv2", "conv3")
_DEEP = ("conv1", "conv2", "conv2_deep", "conv3", "conv3_deep")
_DEEPER = (Deepen("conv2"), Deepen("conv3"))
_DEEP_WIDER = (WidenAll(_DEEP, (32, 64, 64, 128, 128), split="new"),)
_WIDER = (WidenAll(_WIDTHS, (32, 64, 128), split="new"),)

# Final network -> the growths of each step on the way to it, of which each multiplies widths by 2
# at most. x4 and x8 are named by the time of an update, in first ones', and are deepened before
# they are widened, as a search does it. New units are new, not copies: see README.md.
PATHS: dict[str, tuple[tuple[Growth, ...], ...]] = {
    "x4": (_DEEPER, _DEEP_WIDER),
    "x8": (_DEEPER, _DEEP_WIDER, (WidenAll(_DEEP, (48, 96, 96, 192, 192), split="new"),)),
    "wide": (_WIDER, (WidenAll(_WIDTHS, (64, 128, 256), split="new"),)),
}


@dataclass(frozen=True)
class Scratch:
    """A configuration of the final network from scratch: the highest rate of its one-cycle."""

    rate: float

    def __str__(self) -> str:
        return f"rate {self.rate:g}"


@dataclass(frozen=True)
class Grown:
    """A configuration of a lineage.

    Parameters
    ----------
    rate : float
        The constant rate before the decay.
    last_growth : float
        Share of the budget at which the final network begins; earlier growths are evenly spaced.
    decay : float
        Share of the budget, at its end, in which the rate falls to 0 in a line.
    at_once : bool
        Whether the first network grows into the final one in a single step.
    """

    rate: float
    last_growth: float
    decay: float = 0.35
    at_once: bool = False

    def __str__(self) -> str:
        steps = "at once" if self.at_once else "in steps"
        return (
            f"rate {self.rate:g}, last growth at {self.last_growth:g}, decay {self.decay:g}, "
            f"{steps}"
        )


# Both contenders are tuned alike: the same number of configurations, the likeliest first.
SCRATCH = (Scratch(0.8), Scratch(0.4), Scratch(0.2), Scratch(1.2))
GROWN = (
    Grown(0.8, 0.6),
    Grown(0.4, 0.6),
    Grown(0.8, 0.3, decay=0.65),
    Grown(0.8, 0.5, at_once=True),
)


def first(input_shape: tuple[int, int, int], classes: int) -> Architecture:
    """Return the first network: convolution, batch norm and ReLU, three times."""
    parts = [
        f"{k}x{k}x{width}(conv{n},activation=linear,use_bias=false)-"
        f"batch_norm(bn{n},activation=relu,momentum=0.9)"
        + (f"-pool{n}" if n < len(KERNELS) else "")
        for n, (k, width) in enumerate(zip(KERNELS, FIRST, strict=True), 1)
    ]
    return Architecture.parse(
        "-".join([*parts, "global_avg_pool(gap)", f"{classes}(fc)"]), input_shape
    )


def path(final: str, *, at_once: bool = False) -> tuple[tuple[Growth, ...], ...]:
    """Return the growths of each step on the way to a final network."""
    steps = PATHS[final]
    return (tuple(growth for step in steps for growth in step),) if at_once else steps


def stages(
    final: str, input_shape: tuple[int, int, int], classes: int, *, at_once: bool = False
) -> list[Architecture]:
    """Return the networks of a path, the first and the final one included."""
    found = [first(input_shape, classes)]
    for growths in path(final, at_once=at_once):
        architecture = found[-1]
        for growth in growths:
            architecture = growth.grown(architecture)
        found.append(architecture)
    return found


def widths(architecture: Architecture) -> str:
    """Return the widths of a network, in brackets those of layers without pooling between them.

    Examples
    --------
    >>> widths(stages("x4", (28, 28, 1), 10)[-1])
    '32-[64-64]-[128-128]'
    """
    groups: list[list[int]] = [[]]
    for node in architecture.nodes:
        if node.layer.is_producer and node is not architecture.output:
            groups[-1].append(node.layer.width)
        elif "pool" in node.layer.kind and groups[-1]:
            groups.append([])
    words = ["-".join(map(str, group)) for group in groups if group]
    return "-".join(f"[{word}]" if "-" in word else word for word in words)


def shares(growths: int, last_growth: float) -> list[float]:
    """Return each network's share of a budget, the final one's last.

    Examples
    --------
    >>> [round(share, 3) for share in shares(2, 0.3)]
    [0.15, 0.15, 0.7]
    """
    return [last_growth / growths] * growths + [1.0 - last_growth]


def updates(seconds: float, costs: Sequence[float], configuration: Grown) -> list[int]:
    """Return the updates of each network of a path, for a budget in seconds.

    Parameters
    ----------
    seconds : float
    costs : sequence of float
        Seconds of an update of each network.
    configuration : Grown

    Examples
    --------
    >>> updates(100.0, (0.01, 0.02, 0.04), Grown(0.4, 0.3))
    [1500, 750, 1750]
    """
    parts = shares(len(costs) - 1, configuration.last_growth)
    return [max(1, round(part * seconds / cost)) for part, cost in zip(parts, costs, strict=True)]


def lineage_plans(
    steps: Sequence[int], configuration: Grown, base: TrainingPlan
) -> list[TrainingPlan]:
    """Return the plan of each training of a lineage.

    The rate rises to a constant one, again after each growth, and falls once, in the training of
    the final network.
    """
    warm = replace(base, schedule="constant", learning_rate=configuration.rate)
    plans = [replace(warm, steps=steps[0], warmup=min(WARM_UP, steps[0] // 2))]
    plans += [replace(warm, steps=each, rewarm=min(REWARM, each // 4)) for each in steps[1:]]
    fall = min(1.0, configuration.decay / (1.0 - configuration.last_growth))
    plans[-1] = replace(plans[-1], schedule="wsd", decay_share=fall)
    return plans


def scratch_plan(steps: int, configuration: Scratch, base: TrainingPlan) -> TrainingPlan:
    """Return the plan of the final network from scratch: one cycle, which ends near 0."""
    return replace(base, steps=steps, schedule="one_cycle", learning_rate=configuration.rate)
