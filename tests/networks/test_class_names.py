"""Names of classes: kept by a network's file, by growth, pickle and averages; never trusted."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from growsearch import grow
from growsearch.errors import InvalidInputError, NetworkFileError
from growsearch.growth import Deepen, Widen
from growsearch.networks import Architecture, Network
from growsearch.trials.average import average

ARCHITECTURE = Architecture.parse("4(fc1)-3(fc2)", input_shape=(2,))
NAMES = ("cat", "Dogge, groß", "3")


def network(seed: int = 0) -> Network:
    return Network.initial(ARCHITECTURE, rng=seed).named(NAMES)


def test_names_travel_with_the_network(tmp_path):
    """Through its file, a pickle, growths and averages; another name is another file."""
    first = network()
    assert Network.load(first.save(tmp_path / "n.safetensors")).class_names == NAMES
    assert pickle.loads(pickle.dumps(first)).class_names == NAMES
    grown = grow(grow(first, Widen("fc1", 6), rng=0), Deepen("fc1"), rng=0)
    assert grown.class_names == NAMES
    assert average([first, network(1)]).class_names == NAMES
    assert first.named(("a", "b", "c")).sha256 != first.sha256
    assert Network.from_bytes(first.to_bytes()).sha256 == first.sha256


def test_a_network_without_names_has_the_file_of_before():
    """No key of the header says that there are none."""
    bare = Network.initial(ARCHITECTURE, rng=0)
    assert b"class_names" not in bare.to_bytes()
    assert Network.from_bytes(bare.to_bytes()).class_names is None
    assert network().named(None).sha256 == bare.sha256


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a", "b"), "class_names: expected 3, one for each class, got 2: a, b"),
        (("a", "b", "b"), "class_names: expected each name once, got 'b' twice"),
        (("a", "b", ""), "class_names: expected printable text, got ''"),
        (("a", "b", "\x1b[2J"), "class_names: expected printable text"),
        (("a", "b", 3), "class_names: expected printable text, got '3'"),
        (("a", "b", "c" * 256), "class_names: expected at most 255 characters, got 256"),
        ("abc", "class_names: expected a list of names of classes, got 'abc'"),
    ],
)
def test_names_that_cannot_be_are_refused(names, message):
    """In one line, whether a caller gives them or a file does."""
    bare = Network.initial(ARCHITECTURE, rng=0)
    with pytest.raises(InvalidInputError) as refused:
        Network(bare.architecture, bare.weights, class_names=names)
    assert message in str(refused.value)
    given = names if isinstance(names, str) else list(names)
    data = network().to_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    described = json.loads(header["__metadata__"]["growsearch"])
    described["class_names"] = given
    header["__metadata__"]["growsearch"] = json.dumps(described)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    arrays = data[8 + int.from_bytes(data[:8], "little") :]
    with pytest.raises(NetworkFileError) as refused:
        Network.from_bytes(len(text).to_bytes(8, "little") + text + arrays)
    assert "class_names: expected" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "\x1b" not in str(refused.value)


def test_the_outputs_are_counted():
    """Names are as many as the last axis of the output has."""
    assert network().outputs == 3
    assert np.shape(network().forward(np.ones((2, 2)))) == (2, 3)
