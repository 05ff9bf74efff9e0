"""A network is a value: built from a seed, read-only, checked, named by all of its content."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from growsearch.errors import ArchitectureError, GrowsearchError, InvalidInputError
from growsearch.networks import Architecture, Network, Slots
from growsearch.networks.network import INITIALIZERS
from growsearch.networks.optimizers import OPTIMIZERS
from tests.growth_cases import CASES, random_architecture, slots_of, trained
from tests.strategies import seeds

Array = NDArray[Any]
Arrays = dict[str, dict[str, Array]]

CHAIN = Architecture.parse("3x2x4(conv1)-batch_norm(bn1)-pool1-5(fc1)-3(fc2)", (6, 5, 2))
LARGE = Architecture.parse("3x3x64(conv1)-separable_conv(sep1,kernel=3x3,filters=64)-64(fc1)")


def copied(weights: Any) -> Arrays:
    """Arrays that can be written to."""
    return {
        layer: {name: array.copy() for name, array in arrays.items()}
        for layer, arrays in weights.items()
    }


def assert_equal(one: Any, other: Any) -> None:
    assert {layer: set(arrays) for layer, arrays in one.items()} == {
        layer: set(arrays) for layer, arrays in other.items()
    }
    for layer, arrays in one.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, other[layer][name])


# -- beginnings ----------------------------------------------------------------------------------


@settings(max_examples=40)
@given(seeds)
def test_a_new_network_has_the_arrays_of_its_architecture(seed):
    """Names, shapes, float32, finite; and no slots."""
    architecture = random_architecture(seed)
    network = Network.initial(architecture, rng=seed)
    assert network.slots is None
    assert set(network.weights) == set(architecture.weights)
    for layer, specs in architecture.weights.items():
        arrays = network.weights[layer]
        assert {name: array.shape for name, array in arrays.items()} == {
            name: weight.shape for name, weight in specs.items()
        }
        assert all(array.dtype == np.float32 for array in arrays.values())
        assert all(np.isfinite(array).all() for array in arrays.values())


@pytest.mark.parametrize("initializer", INITIALIZERS)
def test_one_seed_makes_one_network(initializer):
    """Also as a generator; another seed makes another."""
    first = Network.initial(CHAIN, rng=7, initializer=initializer)
    again = Network.initial(CHAIN, rng=np.random.default_rng(7), initializer=initializer)
    other = Network.initial(CHAIN, rng=8, initializer=initializer)
    assert_equal(first.weights, again.weights)
    assert first.sha256 == again.sha256 != other.sha256


def test_a_generator_moves_on():
    rng = np.random.default_rng(7)
    assert Network.initial(CHAIN, rng=rng).sha256 != Network.initial(CHAIN, rng=rng).sha256


def test_no_network_touches_the_global_random_state():
    """Scipy's distributions would, if they were not handed a generator."""
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    for initializer in INITIALIZERS:
        Network.initial(CHAIN, rng=0, initializer=initializer)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_dtype_of_the_weights_can_be_chosen(dtype):
    network = Network.initial(CHAIN, rng=0, dtype=dtype)
    assert {a.dtype for arrays in network.weights.values() for a in arrays.values()} == {
        np.dtype(dtype)
    }


@pytest.mark.parametrize(
    ("layer", "name", "fan_in"),
    [
        ("conv1", "kernel", 9),
        ("sep1", "depthwise", 9),
        ("sep1", "pointwise", 64),
        ("fc1", "kernel", 28 * 28 * 64),
    ],
)
def test_he_kernels_have_variance_two_over_fan_in(layer, name, fan_in):
    """Normal, mean 0; He et al., arXiv:1502.01852."""
    kernel = Network.initial(LARGE, rng=0).weights[layer][name].astype(np.float64)
    deviation = np.sqrt(2.0 / fan_in)
    assert abs(kernel.mean()) < 5.0 * deviation / np.sqrt(kernel.size)
    assert abs(kernel.std() / deviation - 1.0) < 4.0 / np.sqrt(2 * kernel.size)


