"""A database server that is away: calls are repeated, and nothing is written twice."""

from __future__ import annotations

import inspect
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial
from sqlalchemy.engine import make_url

from growsearch.errors import StorageGoneError
from growsearch.study import patience
from growsearch.study.database import open_storage
from growsearch.study.open import create_or_load
from growsearch.study.patience import REPEATED, PatientStorage, StorageWarning
from tests.conftest import Server

pytestmark = [
    pytest.mark.filterwarnings("ignore::growsearch.study.patience.StorageWarning"),
    pytest.mark.usefixtures("closed_connections"),
]

SPACE = {"rate": FloatDistribution(0.0, 1.0)}


class LossyLine:
    """A line to a server that forwards all, and loses answers to the commits of what was written.

    It hangs up instead, so that a client cannot know whether the server has committed.
    """

    def __init__(self, port: int) -> None:
        self._server = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.to_lose = 0  # answers to commits that will be lost
        self.lost = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """Forward what either side says; each question is followed by its whole answer."""
        server = socket.create_connection(("127.0.0.1", self._server))
        hang_up = threading.Event()

        def answers() -> None:
            with suppress(OSError):
                while data := server.recv(1 << 16):
                    if hang_up.is_set():
                        break  # the server has answered: it has committed
                    client.sendall(data)
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

        threading.Thread(target=answers, daemon=True).start()
        wrote = False
        with closing(client), closing(server), suppress(OSError):
            while data := client.recv(1 << 16):
                wrote |= b"INSERT INTO" in data or (b"UPDATE" in data and b" SET " in data)
                if b"COMMIT" in data and wrote and self.to_lose > 0:
                    self.to_lose -= 1
                    self.lost += 1
                    hang_up.set()
                wrote &= b"COMMIT" not in data
                server.sendall(data)


@pytest.fixture
def line(postgresql: Server) -> Iterator[LossyLine]:
    line = LossyLine(postgresql.port)
    yield line
    line.close()


@pytest.fixture
def storage(postgresql: Server, line: LossyLine, request: Any) -> Iterator[RDBStorage]:
    """A storage on the lossy line."""
    url = make_url(postgresql.new_database(request.node.name)).set(port=line.port)
    storage = open_storage(url.render_as_string(hide_password=False))
    yield storage
    storage.remove_session()
    storage.engine.dispose()


def test_every_transaction_of_optuna_is_repeated() -> None:
    """A method of another version of Optuna is found here."""
    own = {"_create_new_trial", "set_trial_state_values"}
    assert own <= vars(PatientStorage).keys()
    assert set(REPEATED) <= vars(PatientStorage).keys()
    with_transaction = {
        name
        for name, method in vars(RDBStorage).items()
        if inspect.isfunction(method) and "_create_scoped_session(" in inspect.getsource(method)
    }
    assert with_transaction == own | set(REPEATED)


@pytest.mark.parametrize("losses", [1, 2])
def test_an_answer_that_is_lost_writes_nothing_twice(
    storage: RDBStorage, line: LossyLine, losses: int
) -> None:
    """Studies, trials, states, values and attributes, each with its own commit's answers lost."""
    study, control = create_or_load(storage, "run")

    def with_losses(call: Callable[[], Any]) -> Any:
        line.to_lose, before = losses, line.lost
        found = call()
        assert before < line.lost <= before + losses  # what is found need not be written again
        line.to_lose = 0
        return found

    other = {"storage": storage, "study_name": "other", "load_if_exists": True}
    with_losses(lambda: optuna.create_study(**other))
    assert len(optuna.get_all_study_names(storage)) == 3
    with_losses(lambda: study.set_user_attr("seed", 7))
    assert study.user_attrs["seed"] == 7
    finished = create_trial(value=0.5, params={"rate": 0.5}, distributions=SPACE)
    with_losses(lambda: control.add_trial(finished))
    assert [trial.value for trial in control.trials] == [0.5]
    trial = with_losses(study.ask)
    assert trial.number == 0
    with_losses(lambda: trial.suggest_float("rate", 0.0, 1.0))
    with_losses(lambda: trial.set_user_attr("kept", True))
    with_losses(lambda: trial.report(0.25, 2))
    with_losses(lambda: study.tell(trial.number, 0.75))
    study.enqueue_trial({"rate": 0.125})
    queued = with_losses(lambda: study.ask(SPACE))
    assert (queued.number, queued.params) == (1, {"rate": 0.125})
    fresh = optuna.load_study(study_name="run", storage=storage)
    assert [each.state for each in fresh.trials] == [TrialState.COMPLETE, TrialState.RUNNING]
    (told, _) = fresh.trials
    assert (told.value, told.user_attrs, told.intermediate_values) == (
        0.75,
        {"kept": True},
        {2: 0.25},
    )


def test_a_server_that_is_gone_is_waited_for_once(
    postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first call waits; those after it are tried once, until the server is back."""
    study, _ = create_or_load(open_storage(postgresql.new_database("gone")), "run")
    monkeypatch.setattr(patience, "SECONDS", 1.0)
    seconds = []

    def fail() -> None:
        began = time.monotonic()
        with pytest.raises(StorageGoneError, match="did not answer for 1 s") as caught:
            study.set_user_attr("seed", 1)
        assert "\n" not in str(caught.value)
        seconds.append(time.monotonic() - began)

    postgresql.stop()
    try:
        with pytest.warns(StorageWarning, match="trying again for 1 s"):
            fail()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fail()
            fail()
    finally:
        postgresql.start()
    assert seconds[0] >= 1.0
    assert max(seconds[1:]) < 0.5
    study.set_user_attr("seed", 2)
    assert study.user_attrs["seed"] == 2


def test_an_error_of_the_call_is_not_repeated(postgresql: Server) -> None:
    """A call that fails by itself fails at once: an unknown study, a finished trial."""
    storage = open_storage(postgresql.new_database("refused"))
    began = time.monotonic()
    with pytest.raises(KeyError):
        optuna.load_study(study_name="none", storage=storage)
    study, _ = create_or_load(storage, "run")
    trial = study.ask()
    study.tell(trial, 0.5)
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        trial.set_user_attr("late", 1)
    assert time.monotonic() - began < 5.0
