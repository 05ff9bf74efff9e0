"""The laws that every trainer keeps: subclass ``TrainerContract``, and pytest holds yours to them.

.. code-block:: python

    from growsearch.testing import TrainerContract

    class TestMyTrainer(TrainerContract):
        @staticmethod
        def make_trainer():
            return MyTrainer()
"""

from growsearch.testing.trainer_contract.augmentation import AugmentationLaws
from growsearch.testing.trainer_contract.class_weights import ClassWeightLaws
from growsearch.testing.trainer_contract.curves import CurveLaws
from growsearch.testing.trainer_contract.determinism import DeterminismLaws
from growsearch.testing.trainer_contract.outputs import OutputLaws
from growsearch.testing.trainer_contract.precision import PrecisionLaws
from growsearch.testing.trainer_contract.refusals import RefusalLaws
from growsearch.testing.trainer_contract.schedules import ScheduleLaws
from growsearch.testing.trainer_contract.training_mode import TrainingModeLaws
from growsearch.testing.trainer_contract.updates import UpdateLaws


class TrainerContract(
    OutputLaws,
    UpdateLaws,
    TrainingModeLaws,
    DeterminismLaws,
    PrecisionLaws,
    ScheduleLaws,
    AugmentationLaws,
    ClassWeightLaws,
    CurveLaws,
    RefusalLaws,
):
    """Every law of a trainer; a subclass says in ``make_trainer`` how to make a new one."""


__all__ = ["TrainerContract"]
