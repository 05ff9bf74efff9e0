"""A search space: what the search may try, read from a TOML file and checked to the last key."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from growsearch.datasets import LOADERS
from growsearch.driver.arms import CONTROLS
from growsearch.errors import ArchitectureError, SearchSpaceError
from growsearch.growth import GROWTHS, Limits, Treatment
from growsearch.networks import Architecture
from growsearch.networks.network import Initializer
from growsearch.trainers import TrainingPlan

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Count = Annotated[int, Field(ge=1, le=10**9)]
Optimizer = Literal["adam", "adamw", "momentum", "sgd"]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Rate = Annotated[float, Field(gt=0.0, le=100.0)]
Decay = Annotated[float, Field(ge=0.0, le=10.0)]
Share = Annotated[float, Field(ge=0.0, lt=1.0)]
KNOBS = ("weight_decay", "label_smoothing", "ema")  # of training, that Optuna may choose
WIDTH_MULTIPLE = 16  # where none is measured: that of the processors' kernels for bfloat16


class _SectionError(ValueError):
    """What is wrong with one key, found when the whole section is there."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Training(_Section):
    """How a network is trained, in the terms of :class:`growsearch.trainers.TrainingPlan`."""

    steps: Count
    batch_size: Count = 50
    optimizer: Optimizer = "adam"
    evaluate_every: Count = 100
    momentum: Share = 0.9
    weight_decay: Decay | None = None
    precision: Literal["float32", "bfloat16", "auto"] = "float32"
    schedule: Literal["constant", "cosine", "one_cycle"] = "constant"
    label_smoothing: Share = 0.0
    ema: Share = 0.0
    shift: Annotated[int, Field(ge=0, le=1000)] = 0
    rotate: Annotated[float, Field(ge=0.0, le=180.0)] = 0.0
    erase: Annotated[int, Field(ge=0, le=1000)] = 0

    def plan_at(self, learning_rate: float) -> TrainingPlan:
        """The plan with a learning rate."""
        shared = {field.name for field in fields(TrainingPlan)} & Training.model_fields.keys()
        values = {name: getattr(self, name) for name in shared}
        return TrainingPlan(**values, learning_rate=learning_rate)


