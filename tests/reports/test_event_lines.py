"""The events as lines of JSON: each is what the schema says, and both follow the dataclasses."""

from __future__ import annotations

import json
import math
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

import growsearch as gs
from growsearch.driver.events import JobLost, NoWorker, Polished, Training
from growsearch.reports.event_lines import EventLines, Finished, kinds, schema
from tests import small_search, trunk_search
from tests.small_search import interrupt

DOCS = Path(__file__).parents[2] / "docs"
STORED = DOCS / "events.schema.json"
VALIDATOR = Draft202012Validator(schema(), format_checker=FormatChecker())

pytestmark = pytest.mark.usefixtures("quick_sqlite")


def checked(lines: list[str]) -> list[dict[str, Any]]:
    """The values of lines, each of which is one line and what the schema says."""
    assert not any("\n" in line for line in lines)
    found = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    for each in found:
        VALIDATOR.validate(each)
    return found


def names(found: list[dict[str, Any]]) -> list[str]:
    """The kinds of events, without the points of curves."""
    return [each["event"] for each in found if each["event"] not in ("training", "job_ended")]


def test_the_documented_schema_is_that_of_the_dataclasses() -> None:
    """A new field changes it: write ``json.dumps(schema(), indent=1)`` there, and tell readers."""
    Draft202012Validator.check_schema(schema())
    assert json.loads(STORED.read_text(encoding="utf-8")) == schema()


def test_every_event_and_field_is_documented() -> None:
    """A row of docs/events.md has the fields of the dataclass, in their order."""
    text = (DOCS / "events.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|.*\| ((?:`\w+` ?)+)\|$", text, re.MULTILINE)
    documented = {name: re.findall(r"`(\w+)`", cell) for name, cell in rows}
    assert documented == {
        name: [field.name for field in fields(kind)] for name, kind in kinds().items()
    }


def test_no_field_is_hidden_by_the_envelope() -> None:
    """Each line has ``event`` and ``at`` beside the fields."""
    for kind in kinds().values():
        assert not {"event", "at"} & {field.name for field in fields(kind)}


def test_a_search_is_lines(tmp_path: Path) -> None:
    """All events in order, and the result at the end."""
    lines: list[str] = []
    listener = EventLines(lines.append)
    result = small_search.search(tmp_path, trials=2, on_event=listener)
    listener.finish(result)
    found = checked(lines)
    assert names(found) == [
        *("started", "teacher_ready", "trial_finished", "trial_finished", "finished")
    ]
    record = next(each["record"] for each in found if each["event"] == "trial_finished")
    whole = json.loads(json.dumps(result.trials[0].to_json()))
    unknown = {"ancestry_flops": None, "ancestry_seconds": None}  # read with all trials
    assert record == whole | unknown
    assert found[-1]["result"]["best"]["sha256"] == result.best.sha256
    assert found[0]["folder"] == str(tmp_path)


def test_a_search_by_a_trunk_is_lines() -> None:
    """With readings and commits; its controls are in the records."""
    lines: list[str] = []
    with trunk_search.folder() as folder:
        trunk_search.search(folder, trials=3, on_event=EventLines(lines.append))
    assert set(names(checked(lines))) == {
        *("started", "teacher_ready", "trial_finished", "trunk_read", "committed", "polished")
    }


def test_an_interrupted_search_is_whole_lines(tmp_path: Path) -> None:
    """None of them is the last one; the next session tells the best network so far."""
    lines: list[str] = []
    stop, listener = interrupt("trial 1", 2), EventLines(lines.append)

    def both(event: Any) -> None:
        listener(event)
        stop(event)

    with pytest.raises(KeyboardInterrupt):
        small_search.search(tmp_path, on_event=both)
    assert names(checked(lines)) == ["started", "teacher_ready", "trial_finished"]
    best, again = gs.load_result(tmp_path).best, list[str]()
    small_search.search(tmp_path, trials=1, on_event=EventLines(again.append))
    first = checked(again)[0]
    assert first["done"] == 1
    assert first["best_accuracy"] == best.validation_accuracy
    assert first["best_parameters"] == best.network.parameters


@pytest.mark.parametrize(
    "event",
    [
        Training("trial 3", 100, 300, math.nan, "node7:4711", math.inf),
        JobLost("trial 3", "a line\nand another — ü", 2),
        NoWorker("trial 3", 61.0, "no node has 4 processors"),
        Polished(1, 2, 0.5, better=True),
        Finished({"best": {"path": "runs/a", "loss": math.nan}}),
    ],
)
def test_what_json_lacks_is_null(event: Any) -> None:
    """NaN and infinity are no JSON; a line break inside of a text breaks no line."""
    lines: list[str] = []
    EventLines(lines.append)(event)
    checked(lines)
