"""Seeds: every random draw of a run follows from its seed, the trial's index and a purpose."""

from __future__ import annotations

import hashlib


def seed_of(seed: int, index: int, purpose: str) -> int:
    """Return a 31-bit seed, the same in every process; those of other purposes are independent.

    Parameters
    ----------
    seed : int
        The run's.
    index : int
        The trial's place among those that count; an interrupted trial and its repetition have
        the same one.
    purpose : str
        Such as "order" (of the images, one for all arms of a trial) or "random" (the arm's new
        weights).
    """
    text = f"{seed}/{index}/{purpose}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "little") >> 1
