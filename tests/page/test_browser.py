"""The report in Chromium: figures, panel, choice of curves, keyboard, colours, accessibility."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from growsearch.page import write_report
from growsearch.study.result import SearchResult
from tests.browser import DESKTOP, PHONE, browser, needs_chromium, opened

pytestmark = needs_chromium

# Functions of the browser.
WIDTH = "document.documentElement.scrollWidth"
PAPER = "getComputedStyle(document.documentElement).backgroundColor"
INK = "getComputedStyle(document.querySelector('.lineage .ytick text')).fill"
PANELS = "#curves-plot .annotation"
HAS_FOCUS = "element => element === document.activeElement"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def report(finished: SearchResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(finished, tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture(scope="module")
def trunk_report(grown: tuple[SearchResult, int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(grown[0], tmp_path_factory.mktemp("report") / "report.html")


def test_a_reader_sees_every_figure_and_reads_about_a_trial(
    chromium: Any, report: Path, finished: SearchResult
) -> None:
    """Figures are drawn; a click on a node, Enter, and links show a trial; nothing is asked for."""
    with opened(chromium, report) as found:
        page = found.page
        drawn = page.locator(".plot .main-svg").first
        assert drawn.is_visible()
        names = page.eval_on_selector_all("[data-figure]", "all => all.map(e => e.dataset.figure)")
        assert {"lineage", "accuracy_parameters", "accuracy_time", "evidence"} <= set(names)
        for name in names:
            assert page.locator(f"[data-figure={name}] .main-svg").count(), name
        panel = page.locator("#panel")
        assert not panel.is_visible()

        # A click on a node of the lineage.
        number = finished.trials[0].number
        node = page.locator(f".lineage .point[data-node='{number}']")
        box = node.bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        assert panel.is_visible()
        assert page.locator("#panel-title").inner_text() == f"Trial {number}"
        assert finished.trials[0].growth in panel.inner_text()

        # The panel leads to its neighbours, closes by Escape, and gives the focus back.
        page.locator("#panel-after").click()
        following = finished.trials[1].number
        assert page.locator("#panel-title").inner_text() == f"Trial {following}"
        page.keyboard.press("Escape")
        assert not panel.is_visible()

        # By keyboard: one stop for the whole tree, arrows inside it, Enter.
        first = page.locator(".lineage .point[tabindex='0']")
        assert first.count() == 1
        first.focus()
        page.keyboard.press("End")
        page.keyboard.press("Home")
        page.keyboard.press("ArrowDown")
        current = page.locator(".lineage .point[tabindex='0']")
        shown = current.get_attribute("data-node")
        assert f"trial {shown}," in current.get_attribute("aria-label")
        page.keyboard.press("Enter")
        assert page.locator("#panel-title").inner_text() == f"Trial {shown}"
        page.keyboard.press("Escape")
        assert current.evaluate(HAS_FOCUS)

        # Marks of other figures, and the rows of the table.
        row = page.locator(f"#trials a[data-trial='{number}']")
        row.click()
        assert page.locator("#panel-title").inner_text() == f"Trial {number}"
        page.locator("#panel-close").click()
        assert row.evaluate(HAS_FOCUS)
        assert page.evaluate(WIDTH) == DESKTOP[0]
    assert found.complaints == []
    assert found.requests == []


def test_the_curves_of_chosen_trials_are_drawn(chromium: Any, report: Path) -> None:
    """A box more is a panel more, with its controls; none is no figure."""
    with opened(chromium, report) as found:
        page = found.page
        page.locator(".chooser summary").click()

        def titles() -> int:
            count: int = page.locator(PANELS).count()
            return count

        boxes = page.locator("#choices input")
        before = page.locator("#choices input:checked").count()
        assert titles() == before == min(6, boxes.count())
        boxes.first.uncheck()
        found.until(
            f"document.querySelectorAll('#curves-plot .annotation').length === {before - 1}"
        )
        assert page.locator("#curves-plot .legend .traces").count() > 1
        page.locator("[data-choose=none]").click()
        assert not page.locator("#curves-plot").is_visible()
        page.locator("[data-choose=kept]").click()
        assert titles() == page.locator("#choices input:checked").count() > 0
    assert found.complaints == []


@pytest.mark.parametrize(
    ("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop", "phone"]
)
def test_axe_finds_nothing_serious(
    chromium: Any, trunk_report: Path, size: tuple[int, int], scheme: Any
) -> None:
    """Light and wide, dark and narrow, with the panel too; the page is as wide as its window."""
    with opened(chromium, trunk_report, size, scheme) as found:
        page = found.page
        assert page.evaluate(WIDTH) == size[0]
        page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
        assert page.evaluate(WIDTH) == size[0]
        assert found.violations() == []
        page.locator("#trials a[data-trial]").first.click()
        assert found.violations() == []
        assert page.evaluate(WIDTH) == size[0]
    assert found.complaints == []
    assert found.requests == []


def test_the_switch_turns_page_and_figures(chromium: Any, report: Path) -> None:
    """Auto follows the system; light and dark do not; paper is white whatever was chosen."""
    with opened(chromium, report, scheme="dark") as found:
        page, button = found.page, found.page.locator("#theme")
        dark = page.evaluate(PAPER), page.evaluate(INK)
        page.emulate_media(color_scheme="light")
        found.until(f"{INK} !== '{dark[1]}'")
        light = page.evaluate(PAPER), page.evaluate(INK)
        assert light[0] != dark[0]
        button.click()
        assert button.inner_text() == "Light"
        button.click()
        assert button.inner_text() == "Dark"
        found.until(f"{INK} === '{dark[1]}'")
        assert (page.evaluate(PAPER), page.evaluate(INK)) == dark
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        found.until(f"{INK} === '{light[1]}'")
        assert page.evaluate(PAPER) == light[0]
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        found.until(f"{INK} === '{dark[1]}'")
    assert found.complaints == []


def test_without_scripts_everything_is_text(chromium: Any, report: Path) -> None:
    """Drawing, tables and every trial's panel stand in the page."""
    options = {"java_script_enabled": False, "ready": "#repeat"}
    with opened(chromium, report, **options) as found:
        page = found.page
        assert page.locator("svg.network .box").count() > 3
        assert page.locator("#trials tbody tr").count() > 3
        assert page.locator("#trial-0").is_visible()
