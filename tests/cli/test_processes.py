"""Commands as processes: interrupted, with a reader who leaves, in a narrow encoding."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from growsearch.cli import app, main
from growsearch.cli.app import PIPE_CLOSED
from growsearch.errors import (
    DamagedRunError,
    InvalidInputError,
    RunError,
    StorageGoneError,
    UnavailableError,
)
from tests.command_line import COMMAND, SECONDS, TRIAL, run_digits
from tests.fake_trainer import FakeTrainer

pytestmark = pytest.mark.usefixtures("own_machine")

SLIM = "growsearch.training.slim"
# As the installed script does it; and where a shell has put the tests into the background, with
# Ctrl-C ignored, the process listens to it again.
LISTENING = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from growsearch.cli.app import entry; entry()"
)
# Signals and pipes are the command's affair: where one test of a law has TensorFlow in the process,
# the others have the fake trainer, and start in a fifth of the time.
FAKED = (
    "import sys, types; from tests.fake_trainer import FakeTrainer; "
    f"slim = types.ModuleType('{SLIM}'); slim.SlimTrainer = FakeTrainer; "
    f"sys.modules['{SLIM}'] = slim; "
)


@pytest.mark.parametrize(
    ("number", "trainer"),
    [(signal.SIGINT, "TensorFlow"), (signal.SIGTERM, "fake")],
    ids=["SIGINT", "SIGTERM"],
)
def test_an_interrupted_run_says_how_it_goes_on_and_does(
    number: signal.Signals,
    trainer: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """A signal ends a run with its status and its command; nothing that was done is lost."""
    folder = tmp_path / "run"
    if trainer == "fake":
        monkeypatch.setitem(sys.modules, SLIM, SimpleNamespace(SlimTrainer=FakeTrainer))
    program = (FAKED if trainer == "fake" else "") + LISTENING
    endless = [sys.executable, "-c", program, *run_digits(folder, "--trials", "100000")]
    with subprocess.Popen(
        endless, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert any(TRIAL.match(line) for line in process.stdout), "no trial has ended"
            process.send_signal(number)
            _, err = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    assert process.returncode == 128 + number
    assert "Traceback" not in err
    again = r"Everything finished is stored; to continue:\n  growsearch run digits .*\n"
    assert re.fullmatch(rf"\nInterrupted\. {again}", err)
    main(["show", str(folder), "--json"])
    done = [trial["number"] for trial in json.loads(capsys.readouterr().out)["trials"]]
    assert len(done) >= 1
    assert main(run_digits(folder, "--trials", str(len(done) + 1), "--json")) == 0
    out, err = capsys.readouterr()
    assert err.startswith(f"Run digits: {len(done)} of {len(done) + 1} trials done")
    trials = json.loads(out)["trials"]
    assert [trial["number"] for trial in trials][: len(done)] == done
    assert len(trials) == len(done) + 1
    assert all(set(trial["arms"]) == {"net2net", "random"} for trial in trials)


def test_an_interrupted_reproduction_says_what_is_stored(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Every finished training is stored, and the line says so."""

    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("growsearch.reproduction.run.reproduce", interrupted)
    assert main(["reproduce", "--out", str(tmp_path)]) == 130
    err = capsys.readouterr().err
    assert err.startswith(
        "\nInterrupted. Finished trainings are stored, those in progress are not; to continue:\n"
    )


