"""Files of search spaces: those that ship load, and foreign bytes are one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from growsearch.errors import SearchSpaceError
from growsearch.growth import GROWTHS
from growsearch.space import ALIASES, SearchSpace, alias_notice, read_shipped
from tests.space_values import refused, values


@pytest.mark.parametrize("name", SearchSpace.shipped())
def test_shipped_spaces_load(name: str) -> None:
    """Each is named as its file, may grow, and begins with a line that describes it."""
    space = SearchSpace.load(name)
    assert space.name == name
    assert space.growth_limits.allow(space.architecture)
    assert set(space.choices.operations) <= set(GROWTHS)
    assert read_shipped(name).startswith("# ")
    assert space.teacher.plan.steps == values(name)["teacher"]["steps"]
    assert space.plan({"learning_rate": 0.5}).learning_rate == 0.5
    assert space.plan({"learning_rate": 0.5}).steps == values(name)["training"]["steps"]


def test_these_spaces_ship() -> None:
    """The names are sorted."""
    names = ("cifar10", "digits", "fashion_mnist", "kmnist", "mnist", "mnist_residual", "net2net")
    assert SearchSpace.shipped() == names


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_an_alias_loads_its_successor_and_warns_once(alias: str, name: str) -> None:
    """The warning names both and the caller's line; the list of shipped spaces has no alias."""
    for load in (SearchSpace.load, read_shipped):
        with pytest.warns(FutureWarning) as warned:
            found = load(alias)
        (warning,) = warned
        assert str(warning.message) == alias_notice(alias)
        assert warning.filename == __file__
        assert found == load(name)
    assert alias not in SearchSpace.shipped()
    assert name in SearchSpace.shipped()
    assert repr(alias) in alias_notice(alias)
    assert repr(name) in alias_notice(alias)


def test_the_fast_space_was_replaced_by_mnist() -> None:
    """The name of earlier versions loads, and may be changed on the way as any other."""
    with pytest.warns(FutureWarning, match="'mnist_fast' was replaced by 'mnist'"):
        assert SearchSpace.load("mnist_fast", "training.steps=7").training.steps == 7


@pytest.mark.parametrize("name", SearchSpace.shipped())
def test_a_space_survives_json(name: str) -> None:
    """The study stores a space as JSON: read back, it is the same."""
    space = SearchSpace.load(name)
    assert SearchSpace.parse(json.loads(space.model_dump_json())) == space


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    """The path may be text or a Path."""
    path = tmp_path / "mine.toml"
    path.write_text(read_shipped("digits"))
    assert SearchSpace.load(path) == SearchSpace.load(str(path)) == SearchSpace.load("digits")


@pytest.mark.parametrize("name", ["nothing", "", "digits.toml", "/", ".", "a\0b", "x" * 5000])
def test_what_is_no_space_names_those_there_are(name: str) -> None:
    """An unknown name, or a path without a file, is refused with the shipped names."""
    assert ", ".join(SearchSpace.shipped()) in refused(SearchSpace.load, name)


def test_an_unknown_shipped_name_is_refused() -> None:
    """A path is no shipped name."""
    assert "'../digits'" in refused(read_shipped, "../digits")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"\xff\xfe\x00",
        bytes(range(256)) * 4,
        "name = 'é'".encode("utf-16"),
        b"name = 'digits'\n\xc3\x28",
        b"a = " + b"[" * 100_000,
        b"a = " + b"{b=" * 10_000,
        b".".join([b"a"] * 10_000) + b" = 1",
        b"[" + b".".join([b"a"] * 10_000) + b"]",
        b"name = 'x'\nname = 'y'",
        b"[teacher]\n[teacher]",
        b"steps = " + b"9" * 10_000,
        b"steps = 0x" + b"f" * 10_000,
        b'"a\\nb" = 1',
        b"when = 1979-05-27T07:32:00Z",
        b"x = 99999-99-99",
        b'name = "\\ud800"',
    ],
    ids=range(18),
)
def test_foreign_bytes_are_one_line_that_names_the_file(tmp_path: Path, content: bytes) -> None:
    """Binary files, other encodings and deep nesting give no traceback."""
    path = tmp_path / "foreign.toml"
    path.write_bytes(content)
    assert str(path) in refused(SearchSpace.load, path)


def test_every_truncation_of_a_space_is_one_line_or_loads(tmp_path: Path) -> None:
    """A file may lack its end."""
    path, text = tmp_path / "cut.toml", read_shipped("mnist_residual").encode()
    for length in range(0, len(text), 13):
        path.write_bytes(text[:length])
        try:
            SearchSpace.load(path)
        except SearchSpaceError as error:
            message = str(error)
            assert "\n" not in message


def test_a_folder_and_a_link_to_nowhere_are_no_spaces(tmp_path: Path) -> None:
    """Only files and links to files are read."""
    (tmp_path / "link.toml").symlink_to(tmp_path / "nowhere")
    for path in (tmp_path, tmp_path / "link.toml"):
        assert "expected one of" in refused(SearchSpace.load, path)
