"""Every format gives back, by its own runtime, what the searched network computes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import growsearch as gs
from growsearch.exports import FORMATS
from growsearch.networks import Network
from tests.exports.networks import CLASSES, NETWORKS, SHAPE

EXACT = 1e-5  # of the largest output, in float32
STATED = 0.2  # in whole numbers of 8 bits


def images(count: int, seed: int = 0) -> Any:
    """Smooth images of bytes, as floats from 0 to 1."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((count, 4, 5, SHAPE[-1]))
    fine = coarse.repeat(3, axis=1).repeat(2, axis=2)
    return (np.rint(255 * fine) / 255).astype(np.float32)


def dataset(network: Network) -> gs.Dataset:
    """Images with the classes that the network itself gives, so that its accuracy is 1."""

    def split(count: int, seed: int) -> gs.Split:
        x = images(count, seed)
        return gs.Split(x, network.forward(x).argmax(axis=1))

    parts = split(80, 1), split(60, 2), split(20, 3)
    return gs.Dataset("made", *parts, source="a test", classes=3, class_names=CLASSES)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("kind", NETWORKS)
def test_a_file_is_the_network(kind: str, name: str, tmp_path: Path) -> None:
    """Max |Δ| is at most 1e-5 of the largest output in float32, and 0.2 of it in 8 bits."""
    network = NETWORKS[kind]()
    out = tmp_path / f"made{(*FORMATS[name].suffixes, '')[0]}"
    record = gs.export(network, format=name, out=out, data=dataset(network))
    found = record.agreement
    assert found.relative <= (STATED if name == "tflite-int8" else EXACT)
    assert found.images == 60
    assert found.kind == "validation images"
    assert record.searched_accuracy == 1.0
    assert record.accuracy is not None
    assert record.accuracy >= (0.9 if name == "tflite-int8" else 1.0)
    assert record.path == out
    assert record.bytes > (network.parameters if name == "tflite-int8" else 2 * network.parameters)
    assert record.milliseconds > 0.0
    labels, card = (out.with_name(out.name + end) for end in (".labels.txt", ".card.md"))
    assert labels.read_text().splitlines() == list(CLASSES)
    assert f"# {out.name}\n" in card.read_text()
    assert sorted(tmp_path.iterdir()) == sorted({out, labels, card, *record.files})


@pytest.mark.parametrize("name", [name for name, each in FORMATS.items() if each.holds_ends])
def test_bytes_and_probabilities(name: str, tmp_path: Path) -> None:
    """A file that takes bytes and gives probabilities is the network on bytes over 255."""
    network = NETWORKS["batch_norm"]()
    options = {"format": name, "softmax": True, "input": "uint8", "data": dataset(network)}
    record = gs.export(network, out=tmp_path / f"a{(*FORMATS[name].suffixes, '')[0]}", **options)
    assert record.input.startswith("uint8 (")
    assert record.output.endswith("probabilities")
    assert record.agreement.relative <= (STATED if name == "tflite-int8" else EXACT)


def test_the_file_alone_is_enough(tmp_path: Path) -> None:
    """Another process reads an ONNX file with its runtime alone: uint8, NHWC, any number."""
    network = NETWORKS["branched"]()
    out = tmp_path / "made.onnx"
    gs.export(network, out=out, data=dataset(network))
    pixels = np.rint(255 * images(5)).astype(np.uint8)
    np.save(tmp_path / "pixels.npy", pixels)
    script = (
        "import json, sys, numpy, onnxruntime\n"
        "session = onnxruntime.InferenceSession(sys.argv[1])\n"
        "(given,) = session.get_inputs()\n"
        "(found,) = session.run(None, {given.name: numpy.load(sys.argv[2])})\n"
        "(made,) = session.get_outputs()\n"
        "ends = [given.name, given.type, given.shape, made.name]\n"
        "print(json.dumps([*ends, found.tolist()]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(out), str(tmp_path / "pixels.npy")],
        capture_output=True,
        check=True,
        text=True,
    )
    *ends, found = json.loads(done.stdout)
    assert ends == ["image", "tensor(uint8)", ["batch", *SHAPE], "logits"]
    expected = network.forward(pixels / 255.0)
    assert np.abs(np.asarray(found) - expected).max() <= EXACT * np.abs(expected).max()


def test_whole_numbers_throughout(tmp_path: Path) -> None:
    """An int8 file has no operation in floats; pixels are its input as they are."""
    from ai_edge_litert.interpreter import Interpreter

    network = NETWORKS["depthwise"]()
    out = tmp_path / "made.tflite"
    gs.export(network, format="tflite-int8", out=out, data=dataset(network))
    interpreter = Interpreter(model_path=str(out))
    interpreter.allocate_tensors()
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (given["dtype"], made["dtype"]) == (np.uint8, np.int8)
    assert given["quantization"] == (pytest.approx(1 / 255), 0)
    assert list(given["shape"]) == [1, *SHAPE]
    kinds = {each["dtype"] for each in interpreter.get_tensor_details()}
    assert np.float32 not in kinds
