"""The references: every command, option, key and public name stands in them, as the code has it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

import growsearch as gs
from growsearch.cli.app import app
from growsearch.space import SearchSpace
from tests.command_line import ROOT, SECONDS, check_command, commands

DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
NAMES = sorted(app.list_commands(click.Context(app)))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of commands and keys as text, built by the site's own settings."""
    folder = tmp_path_factory.mktemp("reference")
    source, out = folder / "source", folder / "out"
    source.mkdir()
    for name in ("commands", "space_keys"):
        shutil.copy(REFERENCE / f"{name}.md", source)
    (source / "operations.md").write_text("# Operations\n", encoding="utf-8")
    (source / "search_spaces.md").write_text("# Search spaces\n", encoding="utf-8")
    pages = "commands\nspace_keys\noperations\nsearch_spaces"
    (source / "index.md").write_text(f"# All\n\n```{{toctree}}\n{pages}\n```\n", encoding="utf-8")
    command = [
        *(sys.executable, "-m", "sphinx", "-q", "-b", "text"),
        *("-c", str(DOCS), "-d", str(folder / "trees"), str(source), str(out)),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return out


def command_named(name: str) -> click.Command:
    """Return a command of the command line."""
    command = app.get_command(click.Context(app), name)
    assert command is not None
    return command


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_has_every_command_and_option(name: str, built: Path) -> None:
    """The section of a command has all its options and arguments, with their help."""
    text = (built / "commands.txt").read_text(encoding="utf-8")
    (section,) = re.findall(
        rf"^{name}\n[-=~*]+\n(.*?)(?=^\w+\n[-=~*]{{3,}}\n|\Z)", text, re.MULTILINE | re.DOTALL
    )
    words = " ".join(section.split())
    for parameter in command_named(name).params:
        if isinstance(parameter, click.Option):
            assert parameter.opts[-1] in words
            assert parameter.help is not None
            assert " ".join(parameter.help.split()).split(": ")[0][:30] in words
        else:
            assert str(parameter.make_metavar(click.Context(app))).strip("[]") in words


@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_every_command_has_an_example(name: str) -> None:
    """The example is a command that click takes."""
    command = command_named(name)
    told = f"{command.help or ''}\n{command.epilog or ''}"
    found = re.findall(rf"growsearch {name}\b[^\n`]*", told)
    assert found, f"growsearch {name} --help: expected an example"
    for example in found:
        for words in commands(example.rstrip(".")):
            check_command(words)


def test_the_reference_has_every_key(built: Path) -> None:
    """Each section has its table, and each key of a model its row with the default."""
    text = (built / "space_keys.txt").read_text(encoding="utf-8")
    for name, field in SearchSpace.model_fields.items():
        if f"[{name}]" not in text:
            assert re.search(rf"^\| *\"?{name}\"?", text, re.MULTILINE), name
            continue
        section = text.partition(f"[{name}]")[2]
        models = [field.annotation, *getattr(field.annotation, "__args__", ())]
        (model,) = [each for each in models if hasattr(each, "model_fields")]
        for key in model.model_fields:
            assert re.search(rf"^\| *\"?{key}\"?", section, re.MULTILINE), f"{name}.{key}"


def test_the_reference_has_every_public_name() -> None:
    """Every name that ``import growsearch`` offers stands in the page of Python."""
    page = (REFERENCE / "python.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\.\. auto\w+:: growsearch\.(\w+)$", page, re.MULTILINE))
    assert set(gs.__all__) <= listed
    assert {name for name in listed if not hasattr(gs, name)} <= {"testing"}


def test_the_pictures_are_those_that_are_drawn() -> None:
    """A picture that is drawn otherwise is written again; each has a title and a description."""
    script = str(DOCS / "pictures" / "draw.py")
    names = {"__name__": "draw", "__file__": script}
    exec(compile(Path(script).read_text(encoding="utf-8"), script, "exec"), names)
    pictures = names["PICTURES"]
    assert {path.stem for path in (DOCS / "pictures").glob("*.svg")} == set(pictures)
    for name, draw in pictures.items():
        text = (DOCS / "pictures" / f"{name}.svg").read_text(encoding="utf-8")
        assert text == draw(), f"python docs/pictures/draw.py writes {name}.svg again"
        assert re.search(r"<title [^>]*>[^<]+</title>\s*<desc [^>]*>[^<]{80,}</desc>", text)
        assert "/>" in text
