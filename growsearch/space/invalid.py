"""What is wrong with a search space, in one line: key, expected, got."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from growsearch.space.sections import SectionError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def explain(invalid: ValidationError, space: type[BaseModel]) -> str:
    """The first thing that is wrong in a model of ``space``: key, expected, got."""
    first = invalid.errors(include_url=False)[0]
    key = shown(key_of(first)) or "the whole"
    value = _input(first)
    try:
        got = shown(repr(value))
    except (ValueError, RecursionError):  # thousands of digits, thousands of levels
        got = f"an immense {type(value).__name__}"
    if first["type"] == "extra_forbidden":
        section = space.model_fields
        for part in first["loc"][:-1]:
            annotation = section[str(part)].annotation if str(part) in section else None
            candidates = [annotation, *getattr(annotation, "__args__", ())]
            model = next(
                (c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None
            )
            section = model.model_fields if model else {}
        return f"{key}: expected no such key, but {', '.join(section)}; got {got}"
    if first["type"] == "missing":
        return f"{key}: expected a value, got none"
    message = first["msg"].removeprefix("Value error, ")
    if (phrase := _PHRASES.get(first["type"])) is not None:
        message = phrase.format(**first.get("ctx", {}))
    message = shown(message, 400).replace("Input should be", "expected")
    many = f" (and {invalid.error_count() - 1} more)" if invalid.error_count() > 1 else ""
    got = "" if ", got " in message else f"; got {got}"
    return f"{key}: {message}{got}{many}"


# Where pydantic speaks of its own: its type of error -> in our words.
_PHRASES = {
    "string_pattern_mismatch": "expected at most 64 letters, digits, _, . and -, the first a "
    "letter or digit",
    "string_type": "expected text",
    "model_type": "expected a table",
    "dict_type": "expected a table",
    "tuple_type": "expected a list",
    "too_short": "expected at least {min_length} value(s)",
    "too_long": "expected at most {max_length} value(s)",
}


def _at(error: ErrorDetails) -> str:
    """The key that a check of a whole section names."""
    cause = error.get("ctx", {}).get("error")
    return cause.key if isinstance(cause, SectionError) else ""


def key_of(error: ErrorDetails) -> str:
    """The dotted key that an error is about."""
    parts = [str(part) for part in error["loc"] if part not in _BRANCHES]
    return ".".join([*parts, *filter(None, [_at(error)])])


# What pydantic calls the kinds of value that a key may have.
_BRANCHES = ("constrained-int", "literal['auto']")


def _input(error: ErrorDetails) -> Any:
    """The value that an error is about."""
    value = error.get("input")
    for part in filter(None, _at(error).split(".")):
        value = value.get(part) if isinstance(value, dict) else value
    return value


def shown(text: str, longest: int = 80) -> str:
    """The text in one line, and not too long a one."""
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 3] + "..."
