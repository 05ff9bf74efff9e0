"""The lines about the upkeep of a run: one a promise, one a kind of what was freed."""

from __future__ import annotations

from growsearch.upkeep.findings import Verification
from growsearch.upkeep.gc import Freed

_SHOWN = 20  # faults of one promise


def verification(found: Verification) -> list[str]:
    """Return one line a promise, with its count; below it one line a fault."""
    lines = []
    for promise in found.promises:
        verdict = "ok" if promise.is_kept else "BROKEN"
        about = [f"{promise.checked:,} checked", *promise.notes]
        if promise.faults:
            about.insert(1, f"{len(promise.faults):,} wrong")
        lines.append(f"{verdict:<8}{promise.name} ({'; '.join(about)})")
        lines += [f"        {fault}" for fault in promise.faults[:_SHOWN]]
        if len(promise.faults) > _SHOWN:
            lines.append(f"        and {len(promise.faults) - _SHOWN:,} more")
    return lines


def verdict(found: Verification) -> str:
    """Return the error of a run that does not keep its promises."""
    broken = sum(not promise.is_kept for promise in found.promises)
    return f"{found.folder}: {broken} of {len(found.promises)} promises are broken"


def freed(found: Freed) -> list[str]:
    """Return one line a kind, one with the sum, and the size of the folder."""
    lines = [
        f"{kind:<15}{amount.bytes / 1e6:>12,.1f} MB  {amount.files:,} "
        f"{'networks' if kind in ('slots', 'orphans') else 'files'}"
        for kind, amount in found.kinds.items()
    ]
    total = "would be freed" if found.dry_run else "freed"
    return [
        *lines,
        f"{total:<15}{found.bytes / 1e6:>12,.1f} MB",
        f"{'run folder':<15}{found.before / 1e6:>12,.1f} MB → {found.after / 1e6:,.1f} MB",
    ]


def left_alone(found: Freed) -> str:
    """Return the error of a run some of whose networks are damaged."""
    return (
        f"{found.folder}: {len(found.damaged)} damaged networks were left alone "
        f"({found.damaged[0]}): growsearch verify shows all of them"
    )
