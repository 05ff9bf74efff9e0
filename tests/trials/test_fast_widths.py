"""The probe of fast widths, on machines made up, whose kernels like some multiples."""

from __future__ import annotations

import pytest

from growsearch.networks import Architecture
from growsearch.training import Augmentation, Speed, TrainingPlan
from growsearch.trials.fast_widths import MULTIPLES, fast_multiple

PLAN = TrainingPlan(10, precision="auto")


class Machine:
    """An update takes as long as its work, and ``slow`` times that off the kernels' multiple.

    ``precision`` is what its "auto" comes to.
    """

    def __init__(self, multiple: int, slow: float = 5.0, precision: str = "float32") -> None:
        self.multiple, self.slow, self.precision = multiple, slow, precision
        self.asked: list[tuple[int, TrainingPlan]] = []

    def speed_of(self, architecture: Architecture, plan: TrainingPlan) -> Speed:
        width = architecture["conv1"].layer.width
        assert architecture["conv2"].layer.width == width
        self.asked.append((width, plan))
        factor = self.slow if width % self.multiple else 1.0
        precision = self.precision if plan.precision == "auto" else plan.precision
        return Speed(precision, architecture.flops * 1e-9 * factor)


@pytest.mark.parametrize("multiple", [*MULTIPLES])
def test_the_smallest_fast_multiple_is_found(multiple: int) -> None:
    """Widths on the machine's kernels take what their work explains, others take longer."""
    assert fast_multiple(Machine(multiple), PLAN) == multiple


def test_a_machine_that_likes_all_widths_alike_needs_no_multiple() -> None:
    """A tenth more is the noise of a measurement, no slow kernel."""
    assert fast_multiple(Machine(16, slow=1.1), PLAN) == 1


@pytest.mark.parametrize("multiple", [1, 8])
def test_bfloat16_takes_sixteen_together(multiple: int) -> None:
    """Its kernels are known: nothing but the precision is measured."""
    machine = Machine(multiple, precision="bfloat16")
    assert fast_multiple(machine, PLAN) == 16
    assert len(machine.asked) == 1


def test_one_precision_is_measured() -> None:
    """The precision is that of "auto" at 32 channels; a plan's own precision is kept."""
    machine = Machine(4)
    fast_multiple(machine, PLAN)
    assert [width for width, _ in machine.asked] == [32, 33, 34, 36]
    assert [plan.precision for _, plan in machine.asked] == ["auto", *["float32"] * 3]
    asked = Machine(2, precision="bfloat16")
    fast_multiple(asked, TrainingPlan(10, precision="float32", batch_size=7))
    assert {(plan.precision, plan.batch_size) for _, plan in asked.asked} == {("float32", 7)}


def test_the_probe_is_not_augmented() -> None:
    """Its images are its own: what the data's bear may be too much for them."""
    machine = Machine(4)
    fast_multiple(machine, TrainingPlan(10, augmentation=Augmentation(30, 9.0, 0.1, 40)))
    for _, plan in machine.asked:
        assert plan.augmentation == Augmentation()
