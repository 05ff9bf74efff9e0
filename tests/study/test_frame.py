"""The result as a table of pandas, and as a notebook shows it."""

from __future__ import annotations

import builtins
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from growsearch.errors import InvalidInputError
from growsearch.study.frame import frame_of
from growsearch.study.result import SearchResult
from tests.small_search import search

pytestmark = pytest.mark.usefixtures("quick_sqlite")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, quick_sqlite: None) -> SearchResult:
    """A run with a control in every trial, another in some, each with two seeds."""
    del quick_sqlite
    arms = "controls.arms={random = 1.0, continued = 0.5}"
    return search(tmp_path_factory.mktemp("frame") / "run", arms, "controls.seeds=2", trials=4)


def test_a_row_is_a_trial(result: SearchResult) -> None:
    """Its values are those of the record, with all arms beside each other."""
    frame = result.frame()
    assert frame.index.name == "trial"
    assert frame.index.tolist() == [trial.number for trial in result.trials]
    for trial in result.trials:
        row = frame.loc[trial.number]
        assert row.growth == trial.growth
        assert row.kept == trial.kept
        assert row.parameters == trial.parameters
        assert pd.isna(row.parent) if trial.parent is None else row.parent == trial.parent
        for arm in ("net2net", "random", "continued"):
            found = trial.arms.get(arm)
            if found is None:
                assert pd.isna(row[f"{arm}_accuracy"])
            else:
                assert row[f"{arm}_accuracy"] == found.accuracy
                assert row[f"{arm}_seconds"] == found.seconds


def test_repeats_are_counted(result: SearchResult) -> None:
    """Repeated seeds are the mean of all, and their number."""
    frame = result.frame()
    for trial in result.trials:
        values = [each.accuracy for each in trial.seeds_of("random").values()]
        row = frame.loc[trial.number]
        assert row.random_seeds == len(values) == 2
        assert row.random_accuracy_mean == pytest.approx(sum(map(float, values)) / 2)  # type: ignore[arg-type]


def test_columns_have_types(result: SearchResult) -> None:
    """Numbers are numbers, also where some are missing; no column holds objects."""
    frame = result.frame()
    assert "object" not in {str(kind) for kind in frame.dtypes}
    assert (frame.random_accuracy - frame.continued_accuracy).count() == sum(
        "continued" in trial.arms for trial in result.trials
    )


def test_another_metric_has_its_name(result: SearchResult) -> None:
    """Values of another metric are not called accuracies."""
    names = frame_of(result.trials, "f1_macro").columns
    assert "net2net_f1_macro" in names
    assert not [name for name in names if "accuracy" in name]


def test_no_trials_are_an_empty_table() -> None:
    """With the columns that do not depend on arms, and those of the candidate."""
    frame = frame_of(())
    assert len(frame) == 0
    assert {"growth", "kept", "net2net_accuracy"} <= set(frame.columns)


def test_without_pandas_a_line_says_what_to_install(
    result: SearchResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the table needs it."""
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "pandas":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InvalidInputError, match=r"pip install 'growsearch\[pandas\]'"):
        result.frame()


def test_reading_a_result_loads_neither_pandas_nor_plotly(result: SearchResult) -> None:
    """Nor does what a notebook shows of it, nor an import of the figures."""
    code = (
        f"import sys, growsearch; growsearch.load_result({str(result.folder)!r})._repr_html_();"
        "import growsearch.figures;"
        "print(*(name for name in ('pandas', 'plotly', 'tensorflow') if name in sys.modules))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout.split() == []


class Tags(HTMLParser):
    """The tags of a page in their order, and whether each that is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        del attrs
        self.open.append(tag)
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_notebook_shows_the_run(result: SearchResult) -> None:
    """The best network, its figures, a table of trials: whole HTML, without scripts."""
    page = result._repr_html_()
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert "script" not in tags.seen
    assert f"{result.best.validation_accuracy:.4f}" in page
    assert page.count("<tr>") == 1 + len(result.trials) + len(re.findall('scope="row"', page))
    for trial in result.trials:
        assert trial.growth in page


def test_a_notebook_shows_text_as_text(result: SearchResult) -> None:
    """A growth or a folder whose name looks like HTML does nothing."""
    trial = replace(result.trials[0], growth="<script>alert(1)</script>")
    other = replace(result, trials=(trial,), folder=Path("<img src=x>"))
    page = other._repr_html_()
    assert "<script" not in page
    assert "<img" not in page
