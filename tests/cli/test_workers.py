"""Workers on the command line: their number, their limits, a cluster; what does not go together."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from growsearch.cli import main
from growsearch.cli.workers import DEFAULT, Workers
from tests.command_line import COMMAND, SECONDS, TRIAL, refused, run_digits

pytestmark = pytest.mark.usefixtures("own_machine")


def workers(count: int | None = None, ray: str | None = None) -> Workers:
    """The workers of a command without limits."""
    return Workers(count, ray=ray, cpus=None, gpus=None, time_limit=None, memory=None)


@pytest.mark.parametrize(("processors", "count"), [(1, 1), (2, 2), (64, DEFAULT)])
def test_by_default_there_are_two_workers_where_there_are_two_processors(
    processors: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One on a machine with one processor: a candidate that ends its process ends no run."""
    monkeypatch.setattr("growsearch.cli.workers.processors", lambda: processors)
    with workers().started() as started:
        assert started == (None, count)
    assert workers().are_processes


def test_the_number_of_workers_is_the_one_that_was_asked_for() -> None:
    """However many processors there are; 0 is this process."""
    for count in (0, 1, 64):
        with workers(count).started() as started:
            assert started == (None, count)
    assert not workers(0).are_processes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--workers", "-1"], ["--workers", "-1"]),
        (["--workers", "many"], ["--workers", "'many'"]),
        (["--pending-trials", "0"], ["--pending-trials", "0"]),
        (["--trial-time-limit", "0"], ["--trial-time-limit", "90s", "'0'"]),
        (["--memory-per-worker", "0"], ["--memory-per-worker", "8G", "'0'"]),
        (["--memory-per-worker", "8"], ["--memory-per-worker", "8G", "'8'"]),
        (["--cpus-per-worker", "0", "--ray"], ["--cpus-per-worker", "more than 0", "'0'"]),
        (["--gpus-per-worker", "-1", "--ray"], ["--gpus-per-worker", "at least 0", "'-1'"]),
        (["--gpus-per-worker", "nan", "--ray"], ["--gpus-per-worker", "'nan'"]),
        (["--cpus-per-worker", "2"], ["--cpus-per-worker: expected --ray"]),
        (["--gpus-per-worker", "0.5"], ["--gpus-per-worker: expected --ray"]),
        (["--ray", "--workers", "0"], ["--ray: expected --workers of at least 1", "got 0"]),
        (["--workers", "0", "--trial-time-limit", "9m"], ["--trial-time-limit", "got 0"]),
        (["--workers", "0", "--memory-per-worker", "8G"], ["--memory-per-worker", "got 0"]),
    ],
    ids=" ".join,
)
def test_impossible_workers_are_one_line(
    arguments: list[str],
    words: list[str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An impossible option, or one without effect, is refused before anything is written."""
    monkeypatch.chdir(tmp_path)
    line = refused(capsys, "run", "digits", *arguments)
    assert all(word in line for word in words), line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("address", ["digits", "127.0.0.1:1"])
def test_a_cluster_that_is_not_there_is_one_line(
    address: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A name that is no address is one too: of ``--ray SPACE`` the space is taken for it."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    assert main([*run_digits(tmp_path / "run"), "--workers", "1", "--ray", address]) != 0
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert address in line
    assert not (tmp_path / "run").exists()


def test_without_the_extra_ray_is_one_line_that_says_what_to_install(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run does not begin."""
    monkeypatch.setitem(sys.modules, "ray", None)
    line = refused(capsys, *run_digits(tmp_path / "run"), "--workers", "1", "--ray")
    assert "growsearch[ray]" in line
    assert not (tmp_path / "run").exists()


def test_a_run_is_the_same_with_workers(
    printed_run: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two processes print the trials of one, and summary and opening say how many there are."""
    folder = tmp_path / "run"
    done = subprocess.run(
        [*COMMAND, *run_digits(folder, "--trials", "2", "--workers", "2")],
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
    )
    assert done.stderr == ""
    assert [each[0] for each in TRIAL.finditer(done.stdout)] == [
        each[0] for each in TRIAL.finditer(printed_run[1])
    ]
    assert done.stdout.splitlines()[2] == "Workers: 2 processes"
    assert "\nworkers             2 processes, busy " in done.stdout
    assert "Workers" not in printed_run[1]
    assert main(["show", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["workers"]["count"] == 2
