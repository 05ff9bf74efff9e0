"""A storage on a database server that rides out its restarts, and writes nothing twice.

Beside ``optuna_private.py`` this is the only module that touches private names of Optuna: those of
``RDBStorage`` in which a transaction begins. Optuna itself repeats the making of a trial only, at
most four times within seconds.
"""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial, wraps
from typing import Any, TypeVar

from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState, create_trial
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_delay,
    wait_exponential,
)

from growsearch.errors import StorageGoneError, without_password
from growsearch.study.database_errors import is_away, reason

SECONDS = 60.0  # a server may be away this long

_TOKEN = "growsearch:token"  # a system attribute of a trial: names the call that made it
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 5.0  # seconds between two tries

T = TypeVar("T")


class StorageWarning(UserWarning):
    """A database does not answer at present, or is of a kind that growsearch does not test."""


class PatientStorage(RDBStorage):
    """Optuna's storage on a database server, whose every call is repeated while that is away.

    A call fails with ``StorageGoneError`` when the server has been away for ``SECONDS``; later
    calls are then tried once, until one of them succeeds. A repetition writes nothing twice, also
    where the server had committed and only its answer was lost:

    - a trial is made with a token, and a repetition finds the trial that has the token;
    - a trial that has the state which it is to be given was given it by the lost call;
    - all other calls set values, or insert rows that Optuna inserts once.
    """

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self._is_gone = False
        self._tried: set[str] = set()  # the tokens of trials that are being made

    def persist(self, call: Callable[[bool], T]) -> T:
        """Call with False, and with True in each repetition; return the first result.

        Raises
        ------
        StorageGoneError
            When the server stays away.
        """
        tries = Retrying(
            retry=retry_if_exception(is_away),
            stop=stop_after_delay(0.0 if self._is_gone else SECONDS),
            wait=wait_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT),
            before_sleep=_say_once,
            reraise=True,
        )
        try:
            for attempt in tries:
                with attempt:
                    result = call(attempt.retry_state.attempt_number > 1)
        except KeyboardInterrupt:
            self._is_gone = True  # what is written on the way out is tried once
            raise
        except Exception as error:
            if not is_away(error):
                raise
            self._is_gone = True
            raise StorageGoneError(
                f"{without_password(self.url)}: the database did not answer for {SECONDS:g} s "
                f"({reason(error, self.url)}); everything finished is stored: run the same command "
                "again to continue"
            ) from None
        self._is_gone = False
        return result

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Set state and values of a trial; return True also where a lost call has set them."""
        write = partial(super().set_trial_state_values, trial_id, state, values)
        return self.persist(
            lambda repeated: (repeated and self.get_trial(trial_id).state == state) or write()
        )

    def _create_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None = None
    ) -> FrozenTrial:
        """Make one trial, however often Optuna or this class has to repeat it."""
        token = uuid.uuid4().hex
        template = deepcopy(template_trial) or create_trial(state=TrialState.RUNNING)
        template.system_attrs = template.system_attrs | {_TOKEN: token}
        make = partial(super()._create_new_trial, study_id, template)
        try:
            return self.persist(lambda _: make())
        finally:
            self._tried.discard(token)

    def _get_prepared_new_trial(
        self, study_id: int, template_trial: FrozenTrial | None, session: Any
    ) -> models.TrialModel:
        """Return the row of the trial that has the template's token; make it if there is none.

        Optuna calls this in the transaction that has locked the study.
        """
        assert template_trial is not None
        token = template_trial.system_attrs[_TOKEN]
        if token in self._tried and (made := _made_with(token, study_id, session)) is not None:
            return made
        self._tried.add(token)
        return super()._get_prepared_new_trial(study_id, template_trial, session)


def _made_with(token: str, study_id: int, session: Any) -> models.TrialModel | None:
    """Return the row of the trial of a study that has a token."""
    attribute = models.TrialSystemAttributeModel
    found: models.TrialModel | None = (
        session.query(models.TrialModel)
        .join(attribute)
        .filter(models.TrialModel.study_id == study_id)
        .filter(attribute.key == _TOKEN, attribute.value_json == f'"{token}"')
        .one_or_none()
    )
    return found


def _say_once(state: RetryCallState) -> None:
    """Warn of a server that does not answer, after the first try."""
    if state.attempt_number == 1:
        warnings.warn(
            f"the database does not answer; trying again for {SECONDS:g} s",
            StorageWarning,
            stacklevel=2,
        )


def _patient(name: str) -> Callable[..., Any]:
    """Return a method of Optuna's storage that is repeated while the server is away."""
    method: Callable[..., Any] = getattr(RDBStorage, name)

    @wraps(method)
    def call(self: PatientStorage, *arguments: Any, **named: Any) -> Any:
        return self.persist(lambda _: method(self, *arguments, **named))

    return call


# Beside those above, the methods of RDBStorage that have a transaction of their own; a test looks
# for others.
REPEATED = (
    *("create_new_study", "delete_study", "get_all_studies"),
    *("get_study_id_from_name", "get_study_name_from_id", "get_study_directions"),
    *("get_study_user_attrs", "get_study_system_attrs"),
    *("set_study_user_attr", "set_study_system_attr"),
    *("get_trial", "get_trial_param", "get_trial_user_attrs", "get_trial_system_attrs"),
    *("get_trial_id_from_study_id_trial_number", "_get_trials", "_get_best_trial_id"),
    *("_set_trial_param", "set_trial_intermediate_value"),
    *("set_trial_user_attr", "set_trial_system_attr"),
    *("record_heartbeat", "_get_stale_trial_ids"),
)
for _name in REPEATED:
    setattr(PatientStorage, _name, _patient(_name))
