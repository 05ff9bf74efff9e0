"""The figures of a run: all of its values, in marks that are told apart without colour."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plotly.graph_objects import Figure
from plotly.io import from_json

from growsearch import figures
from growsearch.errors import InvalidInputError
from growsearch.figures.accuracy import pareto
from growsearch.figures.look import MARKS, PALETTE, THEMES, arm_look, template
from growsearch.study.result import SearchResult
from growsearch.trials.arms import ARMS
from tests import small_search, trunk_search
from tests.made_up_trials import arm

pytestmark = pytest.mark.usefixtures("quick_sqlite")


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory, quick_sqlite: None) -> SearchResult:
    """A run of brief trials, with two control arms."""
    del quick_sqlite
    arms = "controls.arms={random = 1.0, continued = 0.5}"
    return small_search.search(tmp_path_factory.mktemp("brief") / "run", arms, trials=6)


@pytest.fixture(scope="module")
def trunk(tmp_path_factory: pytest.TempPathFactory, quick_sqlite: None) -> SearchResult:
    """A run with a trunk."""
    del quick_sqlite
    return trunk_search.search(tmp_path_factory.mktemp("trunk") / "run")


@pytest.fixture(params=["brief", "trunk"])
def result(request: pytest.FixtureRequest) -> SearchResult:
    """A run of each kind."""
    found: SearchResult = request.getfixturevalue(request.param)
    return found


def numbers(figure: Figure, mode: str = "markers") -> list[int | None]:
    """Return the trials that a figure's marks lead to."""
    return [each for trace in figure.data if trace.mode == mode for each in trace.customdata]


def with_trials(result: SearchResult, count: int) -> SearchResult:
    """Return a run with many trials: failed, pruned, not kept, and kept ones.

    Every tenth is on the way to the best. Another tenth is kept beside that way, and has a child.
    """
    one = result.trials[0]
    parent, made = None, []
    for number in range(count):
        kept = number % 10 in (4, 6)
        state = {2: "FAIL", 3: "PRUNED"}.get(number % 5, "COMPLETE")
        made.append(
            replace(
                one,
                number=number,
                parent=number - 1 if number % 10 == 7 else parent,
                growth=f"widen(a <b>layer</b> & {number})",
                state="COMPLETE" if kept else state,
                kept=kept,
                arms={} if state == "FAIL" and not kept else {"net2net": arm(0.9)},
            )
        )
        parent = number if number % 10 == 4 else parent
    return replace(result, trials=tuple(made), best=replace(result.best, trial_number=parent))


@pytest.mark.parametrize("name", figures.FIGURES)
def test_every_figure_is_whole(name: str, result: SearchResult) -> None:
    """It has a title and a text for readers who do not see it, and is the same after JSON."""
    figure = figures.FIGURES[name](result)
    assert figure.layout.title.text
    assert len(figures.description(figure).split()) > 5
    again = from_json(figure.to_json())
    assert json.loads(again.to_json()) == json.loads(figure.to_json())
    assert json.loads(figures.FIGURES[name](result).to_json()) == json.loads(figure.to_json())


@pytest.mark.parametrize("name", figures.FIGURES)
def test_a_run_without_trials_has_figures(name: str, result: SearchResult) -> None:
    """A figure with nothing to draw says so."""
    nothing = replace(
        result,
        trials=(),
        anytime=None,
        spent={},
        confusions={},
        best=replace(result.best, trial_number=None),
    )
    figure = figures.FIGURES[name](nothing)
    assert figures.description(figure)
    if name in ("learning_curves", "evidence", "time_shares", "confusion"):
        assert not figure.data
        assert figure.layout.annotations[0].text


# -- look ----------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, by WCAG 2.2."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_colours_stand_out_from_both_backgrounds(theme: Any) -> None:
    """Marks by 3 to 1, text by 7 to 1 (WCAG 2.2: 1.4.11, and 1.4.6, the stricter one)."""
    layout = template(theme).layout
    assert contrast(layout.font.color, layout.paper_bgcolor) >= 7.0
    for colour in (*PALETTE, *(mark.colour for mark in MARKS.values())):
        assert contrast(colour, layout.paper_bgcolor) >= 3.0, colour


def test_nothing_is_told_apart_by_colour_alone() -> None:
    """Networks have symbols of their own, arms have dashes of their own."""
    symbols = [mark.symbol for mark in MARKS.values()]
    assert len(set(symbols)) == len(symbols)
    looks = arm_look((*ARMS,))
    assert len({dash for _, dash in looks.values()}) == len(ARMS)
    assert len({colour for colour, _ in looks.values()}) == len(ARMS)