class Teacher(Training):
    """The first network, and how it is trained before the search begins.

    Its architecture is a chain in notation; or a graph, as a table or as JSON text, as
    :meth:`growsearch.Architecture.to_json` gives it, with the shape of its input. It is kept as
    text.
    """

    architecture: str
    input_shape: tuple[Count, ...] = Field((28, 28, 1), strict=False)
    initializer: Initializer = "he_normal"
    learning_rate: Rate = 1e-4

    @model_validator(mode="before")
    @classmethod
    def _graph_as_text(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not _is_graph(values.get("architecture")):
            return values
        try:
            graph = Architecture.from_json(values["architecture"])
        except ArchitectureError as error:
            raise _SectionError("architecture", str(error)) from None
        text = json.dumps(graph.to_json())
        return {"input_shape": graph.input_shape, **values, "architecture": text}

    @model_validator(mode="after")
    def _parses(self) -> Self:
        try:
            architecture = self.first
        except ArchitectureError as error:
            message = str(error)
            key = "input_shape" if message.startswith("input_shape:") else "architecture"
            raise _SectionError(key, message.removeprefix("input_shape: ")) from None
        if architecture.input_shape != self.input_shape:
            expected = f"expected {architecture.input_shape}, as the architecture's"
            raise _SectionError("input_shape", expected)
        return self

    @property
    def first(self) -> Architecture:
        """The first network's architecture."""
        if _is_graph(self.architecture):
            return Architecture.from_json(self.architecture)
        return Architecture.parse(self.architecture, self.input_shape)

    @property
    def plan(self) -> TrainingPlan:
        """The training of the teacher."""
        return self.plan_at(self.learning_rate)


def _is_graph(architecture: Any) -> bool:
    """Whether it is a table or JSON text, not notation."""
    is_json = isinstance(architecture, str) and architecture.lstrip().startswith("{")
    return is_json or isinstance(architecture, dict)


class Choices(_Section):
    """What Optuna chooses, and from which ranges; fixed when the study is created.

    The knobs of training whose range is left out are those of the brief training.
    """

    operations: tuple[str, ...] = Field(strict=False, min_length=1)
    log2_factor: tuple[float, float] = Field((0.5, 2.0), strict=False)
    learning_rate: tuple[Rate, Rate] = Field((1e-4, 1e-3), strict=False)
    weight_decay: tuple[Decay, Decay] | None = Field(None, strict=False)
    label_smoothing: tuple[Share, Share] | None = Field(None, strict=False)
    ema: tuple[Share, Share] | None = Field(None, strict=False)

    @field_validator("operations")
    @classmethod
    def _known(cls, operations: tuple[str, ...]) -> tuple[str, ...]:
        for operation in operations:
            if operation not in GROWTHS:
                raise ValueError(f"expected operations among {', '.join(GROWTHS)}")
        if len(set(operations)) != len(operations):
            raise ValueError("expected each operation once")
        return operations

    @field_validator("log2_factor", "learning_rate", *KNOBS)
    @classmethod
    def _range(cls, bounds: tuple[float, float] | None) -> tuple[float, float] | None:
        if bounds is not None and not bounds[0] <= bounds[1]:
            raise ValueError("expected [lowest, highest]")
        return bounds

    @property
    def knobs(self) -> dict[str, tuple[float, float]]:
        """The further knobs of training that are chosen, with their ranges."""
        ranges = {name: getattr(self, name) for name in KNOBS}
        return {name: bounds for name, bounds in ranges.items() if bounds is not None}

    @field_validator("log2_factor")
    @classmethod
    def _grows(cls, bounds: tuple[float, float]) -> tuple[float, float]:
        if not (bounds[0] >= 0.0 and bounds[1] <= 10.0):
            raise ValueError("expected a range within 0 to 10: widths grow by 2**log2_factor")
        return bounds


class Bounds(_Section):
    """How large a network may become; what is left out is not limited.

    ``step_milliseconds`` is the measured time of an update of its training on this machine; a
    candidate above it is refused before it is trained. New widths are multiples of
    ``width_multiple``; "auto" is what this machine computes fast, by a short measurement.
    """

    layers: Count | None = None
    width: Count | None = None
    kernel: Count | None = None
    parameters: Count | None = None
    flops: Count | None = None
    step_milliseconds: Annotated[float, Field(gt=0.0)] | None = None
    width_multiple: Count | Literal["auto"] = 1


class BriefTraining(Training):
    """The training that every candidate and every control gets."""

    slots: Treatment = "carry-rescaled"


class Controls(_Section):
    """Which arms run beside the candidates, on which fraction of the trials, how often.

    ``arms`` is a list, or a table of fractions: ``arms = {random = 1.0, scratch = 0.5}``. ``seeds``
    repeats candidate and controls with other seeds; ``tuned`` gives each control the best of so
    many learning rates, so that nobody can say that it was starved.
    """

    arms: dict[str, Fraction] = Field(default_factory=lambda: {"random": 1.0}, strict=False)
    seeds: Annotated[int, Field(ge=1, le=1000)] = 1
    tuned: Annotated[int, Field(ge=1, le=15)] = 1

    @field_validator("arms", mode="before")
    @classmethod
    def _fractions(cls, arms: Any) -> Any:
        if isinstance(arms, list | tuple):
            if len(set(map(str, arms))) != len(arms):
                raise ValueError("expected each arm once")
            return {str(arm): 1.0 for arm in arms}
        return arms

    @field_validator("arms")
    @classmethod
    def _known(cls, arms: dict[str, float]) -> dict[str, float]:
        for arm in arms:
            if arm not in CONTROLS:
                raise ValueError(f"expected arms among {', '.join(CONTROLS)}")
        return arms


class Judge(_Section):
    """When a candidate is kept: more images right, and surely a lower loss.

    ``margin`` is in standard errors of the difference in loss, image by image. ``held_out`` is the
    fraction of the validation images that no choice is made on, for an honest accuracy at the end.
    """

    margin: Annotated[float, Field(ge=0.0, le=10.0)] = 1.0
    held_out: Annotated[float, Field(ge=0.0, le=0.9)] = 0.5


class Pruning(_Section):
    """When a candidate is given up in the middle of its training, by its gain over its parent.

    Below ``-tolerance`` from ``warmup_steps`` on, in any case; and with a ``reduction`` above 1
    also unless its gain is among the best 1/reduction of all candidates that came as far, at
    ``warmup_steps`` and each multiple of it by ``reduction``: successive halving, across
    generations, because gains compare.
    """

    tolerance: Fraction
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    reduction: Annotated[int, Field(ge=1, le=100)] = 1


class Polish(Training):
    """The last training of the best network, when the search has ended.

    With a time budget the search leaves it ``share`` of the time, and it takes all that is left;
    its schedule then runs over the time. Without one it makes ``steps`` updates, or none for 0.

    It has ``cycles``, each with a schedule of its own and twice as long as the one before
    (Loshchilov and Hutter, arXiv:1608.03983): after each the network is as good as it can be in
    that time. It is stored after each of a cycle's ``parts``.
    """

    steps: Annotated[int, Field(ge=0, le=10**9)] = 0
    learning_rate: Rate = 1e-4
    share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.25
    cycles: Annotated[int, Field(ge=1, le=10)] = 1
    parts: Annotated[int, Field(ge=1, le=1000)] = 1

    @model_validator(mode="after")
    def _divides(self) -> Self:
        least = self.parts * (2**self.cycles - 1)
        if 0 < self.steps < least:
            raise ValueError(
                f"expected at least {least} steps for {self.cycles} cycles of {self.parts} parts, "
                f"got {self.steps}"
            )
        return self

    @property
    def plan(self) -> TrainingPlan:
        """The whole polish; where it makes no updates, for a time to be set."""
        timed = self.model_copy(update={"steps": max(self.steps, 1)})
        return timed.plan_at(self.learning_rate)


class Search(_Section):
    """The driver: sampler and what it is fitted on, its random first proposals, seed, trials.

    ``objective`` is the gain over the parent, or that for each second of training: the latter
    prefers what this machine computes fast, and depends on its measurements.
    """

    trials: Count = 12
    sampler: Literal["tpe", "random"] = "tpe"
    objective: Literal["gain", "gain_per_second"] = "gain"
    startup_trials: Annotated[int, Field(ge=0)] = 5
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0


class SearchSpace(_Section):
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
            raise _SectionError(
                "limits",
                f"expected room for the teacher's {architecture.parameters:,} parameters and its "
                f"layers, got {limits.model_dump(exclude_none=True)}",
            )
        if limits.width is not None:
            hidden = [node for node in architecture.nodes[:-1] if node.layer.is_producer]
            widest = max(hidden, key=lambda node: node.layer.width, default=None)
            if widest is not None and widest.layer.width > limits.width:
                raise _SectionError(
                    "limits.width",
                    f"expected at least {widest.layer.width}, the width of the teacher's "
                    f"{widest.name}",
                )
            if limits.width_multiple != "auto" and limits.width_multiple > limits.width:
                raise _SectionError(
                    "limits.width_multiple",
                    f"expected at most {limits.width}, the limits.width: no width is a multiple "
                    "of more",
                )
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
        return replace(self.training.plan_at(params["learning_rate"]), **chosen)

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
                source = _option_of(_key(invalid.errors()[0]), keys, options)
            raise SearchSpaceError(f"{source}: {_explain(invalid)}") from None

    @classmethod
    def parse(cls, values: Mapping[str, Any], *, source: str = "search space") -> Self:
        """Check plain values, as TOML or JSON give them; ``source`` names them in errors."""
        try:
            return cls.model_validate(values)
        except ValidationError as invalid:
            raise SearchSpaceError(f"{source}: {_explain(invalid)}") from None
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
            f"TOML file, got {_shown(repr(str(space)))}"
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
    shown = _shown(repr(override))
    key, equals, text = override.partition("=")
    *parents, last = key.strip().split(".")
    if not equals or not last or not all(parents):
        raise SearchSpaceError(
            f"--set: expected KEY=VALUE, such as training.steps=100, got {shown}"
        )
    table = values
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise SearchSpaceError(f"--set: expected {_shown(parent)} to be a table in {shown}")
    try:
        (table[last],) = tomllib.loads(f"value = {text}").values()
    except (ValueError, RecursionError):
        table[last] = text.strip()
    return ".".join((*parents, last))


def _explain(invalid: ValidationError) -> str:
    """The first thing that is wrong, in one line: key, expected, got."""
    first = invalid.errors(include_url=False)[0]
    key = _shown(_key(first)) or "the whole"
    value = _input(first)
    try:
        got = _shown(repr(value))
    except (ValueError, RecursionError):  # thousands of digits, thousands of levels
        got = f"an immense {type(value).__name__}"
    if first["type"] == "extra_forbidden":
        section = SearchSpace.model_fields
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
    message = _shown(message, 400).replace("Input should be", "expected")
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
    return cause.key if isinstance(cause, _SectionError) else ""


def _key(error: ErrorDetails) -> str:
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


def _shown(text: str, longest: int = 80) -> str:
    """The text in one line, and not too long a one."""
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 3] + "..."


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
