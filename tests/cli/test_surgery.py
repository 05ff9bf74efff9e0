"""Surgery on the command line: a model file grows, and what may grow is listed."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from growsearch.cli import main
from growsearch.cli.growths import FORMS, as_option, growths_of
from growsearch.growth import (
    OPERATIONS,
    AddClasses,
    Deepen,
    EnlargeKernel,
    Narrow,
    Widen,
    growth_from_json,
    sites,
)
from growsearch.growth.surgery import change_of, inputs_of, operated
from growsearch.interop.models import starting_network
from growsearch.networks import Architecture
from tests.command_line import refused
from tests.keras_files import L, keras, model, saved

pytestmark = pytest.mark.usefixtures("own_machine")

TYPED = ("--widen", "conv1=6", "--deepen", "fc1", "--widen", "conv1=9,split=equal")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a small Keras model."""
    return saved(model(), tmp_path_factory.mktemp("models") / "model.keras")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An .npz of small images in three classes."""
    rng, path = np.random.default_rng(0), tmp_path_factory.mktemp("images") / "images.npz"
    counts = {"train": 60, "validation": 30, "test": 12}
    pixels = {f"x_{part}": rng.random((n, 8, 8, 1), np.float32) for part, n in counts.items()}
    labels = {f"y_{part}": np.arange(n) % 3 for part, n in counts.items()}
    np.savez(path, allow_pickle=False, **pixels, **labels)
    return path


def outputs(path: Path) -> Any:
    """Outputs of the network of a file."""
    images = np.random.default_rng(1).random((5, 8, 8, 1))
    return starting_network(path).network.forward(images)


@pytest.mark.parametrize("suffix", [".keras", ".safetensors"])
def test_growths_are_applied_in_the_order_typed(
    suffix: str, path: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file has the grown network, whose outputs are the old ones; the steps are printed."""
    out = tmp_path / f"out{suffix}"
    assert main(["grow", str(path), *TYPED, "-o", str(out), "--data", str(images)]) == 0
    printed, err = capsys.readouterr()
    assert err == ""
    steps = [line.split() for line in printed.splitlines()[:3]]
    assert [step[0] for step in steps] == ["widen", "deepen", "widen"]
    assert [steps[0][2:], steps[2][2:]] == [["4", "→", "6"], ["6", "→", "9"]]
    for name in ("parameters", "FLOPs", "size", "max |Δ|", f"written       {out}"):
        assert f"\n{name}" in printed
    architecture = starting_network(out).network.architecture
    assert architecture["conv1"].layer.width == 9
    assert len(architecture) == 1 + len(starting_network(path).network.architecture)
    assert float(np.abs(outputs(out) - outputs(path)).max()) < 1e-5