def test_truncated_kernels_end_at_two_deviations():
    """Deviation 0.1 before the cut, 0.088 after it, as in the original Net2Net experiments."""
    kernel = Network.initial(LARGE, rng=0, initializer="truncated_normal").weights["fc1"]["kernel"]
    assert np.abs(kernel).max() <= 0.2
    assert np.abs(kernel).max() > 0.199
    assert abs(kernel.std() - 0.08796) < 1e-3


@pytest.mark.parametrize(("initializer", "bias"), [("he_normal", 0.0), ("truncated_normal", 0.1)])
def test_biases_and_batch_norms_start_at_constants(initializer, bias):
    network = Network.initial(CHAIN, rng=0, initializer=initializer)
    for layer in ("conv1", "fc1", "fc2"):
        assert set(network.weights[layer]["bias"]) == {np.float32(bias)}
    starts = {name: set(array) for name, array in network.weights["bn1"].items()}
    assert starts == {"gamma": {1.0}, "beta": {0.0}, "mean": {0.0}, "variance": {1.0}}


def test_an_unknown_initializer_is_named():
    with pytest.raises(InvalidInputError, match="expected one of he_normal, truncated_normal, got"):
        Network.initial(CHAIN, rng=0, initializer="zeros")


def test_the_parameters_are_the_trained_values():
    """By the arrays' sizes; statistics and fixed factors do not count."""
    for architecture in CASES.values():
        network = Network.initial(architecture, rng=0)
        trained_sizes = [
            array.size
            for layer, arrays in network.weights.items()
            for name, array in arrays.items()
            if architecture.weights[layer][name].trainable
        ]
        assert network.parameters == architecture.parameters == sum(trained_sizes)


def test_a_network_is_printed_by_its_notation():
    assert (
        repr(Network.initial(CHAIN, rng=0)) == f"Network({CHAIN}, {CHAIN.parameters:,} parameters)"
    )


# -- read-only -----------------------------------------------------------------------------------


def test_no_weight_can_be_written_to():
    network = trained(CHAIN)
    for group in (network.weights, *network.slots.values.values()):
        for arrays in group.values():
            for array in arrays.values():
                with pytest.raises(ValueError, match="read-only"):
                    array[...] = 0.0
            with pytest.raises(TypeError):
                arrays["kernel"] = None
        with pytest.raises(TypeError):
            group["conv1"] = {}


def test_no_field_can_be_assigned():
    network = trained(CHAIN)
    for name in ("architecture", "weights", "slots"):
        with pytest.raises(FrozenInstanceError):
            setattr(network, name, None)
    for name in ("optimizer", "step", "values"):
        with pytest.raises(FrozenInstanceError):
            setattr(network.slots, name, None)


def test_the_arrays_handed_in_stay_writable():
    """Freezing is of the network's views, not of what belongs to others."""
    weights = copied(Network.initial(CHAIN, rng=0).weights)
    Network(CHAIN, weights)
    weights["fc1"]["bias"][0] = 5.0
    weights["fc1"].pop("bias")


def test_a_mapping_changed_afterwards_does_not_change_the_network():
    weights = copied(Network.initial(CHAIN, rng=0).weights)
    network = Network(CHAIN, weights)
    before = network.weights["fc1"]["bias"]
    weights["fc1"]["bias"] = np.ones(99, np.float32)
    del weights["conv1"]
    assert network.weights["fc1"]["bias"] is before
    assert "conv1" in network.weights


# -- its hash ------------------------------------------------------------------------------------


PLAIN = "9a2ddb9e8be0e7e45fedf32e883b26bcb45a53bd0f89f1b5121fedc29078f57b"
WITH_SLOTS = "be8645c220367c2fde86f8a9def9378bf4ca5e7bdbec25f2e9e2f1ad7065f479"


def test_the_hash_is_what_it_was_in_the_first_release():
    """Stored networks are found by it: a change of the format needs another format number."""
    architecture = Architecture.parse("2(fc1)", (2,))
    weights = {"fc1": {"kernel": np.eye(2, dtype=np.float32), "bias": np.array([1, 2], np.float32)}}
    slots = {name: {"fc1": weights["fc1"]} for name in ("m", "v")}
    assert Network(architecture, weights).sha256 == PLAIN
    assert Network(architecture, weights, Slots("adam", 3, slots)).sha256 == WITH_SLOTS


