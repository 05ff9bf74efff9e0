"""The guard of a run: a second driver is noticed where locks do not work on the file system."""

from __future__ import annotations

from optuna.study import Study

from growsearch.study import session


class Guard:
    """Takes a run over before its first job, and checks before each result that it still has it.

    A session without work takes nothing over: it leaves a finished run as it is.

    Parameters
    ----------
    study : optuna.Study
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._id: str | None = None

    def take(self) -> None:
        """Write this session's id into the study, once."""
        if self._id is None:
            self._id = session.take(self._study)

    @property
    def has_run(self) -> bool:
        """True if this session took the run over: it has done work."""
        return self._id is not None

    def check(self) -> None:
        """Refuse to write a result if another session has taken the run over.

        Raises
        ------
        RunError
        """
        if self._id is None:
            self.take()
        else:
            session.check(self._study, self._id)
