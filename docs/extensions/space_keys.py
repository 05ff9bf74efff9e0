"""Tables of the keys of a search space, from the models that check it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from docutils import nodes
from pydantic.fields import FieldInfo
from sphinx.util.docutils import SphinxDirective

from growsearch.space import SearchSpace, sections, trainings
from growsearch.space.section import Section

SECTIONS: dict[str, type[Section]] = {
    "teacher": trainings.Teacher,
    "training": trainings.BriefTraining,
    "choices": sections.Choices,
    "limits": sections.Bounds,
    "controls": sections.Controls,
    "judge": sections.Judge,
    "pruning": sections.Pruning,
    "polish": trainings.Polish,
    "polish.last": trainings.Ending,
    "trunk": sections.Trunk,
    "trunk.last": trainings.Ending,
    "search": sections.Search,
}
_SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "min_length": "items ≥"}
_WIDTHS = (20, 30, 60)
_NAMES = {"int": "whole number", "float": "number", "str": "text", "bool": "true or false"}


def values_of(annotation: Any, metadata: tuple[Any, ...] = ()) -> str:
    """Return the values that a type allows, in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return values_of(arguments[0], (*arguments[1:], *metadata))
    bounds = [
        f"{_SIGNS[name]} {value:,g}" if isinstance(value, float) else f"{_SIGNS[name]} {value:,}"
        for item in metadata
        for field in (item.metadata if isinstance(item, FieldInfo) else [item])
        for name, value in _bounds_of(field)
    ]
    if origin is Literal:
        text = ", ".join(repr(value).replace("'", '"') for value in arguments)
    elif origin is dict:
        text = "a table of numbers"
    elif origin is tuple:
        kinds = [values_of(each) for each in arguments if each is not Ellipsis]
        text = f"[{', '.join(kinds)}{', …' if Ellipsis in arguments else ''}]"
    elif (origin is not None and type(None) in arguments) or origin is Union:
        kinds = [values_of(each) for each in arguments if each is not type(None)]
        text = ", or ".join(kinds)
    elif isinstance(annotation, type) and issubclass(annotation, Section):
        text = "a table"
    elif hasattr(annotation, "__args__"):  # a union of types
        text = ", or ".join(values_of(each) for each in arguments if each is not type(None))
    else:
        text = _NAMES.get(getattr(annotation, "__name__", ""), str(annotation))
    return ", ".join([text, *bounds])


def _bounds_of(constraint: Any) -> list[tuple[str, Any]]:
    found = [(name, getattr(constraint, name, None)) for name in _SIGNS]
    return [(name, value) for name, value in found if value is not None]


def default_of(field: FieldInfo) -> str:
    """Return the default of a key as TOML has it; nothing where it is required."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {each}" for name, each in value.items()) + "}"
    return str(list(value) if isinstance(value, tuple) else value)


def rows_of(section: type[Section]) -> list[tuple[str, str, str]]:
    """Return key, default and allowed values of each key of a section."""
    return [
        (name, default_of(field), values_of(field.annotation, tuple(field.metadata)))
        for name, field in section.model_fields.items()
        if section is not SearchSpace or name not in SECTIONS
    ]


class SpaceKeys(SphinxDirective):
    """The docstring and the table of one section; ``top`` is that of the file's top."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return both as nodes."""
        name = self.arguments[0]
        section = SearchSpace if name == "top" else SECTIONS[name]
        docstring = (section.__doc__ or "").partition("Examples\n")[0]
        prose = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", docstring.replace("``", "`"))
        lines = [line.strip() for line in prose.strip().splitlines()]
        text = [] if name == "top" else self.parse_text_to_nodes("\n".join(lines))
        return [*text, _table(("key", "default", "values"), rows_of(section))]


def _table(head: tuple[str, str, str], rows: list[tuple[str, str, str]]) -> nodes.table:
    def row(cells: tuple[str, ...], *, is_code: bool) -> nodes.row:
        entries = []
        for place, cell in enumerate(cells):
            kind = nodes.literal if is_code and place < 2 else nodes.Text
            content = kind("", cell) if kind is nodes.literal else nodes.Text(cell)
            entries.append(nodes.entry("", nodes.paragraph("", "", content)))
        return nodes.row("", *entries)

    group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in _WIDTHS), cols=3)
    group += nodes.thead("", row(head, is_code=False))
    group += nodes.tbody("", *(row(cells, is_code=True) for cells in rows))
    return nodes.table("", group)


def setup(app: Any) -> dict[str, bool]:
    """Give Sphinx the directive."""
    app.add_directive("space-keys", SpaceKeys)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
