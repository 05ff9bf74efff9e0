"""The sections of a search space, each a table of its TOML file, checked to the last key."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator

from growsearch.checks import LARGEST_SEED
from growsearch.growth import SEARCHED, SHRINKS
from growsearch.space.plan_keys import KNOBS, ChoiceKeys, Rate
from growsearch.space.section import Count, Section
from growsearch.space.trainings import Ending
from growsearch.trials.arms import controls
from growsearch.trials.demands import DEMANDS, DemandName
from growsearch.trials.judge import Rule
from growsearch.trials.metrics import MetricName

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
WIDTH_MULTIPLE = 16  # if none is measured: that of the processors' kernels for bfloat16


class Choices(ChoiceKeys):
    """Quantities that Optuna chooses, with their ranges; fixed when the study is created.

    A knob of training whose range is left out is that of the brief training.
    """

    operations: tuple[str, ...] = Field(strict=False, min_length=1)
    log2_factor: tuple[float, float] = Field((0.5, 2.0), strict=False)
    learning_rate: tuple[Rate, Rate] = Field((1e-4, 1e-3), strict=False)

    @field_validator("operations")
    @classmethod
    def _known(cls, operations: tuple[str, ...]) -> tuple[str, ...]:
        for operation in operations:
            if operation not in SEARCHED:
                raise ValueError(f"expected operations among {', '.join(SEARCHED)}")
        if len(set(operations)) != len(operations):
            raise ValueError("expected each operation once")
        return operations

    @property
    def may_shrink(self) -> bool:
        """True if an operation makes networks smaller."""
        return any(operation in SHRINKS for operation in self.operations)

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


class Bounds(Section):
    """Upper limits on a network; a key that is left out limits nothing.

    ``step_milliseconds`` is the measured time of an update of its training on this machine; a
    candidate above it is refused before it is trained. New widths are multiples of
    ``width_multiple``; "auto" measures which multiple this machine computes fast.
    """

    layers: Count | None = None
    width: Count | None = None
    kernel: Count | None = None
    parameters: Count | None = None
    flops: Count | None = None
    step_milliseconds: Annotated[float, Field(gt=0.0)] | None = None
    width_multiple: Count | Literal["auto"] = 1


class Controls(Section):
    """The control arms, each with the fraction of the trials that it runs on.

    ``arms`` is a list, or a table of fractions: ``arms = {random = 1.0, scratch = 0.5}``. ``seeds``
    is the number of seeds that candidate and controls are trained with. ``tuned`` is the number of
    learning rates of which each control gets the best, so that no control loses by its rate.
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
            if arm not in controls():
                raise ValueError(f"expected arms among {', '.join(controls())}")
        return arms


class Judge(Section):
    """The rule by which a candidate is kept.

    "superior" asks for more images classified right and a loss that is lower beyond the margin.
    "not_inferior" asks for a loss that is not higher beyond the margin: for spaces with a polish
    that is long enough for a larger network to become better. ``margin`` is in standard errors of
    the difference in loss, image by image. ``held_out`` is the fraction of the validation images
    that no choice is made on, for an unbiased accuracy at the end.

    Another ``metric`` takes the place of accuracy everywhere in the run, and of the loss in both
    rules: see ``growsearch.trials.metrics``. A trunk is decided on by losses in any case.
    """

    metric: MetricName = "accuracy"
    rule: Rule = "superior"
    margin: Annotated[float, Field(ge=0.0, le=10.0)] = 1.0
    held_out: Annotated[float, Field(ge=0.0, le=0.9)] = 0.5


class Pruning(Section):
    """The rules by which a candidate's training is ended early, by the gain over its parent.

    From ``warmup_steps`` on, a gain below ``-tolerance`` ends it. With a ``reduction`` above 1
    there is successive halving too: at ``warmup_steps`` times each power of ``reduction``, a gain
    must be among the best 1/reduction of all candidates that reached that step. Gains are
    comparable across generations.
    """

    tolerance: Fraction
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    reduction: Annotated[int, Field(ge=1, le=100)] = 1


