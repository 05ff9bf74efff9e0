"""The contract of trainers as others use it: subclassed, and in need of pytest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )


def test_importing_growsearch_loads_no_pytest() -> None:
    """Nor does it load the contracts."""
    done = python(
        "import sys, growsearch; growsearch.TrainingPlan; print('pytest' in sys.modules, "
        "'growsearch.testing' in sys.modules)"
    )
    assert done.stdout == "False False\n"


def test_the_contract_without_pytest_is_one_clear_line() -> None:
    """The error says which package is missing, and how to get it."""
    done = python(
        "import sys; sys.modules['pytest'] = None\n"
        "try: from growsearch.testing import TrainerContract\n"
        "except ModuleNotFoundError as error: print(error)"
    )
    expected = "growsearch.testing: expected pytest, which runs its contracts: pip install pytest"
    assert done.stdout == f"{expected}\n"


OTHERS = """
from growsearch.testing import TrainerContract
from growsearch.training import Evaluation


class Careless:
    def evaluate(self, network, data):
        return Evaluation(1.0, 0.0)


class TestCareless(TrainerContract):
    @staticmethod
    def make_trainer():
        return Careless()


class TestNothing(TrainerContract):
    pass
"""


def test_a_trainer_of_others_is_held_to_the_laws(tmp_path: Path) -> None:
    """A subclass collects every law; a failed one shows its values; no TensorFlow is needed."""
    (tmp_path / "test_others.py").write_text(OTHERS)
    chosen = "accuracy_and_mean or TestNothing and many_and_no_images"
    arguments = ["-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, "-k", chosen],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 1
    assert "assert 1.0 == " in done.stdout  # the values, not only that it failed
    assert "TrainerContract: expected a subclass with make_trainer()" in done.stdout
    assert "tensorflow" not in done.stdout
