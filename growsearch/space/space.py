"""A search space: what the search may try, read from a TOML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from growsearch.datasets import LOADERS
from growsearch.errors import SearchSpaceError
from growsearch.growth import Limits
from growsearch.networks import Architecture
from growsearch.networks.optimizers import OPTIMIZERS
from growsearch.space import files
from growsearch.space.auto import around
from growsearch.space.invalid import explain, key_of
from growsearch.space.override import Override, changed, overrides_of, sources_of
from growsearch.space.section import Section, SectionError
from growsearch.space.sections import (
    WIDTH_MULTIPLE,
    Bounds,
    Choices,
    Controls,
    Judge,
    Pruning,
    Search,
    Trunk,
)
from growsearch.space.trainings import BriefTraining, Polish, Teacher
from growsearch.training import TrainingPlan, no_decay
from growsearch.training.plan import ENDLESS


class SearchSpace(Section):
    """Everything that a search depends on, apart from the images; frozen.

    Examples
    --------
    >>> space = SearchSpace.load("net2net")
    >>> space.choices.operations
    ('widen', 'deepen')
    >>> space.replace(choices={"operations": ["widen"]}).choices.operations
    ('widen',)
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
    trunk: Trunk | None = None
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
        # A larger first network may shrink until it keeps the limits.
        is_within = self.choices.may_shrink or self.growth_limits.allow(architecture)
        if not is_within:
            raise SectionError(
                "limits",
                f"expected room for the teacher's {architecture.parameters:,} parameters and its "
                f"layers, got {limits.model_dump(exclude_none=True)}",
            )
        if limits.width is not None:
            hidden = [node for node in architecture.nodes[:-1] if node.layer.is_producer]
            widest = max(hidden, key=lambda node: node.layer.width, default=None)
            too_wide = widest is not None and widest.layer.width > limits.width
            if widest is not None and too_wide and not self.choices.may_shrink:
                raise SectionError(
                    "limits.width",
                    f"expected at least {widest.layer.width}, the width of the teacher's "
                    f"{widest.name}",
                )
            if limits.width_multiple != "auto" and limits.width_multiple > limits.width:
                raise SectionError(
                    "limits.width_multiple",
                    f"expected at most {limits.width}, the value of limits.width: a new width is "
                    "a multiple of it",
                )
        if self.trunk is not None:
            self._leaves_the_decay_to_the_trunk()
            self._leaves_the_decisions_to_the_trunk()
        elif self.search.objective == "loss_gain":
            raise SectionError(
                "search.objective",
                "expected gain, gain_per_second or two objectives, as losses at equal cost are "
                "known of a search by a [trunk] alone, got loss_gain",
            )
        if self.search.demand is not None:
            self._can_keep_a_front()
        if (
            self.choices.weight_decay is not None
            and OPTIMIZERS[self.training.optimizer].decay is None
        ):
            raise SectionError("choices.weight_decay", no_decay(self.training.optimizer))
        return self

    def _leaves_the_decay_to_the_trunk(self) -> None:
        """Refuse a polish and a schedule with an end beside a trunk: its one decay is its last."""
        if self.polish is not None:
            raise SectionError("polish", "expected none beside [trunk], which ends with a decay")
        for name, section in (("teacher", self.teacher), ("training", self.training)):
            if section.schedule not in ENDLESS:
                raise SectionError(
                    f"{name}.schedule",
                    f"expected {' or '.join(ENDLESS)} beside [trunk], which ends with a decay",
                )

    def _leaves_the_decisions_to_the_trunk(self) -> None:
        """Refuse keys that a trunk does not read: it has decisions and averages of its own."""
        usual = Judge()
        for key, is_set, instead in (
            ("pruning", self.pruning is not None, "trunk.tolerance"),
            ("judge.rule", self.judge.rule != usual.rule, "trunk.tolerance"),
            ("judge.margin", self.judge.margin != usual.margin, "trunk.tolerance"),
            ("choices.ema", self.choices.ema is not None, "trunk.average"),
        ):
            if is_set:
                raise SectionError(
                    key,
                    f"expected none beside [trunk], which does not read it: set {instead}, or use "
                    "a space without [trunk], such as net2net",
                )

    def _can_keep_a_front(self) -> None:
        """Refuse what belongs to a search that keeps one network, beside two objectives."""
        if self.trunk is not None:
            raise SectionError(
                "search.objective",
                'expected one objective, such as "loss_gain", beside [trunk], which trains one '
                "network throughout: for a front use a space without [trunk], such as net2net",
            )
        if self.polish is not None:
            raise SectionError(
                "polish",
                "expected none beside two objectives: one network of a front that was trained on "
                "cannot be compared with the others",
            )
        if self.judge.rule != "superior":
            raise SectionError(
                "judge.rule",
                "expected superior beside two objectives: a network joins a front if it is surely "
                "better than each that demands no more",
            )

    @property
    def architecture(self) -> Architecture:
        """The teacher's architecture."""
        return self.teacher.first

    @property
    def trunk_section(self) -> Trunk:
        """The settings of the search by a trunk; the defaults where the space has none."""
        return self.trunk or Trunk()

    @property
    def growth_limits(self) -> Limits:
        """The limits as growth takes them."""
        limits = self.limits.model_dump(exclude={"step_milliseconds", "width_multiple"})
        multiple = self.limits.width_multiple
        return Limits(**limits, width_multiple=WIDTH_MULTIPLE if multiple == "auto" else multiple)

    def with_width_multiple(self, multiple: int) -> Self:
        """Return the space with the measured multiple in place of "auto"."""
        limits = self.limits.model_copy(update={"width_multiple": multiple})
        return self.model_copy(update={"limits": limits})

    def plan(self, params: Mapping[str, Any]) -> TrainingPlan:
        """Return the plan of a candidate: the brief training with the knobs that Optuna chose."""
        chosen = {name: params[name] for name in self.choices.knobs}
        return self.training.plan_at(params["learning_rate"]).with_keys(chosen)

    @classmethod
    def load(
        cls,
        space: str | Path,
        overrides: str | Override | Sequence[str | Override] = (),
        *,
        first: Architecture | None = None,
    ) -> Self:
        """Read a shipped space by its name, or a TOML file by its path.

        Parameters
        ----------
        space : str or Path
            A shipped name, such as "net2net", or the path of a TOML file.
        overrides : str, Override, or sequence of both
            Values that replace those of the file. Text is ``KEY=VALUE`` with a dotted key and a
            TOML value, such as ``training.steps=100``.
        first : Architecture, optional
            The first network, in place of the file's; "auto" needs one.

        Warns
        -----
        FutureWarning
            When the name is that of an earlier version: names the space that is loaded.

        Raises
        ------
        SearchSpaceError
            Names the file, or the source of the override that is wrong; then the key, what was
            expected and what came.

        Examples
        --------
        >>> SearchSpace.load("net2net", "training.steps=100").training.steps
        100
        """
        path = files.find(space)
        if first is None and space == files.AUTO:
            raise SearchSpaceError(
                "search space auto: expected a network to start from, by --model PATH or "
                "network=, got none"
            )
        return cls.of_values(files.read(path), overrides, first=first, source=str(path))

    @classmethod
    def of_values(
        cls,
        values: Mapping[str, Any],
        overrides: str | Override | Sequence[str | Override] = (),
        *,
        first: Architecture | None = None,
        source: str = "search space",
    ) -> Self:
        """Check plain values after overrides, and with another first network; see :meth:`load`.

        Raises
        ------
        SearchSpaceError
            Names ``source``, or the source of the override that is wrong.
        """
        changes = overrides_of(overrides)
        if first is not None:
            values = around(values, first, changes)
        try:
            return cls.model_validate(changed(values, changes))
        except (ValidationError, RecursionError) as invalid:
            with suppress(ValidationError):
                cls.model_validate(values)  # these are valid: an override must be wrong
                source = sources_of(key_of(invalid), changes)
            raise SearchSpaceError(f"{source}: {explain(invalid, cls)}") from None

    @classmethod
    def parse(cls, values: Mapping[str, Any], *, source: str = "search space") -> Self:
        """Check plain values, as TOML or JSON give them; ``source`` names them in errors.

        Raises
        ------
        SearchSpaceError
            Names the key, what was expected and what came.
        """
        try:
            return cls.model_validate(values)
        except (ValidationError, RecursionError) as invalid:
            raise SearchSpaceError(f"{source}: {explain(invalid, cls)}") from None

    def replace(self, /, **changes: Any) -> Self:
        """Return the space with some values changed, checked as a whole.

        Parameters
        ----------
        **changes
            Sections and values by their names. A mapping for a section changes the keys that it
            names and leaves the others. Any other value takes the place of the old one; None
            removes an optional section.

        Raises
        ------
        SearchSpaceError
            Names the key, what was expected and what came.

        Examples
        --------
        >>> wider = SearchSpace.load("net2net").replace(limits={"width": 4096}, name="wider")
        >>> wider.name, wider.limits.width, wider.limits.layers
        ('wider', 4096, 8)
        """
        return self.parse(_merged(self, changes))

    @staticmethod
    def shipped() -> tuple[str, ...]:
        """Return the names of the spaces that ship with growsearch, sorted."""
        return files.shipped()


def _merged(section: Section, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain values of a section, with changes merged into it and its sections."""
    held, values = dict(section), section.model_dump()
    for key, value in changes.items():
        old = held.get(key)
        if isinstance(value, Section):
            values[key] = value.model_dump()
        elif isinstance(value, Mapping):
            values[key] = _merged(old, value) if isinstance(old, Section) else dict(value)
        else:
            values[key] = value
    return values
