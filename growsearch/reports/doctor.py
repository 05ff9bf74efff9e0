"""The findings of an examination as lines: one a finding, below it what to do."""

from __future__ import annotations

from growsearch.doctor import Examination

_MARKS = {"ok": "ok", "note": "note", "wrong": "WRONG"}


def lines(found: Examination) -> list[str]:
    """Return a line for each finding, its advice below it, and the verdict at the end."""
    names = [f"{each.subject}: {each.name}" for each in found.findings]
    width = min(32, max(map(len, names), default=0))
    shown = []
    for each, name in zip(found.findings, names, strict=True):
        label = name if each.name.lower() != each.subject.lower() else each.subject
        shown.append(f"{_MARKS[each.state]:<6}{label:<{width}}  {each.found}")
        if each.advice:
            shown.append(f"{'':<6}{'':<{width}}  → {each.advice}")
    return [*shown, "", verdict(found)]


def verdict(found: Examination) -> str:
    """Return the sum of an examination in one line."""
    if not found.wrong:
        return f"Nothing is wrong ({found.seconds:.1f} s)."
    names = ", ".join(f"{each.subject}: {each.name}" for each in found.wrong)
    return f"{len(found.wrong)} wrong: {names} ({found.seconds:.1f} s)."
