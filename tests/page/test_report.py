"""The report as a file: what it tells of runs of every kind, and what it never does."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import time
import tomllib
from contextlib import closing
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from growsearch import load_result
from growsearch.cli import main
from growsearch.errors import RunError
from growsearch.page import facts, render, repeat, write_report
from growsearch.space import SearchSpace
from growsearch.study.attributes import (
    DataAttribute,
    MachineAttribute,
    SpaceAttribute,
    StartAttribute,
)
from growsearch.study.result import SearchResult
from growsearch.trials.confusion import Confusion
from tests.command_line import refused
from tests.fake_trainer import space
from tests.scoring_trainer import ScoringTrainer
from tests.small_search import interrupt, search

HOSTILE = "</script><img src=x onerror=alert(1)>&\"'"
SCRIPTS = re.compile(r"<script[^>]*>.*?</script>|<style>.*?</style>", re.DOTALL)


def text_of(page: str) -> str:
    """The page without scripts and marks, its spaces as one."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", SCRIPTS.sub("", page))).split())


def own(page: str) -> str:
    """The page without plotly's script."""
    return max(re.split(r"<script>.*?</script>", page, flags=re.DOTALL), key=len)


@pytest.fixture(scope="module")
def page(finished: SearchResult) -> str:
    return render(finished)


def test_it_tells_the_result_of_a_run(page: str, finished: SearchResult) -> None:
    """Headline, every trial, every section, and the command."""
    text = text_of(page)
    assert f"{finished.best.network.parameters:,} parameters" in text
    assert facts.evidence_sentence(finished) in text
    assert re.findall(r'<section id="(\w+)"', page) == [
        *("result", "lineage", "accuracy", "curves", "evidence", "network", "time", "classes"),
        *("trials", "repeat"),
    ]
    for trial in finished.trials:
        assert f'<article id="trial-{trial.number}"' in page
        assert trial.reason[1:] in text
    assert repeat.command(finished) in text
    machine = MachineAttribute.read(finished.study)
    assert machine is not None
    assert machine.processor in text
    assert all(f"{name} {version}" in text for name, version in machine.versions.items())
    assert "Of the session that worked on the run last" in text


def test_a_run_with_a_trunk_tells_its_growths(grown: tuple[SearchResult, int]) -> None:
    """Each kept growth has its place in the lineage of the drawing."""
    result, _ = grown
    text = text_of(render(result))
    last = result.best.trial_number
    kept = [
        each for each in result.lineage if each.trial is not None and each.trial <= (last or -1)
    ]
    for number, each in enumerate(kept, 1):
        assert f"Growth {number} , trial {each.trial}" in text
        assert each.growth in text
    assert "updates that the best network descends from" in text


def test_every_id_is_there_once(page: str) -> None:
    """Links, labels and descriptions find what they name."""
    markup = SCRIPTS.sub("", page)
    ids = re.findall(r'\bid="([^"]+)"', markup)
    assert len(set(ids)) == len(ids)
    named = re.findall(r'(?:href="#|aria-describedby="|aria-labelledby=")([^"]+)"', markup)
    assert {each for names in named for each in names.split()} <= set(ids)


def test_it_asks_for_nothing(page: str) -> None:
    """No address to load from, and a policy that forbids every other script."""
    markup = SCRIPTS.sub("", page)
    assert not re.search(r"""\b(src|href|action|data)=["'](?!#|data:)""", markup)
    assert "@import" not in page
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    assert len(page.encode()) < 6e6


def test_names_are_text_wherever_they_stand(finished: SearchResult) -> None:
    """Markup in names of classes, sources and growths is shown, not obeyed."""
    trials = tuple(replace(each, growth=HOSTILE, reason=HOSTILE) for each in finished.trials)
    confusion = Confusion(3, ((0, 1, 2), (1, 1, 3), (2, 2, 1)), (HOSTILE, "b", HOSTILE + "2"))
    hostile = replace(
        finished,
        trials=trials,
        class_names=confusion.class_names,
        confusions={"test": confusion},
        data_source=HOSTILE,
    )
    made = own(render(hostile))
    assert "<img" not in made
    assert HOSTILE in text_of(made)
    for data in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', made):
        json.loads(data)


def test_an_interrupted_run_has_a_report(tmp_path: Path) -> None:
    """It says so, and gives the figures so far."""
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path / "run", on_event=interrupt("trial 2", 2))
    result = load_result(tmp_path / "run")
    text = text_of(render(result))
    assert "The search has not ended." in text
    assert "so far" in facts.lead(result, None)
    assert not result.confusions
    assert "Accuracy by class" not in text


def test_a_run_without_trials_has_a_report(tmp_path: Path) -> None:
    """The first network alone."""
    text = text_of(render(search(tmp_path / "run", trials=0)))
    assert "no growth was kept" in text
    assert "No control was trained beside a candidate" in text


def test_a_run_by_a_metric_names_it(tmp_path: Path) -> None:
    """Its values are no percentages, and no validation accuracy is spoken of."""
    result = search(tmp_path / "run", 'judge.metric="f1_macro"', trainer=ScoringTrainer(), trials=3)
    text = text_of(render(result))
    assert f"test macro F1 {result.test_score:.4f}" in text
    assert "validation accuracy" not in text


