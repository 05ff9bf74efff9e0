"""Trackers on real stores: event files, MLflow in SQLite, an offline run of Weights & Biases."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import growsearch as gs
from growsearch.errors import InvalidInputError, RunError
from growsearch.study.attributes import TrackingAttribute
from growsearch.study.result import SearchResult
from growsearch.tracking import (
    TRACKERS,
    MLflow,
    TensorBoard,
    Tracker,
    TrackingWarning,
    WandB,
    tracker_named,
)
from growsearch.tracking.logs import Point, TrialLog
from tests import trunk_search
from tests.command_line import SECONDS, refused
from tests.messages import one_line
from tests.small_search import interrupt, search

pytestmark = [
    pytest.mark.usefixtures("quick_sqlite"),
    # Of the packages that log, when they are imported.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def interrupted_and_resumed(folder: Path, make: Any) -> SearchResult:
    """A run of three trials in two sessions, each with a tracker of its own."""
    with pytest.raises(KeyboardInterrupt):
        search(folder, trials=3, callbacks=[make()], on_event=interrupt("trial 1 random", 2))
    return search(folder, trials=3, callbacks=[make()])


# --- TensorBoard --------------------------------------------------------------------------------


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The scalars of a folder of event files, as TensorBoard reads them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder)).Reload()
    return {
        tag: [(event.step, pytest.approx(event.value, rel=1e-5)) for event in read.Scalars(tag)]
        for tag in read.Tags()["scalars"]
    }


def hyperparameters(folder: Path) -> dict[str, Any]:
    """The hyperparameters of a run, as the tab HPARAMS reads them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    read = EventAccumulator(str(folder)).Reload()
    found = read.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    values = metadata.parse_session_start_info_plugin_data(found).hparams
    return {name: getattr(each, each.WhichOneof("kind")) for name, each in values.items()}


def test_tensorboard_has_curves_figures_and_hyperparameters(tmp_path: Path) -> None:
    """Each trial and each control once, also where a session was cut in between."""
    result = interrupted_and_resumed(tmp_path / "run", TensorBoard)
    logs = tmp_path / "run" / "tensorboard"
    trials = [f"trial-{number:04}{arm}" for number in range(3) for arm in ("", "-random")]
    assert sorted(each.name for each in logs.iterdir()) == ["run", *trials]
    for record in result.trials:
        folder = logs / f"trial-{record.number:04}"
        found = scalars(folder)
        curve = record.arms["net2net"].curve
        assert found["curve/accuracy"] == [(step, accuracy) for step, accuracy, _ in curve]
        assert found["curve/loss"] == [(step, loss) for step, _, loss in curve]
        assert found["validation_accuracy"] == [(record.number, record.validation_accuracy)]
        assert found["random_validation_accuracy"] == [
            (record.number, record.arms["random"].accuracy)
        ]
        named = hyperparameters(folder)
        params = result.study.trials[record.number].params
        assert named.keys() == {*params, "growth", "parent"}
        assert named["growth"] == record.growth
        control = scalars(logs / f"trial-{record.number:04}-random")
        assert len(control["curve/loss"]) == len(record.arms["random"].curve)
    run = scalars(logs / "run")
    assert run["best_validation_accuracy"][-1][1] == result.best.validation_accuracy
    assert run["result/test_accuracy"] == [(0, result.test_accuracy)]


def test_tensorboard_has_the_course_of_a_trunk() -> None:
    """Each reading of the trunk, and each commit, at its time."""
    with trunk_search.folder() as folder:
        result = trunk_search.search(folder, trials=3, callbacks=[TensorBoard()])
        found = scalars(folder / "tensorboard" / "run")
    readings = [each for each in result.readings if not each.mark]
    trunk = found["trunk_validation_accuracy"]
    assert len(trunk) <= len(readings)
    assert trunk[0] == (round(readings[0].elapsed), readings[0].validation_accuracy)
    commits = [each for each in result.readings if each.mark and each.sha256]
    assert len(found["committed_validation_accuracy"]) == len(commits)


def test_event_files_need_no_tensorflow(tmp_path: Path) -> None:
    """The driver of a search does not load it, with this tracker neither."""
    script = (
        "import sys; from growsearch.tracking import TensorBoard; from tensorboardX import "
        f"SummaryWriter; SummaryWriter({str(tmp_path)!r}).close(); TensorBoard();"
        "print('tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


# --- MLflow -------------------------------------------------------------------------------------


def test_mlflow_has_a_run_below_a_run_for_each_trial(tmp_path: Path) -> None:
    """On a real store; a second session goes on with the same run."""
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    result = interrupted_and_resumed(tmp_path / "run", lambda: MLflow(uri, experiment="mine"))
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("mine")
    runs = client.search_runs([experiment.experiment_id])
    (whole,) = [each for each in runs if "mlflow.parentRunId" not in each.data.tags]
    assert whole.info.status == "FINISHED"
    assert whole.info.run_name == "run"
    assert whole.data.params["training.steps"] == "4"
    assert whole.data.metrics["test_accuracy"] == result.test_accuracy
    below = {each.info.run_name: each for each in runs if each is not whole}
    assert below.keys() == {"trial 0", "trial 1", "trial 2"}
    for record in result.trials:
        run = below[f"trial {record.number}"]
        assert run.data.tags["mlflow.parentRunId"] == whole.info.run_id
        assert run.data.tags["decision"] == ("kept" if record.kept else "not kept")
        assert run.data.params["growth"] == record.growth
        assert run.data.metrics["gain"] == record.gain
        assert run.data.metrics["random_validation_accuracy"] == record.arms["random"].accuracy
        points = client.get_metric_history(run.info.run_id, "curve_accuracy")
        curve = record.arms["net2net"].curve
        assert [(each.step, each.value) for each in points] == [(s, a) for s, a, _ in curve]


def test_a_run_of_an_earlier_session_is_logged_at_the_end(tmp_path: Path) -> None:
    """Begun without a tracker: the session that has one logs all trials."""
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    search(tmp_path / "run", trials=2)
    search(tmp_path / "run", trials=2, callbacks=[MLflow(uri)])
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("growsearch")
    names = {each.info.run_name for each in client.search_runs([experiment.experiment_id])}
    assert names == {"run", "trial 0", "trial 1"}


def test_a_place_that_does_not_answer_is_told_before_the_first_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line; the run can be made without it."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RunError) as caught:
        search(tmp_path / "run", trials=1, callbacks=[MLflow("http://127.0.0.1:9")])
    assert "log mlflow: " in one_line(caught)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RunError, match="log tensorboard: "):
        search(tmp_path / "run", trials=1, callbacks=[TensorBoard(tmp_path / "file")])


