"""The commands verify and gc: lines, JSON, exit statuses."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from growsearch.cli.app import main
from growsearch.study.lock import locked
from growsearch.study.result import SearchResult
from growsearch.upkeep.gc import KINDS
from tests.command_line import contents, refused
from tests.small_search import search, studies
from tests.upkeep.stored_values import change_study, kept_of, path_of

pytestmark = pytest.mark.usefixtures("own_machine", "quick_sqlite")


def test_verify_prints_one_line_a_promise(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its count; nothing is changed."""
    before = contents(copy)
    assert main(["verify", str(copy)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert len(lines) == 13
    assert all(re.fullmatch(r"ok      \S.* \(\d+ checked.*\)", line) for line in lines)
    assert contents(copy) == before


def test_verify_prints_what_is_wrong(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Below its promise; the status is 3, and the error says how many promises are broken."""
    number, about = kept_of(copy)[0]
    path_of(copy, about.sha256).unlink()
    assert main(["verify", str(copy)]) == 3
    out, err = capsys.readouterr()
    assert err == f"growsearch: {copy}: 1 of 13 promises are broken\n"
    lines = out.splitlines()
    (place,) = [place for place, line in enumerate(lines) if line.startswith("BROKEN")]
    assert "1 wrong" in lines[place]
    assert re.match(rf" {{8}}trial {number}: .*cannot be read", lines[place + 1])


def test_many_faults_are_counted(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And not all of them printed."""
    for place in range(30):
        (copy / f".partial-{place}").touch()
    assert main(["verify", str(copy)]) == 3
    assert "        and 10 more\n" in capsys.readouterr().out


def test_verify_prints_json(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All faults, with the same status."""
    change_study(copy, "seed", lambda _: "mine")
    assert main(["verify", str(copy), "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert found["folder"] == str(copy)
    broken = [each for each in found["promises"] if not each["ok"]]
    assert [each["name"] for each in broken] == ["every attribute is what growsearch wrote"]
    assert "seed" in broken[0]["faults"][0]


@pytest.mark.parametrize("command", ["verify", "gc"])
def test_no_run_has_the_status_2(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, and nothing is made."""
    assert str(tmp_path) in refused(capsys, command, str(tmp_path))
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("command", ["verify", "gc"])
def test_a_storage_is_named(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As with every command that reads a run."""
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    search(tmp_path / "run", trials=1, storage=url)
    assert main([command, str(tmp_path / "run"), "--storage", url]) == 0
    assert capsys.readouterr().err == ""


def size(folder: Path) -> str:
    """The size of a run folder, in MB."""
    return f"{sum(len(data) for data, _ in contents(folder).values()) / 1e6:,.1f}"


def test_gc_prints_what_was_freed_by_kind(
    copy: Path, finished: SearchResult, capsys: pytest.CaptureFixture[str]
) -> None:
    """In MB; with --dry-run nothing is freed."""
    images = copy / "data" / studies(copy)[0].user_attrs["data"]["fingerprint"] / "train.x.npy"
    images.parent.mkdir(parents=True)
    images.write_bytes(bytes(2_500_000))
    assert main(["gc", str(copy), "--dry-run"]) == 0
    planned = capsys.readouterr().out
    assert images.is_file()
    before = size(copy)
    assert main(["gc", str(copy)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert not (copy / "data").exists()
    lines = out.splitlines()
    assert [line[:15].rstrip() for line in lines] == [*KINDS, "freed", "run folder"]
    assert lines[0].split() == ["images", "2.5", "MB", "1", "files"]
    assert lines[-2].split() == ["freed", "2.5", "MB"]
    assert lines[-1].split() == ["run", "folder", before, "MB", "→", size(copy), "MB"]
    assert planned.splitlines()[:-2] == lines[:-2]
    assert planned.splitlines()[-1] == lines[-1]
    assert planned.splitlines()[-2].split() == ["would", "be", "freed", "2.5", "MB"]
    assert main(["show", str(copy)]) == 0
    assert finished.best.sha256 in str(studies(copy)[0].trials) + finished.best.sha256


def test_gc_prints_json(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bytes and files of each kind."""
    assert main(["gc", str(copy), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [*found["kinds"]] == list(KINDS)
    assert found["bytes"] == sum(kind["bytes"] for kind in found["kinds"].values())


def test_gc_of_a_damaged_run_has_the_status_3(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Networks that are damaged are left alone; of an unreadable study, nothing is freed."""
    path = path_of(copy, kept_of(copy)[0][1].sha256)
    path.write_bytes(b"?")
    assert main(["gc", str(copy)]) == 3
    _, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert "1 damaged networks were left alone" in err
    assert path.read_bytes() == b"?"
    change_study(copy, "teacher", lambda _: "mine")
    assert main(["gc", str(copy)]) == 3
    assert "teacher" in capsys.readouterr().err


def test_gc_is_refused_while_a_process_works_on_the_run(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line; verify is not."""
    with locked(copy):
        assert "another growsearch process works in it" in refused(capsys, "gc", str(copy))
        assert main(["verify", str(copy)]) == 0
    assert shutil.rmtree(copy) is None
