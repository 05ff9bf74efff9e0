"""Forks of a process that has used TensorFlow, whose threads stay behind."""

from __future__ import annotations

import os

from growsearch.errors import GrowsearchError

_user: int | None = None  # the process that has used TensorFlow


def check_not_forked() -> None:
    """Note that this process uses TensorFlow; refuse in a fork of one that has done so.

    Such a fork would wait for ever for threads that only its parent has.

    Raises
    ------
    GrowsearchError
        In a fork.
    """
    global _user  # noqa: PLW0603  a fact about the process
    if _user is None:
        _user = os.getpid()
    elif _user != os.getpid():
        raise GrowsearchError(
            "TensorFlow does not survive a fork: use spawn or forkserver, for example "
            f'multiprocessing.get_context("spawn"): process {os.getpid()} is a fork of {_user}, '
            "which has trained or evaluated before"
        )
