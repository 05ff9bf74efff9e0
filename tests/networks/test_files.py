"""A network's file: bit-exact, content-addressed, whole or not there, and never trusted."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from growsearch.atomic import write_atomically
from growsearch.errors import InvalidInputError, NetworkFileError
from growsearch.networks import Architecture, Network, Slots
from growsearch.networks.optimizers import OPTIMIZERS
from growsearch.networks.store import NetworkStore
from tests.growth_cases import CASES, random_architecture, slots_of, trained
from tests.strategies import seeds

SMALL = CASES["batch norm"]
TRUNCATIONS, FLIPS, MUTATIONS = 240, 1_600, 600


def arrays_of(network: Network) -> dict[str, tuple[Any, tuple[int, ...], bytes]]:
    """Every array to the bit: weights, statistics and slots."""
    groups = {"weights": network.weights, **(network.slots.values if network.slots else {})}
    return {
        f"{group}/{layer}/{name}": (array.dtype, array.shape, array.tobytes())
        for group, layers in groups.items()
        for layer, arrays in layers.items()
        for name, array in arrays.items()
    }


def assert_same(one: Network, other: Network) -> None:
    assert one.architecture == other.architecture
    assert arrays_of(one) == arrays_of(other)
    assert (one.slots is None) == (other.slots is None)
    if one.slots is not None and other.slots is not None:
        assert (one.slots.optimizer, one.slots.step) == (other.slots.optimizer, other.slots.step)
    assert one.sha256 == other.sha256


def refusal(path: Path, read: Callable[[Path], Network] = Network.load) -> str:
    """The one line that a file is refused with; it names the path."""
    with pytest.raises(NetworkFileError) as caught:
        read(path)
    text = str(caught.value)
    assert str(path) in text
    assert len(text.splitlines()) == 1, text
    return text


def split_file(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The JSON header of a safetensors file, and its arrays."""
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def joined_file(header: Any, arrays: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + arrays


def claiming(data: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """The file with another claim: format, architecture, slots."""
    header, arrays = split_file(data)
    claim = json.loads(header["__metadata__"]["growsearch"])
    change(claim)
    header["__metadata__"]["growsearch"] = json.dumps(claim)
    return joined_file(header, arrays)


@pytest.fixture(scope="module")
def network() -> Network:
    return trained(SMALL)


@pytest.fixture(scope="module")
def data(network: Network) -> bytes:
    return network.to_bytes()


# -- round trips ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_a_saved_network_loads_to_the_bit(name, tmp_path):
    """Weights, moving statistics and Adam's slots, of every layer type."""
    network = trained(CASES[name])
    assert_same(network, Network.load(network.save(tmp_path / "x.safetensors")))


@settings(max_examples=25)
@given(seeds)
def test_a_random_network_survives_its_file(seed):
    network = trained(random_architecture(seed), seed=seed)
    assert_same(network, Network.from_bytes(network.to_bytes()))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_every_width_of_float_survives_its_file(dtype, tmp_path):
    """Bit-exact; a foreign byte order keeps its values."""
    network = Network.initial(SMALL, rng=3, dtype=dtype)
    loaded = Network.load(network.save(tmp_path / "x"))
    for layer, arrays in network.weights.items():
        for name, array in arrays.items():
            assert loaded.weights[layer][name].dtype == np.dtype(dtype).newbyteorder("=")
            np.testing.assert_array_equal(loaded.weights[layer][name], array)
    assert loaded.sha256 == network.sha256


@pytest.mark.parametrize("optimizer", [None, *OPTIMIZERS])
def test_slots_of_every_optimizer_survive_their_file(optimizer, tmp_path):
    weights = Network.initial(SMALL, rng=3).weights
    slots = optimizer and slots_of(SMALL, optimizer, np.random.default_rng(0))
    network = Network(SMALL, weights, slots)
    assert_same(network, Network.load(network.save(tmp_path / "x")))


def test_layers_of_statistics_alone_may_have_an_empty_slot_entry_or_none(tmp_path):
    """A batch norm without gamma and beta has nothing that an optimizer remembers."""
    architecture = Architecture.parse("4(fc1)-batch_norm(bn1,scale=false,center=false)", (3,))
    weights = Network.initial(architecture, rng=0).weights
    slots = {n: np.ones(array.shape, np.float32) for n, array in weights["fc1"].items()}
    saved = [
        Network(architecture, weights, Slots("momentum", 1, {"momentum": each}))
        for each in ({"fc1": slots, "bn1": {}}, {"fc1": slots})
    ]
    assert saved[0].sha256 == saved[1].sha256
    for network in saved:
        assert_same(network, Network.load(network.save(tmp_path / "x")))


def test_arrays_in_any_memory_order_make_the_same_file():
    """The file depends on values, not on strides."""
    network = Network.initial(SMALL, rng=3)
    strided = {
        layer: {name: np.asfortranarray(array)[::1] for name, array in arrays.items()}
        for layer, arrays in network.weights.items()
    }
    assert Network(SMALL, strided).sha256 == network.sha256


def test_the_hash_of_a_network_is_that_of_its_file(network, tmp_path):
    path = network.save(tmp_path / "deep" / "folder" / "x")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == network.sha256


def test_saving_returns_the_path_and_replaces_what_was_there(network, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    assert network.save(str(path)) == path
    assert [each.name for each in tmp_path.iterdir()] == ["x"]
    assert_same(network, Network.load(str(path)))


# -- content-addressed ---------------------------------------------------------------------------


def test_a_stored_network_is_named_by_its_hash_and_fetched_by_it(network, tmp_path):
    name = NetworkStore(tmp_path).put(network)
    assert name == network.sha256
    assert NetworkStore(tmp_path).path(name) == tmp_path / f"{name}.safetensors"
    assert_same(network, NetworkStore(tmp_path).get(name))


def test_storing_twice_keeps_one_file_and_heals_a_damaged_one(network, tmp_path):
    name = NetworkStore(tmp_path).put(network)
    NetworkStore(tmp_path).path(name).write_bytes(b"damaged")
    assert NetworkStore(tmp_path).put(network) == name
    assert len(list(tmp_path.iterdir())) == 1
    assert_same(network, NetworkStore(tmp_path).get(name))


@pytest.mark.parametrize(
    "name",
    ["", "..", "../" + "a" * 61, "A" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n", "0x" * 32, None, 7],
)
def test_no_name_but_a_hash_is_looked_up(name, tmp_path):
    """So that no name leads out of the folder."""
    with pytest.raises(NetworkFileError, match="expected a SHA-256"):
        NetworkStore(tmp_path).get(name)


def test_a_whole_network_under_another_name_is_refused(network, tmp_path):
    """Fetching holds the bytes against the name, however valid they are."""
    stored = NetworkStore(tmp_path).path(NetworkStore(tmp_path).put(network))
    other = NetworkStore(tmp_path).path("0" * 64)
    stored.rename(other)
    assert network.sha256 in refusal(other, lambda _: NetworkStore(tmp_path).get("0" * 64))


# -- damage --------------------------------------------------------------------------------------


def test_no_truncated_file_is_read(network, data, tmp_path):
    """240 lengths, all of the first and last bytes among them: by load and by fetch."""
    path = NetworkStore(tmp_path).path(network.sha256)
    lengths = [*range(40), *range(len(data) - 40, len(data))]
    lengths += random.Random(0).sample(range(40, len(data) - 40), TRUNCATIONS - len(lengths))
    for length in lengths:
        path.write_bytes(data[:length])
        refusal(path)
        refusal(path, lambda _: NetworkStore(tmp_path).get(network.sha256))


def test_no_file_with_bytes_appended_is_fetched_or_loaded(network, data, tmp_path):
    path = NetworkStore(tmp_path).path(network.sha256)
    for length in (1, 8, 1 << 20, 1 << 21):
        path.write_bytes(data + bytes(length))
        refusal(path)
        refusal(path, lambda _: NetworkStore(tmp_path).get(network.sha256))


def flipped(data: bytes, bit: int) -> bytes:
    spoilt = bytearray(data)
    spoilt[bit // 8] ^= 1 << bit % 8
    return bytes(spoilt)


def test_no_flipped_bit_is_fetched(network, data, tmp_path):
    """1,600 single bits all over the file: 0 accepted."""
    path = NetworkStore(tmp_path).path(network.sha256)
    for bit in random.Random(1).sample(range(8 * len(data)), FLIPS):
        path.write_bytes(flipped(data, bit))
        refusal(path, lambda _: NetworkStore(tmp_path).get(network.sha256))


def test_a_flipped_bit_that_loads_gives_a_network_of_another_hash(network, data):
    """The promise of ``load``, which has no hash to hold the bytes against.

    A flipped value or option may load; it is then a valid network with finite values, and its
    hash tells it from the one that was saved. In the header's length, none loads.
    """
    start = 8 * (8 + int.from_bytes(data[:8], "little"))
    bits = random.Random(2).sample(range(64, 8 * len(data)), FLIPS)
    loaded, lines = {"header": 0, "values": 0}, set()
    for bit in [*range(64), *bits]:
        try:
            other = Network.from_bytes(flipped(data, bit), "x")
        except NetworkFileError as error:
            lines.add(len(str(error).splitlines()))
            continue
        assert bit >= 64
        assert other.sha256 != network.sha256, bit
        loaded["header" if bit < start else "values"] += 1
    assert lines == {1}
    assert loaded["values"] > 0, "a flipped value that is finite cannot be seen without a hash"
    assert loaded["header"] < FLIPS // 10


def test_random_damage_to_the_header_gives_nothing_but_the_one_error(data):
    """Bytes replaced, cut out, doubled."""
    rng = random.Random(3)
    header, arrays = data[8 : 8 + int.from_bytes(data[:8], "little")], data[-200:]
    for _ in range(MUTATIONS):
        low = rng.randrange(len(header))
        high = min(low + rng.randrange(1, 30), len(header))
        middle = rng.choice([b"", header[low:high] * 2, rng.randbytes(high - low), b"null", b"[]"])
        with pytest.raises(NetworkFileError):
            Network.from_bytes(joined_file(header[:low] + middle + header[high:], arrays), "x")


def test_a_missing_file_is_named(tmp_path):
    assert "No such file" in refusal(tmp_path / "none")
    missing = NetworkStore(tmp_path).path("0" * 64)
    assert "No such file" in refusal(missing, lambda _: NetworkStore(tmp_path).get("0" * 64))


def test_a_folder_is_no_network(tmp_path):
    assert "regular file" in refusal(tmp_path)
    folder = NetworkStore(tmp_path).path("0" * 64)
    folder.mkdir()
    refusal(folder, lambda _: NetworkStore(tmp_path).get("0" * 64))


def test_a_link_is_not_followed(network, tmp_path):
    """Also to a file that is the right one."""
    (tmp_path / "link").symlink_to(network.save(tmp_path / "x"))
    refusal(tmp_path / "link")


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path):
    """Opening one waits for a writer, by default for ever."""
    os.mkfifo(tmp_path / "pipe")
    refusal(tmp_path / "pipe")


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_no_network(device):
    refusal(Path(device))


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "a" * 5000])
def test_a_path_that_cannot_be_is_one_line(name):
    with pytest.raises(NetworkFileError, match="cannot be read"):
        Network.load(name)


FOREIGN = {
    "empty": b"",
    "seven bytes": b"1234567",
    "zeros": bytes(5000),
    "text": b"import os\n" * 100,
    "a pickle": b"\x80\x04\x95" + b"cos\nsystem\n(S'false'\ntR." * 20,
    "an archive": b"PK\x03\x04" + bytes(2000),
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(3000),
    "an array of numpy": b"\x93NUMPY\x01\x00v\x00" + bytes(3000),
    "largest header": b"\xff" * 8 + bytes(100),
    "header of 2^63": (2**63).to_bytes(8, "little") + bytes(100),
    "header of 100 MB": (10**8).to_bytes(8, "little") + bytes(100),
    "header one byte too long": (93).to_bytes(8, "little") + b"{" + b" " * 90 + b"}",
    "empty header": bytes(8),
    "no JSON": joined_file(b"{" * 50, b""),
    "a list": joined_file([1, 2], b""),
    "null": joined_file(None, b""),
    "a number": joined_file(7, b""),
    "NaN": joined_file(b"NaN", b""),
    "deep JSON": joined_file(b"[" * 200_000, b""),
    "no UTF-8": joined_file(b'{"\xff\xfe": 1}', b""),
    "no metadata": joined_file({}, b""),
    "metadata of a number": joined_file({"__metadata__": 3}, b""),
    "metadata of a list": joined_file({"__metadata__": ["growsearch"]}, b""),
    "another's metadata": joined_file({"__metadata__": {"format": "pt"}}, b""),
    "claim is no text": joined_file({"__metadata__": {"growsearch": {"format": 1}}}, b""),
    "claim is no JSON": joined_file({"__metadata__": {"growsearch": "{"}}, b""),
    "claim is a list": joined_file({"__metadata__": {"growsearch": "[]"}}, b""),
    "claim is null": joined_file({"__metadata__": {"growsearch": "null"}}, b""),
    "claim is empty": joined_file({"__metadata__": {"growsearch": "{}"}}, b""),
    "claim is deep": joined_file({"__metadata__": {"growsearch": "[" * 200_000}}, b""),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_file_is_refused_in_one_line(name, tmp_path):
    """By load, and by fetch under the very hash of its bytes."""
    (tmp_path / "x").write_bytes(FOREIGN[name])
    refusal(tmp_path / "x")
    digest = hashlib.sha256(FOREIGN[name]).hexdigest()
    path = NetworkStore(tmp_path).path(digest)
    path.write_bytes(FOREIGN[name])
    refusal(path, lambda _: NetworkStore(tmp_path).get(digest))


def _first(claim: dict[str, Any], **entries: Any) -> None:
    claim["architecture"]["layers"][0].update(entries)


CLAIMS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another format": lambda c: c.update(format=2),
    "a format in lines": lambda c: c.update(format="1\n2"),
    "a long format": lambda c: c.update(format="1" * 100_000),
    "no architecture": lambda c: c.pop("architecture"),
    "an architecture of text": lambda c: c.update(architecture="conv"),
    "another architecture": lambda c: _first(c, filters=4),
    "width of a billion": lambda c: _first(c, filters=10**9),
    "width of 4,000 digits": lambda c: _first(c, filters=10**4000),
    "kernel of 4,000 digits": lambda c: _first(c, kernel=[10**4000, 10**4000]),
    "image of a terabyte": lambda c: c["architecture"].update(input_shape=[2**20, 2**20, 1]),
    "image of 4,000 digits": lambda c: c["architecture"].update(input_shape=[10**4000] * 3),
    "a name in lines": lambda c: _first(c, name="a\nb"),
    "a name in lines, no kind": lambda c: _first(c, name="a\nb", kind="x"),
    "a name that is a path": lambda c: _first(c, name="../../etc/passwd"),
    "a rate of infinity": lambda c: c["architecture"]["layers"][2].update(rate=float("inf")),
    "a rate of 400 digits": lambda c: c["architecture"]["layers"][2].update(rate=10**400),
    "no slots entry": lambda c: c.pop("slots"),
    "slots of nothing": lambda c: c.update(slots=None),
    "slots of zero": lambda c: c.update(slots=0),
    "slots of text": lambda c: c.update(slots="adam"),
    "slots of a list": lambda c: c.update(slots=["adam", 7]),
    "an unknown optimizer": lambda c: c["slots"].update(optimizer="adam\nw"),
    "an empty optimizer": lambda c: c["slots"].update(optimizer=""),
    "no optimizer": lambda c: c["slots"].update(optimizer=None),
    "an optimizer of a list": lambda c: c["slots"].update(optimizer=["adam"]),
    "another optimizer": lambda c: c["slots"].update(optimizer="sgd"),
    "no step": lambda c: c["slots"].pop("step"),
    "a step of infinity": lambda c: c["slots"].update(step=float("inf")),
    "a step of NaN": lambda c: c["slots"].update(step=float("nan")),
    "a step below zero": lambda c: c["slots"].update(step=-1),
    "a step of text": lambda c: c["slots"].update(step="7"),
    "a step of truth": lambda c: c["slots"].update(step=True),
    "a step of a fraction": lambda c: c["slots"].update(step=7.0),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_false_claim_is_refused_in_one_line(name, data, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(claiming(data, CLAIMS[name]))
    assert len(refusal(path)) < 20_000


def _entry(header: dict[str, Any], **entries: Any) -> None:
    header["weights/conv0/kernel"].update(entries)


TENSORS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "missing": lambda h: h.pop("weights/conv0/kernel"),
    "additional": lambda h: h.update({"weights/more/bias": h["weights/conv0/kernel"]}),
    "a name in lines": lambda h: h.update({"a\nb": h["weights/conv0/kernel"]}),
    "null": lambda h: h.update({"weights/conv0/kernel": None}),
    "no dtype": lambda h: h["weights/conv0/kernel"].pop("dtype"),
    "whole numbers": lambda h: _entry(h, dtype="I32"),
    "bfloat16": lambda h: _entry(h, dtype="BF16"),
    "unknown dtype": lambda h: _entry(h, dtype="F99"),
    "dtype of a list": lambda h: _entry(h, dtype=["F32"]),
    "twice as wide": lambda h: _entry(h, dtype="F64"),
    "transposed": lambda h: _entry(h, shape=[3, 2, 3, 3]),
    "shape of 4,000 digits": lambda h: _entry(h, shape=[10**4000]),
    "no shape": lambda h: _entry(h, shape=None),
    "negative offset": lambda h: _entry(h, data_offsets=[-4, 212]),
    "offset past the end": lambda h: _entry(h, data_offsets=[10**9, 10**9 + 216]),
    "offset of 2^70": lambda h: _entry(h, data_offsets=[2**70, 2**70 + 216]),
    "reversed offsets": lambda h: _entry(h, data_offsets=[216, 0]),
    "no offsets": lambda h: h["weights/conv0/kernel"].pop("data_offsets"),
    "overlapping": lambda h: _entry(h, data_offsets=h["weights/conv0/kernel"]["data_offsets"][:1]),
}


@pytest.mark.parametrize("name", TENSORS)
def test_a_false_entry_is_refused_in_one_line(name, data, tmp_path):
    header, arrays = split_file(data)
    TENSORS[name](header)
    (tmp_path / "x").write_bytes(joined_file(header, arrays))
    refusal(tmp_path / "x")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("group", ["weights", "slots/v"])
def test_a_file_of_values_that_are_not_finite_is_refused(value, group, data, tmp_path):
    header, arrays = split_file(data)
    low, high = header[f"{group}/conv0/kernel"]["data_offsets"]
    spoilt = np.frombuffer(arrays[low:high], np.float32).copy()
    spoilt[-1] = value
    changed = arrays[:low] + spoilt.tobytes() + arrays[high:]
    (tmp_path / "x").write_bytes(joined_file(header, changed))
    assert f"{group}/conv0/kernel: expected finite values" in refusal(tmp_path / "x")


def test_a_file_larger_than_its_claim_is_refused_before_it_is_read(data, tmp_path):
    """A terabyte that is not on the disk, behind a valid beginning: below 20 MB are allocated."""
    path = tmp_path / "x"
    for content in (data, joined_file(split_file(data)[0], b""), bytes(8), b"\xff" * 8):
        path.write_bytes(content)
        os.truncate(path, 1 << 40)
        tracemalloc.start()
        try:
            refusal(path)
            assert tracemalloc.get_traced_memory()[1] < 20_000_000
        finally:
            tracemalloc.stop()


def test_claims_of_any_size_allocate_nothing(data):
    """Widths and images of terabytes: refused with below 20 MB allocated."""
    for name in ("width of a billion", "image of a terabyte", "width of 4,000 digits"):
        spoilt = claiming(data, CLAIMS[name])
        tracemalloc.start()
        try:
            with pytest.raises(NetworkFileError):
                Network.from_bytes(spoilt)
            assert tracemalloc.get_traced_memory()[1] < 20_000_000
        finally:
            tracemalloc.stop()


def test_reading_a_file_unpickles_and_executes_nothing(data, tmp_path):
    """By Python's own audit of a process that reads a whole one."""
    (tmp_path / "x").write_bytes(data)
    code = (
        "import sys\n"
        "from growsearch.networks import Network\n"
        "events = []\n"
        "sys.addaudithook(lambda event, _: events.append(event))\n"
        "Network.load(sys.argv[1])\n"
        "bad = {'pickle.find_class', 'exec', 'compile', 'os.system', 'subprocess.Popen', "
        "'marshal.loads'}\n"
        "print(sorted(bad & set(events)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "x"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]", done.stdout


# -- what is saved can be read -------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("group", ["weights", "slots"])
def test_values_that_are_not_finite_are_not_saved(value, group, network, tmp_path):
    """The file could not be loaded; the old one stays."""
    weights = {layer: dict(arrays) for layer, arrays in network.weights.items()}
    values = {s: {k: dict(a) for k, a in v.items()} for s, v in network.slots.values.items()}
    arrays = (weights if group == "weights" else values["m"])["conv0"]
    arrays["kernel"] = np.full_like(arrays["kernel"], value)
    path = network.save(tmp_path / "x")
    diverged = Network(network.architecture, weights, Slots("adam", 7, values))
    with pytest.raises(InvalidInputError, match="conv0/kernel: expected finite values"):
        diverged.save(path)
    assert_same(network, Network.load(path))


def test_a_network_with_too_long_a_description_is_not_saved(tmp_path):
    """More layers than a header may name: refused at once, not when it is needed again."""
    text = "-".join(f"1(fc{number})" for number in range(4_000))
    deep = Network.initial(Architecture.parse(text, (1,)), rng=0)
    with pytest.raises(InvalidInputError, match=r"4000 layers: expected at most 1,048,576 bytes"):
        deep.save(tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_a_network_of_five_hundred_layers_can_be_saved(tmp_path):
    text = "-".join(f"1(fc{number})" for number in range(500))
    architecture = Architecture.parse(text, (1,))
    slots = slots_of(architecture, "adam", np.random.default_rng(0))
    deep = Network(architecture, Network.initial(architecture, rng=0).weights, slots)
    assert_same(deep, Network.load(deep.save(tmp_path / "x")))


# -- writing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["file/below", "/proc/growsearch", "/sys/growsearch", "a\0b"])
def test_a_folder_that_cannot_be_written_is_one_line(folder, network, tmp_path):
    """An error of the operating system, as it says it; a path that cannot be, a ValueError."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises((OSError, ValueError)) as caught:
        network.save(tmp_path / folder / "x")
    assert len(str(caught.value).splitlines()) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_path_that_is_a_folder_is_not_replaced_and_nothing_is_left(network, tmp_path):
    """It is refused before anything is written; where only the rename fails, nothing is left."""
    (tmp_path / "x" / "kept").mkdir(parents=True)
    with pytest.raises(InvalidInputError, match="x: expected the path of a file to write"):
        network.save(tmp_path / "x")
    with pytest.raises(OSError, match="directory"):
        write_atomically(tmp_path / "x", b"")
    assert [each.name for each in tmp_path.rglob("*")] == ["x", "kept"]


def test_a_file_size_limit_leaves_the_old_file_whole(network, tmp_path):
    """As on a full disk: one line, no partial file, the old network still there."""
    path = network.save(tmp_path / "x")
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from growsearch.atomic import write_atomically\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    write_atomically(Path(sys.argv[1]), bytes(100_000))\n"
        "except OSError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [f"[Errno 27] File too large: '{path}'"], done.stdout
    assert [each.name for each in tmp_path.iterdir()] == ["x"]
    assert_same(network, Network.load(path))


def test_a_write_removes_what_killed_writers_left_days_ago(network, tmp_path):
    """Two days or older by the folder's own clock; what may still be written stays."""
    ages = {"old": 49 * 3600, "young": 47 * 3600, "new": 0, "ahead": -86_400}
    for name, age in ages.items():
        partial = tmp_path / f".partial-{name}"
        partial.write_bytes(b"part")
        os.utime(partial, (time.time() - age,) * 2)
    (tmp_path / "other").write_bytes(b"")
    os.utime(tmp_path / "other", (0, 0))
    network.save(tmp_path / "x")
    left = {each.name for each in tmp_path.iterdir()}
    assert left == {".partial-young", ".partial-new", ".partial-ahead", "other", "x"}


SAVE_FOR_EVER = """
import sys
from pathlib import Path
from growsearch.networks import Architecture, Network
from growsearch.atomic import write_atomically
one, other = (
    Network.initial(Architecture.parse("400(a)-400(b)", (400,)), rng=rng) for rng in (0, 1)
)
one.save(sys.argv[1])
print(one.sha256, other.sha256, flush=True)
data = [other.to_bytes(), one.to_bytes()]
while True:
    for each in data:
        write_atomically(Path(sys.argv[1]), each)
"""
KILLS = 6


def test_a_kill_at_any_moment_leaves_the_old_network_or_the_new(tmp_path):
    """Kill -9 while a process replaces one network by another, over and over."""
    path = tmp_path / "x"
    rng = random.Random(4)
    for _ in range(KILLS):
        with subprocess.Popen(
            [sys.executable, "-c", SAVE_FOR_EVER, path], stdout=subprocess.PIPE, text=True
        ) as writer:
            hashes = writer.stdout.readline().split()
            time.sleep(rng.uniform(0.0, 0.1))
            writer.send_signal(signal.SIGKILL)
        network = Network.load(path)
        assert network.sha256 in hashes
        assert hashlib.sha256(path.read_bytes()).hexdigest() in hashes
    litter = {each for each in tmp_path.iterdir() if each != path}
    assert len(litter) <= KILLS
    assert all(each.name.startswith(".partial-") for each in litter)


def test_a_reader_beside_a_writer_sees_whole_networks_only(tmp_path):
    """200 reads while another process replaces the file."""
    path = tmp_path / "x"
    with subprocess.Popen(
        [sys.executable, "-c", SAVE_FOR_EVER, path], stdout=subprocess.PIPE, text=True
    ) as writer:
        try:
            hashes = writer.stdout.readline().split()
            seen = {Network.load(path).sha256 for _ in range(200)}
        finally:
            writer.kill()
    assert seen <= set(hashes)
