"""The sections of a search space that are trainings: the first network's, a trial's, the polish."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from growsearch.errors import ArchitectureError, InvalidInputError
from growsearch.growth import Treatment
from growsearch.net2net.units import Shares
from growsearch.networks import Architecture
from growsearch.networks.network import Initializer
from growsearch.space.plan_keys import LastKeys, Rate, TrainingKeys
from growsearch.space.section import Count, SectionError
from growsearch.training import TrainingPlan


class Training(TrainingKeys):
    """A training: one key for each field of a plan, those of the augmentation included."""

    @model_validator(mode="after")
    def _makes_a_plan(self) -> Self:
        """Check all keys together, by the checks of the plan."""
        try:
            self._plan_of(max(self.steps, 1), TrainingPlan.learning_rate)
        except InvalidInputError as error:
            key, _, message = str(error).partition(": ")
            raise SectionError(key, message) from None
        return self

    def plan_at(self, learning_rate: float) -> TrainingPlan:
        """Return the plan with a learning rate."""
        return self._plan_of(self.steps, learning_rate)

    def _plan_of(self, steps: int, learning_rate: float) -> TrainingPlan:
        keys = {name: getattr(self, name) for name in TrainingKeys.model_fields}
        return TrainingPlan.of_keys(keys | {"steps": steps, "learning_rate": learning_rate})


class Teacher(Training):
    """The first network, and its training before the search begins.

    The architecture is a chain in notation; or a graph, as a table or as JSON text, as
    :meth:`growsearch.Architecture.to_json` gives it, with the shape of its input. The space holds
    it as text. ``steps`` may be 0 where a network is given, which is then taken as it is.
    """

    architecture: str
    input_shape: tuple[Count, ...] = Field((28, 28, 1), strict=False)
    steps: Annotated[int, Field(ge=0, le=10**9)]
    initializer: Initializer = "he_normal"
    learning_rate: Rate = TrainingPlan.learning_rate

    @model_validator(mode="before")
    @classmethod
    def _graph_as_text(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not _is_graph(values.get("architecture")):
            return values
        try:
            graph = Architecture.from_json(values["architecture"])
        except ArchitectureError as error:
            raise SectionError("architecture", str(error)) from None
        text = json.dumps(graph.to_json())
        return {"input_shape": graph.input_shape, **values, "architecture": text}

    @model_validator(mode="after")
    def _parses(self) -> Self:
        if len(self.input_shape) != len(IMAGE):
            raise SectionError("input_shape", f"expected ({', '.join(IMAGE)}), as images have")
        try:
            architecture = self.first
        except ArchitectureError as error:
            message = str(error)
            key = "input_shape" if message.startswith("input_shape:") else "architecture"
            raise SectionError(key, message.removeprefix("input_shape: ")) from None
        if architecture.input_shape != self.input_shape:
            expected = f"expected {architecture.input_shape}, as the architecture's"
            raise SectionError("input_shape", expected)
        return self

    @property
    def first(self) -> Architecture:
        """The first network's architecture."""
        if _is_graph(self.architecture):
            return Architecture.from_json(self.architecture)
        return Architecture.parse(self.architecture, self.input_shape)

    @property
    def plan(self) -> TrainingPlan:
        """The training of the teacher; 1 update where ``steps`` is 0, as there is none."""
        return self._plan_of(max(self.steps, 1), self.learning_rate)

    def _plan_of(self, steps: int, learning_rate: float) -> TrainingPlan:
        if self.steps:
            return super()._plan_of(steps, learning_rate)
        without = self.model_copy(update={"warmup": 0})  # of a training that there is not
        return Training._plan_of(without, steps, learning_rate)


IMAGE = ("height", "width", "channels")  # the axes of an image


def _is_graph(architecture: Any) -> bool:
    """Return True for a table or JSON text, False for notation."""
    is_json = isinstance(architecture, str) and architecture.lstrip().startswith("{")
    return is_json or isinstance(architecture, dict)


class BriefTraining(Training):
    """The training that every candidate and every control gets.

    ``slots`` is the treatment of the optimizer's slots in a growth, and ``split`` that of the units
    in one that widens; see :class:`growsearch.Widen`. ``class_weight`` is that of all trainings of
    the run; see :class:`growsearch.TrainingPlan`.
    """

    slots: Treatment = "carry-rescaled"
    split: Shares | None = None
    class_weight: Literal["none", "balanced"] = "none"

    def _plan_of(self, steps: int, learning_rate: float) -> TrainingPlan:
        return self.weighted(super()._plan_of(steps, learning_rate))

    def weighted(self, plan: TrainingPlan) -> TrainingPlan:
        """Return a plan of another training of the run, with the class weights of this one."""
        return replace(plan, class_weight=self.class_weight)


def _with_an_end(schedule: str | None) -> str | None:
    if schedule == "inverse_sqrt":
        raise ValueError("expected a schedule with an end, such as wsd")
    return schedule


class Ending(LastKeys):
    """Keys in which the end of a last training differs; the others are as before it.

    It is the last cycle of a polish, or the last part of the decay of a trunk.

    Weights averaged along a training at a constant middle rate generalise better than those at the
    end of a schedule that falls to zero (Izmailov et al., arXiv:1803.05407). That holds for long
    averages only: short cycles are better without one.
    """

    _ends = field_validator("schedule")(_with_an_end)

    def of(self, plan: TrainingPlan) -> TrainingPlan:
        """Return the plan of the end, from that of the training before it."""
        return plan.with_keys(self.model_dump(exclude_none=True))


class Polish(Training):
    """The last training of the best network, when the search has ended.

    With a time budget the search leaves ``share`` of the time to the polish, which takes all that
    is left; the schedule then runs over the time. Without one the polish makes ``steps`` updates.

    The polish has ``cycles``, each with a schedule of its own and ``t_mul`` times as long as the
    one before (Loshchilov and Hutter, arXiv:1608.03983), so that the network is fully trained after
    each. The network is stored after each of a cycle's ``parts``. The ``last`` cycle may differ.
    """

    steps: Annotated[int, Field(ge=0, le=10**9)] = 0
    learning_rate: Rate = TrainingPlan.learning_rate
    share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.25
    cycles: Annotated[int, Field(ge=1, le=10)] = 1
    t_mul: Annotated[int, Field(ge=1, le=4)] = 2
    parts: Annotated[int, Field(ge=1, le=1000)] = 1
    last: Ending | None = None

    _ends = field_validator("schedule")(_with_an_end)

    @field_validator("warmup")
    @classmethod
    def _goes_on(cls, warmup: int) -> int:
        """Refuse a number of updates in a schedule that may run over the time."""
        if warmup:
            raise ValueError("expected 0, as a polish trains a network on: rewarm is for that")
        return warmup

    @model_validator(mode="after")
    def _divides(self) -> Self:
        least = self.parts * sum(self.t_mul**cycle for cycle in range(self.cycles))
        if 0 < self.steps < least:
            raise ValueError(
                f"expected at least {least} steps for {self.cycles} cycles of {self.parts} parts, "
                f"got {self.steps}"
            )
        return self

    @property
    def plan(self) -> TrainingPlan:
        """The plan of the whole polish; 1 update where ``steps`` is 0, as its time is set later."""
        return self._plan_of(max(self.steps, 1), self.learning_rate)

    @property
    def last_plan(self) -> TrainingPlan:
        """The whole polish, trained as its last cycle is."""
        return self.plan if self.last is None else self.last.of(self.plan)