def test_a_theme_changes_the_template_alone(result: SearchResult) -> None:
    """The light figure stays as it is; the dark one has the same data."""
    light = figures.lineage(result)
    dark = figures.in_theme(light, "dark")
    assert light.layout.template == template("light")
    assert dark.layout.template == template("dark") != template("light")
    assert json.loads(dark.to_json())["data"] == json.loads(light.to_json())["data"]
    with pytest.raises(InvalidInputError, match="theme: expected"):
        figures.in_theme(light, "sepia")  # type: ignore[arg-type]


# -- lineage -------------------------------------------------------------------------------------


def test_the_lineage_has_every_candidate_once(result: SearchResult) -> None:
    """The first network and each trial is a mark, and each leads to its trial."""
    wanted = [None, *(trial.number for trial in result.trials)]
    figure = figures.lineage(result)
    assert sorted(numbers(figure), key=str) == sorted(wanted, key=str)
    assert sorted(numbers(figure, "text"), key=str) == sorted(wanted, key=str)


@pytest.mark.parametrize("count", [9, 300])
def test_a_branch_leads_from_each_parent_to_its_child(count: int, brief: SearchResult) -> None:
    """Every candidate hangs on the network that it grew from, also where rows are shared."""
    many = with_trials(brief, count)
    figure = figures.lineage(many)
    places = {
        number: (x, y)
        for trace in figure.data
        if trace.mode == "markers"
        for number, x, y in zip(trace.customdata, trace.x, trace.y, strict=True)
    }
    assert len(set(places.values())) == count + 1
    found = set()
    for trace in figure.data:
        if trace.mode == "lines":
            points = list(zip(trace.x, trace.y, strict=True))
            for start in range(0, len(points), 4):
                first, _, last, gap = points[start : start + 4]
                assert gap == (None, None)
                found.add((first, last))
    assert found == {(places[each.parent], places[each.number]) for each in many.trials}


def test_the_end_of_a_trial_is_its_symbol(brief: SearchResult) -> None:
    """Kept, not kept, pruned and failed candidates are marked as what they are."""
    many = with_trials(brief, 20)
    found = {
        number: trace.marker.symbol
        for trace in figures.lineage(many).data
        if trace.mode == "markers"
        for number in trace.customdata
    }
    expected = {
        each.number: MARKS[
            "best"
            if each.number == 14
            else "failed"
            if each.state == "FAIL"
            else "kept"
            if each.kept
            else "pruned"
            if each.state == "PRUNED"
            else "not kept"
        ].symbol
        for each in many.trials
    }
    assert found == {None: MARKS["first network"].symbol} | expected


def test_names_of_layers_are_text(brief: SearchResult) -> None:
    """A layer's name that looks like HTML stands in a figure as it is."""
    many = with_trials(brief, 9)
    for figure in (figures.lineage(many), figures.accuracy_parameters(many)):
        for trace in figure.data:
            for text in (*(trace.text or ()), *(trace.hovertext or ())):
                assert "<b>layer" not in text
                assert ("&lt;b&gt;layer&lt;/b&gt; &amp; " in text) == ("widen" in text)
    panel = figures.learning_curves(many).layout.annotations[0].text
    assert "&lt;b&gt;layer" in panel


# -- accuracy ------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=20))
def test_the_front_is_what_nothing_dominates(points: list[tuple[int, int]]) -> None:
    """Of equal sizes and values one is on it; every other network is dominated by one on it."""
    front = pareto([size for size, _ in points], [value for _, value in points])
    on_it = [points[place] for place in front]
    assert on_it == sorted(on_it) == sorted(set(on_it))
    for size, value in points:
        assert any(s <= size and v >= value for s, v in on_it)
    for size, value in on_it:
        better = [
            (s, v) for s, v in points if (s <= size and v > value) or (s < size and v >= value)
        ]
        assert better == []


def test_every_network_stands_at_its_size_and_accuracy(result: SearchResult) -> None:
    """Candidates, the first network, the best one."""
    figure = figures.accuracy_parameters(result)
    found = {
        (x, y)
        for trace in figure.data
        if trace.mode == "markers"
        for x, y in zip(trace.x, trace.y, strict=True)
    }
    assert result.teacher_architecture is not None
    assert {(each.parameters, each.validation_accuracy) for each in result.trials} <= found
    assert (result.best.network.parameters, result.best.validation_accuracy) in found
    assert (result.teacher_architecture.parameters, result.teacher_accuracy) in found


def test_the_anytime_curve_has_every_reading(trunk: SearchResult) -> None:
    """In the order of time, to the end of the run, with a line at each growth."""
    assert trunk.anytime is not None
    figure = figures.accuracy_time(trunk)
    curve = figure.data[0]
    points = list(zip(curve.x, curve.y, strict=True))
    assert {(each.elapsed, each.validation_accuracy) for each in trunk.readings} <= set(points)
    assert points[-1][1] == trunk.best.validation_accuracy
    assert list(curve.x) == sorted(curve.x)
    growths = [each.elapsed for each in trunk.lineage if each.elapsed is not None]
    assert [shape.x0 for shape in figure.layout.shapes] == growths


