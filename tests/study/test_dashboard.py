"""The Optuna dashboard on a run, as a process of its own: what it serves, to whom, and how."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from growsearch import SearchResult, SearchSpace, search
from tests.browser import browser, needs_chromium

ROOT = Path(__file__).parents[2]
SECONDS = 60  # for a server that should have answered long ago
SMALL = [
    "teacher.steps=5",
    "teacher.architecture=3x3x4(conv1)-pool1-8(fc1)-10(fc2)",
    "training.steps=4",
    "training.evaluate_every=2",
]
# Ctrl-C is listened to, also where a shell has put the tests into the background.
LISTENING = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from growsearch.cli.app import entry; entry()"
)


@dataclass(frozen=True)
class Served:
    """A dashboard that runs: on which run, where, and as which process."""

    result: SearchResult
    process: subprocess.Popen[str]
    announced: str
    port: int

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=SECONDS) as page:
            return json.load(page)

    def study(self, name: str) -> dict[str, Any]:
        (found,) = (
            each
            for each in self.get("/api/studies")["study_summaries"]
            if each["study_name"] == name
        )
        study: dict[str, Any] = self.get(f"/api/studies/{found['study_id']}?after=0")
        return study | {"id": found["study_id"]}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def reached(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


def start(folder: Path) -> tuple[subprocess.Popen[str], str, int]:
    """Start a dashboard and wait until it answers."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", LISTENING, "dashboard", str(folder), "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    announced = process.stdout.readline()
    end = time.monotonic() + SECONDS
    while not reached("127.0.0.1", port):
        assert process.poll() is None, "the dashboard has ended"
        assert time.monotonic() < end, "the dashboard does not answer"
        time.sleep(0.05)
    return process, announced, port


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A finished run of two trials, and its dashboard."""
    folder = tmp_path_factory.mktemp("dashboard") / "run"
    result = search(SearchSpace.load("digits", SMALL), trials=2, out=folder)
    process, announced, port = start(folder)
    with process:
        yield Served(result, process, announced, port)
        process.kill()


def attributes(of: dict[str, Any]) -> dict[str, Any]:
    return {each["key"]: each["value"] for each in of["user_attrs"]}


def test_it_announces_its_address(served: Served) -> None:
    """The address that is printed is the one that answers."""
    assert f" http://127.0.0.1:{served.port}/ " in served.announced
    with urllib.request.urlopen(f"http://127.0.0.1:{served.port}/", timeout=SECONDS) as page:
        assert b"<html" in page.read()


def test_it_shows_both_studies(served: Served) -> None:
    """Candidates and controls stand beside each other."""
    names = [each["study_name"] for each in served.get("/api/studies")["study_summaries"]]
    assert sorted(names) == ["digits", "digits-control"]


@pytest.mark.parametrize("name", ["digits", "digits-control"])
def test_the_value_is_named(name: str, served: Served) -> None:
    """The axis of both studies says what is measured, and up is better."""
    study = served.study(name)
    assert study["objective_names"] == ["validation accuracy"]
    assert study["directions"] == ["maximize"]
    assert [trial["state"] for trial in study["trials"]] == ["Complete", "Complete"]


def test_the_study_tells_what_it_works_on(served: Served) -> None:
    """Space, seed, images and teacher are attributes of the study."""
    about = attributes(served.study("digits"))
    assert {"space", "seed", "data", "teacher", "test"} <= set(about)
    assert about["seed"] == "0"
    teacher = json.loads(about["teacher"])
    assert teacher["validation_accuracy"] == served.result.teacher_accuracy


def test_every_trial_tells_what_it_tried(served: Served) -> None:
    """Growth, architecture and gain of each trial are its attributes; so are its steps."""
    for trial, record in zip(served.study("digits")["trials"], served.result.trials, strict=True):
        about = attributes(trial)
        assert about["growth"] == record.growth
        assert about["architecture"] == record.architecture
        outcome = json.loads(about["outcome"])
        assert outcome["gain"] == record.gain
        assert outcome["kept"] == record.kept
        assert float(trial["values"][0]) == record.validation_accuracy
        assert [each["step"] for each in trial["intermediate_values"]] == [0, 2, 4]


def test_every_control_names_its_candidate(served: Served) -> None:
    """A control says which trial it stands beside, and as which arm."""
    found = [attributes(trial) for trial in served.study("digits-control")["trials"]]
    assert [(each["candidate"], each["arm"]) for each in found] == [
        ("0", "random"),
        ("1", "random"),
    ]


def test_every_trial_has_its_note(served: Served) -> None:
    """The note says what grew on what, what each arm gave, and the reason for the outcome."""
    for trial, record in zip(served.study("digits")["trials"], served.result.trials, strict=True):
        note = trial["note"]["body"]
        parent = "the teacher" if record.parent is None else f"trial {record.parent}"
        assert f"**{record.growth}** on {parent}: {record.old_size} → {record.new_size}" in note
        assert f"`{record.architecture}`" in note
        for name, arm in record.arms.items():
            assert f"| {name} | {arm.accuracy:.4f} |" in note
        assert record.reason in note


def test_nobody_else_reaches_it(served: Served) -> None:
    """It listens on 127.0.0.1 and on no other address of this machine."""
    assert reached("127.0.0.1", served.port)
    assert not reached("127.0.0.2", served.port)
    assert not reached("::1", served.port)
    own = {entry[4][0] for entry in socket.getaddrinfo(socket.gethostname(), None)}
    for address in own - {"127.0.0.1"}:
        assert not reached(str(address), served.port), address


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_signal_ends_it(number: signal.Signals, served: Served) -> None:
    """Ctrl-C ends the dashboard, as it says; the port is free again."""
    process, _, port = start(served.result.folder)
    with process:
        process.send_signal(number)
        process.communicate(timeout=SECONDS)
    assert process.returncode in (0, 130)
    assert not reached("127.0.0.1", port)


# -- in a browser --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """A page as it stands once its scripts have run."""

    html: str
    text: str
    errors: tuple[str, ...]
    links: tuple[str, ...]
    pictures: tuple[tuple[str, int], ...]  # address and width, 0 of one that could not be loaded
    titles: tuple[str, ...]  # of the plots


@pytest.fixture(scope="module")
def pages(served: Served) -> Iterator[Callable[..., Page]]:
    """A browser that returns pages of the dashboard, with what their scripts complained of."""
    with browser() as started:

        def page_of(path: str, waits_for: str, scheme: str = "light") -> Page:
            context = started.new_context(color_scheme=scheme)
            page, errors = context.new_page(), list[str]()
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
            page.goto(f"http://127.0.0.1:{served.port}/dashboard{path}")
            page.wait_for_selector(waits_for, timeout=1000 * SECONDS)
            page.wait_for_load_state("networkidle")
            made = Page(
                page.content(),
                page.inner_text("body"),
                tuple(errors),
                tuple(page.eval_on_selector_all("a[href]", "all => all.map(a => a.href)")),
                tuple(
                    (address, width)
                    for address, width in page.eval_on_selector_all(
                        "img", "all => all.map(i => [i.src, i.naturalWidth])"
                    )
                ),
                tuple(
                    page.eval_on_selector_all(
                        "[id^='user-defined-plot']", "all => all.map(p => p.layout.title.text)"
                    )
                ),
            )
            context.close()
            return made

        yield page_of


def identity(served: Served, name: str) -> int:
    found: int = served.study(name)["id"]
    return found


@needs_chromium
def test_a_browser_shows_the_studies(served: Served, pages: Callable[..., Page]) -> None:
    """Candidates and controls stand in the list, and each name leads to its study."""
    page = pages("", "text=digits-control")
    listed = re.findall(r"^\d+\. (digits.*)$", page.text, re.MULTILINE)
    assert sorted(listed) == ["digits", "digits-control"]
    assert page.errors == ()
    for name in ("digits", "digits-control"):
        assert any(link.endswith(f"/studies/{identity(served, name)}") for link in page.links)


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_the_figures(
    scheme: str, served: Served, pages: Callable[..., Page]
) -> None:
    """Lineage and accuracy on the page of the candidates, evidence on that of the controls."""
    page = pages(f"/studies/{identity(served, 'digits')}", ".js-plotly-plot .textpoint", scheme)
    assert set(page.titles) == {
        "Lineage: from the first network to the best",
        "Accuracy against parameters",
    }
    assert page.errors == ()
    for record in served.result.trials:  # the texts beside the nodes
        assert record.growth in page.html
    control = identity(served, "digits-control")
    page = pages(f"/studies/{control}", "#user-defined-plot\\:evidence .main-svg", scheme)
    assert page.titles == ("Evidence: candidates less controls",)
    assert page.errors == ()


@needs_chromium
def test_a_browser_shows_note_and_curves_of_a_trial(
    served: Served, pages: Callable[..., Page]
) -> None:
    """Growth, architecture, a table of arms, the decision, and the picture of its curves."""
    number = identity(served, "digits")
    for record in served.result.trials:
        where = f"/studies/{number}/trials?numbers={record.number}"
        page = pages(where, f"text={record.architecture}")
        assert record.growth in page.text
        assert record.reason in page.text
        assert ("✔ Kept" in page.text) == record.kept
        assert ("○ Not kept" in page.text) != record.kept
        assert "<table" in page.html
        assert [width for address, width in page.pictures if "/artifacts/" in address] == [640]
        assert page.errors == ()


@needs_chromium
def test_a_note_leads_from_each_study_to_both(served: Served, pages: Callable[..., Page]) -> None:
    """The link of the note opens the page that compares candidates and controls."""
    numbers = [identity(served, name) for name in ("digits", "digits-control")]
    for number in numbers:
        page = pages(f"/studies/{number}/note", "text=Compare both studies")
        assert "Evidence" in page.text
        (link,) = [link for link in page.links if "compare-studies" in link]
        assert link.endswith(f"?ids={numbers[0]},{numbers[1]}")
    path = link.partition("/dashboard")[2]
    page = pages(path, ".js-plotly-plot .legend")
    assert "validation accuracy of digits-control" in page.html
    assert page.errors == ()


def test_a_folder_that_is_no_run_is_served_to_nobody(tmp_path: Path) -> None:
    """Without a run there is no server."""
    from growsearch.errors import RunError
    from growsearch.study.dashboard import serve

    port = free_port()
    with pytest.raises(RunError, match="expected the folder of a run"):
        serve(tmp_path, port=port)
    assert not reached("127.0.0.1", port)
