"""The events of a search as lines of JSON, and the JSON Schema of these lines.

Lines and schema follow from the dataclasses of ``growsearch.driver.events`` and
``growsearch.execution.events``: a new field of an event stands in both by itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, get_args

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from growsearch.driver.events import Event
from growsearch.study.result import SearchResult

VERSION = 1
"""The version of the schema: another one may lack or rename what this one has."""


@dataclass(frozen=True)
class Finished:
    """The search has ended, which is the last line.

    ``result`` is what ``growsearch run --json`` prints.
    """

    result: dict[str, Any]


def name_of(kind: type) -> str:
    """Return the name of a kind of event in its lines.

    Examples
    --------
    >>> name_of(Finished)
    'finished'
    """
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


def kinds() -> dict[str, type]:
    """Return every kind of event, by its name in the lines."""
    return {name_of(kind): kind for kind in (*get_args(Event), Finished)}


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


class EventLines:
    """Writes a line of JSON for each event of a search; a listener, as ``RunDisplay`` is.

    Parameters
    ----------
    write : callable
        Called with each line, without its end.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def __call__(self, event: Event | Finished) -> None:
        """Write one event."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        kind: Any = type(event)
        about = _adapter(kind).dump_json(event)  # NaN and infinity become null
        self._write(json.dumps({"event": name_of(kind), "at": now} | json.loads(about)))

    def finish(self, result: SearchResult) -> None:
        """Write the last line."""
        self(Finished(result.to_json()))


class _Schema(GenerateJsonSchema):
    """The schema of values as they are written: null in the place of NaN and infinity."""

    def float_schema(self, _schema: core_schema.FloatSchema) -> JsonSchemaValue:
        """Return the schema of a number."""
        return {"type": ["number", "null"]}


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a line."""
    definitions: dict[str, Any] = {}
    for name, kind in kinds().items():
        made = _adapter(kind).json_schema(
            schema_generator=_Schema, mode="serialization", ref_template="#/$defs/{model}"
        )
        definitions |= made.pop("$defs", {})
        envelope = {
            "event": {"const": name},
            "at": {"type": "string", "format": "date-time"},
        }
        fields = made.pop("properties", {})
        definitions[name] = {
            "type": "object",
            "description": " ".join((kind.__doc__ or "").split()),
            "properties": envelope | fields,
            "required": [*envelope, *fields],
        }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A line of growsearch run --json-lines, version {VERSION}",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in kinds()],
        "$defs": definitions,
    }
