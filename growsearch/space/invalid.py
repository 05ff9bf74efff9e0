"""The first error of a search space as one line: key, expected, got."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from growsearch.space.section import SectionError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Invalid = ValidationError | RecursionError  # what pydantic raises for values that fit no space


def explain(invalid: Invalid, space: type[BaseModel]) -> str:
    """Return the first error of a model of ``space`` in one line: key, expected, got."""
    if isinstance(invalid, RecursionError):
        return "expected a table of values, got a cycle"
    first = invalid.errors(include_url=False)[0]
    key = shown(_key(first)) or "the whole space"
    got = shown_value(_input(first))
    if first["type"] == "extra_forbidden":
        return f"{key}: expected no such key, but {_known_keys(first, space)}; got {got}"
    if first["type"] == "missing":
        return f"{key}: expected a value, got none"
    message = first["msg"].removeprefix("Value error, ")
    if (phrase := _PHRASES.get(first["type"])) is not None:
        message = phrase.format(**first.get("ctx", {}))
    message = shown(message, 400).replace("Input should be", "expected")
    more = f" (and {invalid.error_count() - 1} more)" if invalid.error_count() > 1 else ""
    got = "" if ", got " in message else f"; got {got}"
    return f"{key}: {message}{got}{more}"


def key_of(invalid: Invalid) -> str:
    """Return the dotted key that the first error is about; "" where it is about no single key."""
    return "" if isinstance(invalid, RecursionError) else _key(invalid.errors()[0])


def shown(text: str, longest: int = 80) -> str:
    """Return the text as one line of at most ``longest`` characters."""
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 3] + "..."


def shown_value(value: Any) -> str:
    """Return the value as Python writes it, as one short line."""
    try:
        return shown(repr(value))
    except (ValueError, RecursionError):  # thousands of digits, thousands of levels
        return f"an immense {type(value).__name__}"


# An error type of pydantic -> its message in the words of this package.
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

# Parts of a location that name the alternatives of a type, and no key.
_BRANCHES = ("constrained-int", "literal['auto']")


def _key(error: ErrorDetails) -> str:
    """Return the dotted key of an error."""
    parts = [str(part) for part in error["loc"] if part not in _BRANCHES]
    return ".".join([*parts, *filter(None, [_key_in_section(error)])])


def _key_in_section(error: ErrorDetails) -> str:
    """Return the key that a check of a whole section names; "" for other errors."""
    cause = error.get("ctx", {}).get("error")
    return cause.key if isinstance(cause, SectionError) else ""


def _input(error: ErrorDetails) -> Any:
    """Return the value that an error is about."""
    value = error.get("input")
    for part in filter(None, _key_in_section(error).split(".")):
        value = value.get(part) if isinstance(value, dict) else value
    return value


def _known_keys(error: ErrorDetails, space: type[BaseModel]) -> str:
    """Name the keys of the section in which an error found an unknown one."""
    section = space.model_fields
    for part in error["loc"][:-1]:
        annotation = section[str(part)].annotation if str(part) in section else None
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        model = next(
            (c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None
        )
        section = model.model_fields if model else {}
    return ", ".join(section)
