"""The command line as its users meet it: output, exit status, interruption."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest

from growsearch import __version__
from growsearch.cli import Duration, app, main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SMALL = [
    *("--set", "teacher.steps=5"),
    *("--set", "teacher.architecture=3x3x4(conv1)-pool1-8(fc1)-10(fc2)"),
    *("--set", "training.steps=4"),
    *("--set", "training.evaluate_every=2"),
]
COMMAND = [sys.executable, "-m", "growsearch"]
# As the installed script does it; and where a shell has put the tests into the background, with
# Ctrl-C ignored, the process listens to it again.
LISTENING = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from growsearch.cli import entry; entry()"
)
SECONDS = 120  # for a process that should have ended long ago


@pytest.fixture(autouse=True)
def _own_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No data set of this machine, no network, and an environment that stays as it was."""
    monkeypatch.setenv("GROWSEARCH_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty cache"))
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("GROWSEARCH_DATA", raising=False)


def run_digits(folder: Path, *more: str) -> list[str]:
    return ["run", "digits", *SMALL, "--out", str(folder), *more]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished run of two trials, and what was printed meanwhile, by a process of its own."""
    folder = tmp_path_factory.mktemp("cli") / "a run"
    done = subprocess.run(
        [*COMMAND, *run_digits(folder, "--trials", "2")],
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.stderr == ""
    return folder, done.stdout


@pytest.fixture
def finished(first: tuple[Path, str]) -> Path:
    return first[0]


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and time of every file below a folder."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a bad command gets; everything else about it is checked."""
    status = main(list(arguments))
    out, err = capsys.readouterr()
    assert status == 2
    assert out == ""
    assert err.startswith("growsearch: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    return err


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], ["nonsense"]),
        (["run", "nonsense"], ["search space", "digits, mnist", "'nonsense'"]),
        (["run", "."], ["search space", "'.'"]),
        (["run", "--nonsense"], ["--nonsense"]),
        (["run", "digits", "--set", "training.stps=3"], ["training.stps", "steps, batch_size"]),
        (["run", "digits", "--set", "training.steps"], ["KEY=VALUE", "'training.steps'"]),
        (["run", "digits", "--set", "=3"], ["KEY=VALUE", "'=3'"]),
        (["run", "digits", "--set", "name.x=3"], ["--set", "name"]),
        (["run", "digits", "--set", "training.steps=many"], ["training.steps", "'many'"]),
        (["run", "digits", "--set", "training.steps=0"], ["training.steps", "got 0"]),
        (["run", "digits", "--set", "training.steps=nan"], ["training.steps", "nan"]),
        (["run", "digits", "--set", "teacher.architecture=3x3"], ["architecture"]),
        (["run", "digits", "--set", "teacher.architecture=8(fc1)-9(fc2)"], ["10 outputs", "(9,)"]),
        (["run", "digits", "--trials", "-1"], ["--trials", "-1"]),
        (["run", "digits", "--trials", "many"], ["--trials", "'many'"]),
        (["run", "digits", "--trials", "1.5"], ["--trials", "'1.5'"]),
        (["run", "digits", "--seed", "-1"], ["--seed", "-1"]),
        (["run", "digits", "--time-budget", "soon"], ["--time-budget", "1h30m", "'soon'"]),
        (["run", "digits", "--data", "somewhere"], ["digits", "takes no data"]),
        (["run", "mnist", "--data", ""], ["data", "''"]),
        (["run", "mnist", "--data", "nowhere"], ["nowhere", "nothing there"]),
        (["show"], ["DIR"]),
        (["show", "nowhere"], ["nowhere", "study.db"]),
        (["dashboard", "nowhere"], ["nowhere", "study.db"]),
        (["dashboard", ".", "--port", "0"], ["--port", "0"]),
        (["dashboard", ".", "--port", "65536"], ["--port", "65536"]),
        (["spaces", "nonsense"], ["digits, mnist", "'nonsense'"]),
        (["reproduce", "--seeds", "0"], ["--seeds", "0"]),
        (["reproduce", "--iterations", "0"], ["--iterations", "0"]),
        (["reproduce", "--data", "nowhere"], ["nowhere", "nothing there"]),
    ],
    ids=" ".join,
)
def test_bad_input_is_one_line_and_status_2(
    arguments: list[str],
    words: list[str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bad input ends with status 2, one line that names it, and no run folder."""
    monkeypatch.chdir(tmp_path)
    line = refused(capsys, *arguments)
    for word in words:
        assert word in line
    assert not (tmp_path / "runs").exists()


def _missing_labels(path: Path) -> None:
    np.savez(path, x_train=np.zeros((9, 28, 28), np.uint8))


def _wrong_shape(path: Path) -> None:
    images, labels = np.zeros((20, 8, 8), np.uint8), np.arange(20) % 10
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)


def _wrong_labels(path: Path) -> None:
    images, labels = np.zeros((20, 28, 28), np.uint8), np.arange(20)
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda path: path.write_bytes(b"PK\x03\x04 and then nothing"), "cannot be read as .npz"),
        (lambda path: path.mkdir(), "the four IDX files"),
        (_missing_labels, "y_train, x_test, y_test missing"),
        (_wrong_shape, "(8, 8, 1)"),
        (_wrong_labels, "labels"),
    ],
    ids=["damaged", "empty folder", "missing labels", "wrong shape", "wrong labels"],
)
def test_unusable_data_are_refused_before_anything_is_written(
    write, words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Images that cannot be used end the command at once; nothing stands in for them."""
    write(tmp_path / "data.npz")
    out = tmp_path / "run"
    line = refused(capsys, "run", "mnist", "--data", str(tmp_path / "data.npz"), "--out", str(out))
    assert "data.npz" in line
    assert words in line
    assert not out.exists()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (["--seed", "7"], "seed"),
        (["--set", "training.steps=5"], "training.steps = 4, not 5"),
    ],
    ids=["seed", "space"],
)
def test_the_folder_of_another_run_is_left_alone(
    other: list[str], words: str, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder is one run: what was asked differently is named, and nothing is lost."""
    before = main(["show", str(finished), "--json"]), capsys.readouterr().out
    main(run_digits(finished, "--trials", "2", *other))
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert words in line
    assert "--out" in line
    assert (main(["show", str(finished), "--json"]), capsys.readouterr().out) == before


@pytest.mark.parametrize("place", ["/proc/self/run", "/dev/null", "/dev/null/run"])
def test_a_folder_that_cannot_be_made_is_refused(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run folder that is a file, or where nothing can be written, is bad input."""
    line = _after_the_opening(capsys, run_digits(Path(place), "--trials", "1"))
    assert place in line
    assert "can be written to" in line


def _after_the_opening(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("growsearch: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:secret@127.0.0.1:1/db",
        "postgresql+psycopg://me:secret@127.0.0.1:1/db?connect_timeout=2",
        "nonsense+driver://me:secret@127.0.0.1/db",
        "no url",
    ],
)
@pytest.mark.parametrize("command", ["run", "show", "dashboard"])
def test_a_storage_that_cannot_be_reached_is_named_without_its_password(
    command: str, url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """An unreachable database is one line with its address; the password is never shown."""
    folder = tmp_path / "run"
    arguments = run_digits(folder) if command == "run" else [command, str(folder)]
    line = _after_the_opening(capsys, [*arguments, "--storage", url])
    assert url.replace("secret", "***") in line
    assert "secret" not in line


def test_show_refuses_what_is_not_a_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """An empty folder, a file and a damaged database are no runs, and stay as they are."""
    empty, damaged, file = tmp_path / "empty", tmp_path / "damaged", tmp_path / "file"
    empty.mkdir()
    damaged.mkdir()
    (damaged / "study.db").write_bytes(b"no database")
    file.write_bytes(b"text")
    before = contents(tmp_path)
    for path in (empty, damaged, file):
        assert str(path) in refused(capsys, "show", str(path))
    assert contents(tmp_path) == before


def test_a_taken_port_is_refused(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The dashboard names the port that somebody else holds; no address is announced."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        line = refused(capsys, "dashboard", str(finished), "--port", port)
    assert f"port {port}" in line
    assert "--port" in line


# -- time spans ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1h5s", 3605),
        ("1h30m10s", 5410),
        ("45", 45),
        ("0.5", 0.5),
        ("1.5s", 1.5),
        (" 90s ", 90),
    ],
)
def test_a_time_span_is_read_in_seconds(text: str, seconds: float) -> None:
    """Hours, minutes and seconds add up; a number alone is seconds."""
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "0", "0s", "0h0m", "-5", "-5s", "s", "h", "1d", "5x", "10 m", "1m1h", "30s1m"),
        *("1h30", "10m5", "1.5h", ".5s", "1e3", "inf", "nan", "9" * 400 + "h", "9" * 5000),
    ],
)
def test_no_other_time_span_is_read(text: str) -> None:
    """What is ambiguous, nothing, endless or no time span is refused."""
    with pytest.raises(click.BadParameter, match="expected a time span"):
        Duration().convert(text, None, None)


