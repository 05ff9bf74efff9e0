"""Bad input on the command line: one line, exit status 2, and nothing written."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest

from growsearch.cli import main
from tests.command_line import contents, refused, run_digits

pytestmark = pytest.mark.usefixtures("own_machine")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], ["nonsense"]),
        (["run", "nonsense"], ["search space", "net2net", "'nonsense'"]),
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
        (["run", "digits", "--data", "somewhere"], ["somewhere", "nothing there"]),
        (["run", "net2net", "--data", ""], ["data", "''"]),
        (["run", "net2net", "--data", "nowhere"], ["nowhere", "nothing there"]),
        (["show"], ["DIR"]),
        (["show", "nowhere"], ["nowhere", "study.db"]),
        (["dashboard", "nowhere"], ["nowhere", "study.db"]),
        (["dashboard", ".", "--port", "0"], ["--port", "0"]),
        (["dashboard", ".", "--port", "65536"], ["--port", "65536"]),
        (["spaces", "nonsense"], ["net2net", "'nonsense'"]),
        (["reproduce", "--seeds", "0"], ["--seeds", "0"]),
        (["reproduce", "--iterations", "0"], ["--iterations", "0"]),
        (["reproduce", "--workers", "-1"], ["--workers", "-1"]),
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
    ],
    ids=["damaged", "empty folder", "missing labels"],
)
def test_unusable_data_are_refused_before_anything_is_written(
    write, words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Images that cannot be used end the command at once; nothing stands in for them."""
    data, out = tmp_path / "data.npz", tmp_path / "run"
    write(data)
    line = refused(capsys, "run", "net2net", "--data", str(data), "--out", str(out))
    assert "data.npz" in line
    assert words in line
    assert not out.exists()


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (_wrong_shape, "expected images of shape (28, 28, 1), the input shape of the space mine"),
        (_wrong_labels, "expected 20 outputs, one a class of the data"),
    ],
    ids=["shape", "labels"],
)
def test_images_that_do_not_fit_a_space_of_ones_own_are_refused(
    write, words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The ends of a shipped space follow the images; those of other spaces are meant."""
    data, out = tmp_path / "data.npz", tmp_path / "run"
    write(data)
    own = ["--set", "name=mine"]
    line = refused(capsys, "run", "net2net", *own, "--data", str(data), "--out", str(out))
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
    other: list[str], words: str, run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder is one run: the value that differs is named, and nothing is lost."""
    before = main(["show", str(run_folder), "--json"]), capsys.readouterr().out
    main(run_digits(run_folder, "--trials", "2", *other))
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert words in line
    assert "--out" in line
    assert (main(["show", str(run_folder), "--json"]), capsys.readouterr().out) == before


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
    status = main([*arguments, "--storage", url])
    *warnings, line = capsys.readouterr().err.splitlines()
    assert status == (75 if url.startswith("postgresql") else 2)
    assert line.startswith("growsearch: storage ")
    assert url.replace("secret", "***") in line
    for each in (*warnings, line):
        assert "secret" not in each
    assert [each[:33] for each in warnings] == ["growsearch: warning: --storage: o"] * ("me" in url)


def test_show_refuses_what_is_not_a_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """An empty folder, a file and a damaged database are no runs, and stay as they are."""
    empty, damaged, file = tmp_path / "empty", tmp_path / "damaged", tmp_path / "file"
    empty.mkdir()
    damaged.mkdir()
    (damaged / "study.db").write_bytes(b"no database")
    file.write_bytes(b"text")
    before = contents(tmp_path)
    for path in (empty, file):
        assert str(path) in refused(capsys, "show", str(path))
    assert str(damaged) in refused(capsys, "show", str(damaged), status=3)
    assert contents(tmp_path) == before


def test_a_taken_port_is_refused(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The dashboard names a port that another process holds; no address is announced."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        line = refused(capsys, "dashboard", str(run_folder), "--port", port)
    assert f"port {port}" in line
    assert "--port" in line
