"""The lock of a run folder: held by one process, seen by all, unchanged by a look at it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from growsearch.errors import RunError
from growsearch.study.lock import FILE, is_locked, locked
from tests.command_line import ROOT, contents
from tests.messages import one_line

HOLD = """
import sys
from pathlib import Path
from growsearch.study.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_holds_the_folder(tmp_path: Path) -> None:
    """The second is refused in one line, and may have it afterwards; the folder is made."""
    folder = tmp_path / "a" / "run"
    with locked(folder):
        assert (folder / FILE).is_file()
        with pytest.raises(RunError) as caught, locked(folder):
            pass
        assert "another growsearch process works in it" in one_line(caught)
    with locked(folder):
        pass


def test_another_process_is_seen_until_it_is_killed(tmp_path: Path) -> None:
    """The operating system gives the lock back."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert is_locked(tmp_path)
        with pytest.raises(RunError), locked(tmp_path):
            pass
        process.kill()
        process.wait()
    assert not is_locked(tmp_path)


def test_looking_changes_nothing(tmp_path: Path) -> None:
    """No file, and no time of the lock's."""
    assert not is_locked(tmp_path / "nowhere")
    assert not is_locked(tmp_path)
    assert not [*tmp_path.iterdir()]
    with locked(tmp_path):
        before = contents(tmp_path)
        assert is_locked(tmp_path)
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)
    assert contents(tmp_path) == before


def test_a_file_in_the_place_of_the_folder_is_one_line(tmp_path: Path) -> None:
    """As where the folder cannot be written to."""
    (tmp_path / "run").write_text("mine")
    with pytest.raises(RunError) as caught, locked(tmp_path / "run"):
        pass
    assert "expected a folder that can be written to" in one_line(caught)
