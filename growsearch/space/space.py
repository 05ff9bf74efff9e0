"""A search space: what the search may try, read from a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from growsearch.datasets import LOADERS
from growsearch.errors import SearchSpaceError
from growsearch.growth import Limits
from growsearch.networks import Architecture
from growsearch.networks.optimizers import OPTIMIZERS
from growsearch.space.invalid import explain, key_of, shown
from growsearch.space.sections import (
    WIDTH_MULTIPLE,
    Bounds,
    BriefTraining,
    Choices,
    Controls,
    Judge,
    Polish,
    Pruning,
    Search,
    Section,
    SectionError,
    Teacher,
)
from growsearch.training import TrainingPlan, no_decay


class SearchSpace(Section):
    """Everything a search depends on, apart from the images; frozen.

    Examples
    --------
    >>> space = SearchSpace.load("mnist")
    >>> space.choices.operations
    ('widen', 'deepen')
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    data: str
    stand_in: Literal["digits"] | None = None
    teacher: Teacher
    choices: Choices
    limits: Bounds = Bounds()
    training: BriefTraining
    controls: Controls = Controls()
    judge: Judge = Judge()
    pruning: Pruning | None = None
    polish: Polish | None = None
    search: Search = Search()

    @field_validator("data")
    @classmethod
    def _known(cls, data: str) -> str:
        if data not in LOADERS:
            raise ValueError(f"expected a data set among {', '.join(LOADERS)}")
        return data

    @model_validator(mode="after")
    def _fits(self) -> Self:
        limits, architecture = self.limits, self.architecture
        if not self.growth_limits.allow(architecture):
            raise SectionError(
                "limits",
                f"expected room for the teacher's {architecture.parameters:,} parameters and its "
                f"layers, got {limits.model_dump(exclude_none=True)}",
            )
        if limits.width is not None:
            hidden = [node for node in architecture.nodes[:-1] if node.layer.is_producer]
            widest = max(hidden, key=lambda node: node.layer.width, default=None)
            if widest is not None and widest.layer.width > limits.width:
                raise SectionError(
                    "limits.width",
                    f"expected at least {widest.layer.width}, the width of the teacher's "
                    f"{widest.name}",
                )
            if limits.width_multiple != "auto" and limits.width_multiple > limits.width:
                raise SectionError(
                    "limits.width_multiple",
                    f"expected at most {limits.width}, the limits.width: no width is a multiple "
                    "of more",
                )
        if (
            self.choices.weight_decay is not None
            and OPTIMIZERS[self.training.optimizer].decay is None
        ):
            raise SectionError("choices.weight_decay", no_decay(self.training.optimizer))
        return self

    @property
    def architecture(self) -> Architecture:
        """The teacher's architecture."""
        return self.teacher.first

    @property
    def growth_limits(self) -> Limits:
        """The limits in growth's terms."""
        limits = self.limits.model_dump(exclude={"step_milliseconds", "width_multiple"})
        multiple = self.limits.width_multiple
        return Limits(**limits, width_multiple=WIDTH_MULTIPLE if multiple == "auto" else multiple)

    def with_width_multiple(self, multiple: int) -> Self:
        """The space with "auto" replaced by what was measured."""
        limits = self.limits.model_copy(update={"width_multiple": multiple})
        return self.model_copy(update={"limits": limits})

    def plan(self, params: Mapping[str, Any]) -> TrainingPlan:
        """The brief training with the knobs that Optuna chose."""
        chosen = {name: params[name] for name in self.choices.knobs}
        return self.training.plan_at(params["learning_rate"]).with_keys(chosen)

    @classmethod
    def load(
        cls,
        space: str | Path,
        overrides: Sequence[str] = (),
        *,
        options: Mapping[str, str] = MappingProxyType({}),
    ) -> Self:
        """Read a shipped space by name, or a TOML file by path.

        Parameters
        ----------
        space : str or Path
            A shipped name, such as "mnist", or the path of a TOML file.
        overrides : sequence of str
            ``KEY=VALUE`` with dotted keys and TOML values, such as ``training.steps=100``.
        options : mapping
            From the key of an override to the option that it came from, for errors; "--set" else.

        Raises
        ------
        SearchSpaceError
            Names the file, or the option whose override it was, the key, what was expected and
            what came.
        """
        path = _find(space)
        try:
            text = path.read_bytes().decode()
            values = tomllib.loads(text)
        except OSError as error:
            raise SearchSpaceError(f"{path}: cannot be read: {error.strerror}") from None
        except (ValueError, RecursionError) as error:
            raise SearchSpaceError(f"{path}: expected TOML, got: {error}") from None
        keys = [_override(values, override) for override in overrides]

        try:
            return cls.model_validate(values)
        except ValidationError as invalid:
            source = str(path)
            with suppress(ValidationError):
                cls.model_validate(tomllib.loads(text))  # then it is the overrides that are wrong
                source = _option_of(key_of(invalid.errors()[0]), keys, options)
            raise SearchSpaceError(f"{source}: {explain(invalid, cls)}") from None

    @classmethod
    def parse(cls, values: Mapping[str, Any], *, source: str = "search space") -> Self:
        """Check plain values, as TOML or JSON give them; ``source`` names them in errors."""
        try:
            return cls.model_validate(values)
        except ValidationError as invalid:
            raise SearchSpaceError(f"{source}: {explain(invalid, cls)}") from None
        except RecursionError:
            raise SearchSpaceError(f"{source}: expected a table of values, got a cycle") from None

    @staticmethod
    def shipped() -> tuple[str, ...]:
        """The names of the spaces that come with growsearch."""
        return tuple(sorted(path.stem for path in _folder().glob("*.toml")))


