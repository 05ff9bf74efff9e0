"""The call: which network, which images, which place; and nothing where something is wrong."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import growsearch as gs
from growsearch.datasets import StoredImages
from growsearch.driver.opening import images_by_part
from growsearch.errors import ExportError, InvalidInputError
from growsearch.exports import FORMATS
from growsearch.exports import formats as table
from growsearch.exports.content import Content
from growsearch.networks import Architecture, Network
from growsearch.study.result import SearchResult
from tests.exports.networks import CLASSES, NETWORKS
from tests.fake_trainer import images as run_images
from tests.keras_files import keras, model, saved
from tests.pictures import write_classes
from tests.small_search import search


def test_the_best_network_of_a_run(copy: Path, tmp_path: Path) -> None:
    """It is taken from the folder; without its images it is compared on random inputs."""
    result = gs.load_result(copy)
    record = gs.export(copy, out=tmp_path / "best.npz")
    assert Network.initial(result.best.network.architecture, rng=0).parameters == record.parameters
    assert record.agreement.largest == 0.0
    assert record.agreement.kind == "random inputs"
    assert (record.accuracy, record.measured_on) == (None, "")
    assert "the run's images are not reachable" in record.notes[0]
    assert record.validation_accuracy == result.best.validation_accuracy
    card = (tmp_path / "best.npz.card.md").read_text()
    assert f"{result.best.validation_accuracy:.4f} |" in card
    assert f"`{result.best.network.architecture}`" in card
    assert f"growsearch export {copy} --format npz --out {tmp_path / 'best.npz'}\n" in card


def test_the_other_kind_of_keras_files(tmp_path: Path) -> None:
    """The suffix .h5 names Keras' format too; both read as the same network."""
    network = NETWORKS["branched"]()
    for suffix in (".h5", ".keras"):
        record = gs.export(network, out=tmp_path / f"made{suffix}")
        assert (record.format, record.agreement.relative <= 1e-5) == ("keras", True)
        ones = np.ones((1, 12, 10, 2))
        again = gs.from_keras(record.path).forward(ones)
        assert np.abs(again - network.forward(ones)).max() < 1e-6


def test_the_images_of_a_run_are_recognised(finished: SearchResult, tmp_path: Path) -> None:
    """The images that the run had are measured on its held-out half, as the run did."""
    record = finished.export(out=tmp_path / "best.safetensors", data=run_images())
    assert record.agreement.kind == "held-out validation images"
    assert record.measured_on == "6 held-out validation images"
    assert record.accuracy == record.searched_accuracy
    others = finished.export(out=tmp_path / "best.safetensors", data=run_images(seed=1))
    assert others.measured_on == "12 validation images"


def test_the_network_of_a_trial(finished: SearchResult, tmp_path: Path) -> None:
    """Each trial that was kept has its network; the others are refused with a list of them."""
    kept = [each for each in finished.trials if each.kept]
    others = [each.number for each in finished.trials if not each.kept]
    assert kept
    for each in kept:
        record = finished.export("npz", trial=each.number, out=tmp_path / "trial.npz")
        assert record.parameters == each.parameters
        assert record.source.startswith(f"the network of trial {each.number} of ")
        assert f"trial {each.number}: {each.growth}" in (tmp_path / "trial.npz.card.md").read_text()
    listed = ", ".join(str(each.number) for each in kept)
    for number in [*others, 99]:
        with pytest.raises(InvalidInputError, match=f"was kept, of {listed}, got {number}: "):
            finished.export("npz", trial=number, out=tmp_path / "other.npz")
    assert not (tmp_path / "other.npz").exists()


def test_a_keras_file_that_scales_pixels_itself(tmp_path: Path) -> None:
    """A model that divides by 255 takes the same bytes after the export."""
    layers = [keras.Input((8, 8, 1)), keras.layers.Rescaling(1 / 255), *model().layers]
    whole = keras.Sequential(layers)
    path = saved(whole, tmp_path / "mine.keras")
    record = gs.export(path, out=tmp_path / "mine.onnx", input="uint8", softmax=True)
    assert any("scales pixels from 0 to 255" in note for note in record.notes)
    assert any("ends in a softmax already" in note for note in record.notes)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), np.uint8)
    found = FORMATS["onnx"].load(record.path, Content(NETWORKS["plain"](), True, False))(pixels)
    expected = np.asarray(whole(pixels.astype(np.float32)))
    assert np.abs(found - expected).max() < 1e-6