class Trunk(Section):
    """A search by a trunk: one network that is trained on while growths of it are tried beside it.

    Its keys are shares of the time budget, where nothing else is said; without a time budget, of
    ``steps`` updates of the first network.

    In a campaign, at most ``candidates`` growths of the trunk, as many as fit before the next
    commit, are trained for a share ``screen`` each. The best of them that is not refused is then
    trained on, for a share ``contest`` of the time that has passed. Before ``untested`` the first
    campaign is one growth, by the first operation of ``choices.operations``, which is kept without
    a comparison unless it broke.

    A candidate is refused at once if its loss exceeds the trunk's at equal cost by more than the
    fraction ``tolerance``, or if an update costs more than ``dearest`` times the trunk's. And where
    an update costs r times as much as one of the first network, a growth is tried only while the
    time that is left holds r times ``passes`` passes over the training images. A campaign begins
    when those before took at most ``deciding`` of the trunk's own training; none after ``until``.

    The rate of "inverse_sqrt" falls over ``timescale`` of the run's length in updates of the first
    network, or over ``training.timescale`` where that is more. Each network is read by a moving
    average over the last ``average`` of a training. Before each commit a fork of the trunk is
    cooled for a share ``cool`` of the time that has passed. The trunk ends with a ``decay`` in
    ``parts``, after each of which it is stored. The last one is trained in ``forks``, whose average
    is the end. With a rate ``restart`` the decay is a warm restart by half a cosine (Loshchilov and
    Hutter, arXiv:1608.03983); else the trunk's rate falls in a line. The ``last`` part of the decay
    may differ.
    """

    steps: Annotated[int, Field(ge=100, le=10**9)] = 20_000
    candidates: Annotated[int, Field(ge=1, le=64)] = 3
    screen: Annotated[float, Field(gt=0.0, le=0.2)] = 0.005
    contest: Annotated[float, Field(ge=0.0, le=1.0)] = 0.1
    untested: Annotated[float, Field(ge=0.0, le=1.0)] = 0.25
    tolerance: Annotated[float, Field(ge=0.0, le=10.0)] = 0.2
    passes: Annotated[float, Field(gt=0.0, le=10**6)] = 6.0
    dearest: Annotated[float, Field(ge=1.0, le=100.0)] = 2.0
    deciding: Annotated[float, Field(gt=0.0, le=10.0)] = 0.4
    until: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5
    timescale: Annotated[float, Field(ge=0.0, le=1.0)] = 0.03
    average: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.25
    cool: Annotated[float, Field(gt=0.0, le=0.5)] = 0.2
    decay: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.4
    restart: Annotated[float, Field(gt=0.0, le=10.0**6)] | None = None
    parts: Annotated[int, Field(ge=1, le=100)] = 2
    forks: Annotated[int, Field(ge=1, le=16)] = 2
    last: Ending | None = None


Fitted = Literal["gain", "gain_per_second", "loss_gain"]
_FITTED: tuple[Fitted, ...] = get_args(Fitted)


class Search(Section):
    """The settings of the driver: trials, time, sampler, its objective, random proposals, seed.

    The sampler is fitted on the ``objective``: the gain over the parent in accuracy, the same for
    each second of training, or with a trunk ``loss_gain``, the gain in loss at equal cost. The
    second prefers networks that this machine computes fast, and depends on its measurements.
    ``time_budget`` is in seconds, where the call or command gives none.

    Two objectives, accuracy and a demand such as "parameters", make a search that keeps a front
    instead of one network: see ``growsearch.trials.front``. The sampler is then fitted on the gain
    in accuracy and on the fall of the demand.
    """

    trials: Count = 12
    sampler: Literal["tpe", "random"] = "tpe"
    objective: Fitted | tuple[Literal["accuracy"], DemandName] = "gain"
    startup_trials: Annotated[int, Field(ge=0)] = 5
    time_budget: Annotated[float, Field(gt=0.0)] | None = None
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)] = 0

    @field_validator("objective", mode="before")
    @classmethod
    def _known_objective(cls, objective: Any) -> Any:
        if isinstance(objective, list | tuple):
            match tuple(objective):
                case ("accuracy", str(demand)) if demand in DEMANDS:
                    return "accuracy", demand
        elif isinstance(objective, str) and objective in _FITTED:
            return objective
        raise ValueError(
            f'expected {", ".join(_FITTED)}, or a list of "accuracy" and one of '
            f"{', '.join(DEMANDS)}"
        )

    @property
    def demand(self) -> DemandName | None:
        """The second of two objectives; None with one."""
        return self.objective[1] if isinstance(self.objective, tuple) else None