def _folder() -> Path:
    """The shipped spaces: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "search_spaces"
    return installed if installed.is_dir() else package.parent / "search_spaces"


def _find(space: str | Path) -> Path:
    if isinstance(space, str) and space in SearchSpace.shipped():
        return _folder() / f"{space}.toml"
    path = Path(space)
    try:
        exists = path.is_file()
    except (OSError, ValueError):
        exists = False
    if not exists:
        raise SearchSpaceError(
            f"search space: expected one of {', '.join(SearchSpace.shipped())}, or the path of a "
            f"TOML file, got {shown(repr(str(space)))}"
        )
    return path


def _option_of(key: str, keys: Sequence[str], options: Mapping[str, str]) -> str:
    """The options whose overrides lie at a key, or around or below it; else all."""

    def meet(one: str, other: str) -> bool:
        return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")

    guilty = [each for each in keys if meet(each, key)] or keys
    return " and ".join(dict.fromkeys(options.get(each, "--set") for each in guilty))


def _override(values: dict[str, Any], override: str) -> str:
    """Set one dotted key, which comes back; the value is TOML, and what is no TOML is text."""
    whole = shown(repr(override))
    key, equals, text = override.partition("=")
    *parents, last = key.strip().split(".")
    if not equals or not last or not all(parents):
        raise SearchSpaceError(
            f"--set: expected KEY=VALUE, such as training.steps=100, got {whole}"
        )
    table = values
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise SearchSpaceError(f"--set: expected {shown(parent)} to be a table in {whole}")
    try:
        (table[last],) = tomllib.loads(f"value = {text}").values()
    except (ValueError, RecursionError):
        table[last] = text.strip()
    return ".".join((*parents, last))


def read_shipped(name: str) -> str:
    """The TOML text of a shipped space, comments included.

    Raises
    ------
    SearchSpaceError
        When none has that name.
    """
    if name not in SearchSpace.shipped():
        raise SearchSpaceError(
            f"search space: expected one of {', '.join(SearchSpace.shipped())}, got {name!r}"
        )
    return (_folder() / f"{name}.toml").read_text(encoding="utf-8")