def test_a_model_that_subtracts_and_divides_takes_bytes(tmp_path: Path) -> None:
    """(x - 127.5) / 127.5 is two layers, of which the first is changed: the export says so."""
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu")((inputs - 127.5) / 127.5)
    whole = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))
    record = gs.export(whole, out=tmp_path / "mine.onnx", input="uint8")
    assert any("scales pixels from 0 to 255" in note for note in record.notes)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)
    found = FORMATS["onnx"].load(record.path, Content(NETWORKS["plain"](), True, False))(pixels)
    assert np.abs(found - np.asarray(whole(pixels.astype(np.float32)))).max() < 1e-5


def ended(*last: Any, name: str | None = None) -> Network:
    """A small network of Keras with these last layers; an output with a name has ends."""
    inputs = x = keras.Input((4, 4, 2))
    for layer in (keras.layers.Conv2D(3, 3), *last):
        x = layer(x)
    return gs.from_keras(keras.Model(inputs, x if name is None else {name: x}))


@pytest.mark.parametrize(
    ("end", "classes", "behind"),
    [
        ("softmax", 3, "nothing"),
        ("sigmoid", 1, "nothing"),
        ("sigmoid", 3, "a layer"),
        ("sigmoid", 3, "a shape"),
        ("hard_sigmoid", 1, "a layer"),
        ("softmax", 3, "a name"),
    ],
)
def test_probabilities_get_no_softmax(end: str, classes: int, behind: str, tmp_path: Path) -> None:
    """Behind a sigmoid or a softmax there is none to add; the outputs are called what they are."""
    layers = keras.layers
    average = layers.GlobalAveragePooling2D()
    network = {
        "nothing": lambda: ended(average, layers.Dense(classes, end)),
        "a layer": lambda: ended(average, layers.Dense(classes), layers.Activation(end)),
        "a name": lambda: ended(average, layers.Dense(classes, end), name="class"),
        "a shape": lambda: ended(layers.Conv2D(classes, 2, activation=end), layers.Flatten()),
    }[behind]()
    record = gs.export(network, out=tmp_path / "made.keras", softmax=True)
    expected = f"float32 (n, {classes}), probabilities"
    assert record.output == expected
    assert f"the network ends in a {end} already: no softmax was added" in record.notes
    assert "--softmax" not in record.command
    images = np.random.default_rng(0).random((3, 4, 4, 2))
    again = gs.from_keras(record.path).forward(images)
    assert np.abs(again - network.forward(images)).max() < 1e-6
    without = gs.export(network, out=tmp_path / "made.keras")
    assert without.output == expected
    assert not any("softmax" in note for note in without.notes)


@pytest.mark.parametrize("name", [None, "age"])
def test_a_single_output_gets_no_softmax(name: str | None, tmp_path: Path) -> None:
    """A softmax of one number is 1.0 for every image: it is refused, and nothing is written."""
    layers = keras.layers
    network = ended(layers.GlobalAveragePooling2D(), layers.Dense(1), name=name)
    with pytest.raises(
        InvalidInputError, match=r"^softmax: expected a network of at least two outputs, .* got one"
    ) as caught:
        gs.export(network, out=tmp_path / "made.keras", softmax=True)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert gs.export(network, out=tmp_path / "made.keras").output == "float32 (n, 1), logits"


def test_an_output_with_a_name_is_an_array(tmp_path: Path) -> None:
    """A dict of one output is written as an array, with a softmax or without; it is said."""
    layers = keras.layers
    network = ended(layers.GlobalAveragePooling2D(), layers.Dense(3), name="class")
    for softmax, gives in ((False, "logits"), (True, "probabilities")):
        record = gs.export(network, out=tmp_path / "made.onnx", softmax=softmax)
        assert record.output == f"float32 (n, 3), {gives}"
        assert any("its output is an array, without a name" in note for note in record.notes)


def test_values_that_are_scaled_again_are_no_probabilities(tmp_path: Path) -> None:
    """Behind a sigmoid that is multiplied by 255, as of an autoencoder, a softmax can be added."""
    layers = keras.layers
    last = layers.GlobalAveragePooling2D(), layers.Dense(3, "sigmoid"), layers.Rescaling(255.0)
    record = gs.export(ended(*last), out=tmp_path / "made.keras")
    assert record.output == "float32 (n, 3), logits"