def test_the_ends_grow_and_old_outputs_stay(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """New classes have names in the file; a copied channel is compared where it repeats the old."""
    out = tmp_path / "out.safetensors"
    typed = ("--add-classes", '2,names=["cat", "dog"]', "--add-inputs", "2,init=copy")
    assert main(["grow", str(path), *typed, "-o", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["change"]["relative"] < 1e-6
    network = starting_network(out).network
    assert network.class_names == ("0", "1", "2", "cat", "dog")
    assert network.architecture.input_shape == (8, 8, 3)


def of_bytes(path: Path, *, batch_norm: bool = False) -> Path:
    """The file of a model that divides bytes by 255: half of its units need a bright pixel."""
    keras.utils.set_random_seed(0)
    norm = [L.BatchNormalization(name="bn1")] if batch_norm else []
    layers = [
        *(keras.Input((8, 8, 1)), L.Rescaling(1.0 / 255.0, name="scale")),
        *(L.Conv2D(8, 3, name="conv1"), *norm, L.ReLU()),
        *(L.GlobalAveragePooling2D(), L.Dense(3, name="fc1")),
    ]
    found = keras.Sequential(layers)
    kernel, bias = found.get_layer("conv1").get_weights()
    bias[:] = 0.3
    bias[4:] = -0.4  # such a unit is off in images that are nearly black
    found.get_layer("conv1").set_weights([kernel, bias])
    return saved(found, path)


@pytest.mark.parametrize("has_data", [True, False])
def test_a_model_of_bytes_sees_bytes(
    has_data: bool, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The change is that on bytes; it is said, and the file takes bytes as before."""
    path, out = of_bytes(tmp_path / "bytes.keras"), tmp_path / "out.keras"
    data = ["--data", str(images)] if has_data else []
    typed = ["--narrow", "conv1=4,by=magnitude", "-o", str(out), *data]
    assert main(["grow", str(path), *typed, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    before, after = starting_network(path).network, starting_network(out).network
    assert after.architecture["scale"] == before.architecture["scale"]
    unit = np.random.default_rng(0).random((16, 8, 8, 1))
    if has_data:
        with np.load(images) as arrays:
            unit = arrays["x_validation"][:16].astype(np.float64)
    pixels = np.rint(255.0 * unit)
    largest = float(np.abs(after.forward(pixels) - before.forward(pixels)).max())
    assert largest > 0.01
    assert found["change"]["largest"] == pytest.approx(largest, rel=1e-6)
    assert "from 0 to 255" in found["notes"][0]
    assert main(["grow", str(path), *typed]) == 0
    assert "\nnote          the network takes pixels from 0 to 255" in capsys.readouterr().out


def test_new_weights_of_a_model_of_bytes_measure_bytes(images: Path, tmp_path: Path) -> None:
    """Narrow by activation and a new batch norm are those of the function, on bytes."""
    path, out = of_bytes(tmp_path / "bytes.keras", batch_norm=True), tmp_path / "out.safetensors"
    typed = ["--deepen", "conv1", "--narrow", "conv1=5,by=activation", "--seed", "3"]
    assert main(["grow", str(path), *typed, "-o", str(out), "--data", str(images)]) == 0
    with np.load(images) as arrays:
        pixels = np.rint(255.0 * arrays["x_validation"])
    growths = [Deepen("conv1"), Narrow("conv1", 5, "activation")]
    expected = operated(starting_network(path).network, growths, rng=3, images=pixels)
    assert starting_network(out).network.sha256 == expected.sha256


def test_a_model_of_fractions_sees_fractions(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is multiplied, and nothing is said."""
    typed = ["--narrow", "conv1=3,by=magnitude", "-o", str(tmp_path / "out.keras"), "--json"]
    assert main(["grow", str(path), *typed]) == 0
    found = json.loads(capsys.readouterr().out)
    before = starting_network(path).network
    change = change_of(before, starting_network(found["path"]).network, [], inputs_of(before))
    assert found["change"]["largest"] == pytest.approx(change.largest, rel=1e-6)
    assert found["notes"] == []


def test_random_inputs_are_no_images(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --data nothing is measured on them, as without images in Python."""
    out = tmp_path / "out.safetensors"
    command = ["grow", str(path), "-o", str(out)]
    said = refused(capsys, *command, "--narrow", "conv1=3,by=activation")
    assert "expected images on which to measure activations, got none" in said
    assert not out.exists()
    before = starting_network(path).network
    for option, growth in (
        (("--add-classes", "2,prior=0.1"), AddClasses(2, prior=0.1)),
        (("--narrow", "conv1=3,by=magnitude"), Narrow("conv1", 3, "magnitude")),
    ):
        assert main([*command, *option]) == 0
        expected = operated(before, [growth], rng=0)
        assert starting_network(out).network.sha256 == expected.sha256


def test_a_new_batch_norm_without_images_is_exact_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its statistics are 0 and 1 until images are given; and the layer can be taken out again."""
    path, out = of_bytes(tmp_path / "bytes.keras", batch_norm=True), tmp_path / "out.safetensors"
    assert main(["grow", str(path), "--deepen", "conv1", "-o", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["change"]["relative"] < 1e-5
    before, after = starting_network(path).network, starting_network(out).network
    new = {name for name in after.weights if name not in before.weights}
    (norm,) = (name for name in new if "mean" in after.weights[name])
    assert not after.weights[norm]["mean"].any()
    assert f"{norm}: mean 0 and variance 1" in found["notes"][1]
    (layer,) = new - {norm}
    again = tmp_path / "again.safetensors"
    assert main(["grow", str(out), "--remove", layer, "-o", str(again)]) == 0
    assert starting_network(again).network.sha256 == before.sha256


def test_a_dry_run_writes_nothing(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The plan has the same steps and sizes, also as JSON."""
    out = tmp_path / "out.keras"
    assert main(["grow", str(path), *TYPED, "-o", str(out), "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["path"], plan["change"], out.exists()) == (None, None, False)
    assert [growth_from_json(step["growth"]) for step in plan["steps"]] == growths_of(
        [("widen", "conv1=6"), ("deepen", "fc1"), ("widen", "conv1=9,split=equal")]
    )


def test_every_site_can_be_typed(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The list of what may grow is one of options, each of which is that growth."""
    assert main(["sites", str(path), "--all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = sites(starting_network(path).network.architecture)
    every = [growth for legal in found.values() for growth in legal]
    assert len(lines) == len(every) > 10
    for line, growth in zip(lines, every, strict=True):
        typed = as_option(growth)
        assert line.startswith(typed)
        option, value = shlex.split(typed)
        assert growths_of([(option[2:].replace("-", "_"), value)]) == [growth]
    assert main(["sites", str(path), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert Architecture.from_json(listed["architecture"])["conv1"].layer.width == 4
    assert {name: len(each) for name, each in listed["sites"].items()} == {
        name: len(each) for name, each in found.items()
    }


def test_a_long_list_is_counted(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of each operation the first places, and how many more there are."""
    monkeypatch.setattr("growsearch.cli.surgery.SITES", 1)
    assert main(["sites", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = sites(starting_network(path).network.architecture)
    counted = {line.split()[-4].rstrip(":"): line for line in lines if line.startswith("…")}
    assert set(counted) == {name for name, each in found.items() if len(each) > 1}
    for name, line in counted.items():
        assert f"and {len(found[name]) - 1} more places" in line


def test_every_growth_of_one_layer_has_an_option() -> None:
    """A growth of several layers is several options, or JSON."""
    several = {name for name in OPERATIONS if name.endswith("_all")} | {"widen_deepen"}
    assert set(FORMS) == set(OPERATIONS) - several


def test_settings_follow_the_place() -> None:
    """They have the types of the growth's fields."""
    typed = [
        ("widen", "conv1=64,split=new,noise=0.5"),
        ("deepen", "1,batch_norm=false"),
        ("enlarge_kernel", "conv1=3x5"),
        ("growth", '{"operation": "deepen", "layer": "fc1"}'),
        ("add_classes", '2,names=["cat", "dog"],prior=0.1'),
        ("narrow", "conv1=3,by=magnitude"),
    ]
    assert growths_of(typed) == [
        Widen("conv1", 64, "new", 0.5),
        Deepen("1", False),
        EnlargeKernel("conv1", (3, 5)),
        Deepen("fc1"),
        AddClasses(2, prior=0.1, names=("cat", "dog")),
        Narrow("conv1", 3, "magnitude"),
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-o", "x.keras"), "expected at least one growth"),
        (("--widen", "conv1=6"), "expected --out PATH, or --dry-run"),
        (("--widen", "conv1", "-o", "x.keras"), "--widen: expected LAYER=WIDTH, got 'conv1'"),
        (("--widen", "conv1=a", "-o", "x.keras"), "--widen: expected LAYER=WIDTH: width: "),
        (("--widen", "conv1=6,size=3", "-o", "x.keras"), "split, noise, zero_sum, got 'size=3'"),
        (("--add-classes", "2,prior=.7", "-o", "x.keras"), "expected 0 < prior < 0.5, got 0.7"),
        (("--growth", "{", "-o", "x.keras"), "--growth: "),
        (("--growth", "{}", "-o", "x.keras"), "expected an operation among widen, "),
        (("--widen", "conv1=6", "-o", "x.pkl"), "ends in .keras, .h5 or .safetensors, got x.pkl"),
        (("--widen", "out=6", "-o", "x.keras"), "out"),
        (("--widen", "none=6", "-o", "x.keras"), "expected one of conv1, "),
        (("--widen", "conv1=6", "-o", "x.keras", "--data", "none"), "none: nothing there"),
        (("--widen", "conv1=6", "--custom-objects", "json", "--dry-run"), "expected module:name"),
        (("--widen", "conv1=6", "--custom-objects", "json:x", "--dry-run"), "has no attribute 'x'"),
        (("--widen", "conv1=6", "--custom-objects", "./m.py:S", "--dry-run"), "got TypeError: "),
    ],
)
def test_what_cannot_be_done_is_one_line(
    options: tuple[str, ...],
    said: str,
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit status 2, the reason, and no file."""
    monkeypatch.chdir(tmp_path)
    assert said in refused(capsys, "grow", str(path), *options)
    assert list(tmp_path.iterdir()) == []
