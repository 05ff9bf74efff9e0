"""The session that works on a run, by a random id in the study.

The lock of a run's folder keeps a second driver out, where locks work. On a network file system
they may not; then the session that opened the run last has it, and an earlier one ends before it
tells anything more.
"""

from __future__ import annotations

import uuid

from optuna.study import Study

from growsearch.errors import RunError
from growsearch.study.attributes import SessionAttribute


def take(study: Study) -> str:
    """Make the run this session's; return the session's id."""
    session = uuid.uuid4().hex
    SessionAttribute(value=session).write(study)
    return session


def check(study: Study, session: str) -> None:
    """Check that no other session has taken the run over, as the storage says now.

    Raises
    ------
    RunError
        When another has.
    """
    now = SessionAttribute.read(study)  # Optuna does not cache the attributes of studies
    if now is None or now.value != session:
        raise RunError(
            f"{study.study_name}: a second driver has taken the run over, as can happen where "
            "locks do not work on the file system: this one ends; what it told before is stored"
        )