def test_a_run_with_two_objectives_tells_its_front(tmp_path: Path, page: str) -> None:
    """Each member in a row with its demands, and a link to its trial; no other run has a front."""
    objective = 'search.objective=["accuracy", "parameters"]'
    result = search(tmp_path / "run", objective, "controls.arms={}")
    made = render(result)
    found = re.findall(r"<tr>.*?</tr>", made.split("The front that the search kept")[1], re.DOTALL)
    rows = [text_of(row) for row in found[1 : 1 + len(result.front)]]
    for row, member in zip(rows, result.front, strict=True):
        number = "first" if member.trial_number is None else str(member.trial_number)
        assert row.startswith(f"{number} {member.accuracy:.4f} ")
        assert f" {member.network.parameters:,} " in row
    assert "The front that the search kept" not in page


def test_a_run_of_an_earlier_version_has_a_report(copy: Path) -> None:
    """All that it has not stored is left out: growths as JSON, confusion, space, seconds."""
    with closing(sqlite3.connect(copy / "study.db")) as database, database:
        for table, names in (
            ("trial_user_attributes", ("growth_json", "layer_kind", "flops")),
            ("study_user_attributes", ("test", "spent", "space", "workers", "machine")),
        ):
            marks = ", ".join("?" * len(names))
            database.execute(f"DELETE FROM {table} WHERE key IN ({marks})", names)
    result = load_result(copy)
    text = text_of(render(result))
    assert "This run has not stored its search space" in text
    assert "The growths of this run cannot be followed" in text
    assert "Of the process that wrote this report" in text
    assert "Accuracy by class" not in text
    assert len(result.trials) == len(re.findall(r"\bFLOPs an image 0\b", text))


def test_growths_that_cannot_be_followed_leave_the_network_alone(finished: SearchResult) -> None:
    """The drawing is that of the best network, and a sentence says why it has no growths."""
    assert finished.best.trial_number is not None
    text = text_of(render(replace(finished, teacher_architecture=None)))
    assert "The first network of this run is not known." in text
    assert "Growth 1" not in text


def test_the_space_of_the_report_is_that_of_the_run(finished: SearchResult, tmp_path: Path) -> None:
    """Its TOML loads as an equal space; the command names it with seed, trials, those pending."""
    text = repeat.space_text(finished)
    assert text is not None
    path = tmp_path / repeat.SPACE_FILE
    path.write_text(text)
    stored = SpaceAttribute.read(finished.study)
    assert stored is not None
    assert SearchSpace.load(path) == SearchSpace.parse(stored.value)
    assert tomllib.loads(text)["teacher"]["architecture"] == space().teacher.architecture
    assert "--seed 0 --trials 5 --pending-trials 1 --out" in repeat.command(finished)


def test_a_run_from_a_given_network_names_it(finished: SearchResult) -> None:
    """By its file; where it had none, by the network that the run has stored."""
    sha256 = "0" * 64
    given = StartAttribute(source="/my/cats.keras", file_sha256=sha256, sha256=sha256)
    result = replace(finished, start=given)
    assert "--model /my/cats.keras" in repeat.command(result)
    assert "started from /my/cats.keras" in text_of(render(result))
    result = replace(finished, start=StartAttribute(source="runs/old", sha256=sha256))
    assert f"weights/{sha256}.safetensors" in repeat.command(result)


@pytest.mark.parametrize(
    ("paths", "asked"),
    [
        (("/my/images.npz",), "--data /my/images.npz"),
        (("/my photos",), "--data '/my photos'"),
        (("/may", "/june"), "--data IMAGES"),
        ((), "--data IMAGES"),
    ],
)
def test_the_command_names_the_images(copy: Path, paths: tuple[str, ...], asked: str) -> None:
    """By their path, that of a folder as well; else it says what to name, unless it is found."""
    result = load_result(copy)
    about = DataAttribute.read(result.study)
    assert about is not None
    about.model_copy(update={"paths": paths}).write(result.study)
    command = repeat.command(result)
    assert asked in command
    assert ("IMAGES stands for" in render(result)) == ("IMAGES" in asked)
    about.model_copy(update={"paths": (), "name": "mnist"}).write(result.study)
    assert "--data" not in repeat.command(load_result(copy))


def test_hundreds_of_trials_are_written_in_seconds(finished: SearchResult) -> None:
    """Neither time nor size grows out of hand."""
    many = [
        replace(
            finished.trials[number % 5], number=number, parent=None if number < 5 else number // 2
        )
        for number in range(200)
    ]
    large = replace(finished, trials=tuple(many))
    began = time.process_time()
    size = len(render(large).encode())
    assert time.process_time() - began < 10.0
    assert size < 6e6


def test_the_command_writes_the_file(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Into the run folder, or where it is told; nothing else of the run changes."""
    assert main(["report", str(copy)]) == 0
    out, err = capsys.readouterr()
    assert out == f"report: {copy / 'report.html'}\n"
    assert err == ""
    other = copy.parent / "other.html"
    assert main(["report", str(copy), "--out", str(other)]) == 0
    assert other.read_bytes()[:15] == b"<!doctype html>"


def test_what_cannot_be_written_or_read_is_one_line(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder in the file's place, and a folder without a run."""
    blocked = copy / "taken"
    blocked.mkdir()
    with pytest.raises(RunError, match=r"taken: the report cannot be written"):
        write_report(load_result(copy), blocked)
    assert str(blocked) in refused(capsys, "report", str(copy), "--out", str(blocked))
    shutil.rmtree(copy)
    refused(capsys, "report", str(copy))


@pytest.mark.parametrize(
    ("value", "metric", "text"),
    [(0.93, "accuracy", "93.00 %"), (0.93, "auc", "0.9300"), (None, "accuracy", "–")],
)
def test_a_score_is_a_percentage_of_an_accuracy(value: Any, metric: str, text: str) -> None:
    """Other metrics are no shares of images."""
    assert facts.score(value, metric).split() == text.split()
