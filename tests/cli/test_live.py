"""The view of a running search on a real terminal: drawn, narrowed, interrupted."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from growsearch.cli import main
from tests.cli.terminal import Terminal
from tests.command_line import refused, run_digits

pytestmark = pytest.mark.usefixtures("own_machine")

# The command's own way to run a search, with a trainer that needs no time and pauses to be seen.
SCRIPT = """
import sys, time
from growsearch.cli import main
from growsearch.cli.output import quiet
from growsearch.cli.progress import Shown
from growsearch.driver.events import Training, TrialFinished
from sqlalchemy import event as of_connections
from sqlalchemy.engine import Engine
from tests.fake_trainer import without_fsync
from tests.small_search import search

def run(arguments, **_):
    quiet()
    of_connections.listen(Engine, "connect", without_fsync)
    with Shown(False, False, False, False).listening() as listener:
        def slow(event):
            listener(event)
            time.sleep(0.2 if isinstance(event, TrialFinished) else 0.02)
        listener.finish(search(sys.argv[1], "controls.arms={}", trials=20_000, on_event=slow))

sys.exit(main(sys.argv[1:], run))
"""


# What stands below the trials that have ended, from above.
VIEW = (
    r"best    0\.\d{4} [▁-█]* ? ?trial \d+ \w+ .* parameters",
    r"decided [○●×]+  (\d+ kept, )?2 not kept; last: \d+ \w+ ",
    r"trials +[━╸╺ ]+ +\d+/20000 ",
)


def places(lines: list[str]) -> list[int | None]:
    """The place of each line of the view; None of one that is not drawn yet."""
    return [
        next((n for n, each in enumerate(lines) if re.match(pattern, each)), None)
        for pattern in VIEW
    ]


def test_a_search_is_seen_narrowed_and_interrupted(tmp_path: Path) -> None:
    """The view follows the size of the window, and an interrupt leaves the terminal as it was."""
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "run")]
    with Terminal(command, columns=110, rows=24) as terminal:
        lines = terminal.watch(lambda lines: None not in places(lines))
        found = places(lines)
        assert None not in found, lines
        assert found == sorted(found), lines
        assert "\x1b[?25l" in terminal.written.decode()
        terminal.resize(50, 24)
        seen = len(terminal.written)
        lines = terminal.watch(
            lambda lines: (
                len(terminal.written) > seen + 2000
                and any(re.search(r"^trials .*/20000 *$", each) for each in lines)
            )
        )
        assert all(len(each) <= 50 for each in lines)
        terminal.press_ctrl_c()
        assert terminal.wait() == 130
        # A window that is narrowed breaks lines that stood there; below them nothing is left over.
        *_, told, again = [*terminal.scrolled, *terminal.lines]
        shown = "".join([*terminal.scrolled, *terminal.lines][-8:])
        assert "Interrupted. Everything finished is stored; to continue:  growsearch" in shown
        assert not re.match(r"(best|decided|trials|starting) +", told + again)
        assert terminal.written.decode().count("\x1b[?25l") == 1
        assert terminal.written.decode().count("\x1b[?25h") == 1


def test_quiet_prints_the_result_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Also where there is a terminal; with --json it is nothing but JSON."""
    assert main(run_digits(tmp_path, "--trials", "0", "--quiet")) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.lstrip().startswith("best network")
    assert main(run_digits(tmp_path, "--trials", "0", "--quiet", "--json")) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out)["folder"] == str(tmp_path)
    assert main(run_digits(tmp_path, "--trials", "0", "--json-lines")) == 0
    out, err = capsys.readouterr()
    assert err == ""
    events = [json.loads(line)["event"] for line in out.splitlines()]
    assert events == ["started", "teacher_ready", "finished"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--quiet", "--plain"], "got --quiet and --plain"),
        (["--quiet", "--json-lines"], "got --quiet and --json-lines"),
        (["--json", "--json-lines"], "expected no --json with it"),
    ],
)
def test_two_ways_to_show_a_search_are_refused(
    options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is loaded."""
    assert told in refused(capsys, "run", "digits", *options)