def test_the_hash_does_not_depend_on_the_order_of_mappings():
    network = trained(CHAIN)
    turned = {
        layer: dict(reversed(arrays.items())) for layer, arrays in reversed(network.weights.items())
    }
    values = dict(reversed(network.slots.values.items()))
    slots = Slots(network.slots.optimizer, network.slots.step, values)
    assert Network(CHAIN, turned, slots).sha256 == network.sha256


def _one_bit_more(array: Array, index: int) -> Array:
    changed = array.copy()
    changed.view(np.uint32).flat[index] ^= 1
    return changed


def test_the_hash_changes_with_the_last_bit_of_every_single_value():
    """Each weight, each moving statistic, each slot: as many hashes as there are values."""
    architecture = Architecture.parse("2x1x2(conv1)-batch_norm(bn1)-2(fc1)", (2, 2, 1))
    network = trained(architecture)
    hashes, count = {network.sha256}, 1
    for group in ("weights", "m", "v"):
        arrays = network.weights if group == "weights" else network.slots.values[group]
        for layer, name in [(layer, name) for layer, each in arrays.items() for name in each]:
            for index in range(arrays[layer][name].size):
                changed = copied(arrays)
                changed[layer][name] = _one_bit_more(changed[layer][name], index)
                values = {**network.slots.values, group: changed}
                other = (
                    Network(architecture, changed, network.slots)
                    if group == "weights"
                    else Network(architecture, network.weights, Slots("adam", 7, values))
                )
                hashes.add(other.sha256)
                count += 1
    assert len(hashes) == count > 80


def test_the_hash_tells_zeros_of_both_signs_apart():
    architecture = Architecture.parse("1(fc1)", (1,))
    hashes = {
        Network(
            architecture,
            {"fc1": {"kernel": np.array([[zero]], np.float32), "bias": np.zeros(1, np.float32)}},
        ).sha256
        for zero in (0.0, -0.0)
    }
    assert len(hashes) == 2


def test_the_hash_changes_with_step_optimizer_and_dtype():
    weights = Network.initial(CHAIN, rng=0, dtype=np.float64).weights
    adam = slots_of(CHAIN, "adam", np.random.default_rng(0))
    single = {k: {n: a.astype(np.float32) for n, a in v.items()} for k, v in weights.items()}
    networks = [
        Network(CHAIN, weights),
        Network(CHAIN, single),
        Network(CHAIN, weights, adam),
        Network(CHAIN, weights, replace(adam, step=8)),
        Network(CHAIN, weights, replace(adam, optimizer="adamw")),
        Network(CHAIN, weights, Slots("sgd", 7, {})),
        Network(CHAIN, weights, Slots("sgd", 0, {})),
    ]
    assert len({network.sha256 for network in networks}) == len(networks)


def test_the_hash_changes_with_every_change_of_the_architecture():
    """Also where no weight changes: activation, rate, momentum, stride, names, inputs."""
    texts = [
        "3x3x2(a)-dropout(b)-batch_norm(c)-2(d)",
        "3x3x2(a,activation=tanh)-dropout(b)-batch_norm(c)-2(d)",
        "3x3x2(a,stride=2x2)-dropout(b)-batch_norm(c)-global_avg_pool(g)-2(d)",
        "3x3x2(a)-dropout(b)-batch_norm(c)-global_avg_pool(g)-2(d)",
        "3x3x2(a)-dropout(b,rate=0.25)-batch_norm(c)-2(d)",
        "3x3x2(a)-dropout(x)-batch_norm(c)-2(d)",
        "3x3x2(a)-dropout(b)-batch_norm(c,momentum=0.9)-2(d)",
        "3x3x2(a)-batch_norm(c)-dropout(b)-2(d)",
        "3x3x2(a)-dropout(b)-batch_norm(c)-2(d,activation=softmax)",
    ]
    hashes = {Network.initial(Architecture.parse(t, (4, 4, 1)), rng=0).sha256 for t in texts}
    assert len(hashes) == len(texts)


# -- errors --------------------------------------------------------------------------------------


def _drop_layer(arrays: Arrays) -> None:
    del arrays["fc1"]