def test_the_log_of_another_run_is_left_alone(tmp_path: Path) -> None:
    """Its trials have the same names; a run that goes on is no other."""
    log = tmp_path / "log"
    search(tmp_path / "one", trials=1, callbacks=[TensorBoard(log)])
    before = {path: path.read_bytes() for path in log.rglob("*") if path.is_file()}
    with pytest.warns(TrackingWarning, match="log: expected no trials of another run"):
        search(tmp_path / "two", trials=1, callbacks=[TensorBoard(log)])
    assert {path: path.read_bytes() for path in log.rglob("*") if path.is_file()} == before
    search(tmp_path / "one", trials=2, callbacks=[TensorBoard(log)])
    assert (log / "trial-0001").is_dir()


# --- Weights & Biases ---------------------------------------------------------------------------


def test_wandb_has_an_offline_run(tmp_path: Path) -> None:
    """Curves and figures by trial, and the result as its summary, in the file that is synced."""
    tracker = WandB("mine", mode="offline")
    result = search(tmp_path / "run", trials=2, callbacks=[tracker])
    (stored,) = (tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb")
    end = time.monotonic() + SECONDS
    while b"test_accuracy" not in (data := stored.read_bytes()) and time.monotonic() < end:
        time.sleep(0.05)  # its own process writes the file
    for text in ("trials/gain", "curves/accuracy/trial 1", "training.steps", "test_accuracy"):
        assert text.encode() in data, text
    attribute = TrackingAttribute.read(result.study)
    assert attribute is not None
    (logged,) = attribute.value.values()
    assert logged.trials == (0, 1)
    assert logged.identity in stored.name


# --- all of them --------------------------------------------------------------------------------


class Failing(Tracker):
    """A tracker whose server fails for some time."""

    name = "failing"
    package = "json"

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures
        self.written: list[Any] = []

    @property
    def place(self) -> str:
        """The place that is logged to."""
        return "failing here"

    def _connect(self) -> None:
        self.written.append("connect")

    def _open(self, name: str, identity: str, params: Any) -> str:
        del params
        return identity or name

    def _write_trial(self, log: TrialLog) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the server is away")
        self.written.append(log.number)

    def _write_points(self, points: list[Point]) -> None:
        del points

    def _write_result(self, figures: dict[str, float], architecture: str) -> None:
        del architecture
        self.written.append(figures["trials"])

    def _close(self, *, is_whole: bool) -> None:
        self.written.append(is_whole)


def test_a_server_that_fails_ends_no_search(tmp_path: Path) -> None:
    """The trials that it missed are logged when it is back, in order; one warning says so."""
    tracker = Failing(2)
    with pytest.warns(TrackingWarning, match="the server is away") as caught:
        search(tmp_path, trials=3, callbacks=[tracker])
    assert len(caught) == 1
    assert tracker.written == ["connect", 0, 1, 2, 3.0, True]


def test_an_interrupted_search_closes_its_tracker(tmp_path: Path) -> None:
    """The next session logs the rest; nothing twice."""
    tracker = Failing(0)
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, trials=2, callbacks=[tracker], on_event=interrupt("trial 1", 2))
    assert tracker.written == ["connect", 0, False]
    again = Failing(0)
    search(tmp_path, trials=2, callbacks=[again])
    assert again.written == ["connect", 1, 2.0, True]


@pytest.mark.parametrize("name", sorted(TRACKERS))
def test_a_package_that_is_missing_is_named_with_its_command(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, before anything is trained."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InvalidInputError) as caught:
        tracker_named(name)
    assert f"pip install 'growsearch[{name}]'" in one_line(caught)


def test_an_unknown_tracker_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With the names that there are."""
    with pytest.raises(InvalidInputError, match="tensorboard, mlflow, wandb"):
        tracker_named("comet")
    assert "got 'comet'" in refused(capsys, "run", "digits", "--log", "comet=mine")


def test_optunas_own_callbacks_are_taken(tmp_path: Path) -> None:
    """A callback that is no listener is called after each trial, as before."""
    numbers: list[int] = []
    search(tmp_path, trials=2, callbacks=[lambda _, trial: numbers.append(trial.number)])
    assert numbers == [0, 1]
    assert gs.load_result(tmp_path).study.user_attrs.get("tracking") is None
