"""The memory that a network takes on a small device."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import growsearch as gs
from growsearch.errors import ArchitectureError, InvalidInputError
from growsearch.networks.layer import Layer, Shape
from growsearch.networks.layers import (
    Activation,
    Add,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    KerasLayer,
    SeparableConv,
)
from growsearch.networks.memory import peak_activation_bytes, stored_bytes
from growsearch.networks.node import INPUT, Node


def graph(*nodes: tuple[str, Layer, tuple[str, ...]], shape: Shape = (8, 8, 2)) -> gs.Architecture:
    """A graph of named layers with their inputs."""
    return gs.Architecture(shape, tuple(Node(*each) for each in nodes))


def conv(filters: int, **options: Any) -> Conv:
    return Conv((3, 3), filters, **options)


def test_a_chain_holds_two_neighbours() -> None:
    """Of a chain, the most is held where input and output of one layer are largest together."""
    chain = gs.Architecture.parse("3x3x8(a)-pool1-3x3x16(b)-pool2-10(c)", (28, 28, 1))
    assert peak_activation_bytes(chain) == 28 * 28 * 8 + 14 * 14 * 8
    assert peak_activation_bytes(chain, 4) == 4 * peak_activation_bytes(chain)


def test_a_branch_is_held_until_it_is_read() -> None:
    """A tensor that a sum reads later is held while the layers beside it are computed."""
    skipped = graph(
        ("a", conv(4), (INPUT,)),
        ("b", conv(8), ("a",)),
        ("c", conv(4), ("b",)),
        ("sum", Add(), ("a", "c")),
    )
    assert peak_activation_bytes(skipped) == 64 * (4 + 8 + 4)  # a, b and c


@pytest.mark.parametrize("layer", [Activation("relu"), BatchNorm(), Dropout(0.5), Flatten()])
def test_layers_that_hold_nothing_of_their_own(layer: Layer) -> None:
    """Activations, norms, dropout and flatten behind a layer take no memory."""
    made = graph(
        ("a", conv(8), (INPUT,)),
        ("x", layer, ("a",)),
        *([] if isinstance(layer, Flatten) else [("f", Flatten(), ("x",))]),
        ("d", Dense(3), ("x" if isinstance(layer, Flatten) else "f",)),
    )
    assert peak_activation_bytes(made) == 64 * (2 + 8)


def test_values_that_are_read_later_are_not_written_over() -> None:
    """An activation beside a branch has memory of its own; dropout is the same values still."""

    def beside(layer: Layer) -> gs.Architecture:
        return graph(
            ("a", conv(8), (INPUT,)),
            ("x", layer, ("a",)),
            ("b", conv(1), ("x",)),
            ("c", conv(1), ("a",)),
            ("sum", Add(), ("b", "c")),
        )

    assert peak_activation_bytes(beside(Activation("tanh"))) == 64 * (8 + 8 + 1)  # a, x and b
    assert peak_activation_bytes(beside(Dropout(0.5))) == 64 * (8 + 2)  # a and the input


def test_a_separable_convolution_holds_its_first_half() -> None:
    """Between its two halves it holds the depthwise output, beside the input or the output."""
    separable = graph(("a", SeparableConv((3, 3), 3, multiplier=4), (INPUT,)))
    assert peak_activation_bytes(separable) == 64 * (8 + 3)


def test_a_size_that_is_not_known_is_refused() -> None:
    """A layer of Keras' cannot be counted if its output's size is unknown."""
    opaque = graph(("odd", KerasLayer("[0, 4]", layer='{"class_name": "Odd"}'), (INPUT,)))
    with pytest.raises(ArchitectureError, match="odd: expected a layer whose output has a known"):
        peak_activation_bytes(opaque)
    with pytest.raises(InvalidInputError, match="bytes_per_value"):
        peak_activation_bytes(graph(("d", Dense(3), (INPUT,)), shape=(4,)), 0)


@given(st.data())
def test_it_is_the_most_of_all_that_lives_at_once(data: st.DataObject) -> None:
    """Of layers with memory of their own, it is the largest sum of tensors that live at once."""
    widths = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=7), label="widths")
    names = [INPUT]
    nodes: list[tuple[str, Layer, tuple[str, ...]]] = []
    for place, width in enumerate(widths):
        # Each reads one tensor before it, and those that none read are summed up by the last.
        nodes.append((f"n{place}", conv(width), (data.draw(st.sampled_from(names)),)))
        names.append(f"n{place}")
    read = {each for _, _, inputs in nodes for each in inputs}
    ends = [name for name in names[1:] if name not in read]
    if len(ends) > 1:
        level = [(f"l{end}", conv(5), (end,)) for end in ends]
        nodes += [*level, ("sum", Add(), tuple(name for name, _, _ in level))]
    made = graph(*nodes, shape=(2, 2, 3))
    uses = {
        name: [place for place, (_, _, i) in enumerate(nodes) if name in i] for name in made.shapes
    }
    born = {INPUT: 0} | {name: place for place, (name, _, _) in enumerate(nodes)}
    most = max(
        sum(
            math.prod(shape)
            for name, shape in made.shapes.items()
            if born[name] <= moment <= max([*uses[name], born[name]])
        )
        for moment in range(len(nodes))
    )
    assert peak_activation_bytes(made) == most


def test_the_weights_of_a_file() -> None:
    """A weight takes 1 byte as int8, a unit 28 beside its weights; as float32 each value has 4."""
    plain = gs.Architecture.parse("3x3x8(a)-pool1-3x3x16(b)-pool2-10(c)", (28, 28, 1))
    kernels = 9 * 8 + 9 * 8 * 16 + 7 * 7 * 16 * 10
    units = 8 + 16 + 10
    assert stored_bytes(plain) == kernels + 28 * units
    assert stored_bytes(plain, "float32") == 4 * (kernels + units) == 4 * plain.parameters


def test_batch_norm_is_folded() -> None:
    """A batch norm behind a linear convolution vanishes in the file; behind a ReLU it does not."""
    bare = graph(("a", conv(8, activation="linear", use_bias=False), (INPUT,)))
    folded = graph(
        ("a", conv(8, activation="linear", use_bias=False), (INPUT,)), ("n", BatchNorm(), ("a",))
    )
    behind = graph(("a", conv(8), (INPUT,)), ("n", BatchNorm(), ("a",)))
    assert stored_bytes(folded) == stored_bytes(bare) == 9 * 2 * 8 + 28 * 8
    assert stored_bytes(behind) == stored_bytes(bare) + 4 * 8


def test_both_halves_of_a_separable_convolution_have_biases() -> None:
    """A file has it as two layers, each with biases and scales."""
    separable = graph(("a", SeparableConv((3, 3), 3, multiplier=4), (INPUT,)))
    assert stored_bytes(separable) == (9 * 8 + 28 * 8) + (8 * 3 + 28 * 3)