def test_an_interrupted_reproduction_keeps_its_trainings(tmp_path: Path) -> None:
    """Ctrl-C ends it with its workers, status 130 and the command that continues it."""
    resting = FAKED.replace("fake_trainer", "fake_reproduction").replace("FakeTrainer;", "Pausing;")
    command = [sys.executable, "-c", resting.replace("= FakeTrainer", "= Pausing") + LISTENING]
    arguments = ["--iterations", "20", "--seeds", "1", "--workers", "2", "--out", str(tmp_path)]
    with subprocess.Popen(
        [*command, "reproduce", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        assert started.stdout is not None
        lines = [started.stdout.readline() for _ in range(4)]
        started.send_signal(signal.SIGINT)
        _, err = started.communicate(timeout=SECONDS)  # its workers have the pipe too
    assert started.returncode == 130
    assert err.startswith(
        "\nInterrupted. Finished trainings are stored, those in progress are not;"
    )
    assert err.count("\n") == 3
    told = {line.partition(", 20: ")[0].removesuffix("\n") for line in lines[1:]}
    stored = json.loads((tmp_path / "reproduction.json").read_text())["unfinished"]
    assert "seed 0: teacher" in told
    assert told <= {
        f"seed 0: {each['curve']['experiment']}"
        f"{', slots carried' * (each['curve']['slots'] == 'carry')}"
        for each in stored
    }
    assert len(stored) < 11


@pytest.mark.parametrize(
    ("processors", "arguments", "workers"),
    [(1, [], 0), (2, [], 2), (64, [], 2), (64, ["--workers", "0"], 0), (1, ["--workers", "3"], 3)],
)
def test_two_trainings_of_a_reproduction_run_at_once_where_they_can(
    processors: int,
    arguments: list[str],
    workers: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Without ``--workers`` they are two, and on one processor none beside this process."""
    asked = []

    def asks(**options: object) -> None:
        asked.append(options["workers"])
        raise KeyboardInterrupt

    monkeypatch.setattr("growsearch.cli.reproduce.processors", lambda: processors)
    monkeypatch.setattr("growsearch.reproduction.run.reproduce", asks)
    main(["reproduce", "--out", str(tmp_path), *arguments])
    assert asked == [workers]


def piped(command: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command whose reader leaves after the first line."""
    with subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        assert started.stderr is not None
        first = started.stdout.readline()
        started.stdout.close()
        err = started.stderr.read()
        return subprocess.CompletedProcess(arguments, started.wait(SECONDS), first, err)


def test_a_reader_who_leaves_is_no_error(run_folder: Path, tmp_path: Path) -> None:
    """A pipe that closes early ends a command without a traceback."""
    faked = [sys.executable, "-c", FAKED + LISTENING]
    run = piped(faked, *run_digits(tmp_path / "run", "--trials", "2"))
    assert run.stdout.startswith("Run digits: 0 of 2")
    assert (run.stderr, run.returncode) == ("", PIPE_CLOSED)
    show = piped(COMMAND, "show", str(run_folder))
    assert show.stdout.startswith("Validation accuracies")
    assert (show.stderr, show.returncode) == ("", PIPE_CLOSED)


FULL = Path("/dev/full")


@pytest.mark.parametrize(
    ("command", "stream"),
    [
        *(("show", "stdout"), ("show --json", "stdout"), ("compare", "stdout")),
        *(("compare --json", "stdout"), ("run", "stdout"), ("run --json", "stdout")),
        *(("spaces", "stdout"), ("spaces net2net", "stdout"), ("--help", "stdout")),
        *(("--version", "stdout"), ("", "stdout"), ("reproduce", "stdout")),
        *(("run --json", "stderr"), ("", "stderr"), ("show", "stderr"), ("none", "stderr")),
    ],
)
def test_an_output_that_cannot_be_written_is_one_line(
    command: str, stream: str, run_folder: Path, tmp_path: Path
) -> None:
    """It says so on the stream that is left, with status 2, and is no traceback."""
    name, *rest = command.split(" ")
    arguments = [name] if name else []
    if name in ("show", "compare"):
        arguments += [str(run_folder)]
    elif name == "run":
        arguments = run_digits(tmp_path / "run", "--trials", "1")
    elif name == "reproduce":
        arguments += ["--iterations", "1", "--seeds", "1", "--out", str(tmp_path / "reproduce")]
    with FULL.open("wb") as full:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | {stream: full}
        program = [sys.executable, "-c", FAKED + LISTENING, *arguments, *rest]
        done = subprocess.run(program, check=False, text=True, timeout=SECONDS, **streams)
    if stream == "stdout":
        if command == "run --json":  # its lines stand on the other stream
            assert done.stderr.startswith("Run digits: 0 of 1 trials done")
        else:
            assert done.stderr.count("\n") == 1
        last = done.stderr.splitlines()[-1]
        assert last == "growsearch: the output cannot be written: No space left on device"
        assert done.returncode == 2
    else:
        assert done.returncode == (0 if command == "show" else 2)


def test_an_output_that_is_kept_back_until_the_end_is_written_or_refused() -> None:
    """Also what Python itself would write at its exit only."""
    printing = (
        "import sys; from growsearch.cli import app, streams; streams.watch(); "
        "sys.exit(app.main([], lambda *_, **__: print('kept back')))"
    )
    with FULL.open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", printing],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=SECONDS,
        )
    assert done.returncode == 2
    assert done.stderr == "growsearch: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidInputError("x"), 2),
        (RunError("x"), 2),
        (DamagedRunError("x"), 3),
        (UnavailableError("x"), 75),
        (StorageGoneError("x"), 75),
        (KeyboardInterrupt(), 130),
    ],
    ids=repr,
)
def test_each_kind_of_error_has_its_status(
    error: BaseException, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scripts and supervisors read from it whether the same command can go on."""

    def fail(*_: object, **__: object) -> None:
        raise error

    assert main([], fail) == status
    err = capsys.readouterr().err
    assert err == "growsearch: x\n" if status != 130 else err.startswith("Interrupted.")


@pytest.mark.parametrize(
    "error", [OSError("a bug"), FileNotFoundError(2, "none", "/x"), KeyError()]
)
def test_an_error_of_another_kind_is_not_the_outputs(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    """It keeps its traceback."""

    def fail(*_: object, **__: object) -> None:
        raise error

    with pytest.raises(type(error)):
        main([], fail)
    assert capsys.readouterr() == ("", "")


def test_the_statuses_are_documented(capsys: pytest.CaptureFixture[str]) -> None:
    """In the help of the command, and in the module of the command line."""
    assert main(["--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    statuses = (app.DONE, app.BAD_INPUT, app.DAMAGED, app.UNAVAILABLE, app.INTERRUPTED)
    assert (*statuses, app.PIPE_CLOSED, app.TERMINATED) == (0, 2, 3, 75, 130, 141, 143)
    for status in (*statuses, app.TERMINATED):
        assert f" {status} " in shown.partition("Exit status:")[2]
    for status in (*statuses, app.PIPE_CLOSED, app.TERMINATED):
        assert re.search(rf"^{status} +\w", app.__doc__ or "", re.MULTILINE)


def test_an_encoding_without_arrows_is_no_error(run_folder: Path) -> None:
    """A question mark stands for a character that the output's encoding lacks."""
    done = subprocess.run(
        [*COMMAND, "show", str(run_folder)],
        capture_output=True,
        check=True,
        timeout=SECONDS,
        env=os.environ | {"PYTHONIOENCODING": "latin-1"},
    )
    assert b" ? " in done.stdout
    assert done.stderr == b""
