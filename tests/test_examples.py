"""The examples: each runs as a process of its own, and what it claims is in its output."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from growsearch.errors import InvalidInputError
from growsearch.networks import INPUT, Architecture, Network, Node
from growsearch.networks.layers import Activation, Dense, Flatten
from growsearch.networks.optimizers import OPTIMIZERS
from growsearch.testing.trainer_contract import curves, determinism, refusals, updates
from growsearch.testing.trainer_contract.cases import CLASSES, IMAGE, rich, split, trained
from growsearch.testing.trainer_contract.class_weights import ClassWeightLaws
from growsearch.testing.trainer_contract.curves import CurveLaws
from growsearch.testing.trainer_contract.determinism import DeterminismLaws
from growsearch.testing.trainer_contract.outputs import OutputLaws
from growsearch.testing.trainer_contract.refusals import RefusalLaws
from growsearch.testing.trainer_contract.schedules import ScheduleLaws
from growsearch.testing.trainer_contract.updates import UpdateLaws
from growsearch.training import Augmentation, Trainer, TrainingPlan
from tests.command_line import ROOT

EXAMPLES = ROOT / "examples"
SECONDS = 300  # a hung process, not a slow one


def output_of(name: str, folder: Path) -> str:
    """Run an example in a folder; return what it prints."""
    environment = {
        "PYTHONPATH": str(ROOT),
        "GROWSEARCH_OFFLINE": "1",
        "KERAS_BACKEND": "tensorflow",
        "OPENBLAS_NUM_THREADS": "1",  # beside other tests, its threads would wait for each other
    }
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)],
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        cwd=folder,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def number(pattern: str, text: str) -> float:
    """Return the one number that a pattern finds."""
    (found,) = re.findall(pattern, text, re.MULTILINE)
    return float(found)


def test_every_example_is_tested() -> None:
    """A new example needs a test that runs it, and says in its docstring how to run it."""
    names = {path.name for path in EXAMPLES.glob("*.py")}
    tested = set(re.findall(r'output_of\("(\w+\.py)"', Path(__file__).read_text()))
    assert names == tested
    for name in names:
        assert f"``python examples/{name}``" in (EXAMPLES / name).read_text()


def test_a_keras_model_grows_and_trains_on(tmp_path: Path) -> None:
    """Outputs differ by rounding alone, and the grown model learns more by Keras' own ``fit``."""
    text = output_of("grow_keras_model.py", tmp_path)
    assert number(r"^difference: (\S+),", text) < 1e-5
    before, grown, after = (
        number(rf"^{when}: +([\d.]+\d)", text) for when in ("trained", "grown", "trained on")
    )
    assert 0.8 < before == grown < after


def test_a_search_prints_its_evidence(tmp_path: Path) -> None:
    """Six trials, two control arms, one sentence of evidence for each; a second call adds none."""
    first = output_of("search.py", tmp_path)
    assert re.findall(r"^trial (\d): ", first, re.MULTILINE) == list("012345")
    for arm in ("random", "continued"):
        assert number(rf"^net2net − {arm}: .* n = (\d) .*Wilcoxon p", first) == 6
    assert number(r"^best: +([\d.]+) test", first) > 0.8
    assert (tmp_path / "runs" / "example").is_dir()
    assert output_of("search.py", tmp_path) == first


def test_a_search_runs_with_a_trainer_of_ones_own(tmp_path: Path) -> None:
    """It needs no TensorFlow, grows the dense network, and ends above the teacher."""
    text = output_of("own_trainer.py", tmp_path)
    assert re.findall(r"^trial (\d): ", text, re.MULTILINE) == list("012345")
    assert number(r"^best: +([\d.]+) test", text) > number(r"^teacher: +([\d.]+) test", text)
    assert re.search(r"^net2net − random: .*n = [4-6] ", text, re.MULTILINE)
    assert "TensorFlow was not loaded" in text
    assert not list(tmp_path.iterdir())


# -- the trainer in numpy, held to the contract's laws about dense layers -------------------------


def own_trainer() -> ModuleType:
    """Return the example as a module."""
    spec = importlib.util.spec_from_file_location("own_trainer", EXAMPLES / "own_trainer.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where pickle looks for the trainer's class
    spec.loader.exec_module(module)
    return module


OWN = own_trainer()


def dense() -> Network:
    """Return a network on the images of the laws, of what the trainer has: dense layers."""
    nodes = (
        Node("flat", Flatten(), (INPUT,)),
        Node("fc1", Dense(12), ("flat",)),
        Node("fc2", Dense(8, "linear", use_bias=False), ("fc1",)),
        Node("tanh2", Activation("tanh"), ("fc2",)),
        Node("out", Dense(CLASSES, "softmax"), ("tanh2",)),
    )
    return trained(Architecture(IMAGE, nodes))


class OfNumpy:
    """The trainer; where a law takes the network with every kind of layer, it gets a dense one."""

    @staticmethod
    def make_trainer() -> Trainer:
        return OWN.NumpyTrainer()

    @pytest.fixture(autouse=True)
    def dense_networks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in (curves, determinism, refusals, updates):
            monkeypatch.setattr(module, "rich", dense)


class TestOutputsOfNumpy(OfNumpy, OutputLaws):
    """All laws of outputs, of every layer type."""


class TestClassWeightsOfNumpy(OfNumpy, ClassWeightLaws):
    """All laws of class weights."""


class TestUpdatesOfNumpy(OfNumpy, UpdateLaws):
    """All laws of updates."""


class TestRefusalsOfNumpy(OfNumpy, RefusalLaws):
    """All laws of refusals."""


class TestCurvesOfNumpy(OfNumpy, CurveLaws):
    """All laws of curves, one of them with a dense network in place of a convolution."""

    @pytest.fixture(autouse=True)
    def dense_layers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(curves, "around", lambda _: dense().architecture)


class TestDeterminismOfNumpy(OfNumpy, DeterminismLaws):
    """All laws of determinism but that of the options that the trainer refuses."""

    test_every_option_repeats_to_the_last_bit = None


class TestSchedulesOfNumpy(OfNumpy, ScheduleLaws):
    """All laws of schedules but that of moving averages, which the trainer refuses."""

    test_averages_are_their_formula = None
    test_beside_averages_the_last_network_is_that_without = None
    test_a_training_goes_on_from_the_last_network = None


@pytest.mark.parametrize(
    "changed",
    [{"augmentation": Augmentation(shift=1)}, {"ema": 0.9}, {"precision": "bfloat16"}],
    ids=str,
)
def test_what_the_trainer_does_not_have_it_refuses(changed) -> None:
    """An option that would be ignored is an error that names it."""
    plan = TrainingPlan(1, **changed)
    with pytest.raises(InvalidInputError, match="expected one without augmentation, ema and"):
        OWN.NumpyTrainer().train(dense(), split(8), plan, evaluate_on=split(8), seed=0)
    with pytest.raises(InvalidInputError, match=r"conv1: expected a chain of dense layers"):
        OWN.NumpyTrainer().train(rich(), split(8), TrainingPlan(1), evaluate_on=split(8), seed=0)


def test_the_trainer_has_every_optimizer() -> None:
    """Each is trained with by the laws of updates; none is left out of them."""
    for name in OPTIMIZERS:
        plan = TrainingPlan(2, optimizer=name)
        result = OWN.NumpyTrainer().train(dense(), split(8), plan, evaluate_on=split(8), seed=0)
        assert result.network.slots.optimizer == name
