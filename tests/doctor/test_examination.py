"""The examination of an installation: what is well, what is wrong, what to do."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from growsearch.cli import main
from growsearch.doctor import Examination, Finding, packages, places, probe
from growsearch.doctor.examination import examine
from growsearch.doctor.images import data
from growsearch.doctor.machine import threads
from growsearch.reports import doctor as report

SUBJECTS = ["versions", "training", "GPU", "threads", "data", "storage", "disk"]


def by_name(findings: Iterable[Finding]) -> dict[str, Finding]:
    """The findings by name."""
    return {each.name: each for each in findings}


@pytest.mark.usefixtures("own_machine")
def test_this_machine_is_examined(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every subject, with a real training in a process of its own; nothing is left behind."""
    (here := tmp_path / "here").mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(probe, "SECONDS", 600.0)  # of a machine that does other things too
    assert main(["doctor", "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    found = json.loads(out)
    assert found["is_well"]
    assert list(dict.fromkeys(each["subject"] for each in found["findings"])) == SUBJECTS
    precision = next(each for each in found["findings"] if each["name"] == "precision")
    assert precision["found"].startswith(("float32", "bfloat16"))
    assert list(here.iterdir()) == []


def test_something_wrong_has_the_status_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the advice below it, and a verdict at the end."""
    wrong = Finding("disk", "runs", "wrong", "0.1 GB free in runs", "make room")
    found = Examination((Finding("data", "digits", "ok", "always there"), wrong), 1.5)
    monkeypatch.setattr("growsearch.doctor.examine", lambda *_: found)
    assert main(["doctor"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines() == report.lines(found)
    assert out.splitlines()[1:] == [
        "WRONG disk: runs    0.1 GB free in runs",
        "                    → make room",
        "",
        "1 wrong: disk: runs (1.5 s).",
    ]


def test_a_check_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The others follow."""

    def fails() -> Iterable[Finding]:
        raise ZeroDivisionError("mine")

    monkeypatch.setattr("growsearch.doctor.examination.threads", fails)
    monkeypatch.setattr("growsearch.doctor.examination.training", lambda _: [])
    found = examine(tmp_path)
    (wrong,) = found.wrong
    assert "ZeroDivisionError: mine" in wrong.found
    assert {each.subject for each in found.findings} >= {"versions", "data", "storage", "disk"}


def test_a_package_that_is_too_old_or_missing_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that brings it; an extra that is not installed is a note."""
    monkeypatch.setattr(
        "importlib.metadata.requires",
        lambda _: ["numpy>=99", "nowhere>=1.0", "rich>=1", 'absent>=2; extra == "more"'],
    )
    found = by_name(packages.versions())
    assert found["numpy"].state == found["nowhere"].state == "wrong"
    assert found["numpy"].advice == "pip install --upgrade 'numpy>=99'"
    assert found["nowhere"].found == "not installed"
    assert found["packages"].found.startswith("1 as required: rich ")
    assert found["extras"].state == "note"
    assert found["extras"].advice == "for these: pip install 'growsearch[more]'"


def test_images_are_told_where_they_are(
    own_cache: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mnist_folder: Path
) -> None:
    """Verified in the cache, to be downloaded, or forbidden; a variable may lead nowhere."""
    del own_cache
    found = by_name(data())
    assert found["MNIST"].found.endswith("downloaded when it is asked for")
    shutil.copytree(mnist_folder, tmp_path / "cache" / "mnist")
    monkeypatch.setenv("GROWSEARCH_OFFLINE", "1")
    monkeypatch.setenv("GROWSEARCH_DATA", str(tmp_path / "nowhere"))
    found = by_name(data())
    assert found["GROWSEARCH_DATA"].state == "wrong"
    assert found["MNIST"].found == f"in {tmp_path / 'cache' / 'mnist'}, verified"
    assert found["CIFAR-10"].state == "note"
    assert "--data PATH" in found["CIFAR-10"].advice


def test_a_folder_that_cannot_be_written_to_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So are a folder without locks and a database that does not answer; passwords stay hidden."""
    (found,) = places.storage(tmp_path / "not" / "there", None)
    assert found.state == "ok"
    assert not (tmp_path / "not").exists()

    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("tempfile.TemporaryDirectory", refuse)
        (found,) = places.storage(tmp_path, None)
    assert (found.state, found.found) == ("wrong", "not writable: Permission denied")
    with monkeypatch.context() as patch:
        patch.setattr(places, "_is_locked_out", lambda _: False)
        (found,) = places.storage(tmp_path, None)
    assert found.state == "wrong"
    assert "at once" in found.found
    url = "postgresql+psycopg://me:geheim@127.0.0.1:9/runs"
    *_, found = places.storage(tmp_path, url)
    assert found.state == "wrong"
    assert "geheim" not in str(found)


def test_little_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A note below 2 GB; wrong below 0.2 GB."""
    usage = shutil.disk_usage(tmp_path)
    for free, state in ((1e11, "ok"), (1e9, "note"), (1e8, "wrong")):
        monkeypatch.setattr("shutil.disk_usage", lambda _, free=free: usage._replace(free=free))
        assert {each.state for each in places.disk(tmp_path)} == {state}


def test_threads_that_are_set_by_mistake_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is ignored unless it is a number."""
    monkeypatch.setenv("GROWSEARCH_THREADS", "all")
    assert by_name(threads())["processors"].state == "note"
    monkeypatch.setattr("growsearch.doctor.machine.physical_memory", lambda: 1e9)
    assert "--workers" in by_name(threads())["memory"].advice


def process(script: str) -> subprocess.Popen[str]:
    """A process in the place of the one that trains."""
    command = [sys.executable, "-c", script]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "ended by signal 4"),
        ("raise ImportError", "cannot train"),
        ("import time; time.sleep(60)", "no answer in 1 s"),
    ],
)
def test_a_tensorflow_that_dies_or_hangs_is_wrong(
    script: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends its own process, and not the examination."""
    if "sleep" in script:
        monkeypatch.setattr(probe, "SECONDS", 1.0)
    with process(script) as started:
        (found,) = probe.training(started)
        started.kill()
    assert found.state == "wrong"
    assert told in found.found


def test_a_gpu_that_tensorflow_does_not_see_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver lists it, and TensorFlow was installed without CUDA."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    about = {
        "tensorflow": "2.21.0",
        "gpus": [],
        "bfloat16": False,
        "precision": "float32",
        "milliseconds": 7.0,
    }
    with process(f"print({json.dumps(json.dumps(about))})") as started:
        found = by_name(probe.training(started))
    assert found["precision"].found.startswith("float32 on the first network of mnist (7.0 ms")
    assert found["GPUs"].state == "wrong"
    assert "tensorflow[and-cuda]" in found["GPUs"].advice