def test_the_best_so_far_never_falls(brief: SearchResult) -> None:
    """Without a trunk the line goes from the first network's accuracy to the best one's."""
    figure = figures.accuracy_time(brief)
    line = figure.data[0]
    assert list(line.y) == sorted(line.y)
    assert line.y[0] == brief.teacher_accuracy
    assert line.y[-1] == brief.best.validation_accuracy
    assert set(numbers(figure)) == {None, *(trial.number for trial in brief.trials)}


# -- curves, evidence, time, classes -------------------------------------------------------------


def test_learning_curves_are_those_of_the_trials_named(brief: SearchResult) -> None:
    """A panel a trial, a line an arm, each in the look of its arm."""
    figure = figures.learning_curves(brief, [3, 1])
    assert [each.text.partition(",")[0] for each in figure.layout.annotations] == [
        "trial 3",
        "trial 1",
    ]
    arms = [(trial, arm) for trial in (3, 1) for arm in brief.trials[trial].arms]
    assert len(figure.data) == len(arms)
    for trace, (trial, name) in zip(figure.data, arms, strict=True):
        found = brief.trials[trial].arms[name]
        assert list(zip(trace.x, trace.y, strict=True)) == [(s, a) for s, a, _ in found.curve]
        assert (trace.line.color, trace.line.dash) == arm_look((name,))[name]
    assert [each.name for each in figure.data if each.showlegend] == [
        *dict.fromkeys(name for _, name in arms)
    ]
    with pytest.raises(InvalidInputError, match=r"trials: expected numbers .*0, 1, .*got 77"):
        figures.learning_curves(brief, [1, 77])


def test_at_most_six_trials_are_chosen(brief: SearchResult) -> None:
    """Those with controls come first, then those that were kept."""
    many = with_trials(brief, 60)
    panels = figures.learning_curves(many).layout.annotations
    chosen = [each.text.partition(",")[0] for each in panels]
    assert chosen == [f"trial {number}" for number in (4, 6, 14, 16, 24, 26)]
    first = replace(many, trials=(replace(brief.trials[0], number=0), *many.trials[1:]))
    panels = figures.learning_curves(first).layout.annotations
    assert panels[0].text.startswith("trial 0,")
    assert len(panels) == 6


def test_the_evidence_is_that_of_the_result(brief: SearchResult) -> None:
    """Means and intervals, a mark a comparison; a hollow one has no interval."""
    shown = [
        each
        for each in (*brief.evidence().overall, *brief.evidence().by_operation)
        if each.accuracy.n
    ]
    figure = figures.evidence(brief)
    for trace, each in zip(figure.data, shown, strict=True):
        assert trace.x[0] == each.accuracy.mean
        if each.accuracy.interval is None:
            assert trace.marker.symbol == "circle-open"
        else:
            low, high = each.accuracy.interval
            assert trace.x[0] - trace.error_x.arrayminus[0] == pytest.approx(low)
            assert trace.x[0] + trace.error_x.array[0] == pytest.approx(high)


def test_shares_of_time_are_all_of_it(result: SearchResult) -> None:
    """Their sum is 100 per cent."""
    assert sum(figures.time_shares(result).data[0].x) == pytest.approx(100.0)


def test_the_confusion_matrix_has_every_cell(result: SearchResult) -> None:
    """The numbers in the cells are the images, and the text names the worst class."""
    found = result.confusion()
    assert found is not None
    figure = figures.confusion(result)
    cells = [[int(each or 0) for each in row] for row in figure.data[0].text]
    assert cells == found.counts.tolist()
    assert f"{found.name(found.worst(1)[0])} " in figures.description(figure)


def test_a_result_draws_itself(result: SearchResult) -> None:
    """Each figure is a method of the result too, in both themes."""
    for name in figures.FIGURES:
        method = getattr(result, f"plot_{name}")
        assert method().layout.template == template("light")
        dark = method(theme="dark")
        assert dark.layout.template == template("dark")
        assert dark.layout.title.text == figures.FIGURES[name](result).layout.title.text


def test_a_picture_of_a_trial_is_a_small_png(brief: SearchResult) -> None:
    """A page that holds pictures alone shows its curves by this."""
    from io import BytesIO

    from PIL import Image

    from growsearch.figures.picture import picture_of

    png = picture_of(brief.trials[0])
    assert Image.open(BytesIO(png)).size == (640, 360)
    assert len(png) < 100_000