# -- a run ---------------------------------------------------------------------------------------

TRIAL = re.compile(
    r"^ +(\d+) (widen|deepen) \w+ \d+ → \d+( layers)? +(teacher|\d+) +0\.\d{4} [+-]0\.\d{4} "
    r"(kept|not kept) +random 0\.\d{4}$",
    re.MULTILINE,
)


def test_a_run_prints_a_line_for_every_trial(first: tuple[Path, str]) -> None:
    """Each trial is one line, told when it is done, below the teacher's."""
    lines = first[1].splitlines()
    assert [match[0] for match in TRIAL.findall(first[1])] == ["0", "1"]
    assert lines[0].startswith("Run digits: 0 of 2 trials done, seed 0, in ")
    assert lines[1] == "Images: scikit-learn's load_digits, enlarged"
    assert lines[2].startswith("Teacher 3x3x4(conv1)-pool1-8(fc1)-10(fc2): 6,410 parameters, ")
    assert lines[3].split() == [
        *("trial", "growth", "parent", "accuracy", "gain", "outcome", "controls")
    ]
    assert all(len(line) <= 80 for line in lines[3:6])


def test_output_that_is_no_terminals_is_plain(first: tuple[Path, str]) -> None:
    """Without a terminal there are no colours, no bars, and nothing is overwritten."""
    assert "\x1b" not in first[1]
    assert "\r" not in first[1]
    assert "━" not in first[1]


