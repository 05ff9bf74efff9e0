"""One finding of an examination."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "wrong"]


@dataclass(frozen=True)
class Finding:
    """One thing that was examined.

    Parameters
    ----------
    subject : str
        "versions", "training", "threads", "GPU", "data", "storage" or "disk".
    name : str
    state : "ok", "note" or "wrong"
        A note does no harm; with something wrong, searches fail, or lose what they have found.
    found : str
        In words.
    advice : str
        What to do; "" of what is in order.
    """

    subject: str
    name: str
    state: State
    found: str
    advice: str = ""