def _drop_weight(arrays: Arrays) -> None:
    del arrays["fc1"]["bias"]


def _drop_every_weight(arrays: Arrays) -> None:
    arrays["fc1"] = {}


def _add_layer(arrays: Arrays) -> None:
    arrays["fc9"] = arrays["fc1"]


def _add_weight(arrays: Arrays) -> None:
    arrays["fc1"]["gamma"] = arrays["fc1"]["bias"]


def _transpose(arrays: Arrays) -> None:
    arrays["fc1"]["kernel"] = arrays["fc1"]["kernel"].T


def _to_scalar(arrays: Arrays) -> None:
    arrays["fc1"]["bias"] = np.float32(0.0)


def _as_column(arrays: Arrays) -> None:
    arrays["fc1"]["bias"] = arrays["fc1"]["bias"][:, None]


def _to(dtype: Any) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        arrays["fc1"]["bias"] = arrays["fc1"]["bias"].astype(dtype)

    return change


WRONG: dict[str, tuple[Callable[[Arrays], None], str]] = {
    "missing layer": (_drop_layer, r"fc1: expected .*weights of this layer"),
    "missing weight": (_drop_weight, r"fc1: expected .*weights kernel, bias, got kernel"),
    "no weights": (_drop_every_weight, r"fc1: expected .*weights"),
    "additional layer": (_add_layer, r"fc9: did not expect .*weights of this layer"),
    "additional weight": (_add_weight, r"fc1: expected .*kernel, bias, got kernel, bias, gamma"),
    "transposed": (_transpose, r"fc1: expected .*kernel of shape \(36, 5\), got \(5, 36\)"),
    "scalar": (_to_scalar, r"fc1: expected .*bias of shape \(5,\), got \(\)"),
    "column": (_as_column, r"fc1: expected .*bias of shape \(5,\), got \(5, 1\)"),
    "whole numbers": (_to(np.int64), r"fc1: expected .*bias of float16, .* got int64"),
    "truth values": (_to(bool), r"fc1: expected .*bias of float16, .* got bool"),
    "complex numbers": (_to(np.complex64), r"fc1: expected .*bias of float16, .* got complex64"),
    "objects": (_to(object), r"fc1: expected .*bias of float16, .* got object"),
}


@pytest.mark.parametrize("name", WRONG)
def test_weights_of_another_architecture_are_refused(name):
    """The error names layer, expected and got, in one line."""
    change, message = WRONG[name]
    weights = copied(Network.initial(CHAIN, rng=0).weights)
    change(weights)
    with pytest.raises(ArchitectureError, match=message) as caught:
        Network(CHAIN, weights)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", WRONG)
def test_slots_of_another_architecture_are_refused(name):
    """The error also names the slot."""
    change, message = WRONG[name]
    slots = slots_of(CHAIN, "adam", np.random.default_rng(0))
    values = {slot: copied(arrays) for slot, arrays in slots.values.items()}
    change(values["v"])
    with pytest.raises(ArchitectureError, match=message) as caught:
        Network(CHAIN, Network.initial(CHAIN, rng=0).weights, Slots("adam", 7, values))
    assert "slot v of" in str(caught.value)


def test_moving_statistics_have_no_slots():
    slots = slots_of(CHAIN, "momentum", np.random.default_rng(0))
    values = copied(slots.values["momentum"])
    values["bn1"]["mean"] = np.zeros(4, np.float32)
    with pytest.raises(ArchitectureError, match="bn1: expected slot momentum of weights"):
        Network(
            CHAIN, Network.initial(CHAIN, rng=0).weights, Slots("momentum", 7, {"momentum": values})
        )


def test_an_unknown_optimizer_is_named():
    with pytest.raises(InvalidInputError, match="expected one of adam, adamw, momentum, sgd, got"):
        Slots("lion", 0, {})


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_optimizer_has_its_own_slots_and_no_others(optimizer):
    assert Slots(optimizer, 0, {s: {} for s in OPTIMIZERS[optimizer].degrees}).degrees == (
        OPTIMIZERS[optimizer].degrees
    )
    with pytest.raises(InvalidInputError, match=f"slots of {optimizer}: expected .*, got"):
        Slots(optimizer, 0, {"velocity": {}})