def test_nothing_is_written_where_outputs_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that gets one weight wrong is found out; an earlier file stays as it was."""
    out = tmp_path / "made.npz"
    gs.export(NETWORKS["plain"](), out=out)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    npz = FORMATS["npz"]

    def wrong(content: Content, path: Path) -> None:
        weights = {
            layer: {name: np.array(array) for name, array in arrays.items()}
            for layer, arrays in content.network.weights.items()
        }
        weights["conv1"]["kernel"][0, 0, 0, 0] += 0.01
        other = Network(content.network.architecture, weights)
        npz.write(replace(content, network=other), path)

    monkeypatch.setitem(table.FORMATS, "npz", replace(npz, write=wrong))
    with pytest.raises(ExportError, match=r"npz: expected outputs within 1e-05 of the largest one"):
        gs.export(NETWORKS["plain"](), out=out)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_error_of_a_converter_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any error of a converter gets a line with format and reason, and leaves no file."""

    def fails(_content: Content, path: Path) -> None:
        path.write_text("half")
        raise KeyError("no such\noperation")

    monkeypatch.setitem(table.FORMATS, "npz", replace(FORMATS["npz"], write=fails))
    with pytest.raises(ExportError) as caught:
        gs.export(NETWORKS["plain"](), out=tmp_path / "made.npz")
    assert str(caught.value).startswith("npz: the network cannot be written or read: KeyError: ")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "expected a format, one of keras, savedmodel, onnx, "),
        ({"format": "caffe"}, "format: expected one of keras, "),
        ({"out": "x.pkl"}, r"out: expected a path that ends in \.keras, \.h5, "),
        ({"out": "x.onnx", "format": "npz"}, r"ends in \.npz for the format npz, got x\.onnx"),
        ({"out": "x.onnx", "format": "savedmodel"}, "no suffix, since it is a folder"),
        ({"out": ""}, "out: expected the path of a file, got ''"),
        ({"format": "npz", "softmax": True}, "a format that can hold a softmax, one of keras, "),
        ({"format": "safetensors", "input": "uint8"}, "can hold the scaling of pixels, one of "),
        ({"format": "onnx", "input": "int4"}, "input: expected one of uint8, float32, got 'int4'"),
        ({"format": "npz", "trial": 1}, "trial: expected none for a model that is no run, got 1"),
        ({"format": "tflite-int8"}, "expected images to take the ranges of activations from, but "),
    ],
)
def test_what_cannot_be_asked_for(options: dict[str, Any], said: str) -> None:
    """One line says what was expected and what came."""
    with pytest.raises(InvalidInputError, match=said):
        gs.export(NETWORKS["plain"](), **options)


