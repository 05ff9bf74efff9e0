"""Reports of surgery on a network: its steps, sizes before and after, and what may grow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from growsearch.growth import Growth
from growsearch.growth.change import Change
from growsearch.growth.surgery import Step
from growsearch.networks import Architecture, Network
from growsearch.networks.layers import BatchNorm

_EXACT = 1e-5  # of the largest output: beyond, the function has changed


@dataclass(frozen=True)
class Report:
    """A surgery, done or planned.

    Parameters
    ----------
    before : Network
    after, change
        The network, and the change of its outputs; None of a plan.
    steps : tuple of Step
    data : str or None
        The images that outputs were compared on; None is random inputs.
    path : str or None
    takes_bytes : bool
        True of a network whose images are bytes from 0 to 255.
    """

    before: Network
    after: Network | None
    steps: tuple[Step, ...]
    change: Change | None
    data: str | None
    path: str | None
    takes_bytes: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the figures, a line each; none of a plan."""
        if self.after is None:
            return ()
        notes = []
        if self.takes_bytes:
            notes.append(
                "the network takes pixels from 0 to 255, before and after: those of the "
                f"{'random inputs' if self.data is None else 'images'} were multiplied by 255"
            )
        if self.data is None and (new := _new_batch_norms(self.before, self.after)):
            notes.append(
                f"{', '.join(new)}: mean 0 and variance 1, which a training would move far: --data "
                "measures them on images"
            )
        return tuple(notes)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        after = self.steps[-1]
        old = self.before.architecture
        return {
            "path": self.path,
            "steps": [step.to_json() for step in self.steps],
            "parameters": [old.parameters, after.parameters],
            "flops": [old.flops, after.flops],
            "change": None if self.change is None else asdict(self.change),
            "data": self.data,
            "notes": list(self.notes),
        }


def lines(report: Report) -> list[str]:
    """Return a surgery as lines: each step, sizes, the largest change of an output, the file."""
    old, new = report.before.architecture, report.steps[-1]
    rows = [
        (step.growth.operation, step.growth.place, f"{step.before} → {step.after}")
        for step in report.steps
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    found = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c}" for a, b, c in rows]
    found += [
        "",
        f"{'parameters':<14}{_from_to(old.parameters, new.parameters)}",
        f"{'FLOPs':<14}{_from_to(old.flops, new.flops)}",
    ]
    if report.after is not None:
        sizes = _bytes(report.before), _bytes(report.after)
        found.append(f"{'size':<14}{sizes[0]:,.1f} kB → {sizes[1]:,.1f} kB of weights")
    if (change := report.change) is not None:
        on = "random inputs" if report.data is None else f"images of {report.data}"
        found.append(
            f"{'max |Δ|':<14}{change.largest:.2g}, {change.relative:.2g} of the largest output, on "
            f"{change.images} {on}"
        )
        if change.relative > _EXACT:
            found.append(f"{'':<14}the network computes something else than before")
    found += [f"{'note':<14}{note}" for note in report.notes]
    ended = "nothing, as asked by --dry-run" if report.path is None else report.path
    return [*found, f"{'written':<14}{ended}"]


def sites(
    architecture: Architecture,
    found: Mapping[str, Sequence[Growth]],
    option: Callable[[Growth], str],
    most: int | None = None,
) -> list[str]:
    """Return what may grow as lines: an option of the command, and the sizes that change.

    Of each operation there are at most ``most`` lines, and one that counts the rest.
    """
    named = {name: [(option(each), each) for each in legal[:most]] for name, legal in found.items()}
    lengths = [len(text) for some in named.values() for text, _ in some]
    if not lengths:
        return ["nothing may grow: no growth keeps what this network computes"]
    widest, lines = min(48, max(lengths)), []
    for name, some in named.items():
        lines += [f"{text:<{widest}}  {' → '.join(g.sizes(architecture))}" for text, g in some]
        if left := len(found[name]) - len(some):
            lines.append(f"… and {left:,} more places of {name}: --all lists them")
    return lines


def _new_batch_norms(before: Network, after: Network) -> list[str]:
    """Return the names of the batch norms that growths added."""
    nodes = after.architecture.nodes
    return [
        n.name for n in nodes if isinstance(n.layer, BatchNorm) and n.name not in before.weights
    ]


def _from_to(before: int, after: int) -> str:
    return f"{before:,} → {after:,} ({after / max(before, 1):.2f} times)"


def _bytes(network: Network) -> float:
    arrays = (array for layer in network.weights.values() for array in layer.values())
    return sum(array.nbytes for array in arrays) / 1000.0