@pytest.mark.parametrize("step", [-1, 1.0, True, "7", None, float("nan"), np.bool_(True)])
def test_a_step_is_a_whole_number(step):
    """Or it is refused."""
    with pytest.raises(InvalidInputError, match="step: expected a whole number of at least 0, got"):
        Slots("sgd", step, {})


def test_a_step_of_numpys_is_one_that_json_can_hold():
    """Numpy counts in types of its own."""
    assert type(Slots("sgd", np.int64(7), {}).step) is int


def test_a_network_does_not_change_with_the_arrays_it_was_made_from():
    """The caller may go on writing to them: weights and slots are the network's own."""
    weights = copied(Network.initial(CHAIN, rng=0).weights)
    slots = copied(weights)
    for layer, arrays in slots.items():
        slots[layer] = {n: a for n, a in arrays.items() if n not in ("mean", "variance")}
    network = Network(CHAIN, weights, Slots("momentum", 3, {"momentum": slots}))
    before = network.sha256
    for arrays in (*weights.values(), *slots.values()):
        for array in arrays.values():
            assert array.flags.writeable
            array[:] = 7.0
    del network.__dict__["sha256"]
    assert network.sha256 == before


def test_arrays_that_nobody_can_write_to_are_not_copied():
    """So that a network made from another costs nothing."""
    network = Network.initial(CHAIN, rng=0)
    again = Network(CHAIN, network.weights)
    for layer, arrays in network.weights.items():
        for name, array in arrays.items():
            assert again.weights[layer][name] is array


def test_a_diverged_network_exists_but_has_no_file_and_no_hash():
    """Training reports NaN by itself; what cannot be read again is never written."""
    weights = copied(Network.initial(CHAIN, rng=0).weights)
    weights["fc1"]["bias"][2] = np.nan
    network = Network(CHAIN, weights)
    with pytest.raises(GrowsearchError, match="fc1/bias: expected finite values, got NaN"):
        _ = network.sha256


def test_a_network_can_be_copied_and_pickled():
    """As it must be to go to another process; what comes back is frozen too."""
    weights = Network.initial(CHAIN, rng=0).weights
    slots = {
        layer: {n: a for n, a in arrays.items() if n not in ("mean", "variance")}
        for layer, arrays in weights.items()
    }
    network = Network(CHAIN, weights, Slots("momentum", 3, {"momentum": slots}))
    again = pickle.loads(pickle.dumps(network))
    assert again.sha256 == network.sha256
    assert again.architecture == network.architecture
    assert not again.weights["fc1"]["kernel"].flags.writeable
    assert copy.copy(network).sha256 == network.sha256
    assert copy.deepcopy(network) is network


def test_a_folder_is_no_file_to_write(tmp_path):
    """The message names it, and no temporary file."""
    with pytest.raises(InvalidInputError, match="expected the path of a file to write, got a fold"):
        Network.initial(CHAIN, rng=0).save(tmp_path)


def test_an_input_shape_is_a_tuple():
    """One number is no shape."""
    with pytest.raises(ArchitectureError, match="input_shape: expected a tuple, got 28"):
        Architecture.parse("2(fc1)", input_shape=28)


@pytest.mark.parametrize("optimizer", [None, *OPTIMIZERS])
def test_a_network_is_what_its_flat_arrays_say(optimizer):
    """Paths to arrays and back: the same network; a path names each array once."""
    architecture = CASES["batch norm"]
    weights = trained(architecture).weights
    slots = optimizer and slots_of(architecture, optimizer, np.random.default_rng(0))
    network = Network(architecture, weights, slots)
    flat = network.flat()
    values = slots.values if slots else {}
    expected = sum(
        len(arrays) for layers in (weights, *values.values()) for arrays in layers.values()
    )
    assert len(flat) == expected
    step = 7 if optimizer else 0
    assert Network.from_flat(architecture, flat, optimizer, step).sha256 == network.sha256
    assert Network.from_flat(architecture, flat).sha256 == Network(architecture, weights).sha256
    del flat["weights/conv0/kernel"]
    with pytest.raises(ArchitectureError, match="conv0: "):
        Network.from_flat(architecture, flat, optimizer, step)
