"""Commands that need no run: help, version, spaces; and the line printed while loading."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from growsearch import __version__
from growsearch.cli.app import app, main
from tests.command_line import ROOT, SECONDS

pytestmark = pytest.mark.usefixtures("own_machine")

README = (ROOT / "README.md").read_text(encoding="utf-8")


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


def test_no_command_prints_the_help(capsys: pytest.CaptureFixture[str]) -> None:
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
            assert parameter.help, parameter.opts
            assert f"`{parameter.opts[0]}" in row[0], parameter.opts
        elif parameter.name is not None:
            assert re.search(rf"`{name} \[?[A-Z]+\]?`", row[0])


def test_the_readme_names_no_option_that_is_not_there() -> None:
    """Every option in the commands of the README belongs to one; benchmarks have their own."""
    known = {
        text
        for command in app.commands.values()
        for parameter in command.params
        for text in parameter.opts
    }
    every = [line for line in README.splitlines() if re.match(r"(growsearch|\|) ", line)]
    lines = [line for line in every if "benchmarks/" not in line]
    assert {text for line in lines for text in re.findall(r"--[a-z-]{2,}", line)} == known - {
        name for name in known if not name.startswith("--")
    }


LOADING = "Loading TensorFlow and Optuna, which takes some seconds"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["run", "digits", "--workers", "0"], LOADING),
        (["run", "digits"], "Loading Optuna, starting workers, which takes some seconds"),
        (["reproduce"], LOADING),
    ],
    ids=["in this process", "workers", "reproduce"],
)
@pytest.mark.parametrize("as_json", [True, False])
def test_a_terminal_is_told_at_once_what_it_waits_for(
    command: list[str],
    told: str,
    as_json: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The line comes before the imports, and on a terminal only: not in a file or a pipe."""

    def loading() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("growsearch.cli.output.quiet", loading)
    arguments = [*command, *["--json"] * as_json]
    main(arguments)
    assert "Loading" not in "".join(capsys.readouterr())
    for stream in (sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    main(arguments)
    out, err = capsys.readouterr()
    assert (err if as_json else out).splitlines()[0] == told
    assert "Loading" not in (out if as_json else err)


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    """--version prints the version of the package."""
    assert main(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


HEAVY = {"tensorflow", "optuna", "keras", "matplotlib", "ray"}
SLOW = {"numpy", "scipy", "pydantic", "rich"}  # fractions of a second each


@pytest.mark.parametrize(
    ("arguments", "unloaded"),
    [
        *(([command, "--help"], HEAVY | SLOW) for command in sorted(app.commands)),
        (["--help"], HEAVY | SLOW),
        (["--version"], HEAVY | SLOW),
        (["spaces"], HEAVY),
    ],
)
def test_help_loads_no_heavy_package(arguments: list[str], unloaded: set[str]) -> None:
    """Help comes at once: no package is loaded for it that takes 0.05 s or more."""
    script = f"from growsearch.cli import main\nmain({arguments})\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=SECONDS
    )
    loaded = {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert "growsearch" in loaded
    assert not loaded & unloaded


@pytest.mark.parametrize("name", ["digits", "mnist", "mnist_residual", "net2net"])
def test_a_printed_space_is_a_space(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The text of ``spaces NAME``, saved as a file, is the same space; the list names it too."""
    from growsearch import SearchSpace

    assert main(["spaces", name]) == 0
    path = tmp_path / "mine.toml"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    assert SearchSpace.load(path) == SearchSpace.load(name)
    assert main(["spaces"]) == 0
    assert re.search(rf"^{name} +\S", capsys.readouterr().out, re.MULTILINE)
