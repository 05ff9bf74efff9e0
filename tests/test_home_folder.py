"""Paths that begin with ``~``: the home folder, wherever a path is taken; unknown users told."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import growsearch as gs
from growsearch import datasets
from growsearch.checks import expanded
from growsearch.cli.app import main
from growsearch.errors import GrowsearchError, InvalidInputError, NetworkFileError
from growsearch.networks import Architecture, Network
from growsearch.reports.evidence_plot import PLOT
from growsearch.reproduction.run import reproduce
from growsearch.space import read_shipped
from growsearch.study.dashboard import serve
from growsearch.study.result import SearchResult
from growsearch.upkeep.gc import collect
from growsearch.upkeep.verify import verify
from tests.fake_reproduction import Recorder
from tests.messages import one_line
from tests.mnist_files import small_mnist, write_folder
from tests.small_search import search

NETWORK = Network.initial(Architecture.parse("4(fc1)-2(fc2)", (3,)), rng=0)
NOBODY = "~no-such-user-on-this-machine/x"


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home folder, and a working directory beside it in which nothing may appear."""
    folder, here = tmp_path / "home", tmp_path / "here"
    folder.mkdir()
    here.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    monkeypatch.chdir(here)
    return folder


@pytest.mark.parametrize("name", ["~/a/net.safetensors", "~/net.safetensors"])
def test_a_network_is_saved_in_the_home_folder(home: Path, name: str) -> None:
    """And loaded from there."""
    assert NETWORK.save(name) == home / name[2:]
    assert Network.load(name).sha256 == NETWORK.sha256
    assert not [*Path().iterdir()]


@pytest.mark.usefixtures("quick_sqlite")
def test_a_run_lies_in_the_home_folder(home: Path) -> None:
    """From ``out`` on, all that reads the run finds it there."""
    result = search("~/run", trials=1)  # type: ignore[arg-type]
    assert result.folder == home / "run"
    assert gs.load_result("~/run").folder == home / "run"
    assert verify("~/run").is_good
    assert collect("~/run").folder == home / "run"
    assert not [*Path().iterdir()]


@pytest.mark.usefixtures("quick_sqlite")
def test_the_commands_find_a_run_in_the_home_folder(
    home: Path, finished: SearchResult, capsys: pytest.CaptureFixture[str]
) -> None:
    """A shell expands ``--out ~/x``, but not ``--out=~/x``; plots are written there too."""
    shutil.copytree(finished.folder, home / "run")
    for command in ("show", "compare", "verify", "gc"):
        assert main([command, "~/run"]) == 0
    assert "ok " in capsys.readouterr().out
    assert (home / "run" / PLOT).is_file()
    assert not [*Path().iterdir()]


def test_a_space_is_found_in_the_home_folder(home: Path) -> None:
    """As the path of a TOML file."""
    (home / "own.toml").write_text(read_shipped("digits"))
    assert gs.SearchSpace.load("~/own.toml") == gs.SearchSpace.load("digits")


def test_images_are_found_in_the_home_folder(home: Path) -> None:
    """As a folder of MNIST's files."""
    write_folder(home / "mnist", small_mnist())
    assert datasets.load("mnist", "~/mnist").source == str(home / "mnist")


@pytest.mark.usefixtures("small_architecture")
def test_a_reproduction_is_stored_in_the_home_folder(home: Path, digits: datasets.Dataset) -> None:
    """Its file, which a second call reads."""
    reproduce(trainer=Recorder(), iterations=1, seeds=1, data=digits, out="~/again")
    assert (home / "again" / "reproduction.json").is_file()
    assert not [*Path().iterdir()]


CALLS: dict[str, Callable[[], Any]] = {
    "search": lambda: search(NOBODY, trials=1),  # type: ignore[arg-type]
    "load_result": lambda: gs.load_result(NOBODY),
    "dashboard": lambda: serve(NOBODY),
    "verify": lambda: verify(NOBODY),
    "gc": lambda: collect(NOBODY),
    "save": lambda: NETWORK.save(NOBODY),
    "load": lambda: Network.load(NOBODY),
    "space": lambda: gs.SearchSpace.load(NOBODY),
    "data": lambda: datasets.load("mnist", NOBODY),
    "reproduce": lambda: reproduce(iterations=1, data=datasets.load("digits"), out=NOBODY),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.usefixtures("home")
def test_the_home_folder_of_an_unknown_user_is_one_line(call: str) -> None:
    """The line has what was typed; nothing is written."""
    with pytest.raises(GrowsearchError) as caught:
        CALLS[call]()
    assert NOBODY in one_line(caught)
    assert not [*Path().iterdir()]


@pytest.mark.parametrize("name", ["~\0", "~no-such-user-on-this-machine"])
def test_a_name_that_no_user_has_is_refused(name: str) -> None:
    """With the error that the caller names."""
    with pytest.raises(InvalidInputError):
        expanded(name)
    with pytest.raises(NetworkFileError):
        Network.load(name)