def test_a_missing_package_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is loaded."""
    row = replace(FORMATS["onnx"], modules=("onnx", "no_such_package"))
    monkeypatch.setitem(table.FORMATS, "onnx", row)
    with pytest.raises(
        InvalidInputError, match=r"found no no_such_package: pip install 'growsearch\[onnx\]'"
    ):
        gs.export(NETWORKS["plain"](), format="onnx")


def test_places_that_hold_something_else(tmp_path: Path) -> None:
    """A folder with other files is not replaced, nor the model by its own export."""
    path = NETWORKS["plain"]().save(tmp_path / "mine.safetensors")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("mine")
    with pytest.raises(InvalidInputError, match=r"an earlier SavedModel, got .*, which holds"):
        gs.export(path, format="savedmodel", out=tmp_path / "folder")
    with pytest.raises(InvalidInputError, match="another file than the model itself"):
        gs.export(path, out=path)
    with pytest.raises(InvalidInputError, match="got the folder"):
        gs.export(path, format="npz", out=_folder(tmp_path))


def _folder(parent: Path) -> Path:
    made = parent / "made.npz"
    made.mkdir()
    return made


def test_models_that_have_no_such_file(tmp_path: Path) -> None:
    """Several inputs or outputs, and inputs that are no floats, are refused in words."""
    layers = keras.layers
    one, other = keras.Input((4,)), keras.Input((4,))
    two = keras.Model([one, other], layers.Add()([one, other]))
    with pytest.raises(InvalidInputError, match="one input and one output, got 2 and 1"):
        gs.export(two, out=tmp_path / "two.npz")
    pixels = keras.Input((4, 4, 1), dtype="uint8")
    taken = keras.Model(
        pixels, layers.Dense(2)(layers.Flatten()(layers.Rescaling(1 / 255)(pixels)))
    )
    with pytest.raises(InvalidInputError, match="takes floats, got one that takes uint8"):
        gs.export(taken, out=tmp_path / "pixels.npz")


def test_an_earlier_savedmodel_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default the folder has the name of the file, in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = NETWORKS["plain"]().save(tmp_path / "mine.safetensors")
    for _ in range(2):
        record = gs.export(path, format="savedmodel")
        assert record.path == Path("mine-savedmodel")
        assert (record.path / "saved_model.pb").is_file()
    labels = Path("mine-savedmodel.labels.txt").read_text(encoding="utf-8")
    assert labels.split() == list(CLASSES)


def test_the_images_of_a_run_are_found_again(copy: Path, tmp_path: Path) -> None:
    """Those in the folder of the run; else those that scikit-learn has; nothing is downloaded."""
    parts = images_by_part(run_images(), 0.5)
    StoredImages.write(copy / "data" / run_images().fingerprint, parts)
    record = gs.export(copy, out=tmp_path / "best.npz")
    assert record.measured_on == "6 held-out validation images"
    found = search(
        tmp_path / "digits",
        space=gs.SearchSpace.load("digits").replace(teacher={"steps": 1}, training={"steps": 2}),
        data=None,
        trials=0,
    )
    record = found.export("npz", out=tmp_path / "digits.npz")
    assert record.measured_on == "150 held-out validation images"


def test_pictures_of_a_run_are_found_again(tmp_path: Path) -> None:
    """In the folder that they were read from, where the run has no copy of them."""
    photos = write_classes(tmp_path / "photos", {"cat": 24, "dog": 24})
    found = search(
        tmp_path / "run",
        space=gs.SearchSpace.load("digits").replace(teacher={"steps": 1}, training={"steps": 2}),
        data=photos,
        trials=0,
    )
    assert found.data_source == f"48 images in {photos}, 2 classes, as 6x8x3"
    record = found.export("npz", out=tmp_path / "best.npz")
    assert record.measured_on.endswith("held-out validation images")


def test_images_have_the_numbers_that_the_network_gives_their_classes(tmp_path: Path) -> None:
    """Also where the images have some of its classes, or the classes stand in another order."""
    architecture = Architecture.parse("global_avg_pool(gap)-3(out)", (6, 8, 3))
    made = Network.initial(architecture, rng=0)
    always = {"out": {"kernel": np.zeros((3, 3)), "bias": np.array([0.0, 0.0, 9.0])}}
    photos = write_classes(tmp_path / "photos", {"cat": 12, "emu": 12})
    for names, accuracy in ((("cat", "dog", "emu"), 0.5), (("emu", "dog", "cat"), 0.5)):
        network = replace(made, weights=always, class_names=names)
        record = gs.export(network, out=tmp_path / "a.npz", data=photos)
        assert record.accuracy == accuracy
    network = replace(made, weights=always, class_names=("cat", "dog", "fox"))
    with pytest.raises(InvalidInputError, match="expected images of the classes cat, dog"):
        gs.export(network, out=tmp_path / "a.npz", data=photos)


def test_the_command_names_classes_of_ones_own(tmp_path: Path) -> None:
    """By the module that they lie in, as --custom-objects takes them."""
    path = NETWORKS["branched"]().save(tmp_path / "mine.safetensors")
    record = gs.export(path, out=tmp_path / "mine.npz", custom_objects={"Fraction": Fraction})
    assert "--custom-objects fractions:Fraction" in record.command


def test_limits_are_told_to_the_last_digit(tmp_path: Path) -> None:
    """The command that exports again asks for the same limit, however large."""
    objective = 'search.objective=["accuracy", "parameters"]'
    found = search(tmp_path / "run", objective, "controls.arms={}", trials=0)
    record = gs.export(found.folder, out=tmp_path / "a.npz", within={"parameters": 12345678})
    assert "--within parameters=12345678" in record.command
    assert "within parameters=12345678" in record.source