def test_a_run_ends_with_its_summary(first: tuple[Path, str]) -> None:
    """The end names the network, its size and accuracies, the control's, and where all lies."""
    folder, out = first
    summary = out.split("\n\n")[1]
    for pattern in [
        r"best network +\S*\(conv1\)\S*-10\(fc2\) \((the teacher|trial \d+)\)",
        r"parameters +[\d,]+",
        r"validation accuracy +0\.\d{4} \(teacher 0\.\d{4}\)",
        r"test accuracy +0\.\d{4} \(teacher 0\.\d{4}\)",
        r"control +net2net − random: [+-]0\.\d{4} mean paired difference, n = 2 .*too few pairs.*",
        r"images +scikit-learn's load_digits, enlarged",
        rf"weights +{re.escape(str(folder))}/weights/[0-9a-f]{{64}}\.safetensors",
        rf"run folder +{re.escape(str(folder))}",
        rf"dashboard +growsearch dashboard '{re.escape(str(folder))}'",
        r"ended +all 2 trials are done",
    ]:
        assert re.search(f"^{pattern}$", summary, re.MULTILINE), pattern


def test_the_same_command_says_that_it_is_done(
    first: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A finished run says so, trains nothing and prints the same summary."""
    folder, out = first
    weights = contents(folder / "weights")
    assert main(run_digits(folder, "--trials", "2")) == 0
    again, err = capsys.readouterr()
    assert err == ""
    assert again.startswith("Run digits: 2 of 2 trials done")
    assert not TRIAL.search(again)
    before, after = (text.split("\n\n")[1].partition("\nended") for text in (out, again))
    assert after[0] == before[0]
    assert "2 trials" in after[2]
    assert "done" in after[2]
    assert contents(folder / "weights") == weights


def test_more_trials_continue_the_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A run goes on where it stopped; trials are counted over all sessions."""
    assert main(run_digits(tmp_path, "--trials", "0")) == 0
    out = capsys.readouterr().out
    assert "(the teacher)" in out
    assert "no control arm has run" in out
    assert main(run_digits(tmp_path, "--trials", "1")) == 0
    assert [match[0] for match in TRIAL.findall(capsys.readouterr().out)] == ["0"]


def test_json_is_all_that_stands_on_standard_output(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With --json a program reads the output; people read standard error."""
    assert main(run_digits(tmp_path, "--trials", "1", "--json")) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert result["folder"] == str(tmp_path)
    assert [trial["number"] for trial in result["trials"]] == [0]
    assert set(result["trials"][0]["arms"]) == {"net2net", "random"}
    assert 0.0 <= result["best"]["validation_accuracy"] <= 1.0
    assert 0.0 <= result["test_accuracy"] <= 1.0
    assert (tmp_path / "weights" / f"{result['best']['sha256']}.safetensors").is_file()
    assert TRIAL.search(err)


def test_show_tells_the_same_and_changes_nothing(
    first: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Show prints the trials and the summary of a run, and no file is touched."""
    folder, out = first
    before = contents(folder)
    assert main(["show", str(folder)]) == 0
    shown, err = capsys.readouterr()
    assert err == ""
    assert TRIAL.findall(shown) == TRIAL.findall(out)
    assert out.split("\n\n")[1].startswith(shown.split("\n\n")[1])
    assert main(["show", str(folder), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["trials"]) == 2
    assert contents(folder) == before


def test_a_damaged_network_is_one_line_of_warning(
    first: tuple[Path, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A network that does not verify is passed over, with a line and no line of source code."""
    folder = tmp_path / "copy"
    for name, (data, _) in contents(first[0]).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    main(["show", str(folder), "--json"])
    best = Path(json.loads(capsys.readouterr().out)["best"]["path"])
    best.write_bytes(b"damaged")
    done = subprocess.run(
        [*COMMAND, "show", str(folder)],
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
    )
    assert best.stem not in done.stdout
    line = r"growsearch: warning: trial \d: its network is passed over: [^\n]*\n"
    assert re.fullmatch(line, done.stderr)


# -- stand-in data -------------------------------------------------------------------------------


def test_stand_in_data_are_announced_and_recorded(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Where MNIST cannot be had, digits stand in; start, end and record say so."""
    arguments = ["run", "mnist", *SMALL, "--trials", "0", "--out", str(tmp_path / "run")]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("!!!!")
    assert out.count("!! STAND-IN DATA.") == 2
    assert "IN PLACE OF MNIST" in out
    assert main(["show", str(tmp_path / "run")]) == 0
    assert "!! STAND-IN DATA." in capsys.readouterr().out
    assert main(["show", str(tmp_path / "run"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stand_in"] is True


def test_data_that_were_named_never_have_a_stand_in(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GROWSEARCH_DATA that leads nowhere is an error, not a reason for other images."""
    monkeypatch.setenv("GROWSEARCH_DATA", str(tmp_path / "nowhere"))
    line = refused(capsys, "run", "mnist", *SMALL, "--out", str(tmp_path / "run"))
    assert "GROWSEARCH_DATA" in line


# -- processes -----------------------------------------------------------------------------------


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run with more trials than it can end, that has one behind it."""
    with subprocess.Popen(
        [sys.executable, "-c", LISTENING, *run_digits(tmp_path / "run", "--trials", "100000")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        assert started.stdout is not None
        for line in started.stdout:
            if TRIAL.match(line):
                break
        yield started
        started.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_an_interrupted_run_says_how_it_goes_on_and_does(
    number: signal.Signals,
    process: subprocess.Popen[str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """A signal ends a run with status 130 and its command; nothing that was done is lost."""
    process.send_signal(number)
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode in (130, -signal.SIGINT)  # for a shell, both are 130
    assert "Traceback" not in err
    again = r"Everything finished is stored; to continue:\n  growsearch run digits .*\n"
    assert re.fullmatch(rf"\nInterrupted\. {again}", err)
    folder = tmp_path / "run"
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


def test_an_interrupted_reproduction_does_not_promise_more_than_it_keeps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Whole seeds are stored, and that is what it says."""

    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("growsearch.experiments.reproduce", interrupted)
    assert main(["reproduce", "--out", str(tmp_path)]) == 130
    err = capsys.readouterr().err
    assert err.startswith("\nInterrupted. Every seed that was finished is stored; to continue:\n")


def piped(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command whose reader leaves after the first line."""
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        assert started.stderr is not None
        first = started.stdout.readline()
        started.stdout.close()
        err = started.stderr.read()
        return subprocess.CompletedProcess(arguments, started.wait(SECONDS), first, err)


def test_a_reader_who_leaves_is_no_error(finished: Path, tmp_path: Path) -> None:
    """A pipe that closes early ends a command without a traceback."""
    run = piped(*run_digits(tmp_path / "run", "--trials", "2"))
    assert run.stdout.startswith("Run digits: 0 of 2")
    assert run.stderr == ""
    show = piped("show", str(finished))
    assert show.stdout.startswith("trial growth")
    assert show.stderr == ""


def test_an_encoding_without_arrows_is_no_error(finished: Path) -> None:
    """Where the output cannot hold a sign, a question mark stands for it."""
    done = subprocess.run(
        [*COMMAND, "show", str(finished)],
        capture_output=True,
        check=True,
        timeout=SECONDS,
        env=os.environ | {"PYTHONIOENCODING": "latin-1"},
    )
    assert b" ? " in done.stdout
    assert done.stderr == b""


# -- help ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["", *sorted(app.commands)])
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_has_help(
    command: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Help is printed with status 0, for the whole and for each command."""
    assert main([*command.split(), option]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"Usage: growsearch {command}".rstrip())
    assert err == ""


def test_no_command_is_a_question_for_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The bare name prints the help; scripts see from the status that nothing ran."""
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert "Commands:" in out
    assert err == ""


@pytest.mark.parametrize("name", sorted(app.commands))
def test_every_command_and_option_has_help_text_and_stands_in_the_readme(name: str) -> None:
    """Nothing can be typed that the README does not name."""
    command = app.commands[name]
    assert command.help
    row = re.search(rf"^\| `{name}\b.*\n(\| \| .*\n)*", README, re.MULTILINE)
    assert row, name
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert f"`{parameter.opts[0]}" in row[0], parameter.opts
        elif parameter.name is not None:
            assert re.search(rf"`{name} \[?[A-Z]+\]?`", row[0])


def test_the_readme_names_no_option_that_is_not_there() -> None:
    """Every option in the README's commands belongs to one."""
    known = {
        text
        for command in app.commands.values()
        for parameter in command.params
        for text in parameter.opts
    }
    lines = [line for line in README.splitlines() if re.match(r"(growsearch|\|) ", line)]
    assert {text for line in lines for text in re.findall(r"--[a-z-]{2,}", line)} == known - {
        name for name in known if not name.startswith("--")
    }


@pytest.mark.parametrize("command", ["run", "reproduce"])
@pytest.mark.parametrize("as_json", [True, False])
def test_a_terminal_is_told_at_once_what_it_waits_for(
    command: str, as_json: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything heavy is loaded; a file or a pipe has nobody who waits."""

    def loading() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("growsearch.cli._quiet", loading)
    arguments = [command, *(["digits"] if command == "run" else []), *["--json"] * as_json]
    main(arguments)
    assert "Loading" not in "".join(capsys.readouterr())
    for stream in (sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    main(arguments)
    out, err = capsys.readouterr()
    assert (err if as_json else out).startswith("Loading TensorFlow")
    assert "Loading" not in (out if as_json else err)


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    """--version prints the version of the package."""
    assert main(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"], ["spaces"]])
def test_help_loads_no_heavy_package(arguments: list[str]) -> None:
    """Help comes at once: neither TensorFlow nor Optuna is loaded for it."""
    script = f"from growsearch.cli import main\nmain({arguments})\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=SECONDS
    )
    loaded = {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert "growsearch" in loaded
    assert not loaded & {"tensorflow", "optuna", "keras", "matplotlib"}


@pytest.mark.parametrize("name", ["digits", "mnist", "mnist_fast", "mnist_residual"])
def test_a_printed_space_is_a_space(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What ``spaces NAME`` prints, saved as a file, is the same space; the list has it too."""
    from growsearch import SearchSpace

    assert main(["spaces", name]) == 0
    path = tmp_path / "mine.toml"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    assert SearchSpace.load(path) == SearchSpace.load(name)
    assert main(["spaces"]) == 0
    assert re.search(rf"^{name} +\S", capsys.readouterr().out, re.MULTILINE)


# -- controls and evidence -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--arms", "nobody"], ["growsearch: --arms: controls.arms", "random, scratch"]),
        (["--arms", "random:2"], ["growsearch: --arms: controls.arms.random", "2"]),
        (["--arms", "random:often"], ["--arms", "random:0.5", "'random:often'"]),
        (["--arms", "random,random"], ["--arms", "each arm once"]),
        (["--set", "judge.margin=-1"], ["growsearch: --set: judge.margin"]),
        (["--control-seeds", "0"], ["--control-seeds"]),
        (["--control-tuned", "99"], ["--control-tuned"]),
    ],
)
def test_impossible_controls_are_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    line = refused(capsys, *run_digits(tmp_path / "run"), *arguments)
    assert all(word in line for word in words), line
    assert not (tmp_path / "run").exists()


def test_arms_seeds_and_tuning_are_carried_out_and_compared(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """``run`` takes them, its summary points to ``compare``, which prints tables and a picture."""
    folder = tmp_path / "run"
    options = ["--arms", "random, continued:1.0", "--control-seeds", "2", "--control-tuned", "2"]
    assert main([*run_digits(folder, "--trials", "1"), *options, "--json"]) == 0
    (trial,) = json.loads(capsys.readouterr().out)["trials"]
    assert set(trial["arms"]) == {"net2net", "random", "continued"}
    assert set(trial["repeats"]) == {"net2net", "random", "continued"}
    assert len(trial["arms"]["random"]["tried"]) == 2

    assert main(["compare", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "validation accuracy, net2net less control" in text
    assert "too few pairs" in text
    assert (folder / "evidence.png").stat().st_size > 10_000

    assert main(["compare", str(folder), "--json"]) == 0
    evidence = json.loads(capsys.readouterr().out)
    assert [each["arm"] for each in evidence["overall"]] == ["random", "continued"]


def test_without_controls_there_is_nothing_to_compare(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """``--arms none`` runs none, the summary and ``compare`` say so, and no picture is drawn."""
    folder = tmp_path / "run"
    assert main([*run_digits(folder, "--trials", "1"), "--arms", "none"]) == 0
    assert "off; --arms random" in capsys.readouterr().out
    assert main(["compare", str(folder)]) == 0
    assert "No control arm has run" in capsys.readouterr().out
    assert not (folder / "evidence.png").exists()
