"""The five experiments of the original Net2Net repository as a table, and one control of ours.

Source: https://github.com/paengs/Net2Net, main.py and README.md. A teacher is trained on MNIST.
Four students start from it: wider and deeper by Net2Net, and both with random new weights instead.
As in the original: kernels truncated normal (0.1), biases 0.1, batches of 50, Adam at 1e-4, an
optimizer that starts anew with each student, accuracy on the *test* images every 100 iterations.
We train each student a second time, with its optimizer's slots carried. We also add an experiment,
the teacher trained on without growth, which separates the gain by growth from that by training.

Known differences, all small: the original evaluates after update i + 1 and calls it iteration i,
here it is after i updates; it sums the cross-entropy over a batch, here it is the mean (Adam does
not depend on the scale); its random new layer is cut at two standard deviations, ours is not. The
original's updates after its last evaluation change no published figure, and are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from growsearch.growth import Deepen, Filling, Growth, Treatment, Widen

ARCHITECTURE = "5x5x32(conv1)-pool1-5x5x64(conv2)-pool2-1024(fc1)-10(fc2)"
BATCH_SIZE = 50
LEARNING_RATE = 1e-4


@dataclass(frozen=True)
class Experiment:
    """One experiment: how its network comes from the teacher, and the published figures.

    Parameters
    ----------
    name, title : str
    published : mapping
        Iteration -> test accuracy, from the original's README.md.
    growth : Growth or None
        The growth of the teacher; None for the teacher itself.
    fill : "net2net" or "random"
        The new weights of the growth.
    continues : bool
        Whether the network starts from the trained teacher; if not, from random weights.
    """

    name: str
    title: str
    published: Mapping[int, float]
    growth: Growth | None = None
    fill: Filling = "net2net"
    continues: bool = True

    @property
    def treatments(self) -> tuple[Treatment, ...]:
        """The treatments of the slots that are trained: the original's, then ours."""
        return ("reset", "carry") if self.continues else ("reset",)


def _published(*accuracies: float) -> Mapping[int, float]:
    return MappingProxyType({100 * (i + 1): each for i, each in enumerate(accuracies)})


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "teacher",
        "Teacher, from random weights",
        _published(0.8732, 0.9025, 0.9313, 0.9408, 0.9363, 0.9466, 0.9379, 0.9582, 0.9583),
        continues=False,
    ),
    Experiment(
        "wider",
        "Student, Net2Wider: conv1 from 32 to 128 filters",
        _published(0.9136, 0.9689, 0.9645, 0.9757, 0.9762, 0.9757, 0.9752, 0.9765, 0.9777),
        Widen("conv1", 128),
    ),
    Experiment(
        "random pad",
        "Its baseline, random pad: the 96 new filters random",
        _published(0.9255, 0.9361, 0.9418, 0.9551, 0.9608, 0.9653, 0.9677, 0.9659, 0.9690),
        Widen("conv1", 128),
        "random",
    ),
    Experiment(
        "deeper",
        "Student, Net2Deeper: an identity layer behind conv1",
        _published(0.9673, 0.9646, 0.9718, 0.9731, 0.9765, 0.9612, 0.9783, 0.9812, 0.9785),
        Deepen("conv1"),
    ),
    Experiment(
        "random init",
        "Its baseline, random init: the new layer random",
        _published(0.9057, 0.9059, 0.9446, 0.9489, 0.9541, 0.9581, 0.9607, 0.9499, 0.9663),
        Deepen("conv1"),
        "random",
    ),
    # Not one of the original's: the students' gain without any growth.
    Experiment("continued", "Control of ours: the teacher, trained on without growth", {}),
)

BY_NAME: Mapping[str, Experiment] = MappingProxyType({each.name: each for each in EXPERIMENTS})
# Every training of one seed, in order: an experiment and the treatment of its slots.
TRAININGS: tuple[tuple[Experiment, Treatment], ...] = tuple(
    (each, slots) for each in EXPERIMENTS for slots in each.treatments
)
