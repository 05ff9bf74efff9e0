"""Units: the old unit that each new unit copies, and the share of it for its consumers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

Shares = Literal["equal", "random", "new"]
SHARES: tuple[Shares, ...] = ("equal", "random", "new")
Extra = Literal["copies", "mean", "zero"]


_Units = TypeVar("_Units", bound="Units")


@dataclass(frozen=True, eq=False)
class Units:
    """New units as copies of old ones.

    New unit ``j`` copies old unit ``source[j]``; whatever consumes the units scales its weight
    for ``j`` by ``share[j]``. The shares of one unit's copies sum to 1, so that a linear consumer
    computes what it computed before (Net2Net, arXiv:1511.05641, algorithm 1).

    Parameters
    ----------
    source : int array, shape (new,)
        The old unit that each new unit copies; every old unit occurs at least once.
    share : float64 array, shape (new,)
        The part of the old outgoing weight that each copy carries.
    old : int
        Number of old units.
    extra : "copies", "mean" or "zero"
        Values of the units beyond the old ones: those of their sources; or the mean of all old
        units, or 0, as a layer norm or RMS norm of any width needs. The latter have share 0.
    """

    source: NDArray[np.intp]
    share: NDArray[np.float64]
    old: int
    extra: Extra = "copies"

    def __post_init__(self) -> None:
        for name in ("source", "share"):
            view = np.asarray(getattr(self, name)).view()
            view.setflags(write=False)
            object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.source)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Units):
            return NotImplemented
        if self is other:
            return True
        # Bytes, not array_equal: a graph is searched for sites by thousands of short comparisons.
        return (
            self.old == other.old
            and self.extra == other.extra
            and self.source.tobytes() == other.source.tobytes()
            and self.share.tobytes() == other.share.tobytes()
        )

    __hash__ = None  # type: ignore[assignment]

    def check(self) -> None:
        """Raise ValueError unless every old unit is copied, and its copies' shares sum to 1."""
        if self.source.ndim != 1 or self.source.shape != self.share.shape:
            raise ValueError(
                f"units: expected one share a source, got sources of shape {self.source.shape} and "
                f"shares of shape {self.share.shape}"
            )
        if not np.issubdtype(self.source.dtype, np.integer):
            raise ValueError(f"units: expected whole sources, got {self.source.dtype}")
        known = np.unique(self.source)
        if not np.array_equal(known, np.arange(self.old)):
            raise ValueError(
                f"units: expected each of the {self.old} old units as a source, none else, "
                f"got {known}"
            )
        sums = np.bincount(self.source, weights=self.share, minlength=self.old)
        if not np.allclose(sums, 1.0):
            raise ValueError(
                f"units: expected shares that sum to 1 for each old unit, got sums from "
                f"{sums.min():g} to {sums.max():g}"
            )

    @classmethod
    def unchanged(cls, width: int) -> Self:
        """Return units of which each copies itself."""
        return _unchanged(cls, width)

    @classmethod
    def replicate(
        cls,
        old: int,
        new: int,
        *,
        rng: np.random.Generator,
        split: Shares = "equal",
        balanced: bool = False,
    ) -> Self:
        """Draw units: old ones keep their places, each extra one copies an old one at random.

        Parameters
        ----------
        old, new : int
            Widths before and after.
        rng : numpy.random.Generator
        split : "equal", "random" or "new"
            Shares 1/k for each of a unit's k copies, or drawn uniformly from the simplex
            (Dirichlet): exact too, and it breaks the copies' symmetry without noise. "new" leaves
            the whole share to the old units: the extra ones are new, and nothing uses them yet.
        balanced : bool
            Copy every unit equally often, as layer normalisation requires; ``new`` must then be
            a multiple of ``old``.

        Raises
        ------
        ValueError
            When the width does not grow, or cannot be balanced.
        """
        if new <= old:
            raise ValueError(f"width must grow: expected more than {old} units, got {new}")
        if balanced:
            if new % old:
                raise ValueError(f"every unit is to be copied equally often: {old} -> {new}")
            source = np.tile(np.arange(old), new // old)
        else:
            # Sorted, as the extra units are exchangeable: neighbours then copy neighbours.
            extra = np.sort(rng.integers(old, size=new - old))
            source = np.concatenate([np.arange(old), extra])
        if split == "equal":
            share = 1.0 / np.bincount(source, minlength=old)[source]
        elif split == "random":
            # Independent exponentials, normalised per unit, are Dirichlet(1, …, 1).
            draw = rng.exponential(size=new)
            share = draw / np.bincount(source, weights=draw, minlength=old)[source]
        elif split == "new":
            share = np.concatenate([np.ones(old), np.zeros(new - old)])
        else:
            raise ValueError(f"split: expected one of {', '.join(SHARES)}, got {split!r}")
        return cls(source, share, old)

    @classmethod
    def extended(cls, old: int, new: int, extra: Extra) -> Self:
        """Return the old units, and extra ones that nothing uses yet; they have no source.

        Parameters
        ----------
        old, new : int
            Widths before and after.
        extra : "copies", "mean" or "zero"
            Values of the extra units; "copies" where they are of no concern.
        """
        source = np.concatenate([np.arange(old), np.zeros(new - old, np.intp)])
        share = np.concatenate([np.ones(old), np.zeros(new - old)])
        return cls(source, share, old, extra)

    def with_extra(self, extra: Extra) -> Units:
        """Return the same units with another promise of what the extra ones compute."""
        return self if extra == self.extra else Units(self.source, self.share, self.old, extra)

    @property
    def copies(self) -> NDArray[np.intp]:
        """Number of copies of the unit of each new unit, itself included; shape (new,)."""
        return np.bincount(self.source, minlength=self.old)[self.source]

    @property
    def is_new(self) -> NDArray[np.bool_]:
        """True for each unit that is not the first of its copies; shape (new,)."""
        new = np.ones(len(self), dtype=bool)
        new[np.unique(self.source, return_index=True)[1]] = False
        return new

    @property
    def is_balanced(self) -> bool:
        """True if every old unit has equally many copies with equal shares."""
        counts = np.bincount(self.source, minlength=self.old)
        return bool(np.all(counts == counts[0]) and np.allclose(self.share * counts[0], 1.0))

    @property
    def intervals(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Begin and end of each copy's part of its unit's [0, 1]; shapes (new,), (new,).

        The copies of a unit lie end to end: the first begins at 0, each next one begins at the
        very number where the one before it ends, the last ends at 1.
        """
        order = np.argsort(self.source, kind="stable")
        _, first, count = np.unique(self.source[order], return_index=True, return_counts=True)
        # In whole multiples of 2**-53 nothing rounds: each unit's sum is free of those before it.
        share = np.rint(np.ldexp(self.share[order], 53)).astype(np.int64)
        before = np.cumsum(share) - share
        starts = np.ldexp((before - np.repeat(before[first], count)).astype(np.float64), -53)
        ends = np.append(starts[1:], 1.0)
        ends[first[1:] - 1] = 1.0
        begin, end = np.empty(len(self)), np.empty(len(self))
        begin[order], end[order] = starts, ends
        return begin, end

    def expand(self, *, before: int = 1, after: int = 1) -> Units:
        """Return the units of an axis flattened with ``before`` outer and ``after`` inner axes.

        Index of the flattened axis: ``(outer * width + unit) * after + inner``. Flattening
        (positions, channels) is ``before=positions``; channels first is ``after=positions``.
        """
        inner = np.arange(after)
        one = (self.source[:, None] * after + inner).ravel()
        stride = self.old * after
        source = (np.arange(before)[:, None] * stride + one).ravel()
        share = np.tile(np.repeat(self.share, after), before)
        # The mean over all positions is another one than that of each.
        is_kept = self.extra != "mean" or before == after == 1
        return Units(source, share, before * stride, self.extra if is_kept else "copies")

    def tile(self, groups: int) -> Units:
        """Repeat the units in ``groups`` consecutive blocks, as grouped convolution needs."""
        return self.expand(before=groups)

    def block(self, groups: int) -> Units | None:
        """Return the units of one block if all ``groups`` blocks are alike, else None."""
        if self.old % groups or len(self) % groups:
            return None
        width = len(self) // groups
        source, share = self.source[:width].copy(), self.share[:width].copy()
        first = Units(source, share, self.old // groups, self.extra)
        return first if self == first.tile(groups) else None

    def repeats_blocks(self, size: int) -> bool:
        """Return whether these are whole blocks of ``size`` units: the old ones, then copies."""
        if self.old % size or len(self) % size or self.extra != "copies":
            return False
        rows = self.source.reshape(-1, size)
        return bool(np.all(rows == rows[:, :1] // size * size + np.arange(size)))

    @staticmethod
    def concatenate(parts: list[Units]) -> Units:
        """Return the units of a concatenation of the parts' axes."""
        if len(parts) == 1:
            return parts[0]
        offsets = np.cumsum([0, *(part.old for part in parts)])
        source = np.concatenate([p.source + o for p, o in zip(parts, offsets, strict=False)])
        extras = {part.extra for part in parts if len(part) > part.old}
        extra: Extra = "zero" if extras == {"zero"} else "copies"  # no branch has the mean of all
        return Units(source, np.concatenate([p.share for p in parts]), int(offsets[-1]), extra)


@lru_cache(maxsize=1024)
def _unchanged(kind: type[_Units], width: int) -> _Units:
    return kind(np.arange(width), np.ones(width), width)
