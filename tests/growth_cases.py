"""The networks that growth is tested on: named cases, random graphs, weights as after training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.growth import GROWTHS, Growth, Limits
from growsearch.networks import INPUT, Architecture, Network, Node, Slots
from growsearch.networks.activations import ACTIVATIONS
from growsearch.networks.layer import Layer
from growsearch.networks.layers import (
    Activation,
    Add,
    AlphaDropout,
    Average,
    AvgPool,
    AvgPool1D,
    BatchNorm,
    Carried,
    Concat,
    Conv,
    Conv1D,
    ConvTranspose,
    Crop,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GaussianDropout,
    GaussianNoise,
    GlobalAvgPool,
    GlobalAvgPool1D,
    GlobalMaxPool,
    GlobalMaxPool1D,
    GroupNorm,
    LayerNorm,
    Maximum,
    MaxPool,
    MaxPool1D,
    Minimum,
    Multiply,
    Normalize,
    Permute,
    PReLU,
    Rescale,
    RescaleChannels,
    Reshape,
    Resize,
    RMSNorm,
    Scale,
    ScaledAdd,
    SeparableConv,
    Subtract,
    UnitNorm,
    UpSample,
    ZeroPad,
)
from growsearch.networks.optimizers import OPTIMIZERS
from growsearch.networks.reference import forward

Array = NDArray[Any]

CLASSES = 3
MULTIPLIED = ("layer_norm", "rms_norm")
# So that tests stay quick, however often a network grows.
SMALL = Limits(layers=24, width=24, kernel=5)


# -- building ------------------------------------------------------------------------------------


@dataclass
class Draft:
    """An architecture in the making; every piece stands on the last layer unless told otherwise."""

    input_shape: tuple[int, ...]
    nodes: list[Node] = field(default_factory=list)

    @property
    def last(self) -> str:
        return self.nodes[-1].name if self.nodes else INPUT

    def shape(self, name: str) -> tuple[int, ...]:
        if name == INPUT:
            return self.input_shape
        node = next(node for node in self.nodes if node.name == name)
        return node.layer.output_shape(*map(self.shape, node.inputs))

    @property
    def channels(self) -> int:
        return self.shape(self.last)[-1]

    def add(self, layer: Layer, *inputs: str) -> str:
        name = f"{layer.kind}{len(self.nodes)}"
        self.nodes.append(Node(name, layer, inputs or (self.last,)))
        return name

    def done(self) -> Architecture:
        if len(self.shape(self.last)) > 1:
            self.add(Flatten())
        self.add(Dense(CLASSES, activation="linear"))
        return Architecture(self.input_shape, tuple(self.nodes))


def case(*pieces: Layer | tuple[Layer, ...], shape: tuple[int, ...] = (5, 4, 2)) -> Architecture:
    """A chain; a tuple ends the chain with branches of one layer each and what joins them."""
    draft = Draft(shape)
    for piece in pieces:
        if isinstance(piece, tuple):
            stem = draft.last
            *branches, join = piece
            draft.add(join, *[draft.add(branch, stem) for branch in branches])
        else:
            draft.add(piece)
    return draft.done()


def residual(activation: str = "relu", *, shortcut: bool = True) -> Architecture:
    """A sum of the identity, or of a projection, with convolution, batch norm, ReLU, twice."""
    draft = Draft((5, 4, 2))
    draft.add(Conv((3, 3), 4, activation="linear", use_bias=False))
    stem = draft.add(BatchNorm(activation=activation))
    draft.add(Conv((3, 3), 3, activation="linear", use_bias=False))
    draft.add(BatchNorm(activation=activation))
    draft.add(Conv((3, 3), 4, activation="linear"))
    branch = draft.add(BatchNorm())
    if not shortcut:
        draft.add(Conv((1, 1), 4, activation="linear"), stem)
        stem = draft.add(BatchNorm())
    draft.add(Add(activation), stem, branch)
    draft.add(GlobalAvgPool())
    return draft.done()


def sum_with_concatenation() -> Architecture:
    """A sum of one convolution with the concatenation of two, of different widths."""
    draft = Draft((5, 4, 2))
    stem = draft.add(Conv((3, 3), 3))
    both = draft.add(Concat(), draft.add(Conv((1, 1), 1), stem), draft.add(Conv((3, 1), 3), stem))
    draft.add(Add("relu"), both, draft.add(Conv((1, 3), 4), stem))
    return draft.done()


def dense_blocks() -> Architecture:
    """Concatenations of concatenations, as DenseNet has them."""
    draft = Draft((5, 4, 2))
    x = draft.add(Conv((3, 3), 3))
    for _ in range(2):
        x = draft.add(Concat(), x, draft.add(Conv((3, 3), 2), x))
    draft.add(AvgPool())
    return draft.done()


def sum_behind_flatten() -> Architecture:
    """A dense layer whose units are tied to the positions of a flattened convolution."""
    draft = Draft((3, 2, 1))
    images = draft.add(Flatten(), draft.add(Conv((3, 3), 2), INPUT))
    dense = draft.add(Dense(12), draft.add(Flatten(), INPUT))
    draft.add(Add("relu"), images, dense)
    return draft.done()


def gated(*gate: Layer) -> Architecture:
    """Images of 4 channels times a gate of their means, as squeeze-and-excitation has it."""
    draft = Draft((5, 4, 2))
    draft.add(Conv((3, 3), 4, activation="linear"))
    images = draft.add(BatchNorm(activation="silu"))
    for layer in gate:
        draft.add(layer)
    draft.add(Multiply(), images, draft.last)
    draft.add(Conv((1, 1), 4, activation="linear"))
    draft.add(Add(), images, draft.last)
    return draft.done()


def gated_positions() -> Architecture:
    """Images times one factor a position, plus one value a channel: sizes of 1 are repeated."""
    draft = Draft((5, 4, 2))
    images = draft.add(Conv((3, 3), 3))
    factor = draft.add(Conv((3, 3), 1, activation="sigmoid"), images)
    product = draft.add(Multiply(), images, factor)
    draft.add(GlobalMaxPool(keepdims=True), product)
    value = draft.add(Dense(3, activation="tanh"))
    draft.add(Add("relu"), product, value)
    return draft.done()


CASES: dict[str, Architecture] = {
    "conv-flatten-dense": case(Conv((3, 3), 3), MaxPool(), Conv((3, 2), 4), Flatten(), Dense(5)),
    "dense only": case(Dense(4), Dense(3), shape=(6,)),
    "valid, strided, dilated": case(
        Conv((2, 3), 3, padding="valid"),
        Conv((3, 1), 4, stride=(2, 1)),
        Conv((3, 3), 3, dilation=(2, 1)),
        shape=(7, 9, 1),
    ),
    "batch norm": case(
        Conv((3, 3), 3, activation="linear", use_bias=False),
        BatchNorm(activation="relu"),
        Dropout(0.3),
        AvgPool((3, 2), (1, 2)),
        Flatten(),
        Dense(5, activation="linear"),
        BatchNorm(),
        Activation("relu"),
    ),
    "residual": residual(),
    "residual, projected": residual(shortcut=False),
    "residual, tanh": residual("tanh"),
    "concatenation": case(
        Conv((3, 3), 3), (Conv((1, 1), 2), Conv((3, 3), 3), MaxPool((2, 2), (1, 1)), Concat())
    ),
    "sum over pooling": case(
        Conv((3, 3), 3),
        (MaxPool(), Conv((3, 3), 3, stride=(2, 2), activation="linear"), Add("relu")),
    ),
    "dense blocks": dense_blocks(),
    "sum with concatenation": sum_with_concatenation(),
    "sum behind flatten": sum_behind_flatten(),
    "depthwise": case(
        Conv((3, 3), 3),
        DepthwiseConv((3, 3), multiplier=2, activation="linear"),
        BatchNorm(activation="relu"),
        DepthwiseConv((2, 2), stride=(2, 2)),
        Conv((1, 1), 4),
        GlobalMaxPool(),
    ),
    "separable": case(
        SeparableConv((3, 3), 3, multiplier=2), SeparableConv((2, 3), 4), GlobalAvgPool(), Dense(4)
    ),
    "grouped": case(
        Conv((3, 3), 4), Conv((3, 3), 6, groups=2), Conv((1, 1), 6, groups=3), Conv((3, 3), 2)
    ),
    "layer norm": case(
        Conv((3, 3), 3, activation="linear"),
        LayerNorm(),
        Activation("gelu"),
        GlobalAvgPool(),
        Dense(4),
        LayerNorm(),
    ),
    "group norm": case(
        Conv((3, 3), 4, activation="linear"),
        GroupNorm(2),
        Activation("relu"),
        MaxPool(),
        Conv((1, 1), 3, activation="tanh"),
        GroupNorm(3),
        Flatten(),
        Dense(6),
        GroupNorm(2),
    ),
    "softmax": case(
        Conv((3, 3), 3, activation="tanh"),
        Conv((1, 1), 4, activation="softmax"),
        Conv((1, 1), 3, activation="linear"),
        Activation("softmax"),
        GlobalMaxPool(),
        Dense(3, activation="relu6"),
    ),
    "padded": case(
        Conv((3, 3), 3),
        ZeroPad(1, 0, 2, 1),
        Conv((3, 3), 3, stride=(2, 2), padding="valid"),
        BatchNorm(scale=False, center=False, activation="relu"),
        Conv((2, 2), 3),
        BatchNorm(scale=False),
    ),
    "gate of features": gated(
        GlobalAvgPool(), Dense(2), Dense(4, activation="sigmoid"), Reshape((1, 1))
    ),
    "gate of images": gated(
        GlobalAvgPool(keepdims=True),
        Conv((1, 1), 2),
        Conv((1, 1), 4, activation="hard_sigmoid"),
    ),
    "gate of positions": gated_positions(),
    "joins": case(
        Conv((3, 3), 3),
        (Conv((3, 3), 3), Conv((1, 1), 3, activation="tanh"), Maximum()),
        (Conv((3, 3), 3), Conv((1, 1), 3), Conv((1, 3), 3), Average()),
        (Conv((3, 3), 3), MaxPool((2, 2), (1, 1)), Subtract()),
        (Conv((3, 3), 3), Conv((1, 1), 3), Minimum()),
        (Activation("tanh"), Conv((1, 1), 3, activation="linear"), ScaledAdd(0.2)),
    ),
    "scaled": case(
        Rescale(0.5, 0.1),
        Normalize(),
        Conv((3, 3), 3, activation="linear"),
        PReLU(),
        Conv((3, 3), 3, activation="linear"),
        RescaleChannels(),
        PReLU(shared=False),
        Conv((3, 3), 3, activation="linear"),
        Scale(),
        GlobalAvgPool(),
        Dense(4, activation="linear"),
        PReLU(),
    ),
    "RMS norm": case(
        Conv((3, 3), 3, activation="linear"),
        RMSNorm(),
        Activation("gelu"),
        Conv((3, 3), 3),
        LayerNorm(scale=False),
        Conv((1, 1), 4),
        GroupNorm(2, center=False),
    ),
    "sequences": case(
        Conv1D(3, 4, activation="linear"),
        BatchNorm(activation="relu"),
        (Conv1D(3, 4, padding="causal", dilation=2), Conv1D(1, 4, activation="tanh"), Add()),
        MaxPool1D(),
        Conv1D(3, 4, groups=2),
        AvgPool1D(2, 1),
        Conv1D(2, 4),
        (GlobalAvgPool1D(), GlobalMaxPool1D(), Concat()),
        Dense(4),
        shape=(12, 2),
    ),
    "unit norm": case(
        Conv((3, 3), 3), Conv((1, 1), 3, activation="tanh"), UnitNorm(), Conv((3, 3), 3), Flatten()
    ),
    "positions": case(
        Dense(3, activation="tanh"),
        Dense(4, activation="linear"),
        BatchNorm(activation="relu"),
        Dense(3),
        GlobalAvgPool(),
        Dense(3),
    ),
    "reshaped": case(
        Conv((3, 3), 4),
        Reshape((5, 2)),
        Conv((3, 3), 4),
        Reshape((10, 2)),
        Permute((2, 1, 3)),
        Conv((3, 3), 2),
        Flatten(),
        Dense(12),
        Reshape((3, 2)),
        Conv((2, 2), 3),
    ),
    "resampled": case(
        Conv((3, 3), 3),
        UpSample((2, 1)),
        Conv((3, 3), 3),
        Crop(1, 2, 0, 1),
        ConvTranspose((3, 3), 3, stride=(2, 2)),
        Conv((3, 3), 2, stride=(2, 2)),
        ConvTranspose((2, 3), 3, padding="valid", activation="tanh"),
        Resize((4, 3)),
        Conv((1, 1), 3),
        UpSample((1, 2), "bilinear"),
        MaxPool(),
    ),
    "noise": case(
        Carried("RandomRotation", '{"factor": [-0.1, 0.1]}'),
        Conv((3, 3), 3, activation="linear"),
        GaussianNoise(0.3),
        Activation("relu"),
        Dropout(0.3, "channels"),
        Conv((3, 3), 3, activation="selu"),
        AlphaDropout(0.2),
        Conv((3, 3), 3),
        Dropout(0.2, "images"),
        Flatten(),
        Dense(4),
        GaussianDropout(0.2),
    ),
    "dilated depthwise": case(
        Conv((3, 3), 3),
        DepthwiseConv((3, 3), dilation=(2, 1)),
        SeparableConv((2, 3), 3, dilation=(1, 2)),
    ),
    "smooth": case(
        Conv((3, 3), 3, activation="tanh"),
        MaxPool(),
        Conv((3, 3), 3, activation="linear", use_bias=False),
        BatchNorm(activation="silu"),
        Flatten(),
        Dense(4, activation="gelu"),
        Dense(3, activation="sigmoid"),
    ),
}


# Functions of random graphs: of each unit alone, without jumps, and no larger than their input.
SMOOTH = [
    name
    for name, function in ACTIVATIONS.items()
    if function.elementwise and name not in ("exponential", "hard_shrink")
]


def random_architecture(seed: int) -> Architecture:
    """A random small graph out of every layer type, on images that are not square."""
    rng = np.random.default_rng(seed)

    def number(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    def one_of(*choices: Any) -> Any:
        return choices[number(0, len(choices) - 1)]

    def activation() -> str:
        return "relu" if rng.random() < 0.5 else one_of(*SMOOTH)

    def conv(filters: int | None = None, **options: Any) -> Conv:
        options.setdefault("activation", activation())
        kernel = (number(1, 3), number(1, 3))
        return Conv(kernel, filters or number(1, 4), use_bias=one_of(True, False), **options)

    draft = Draft((number(3, 5), number(3, 6), number(1, 3)))
    draft.add(conv())
    for _ in range(number(1, 3)):
        stem = draft.last
        piece = number(0, 19)
        if piece == 0:
            draft.add(conv(stride=(number(1, 2), number(1, 2))))
        elif piece == 1:
            draft.add(conv(activation="linear"))
            draft.add(BatchNorm(activation=activation()))
        elif piece == 2:
            groups = one_of(*[g for g in (1, 2, 3, 4) if draft.channels % g == 0])
            draft.add(conv(groups * number(1, 2), groups=groups))
        elif piece == 3:
            draft.add(SeparableConv((number(1, 3), 2), number(1, 4), multiplier=number(1, 2)))
        elif piece == 4:
            draft.add(DepthwiseConv((2, number(1, 3)), multiplier=number(1, 2)))
        elif piece == 5 and draft.channels > 2:  # of two channels it makes a sign
            even = draft.channels % 2 == 0
            draft.add(GroupNorm(draft.channels // 2) if even else LayerNorm())
        elif piece == 6:
            draft.add(one_of(MaxPool, AvgPool)((2, number(1, 3)), one_of(None, (1, 1))))
        elif piece == 7:
            noise = one_of(Dropout(0.5), AlphaDropout(), GaussianDropout(), GaussianNoise())
            carried = Carried("RandomFlip")
            draft.add(one_of(noise, carried, Activation(activation()), ZeroPad(1, 0, 0, 2)))
        elif piece in (8, 9):
            width = draft.channels
            draft.add(conv(activation="linear"))
            draft.add(BatchNorm(activation="relu"))
            branch = draft.add(conv(width, activation="linear"))
            if piece == 9:
                stem = draft.add(conv(width, activation="linear"), stem)
            draft.add(Add(activation()), stem, branch)
        elif piece == 12:
            width = draft.channels
            draft.add(GlobalAvgPool(keepdims=one_of(True, False)))
            draft.add(Dense(number(1, 3), activation=activation()))
            gate = draft.add(Dense(width, activation="sigmoid"))
            gate = gate if len(draft.shape(gate)) == 3 else draft.add(Reshape((1, 1)))
            draft.add(Multiply(), stem, gate)
        elif piece == 13:
            join = one_of(Subtract, Multiply, Average, Maximum, Minimum, ScaledAdd)()
            width = one_of(draft.channels, 1)
            draft.add(join, stem, draft.add(conv(width), stem))
        elif piece == 14:
            constants = one_of(Rescale(0.5, 0.2), RescaleChannels(), Normalize())
            draft.add(one_of(PReLU(), PReLU(shared=False), Scale(), constants))
        elif piece == 15:
            draft.add(one_of(UpSample((1, 2)), Resize((3, 4)), Permute((2, 1, 3))))
        elif piece == 16:
            draft.add(ConvTranspose((2, number(1, 3)), number(1, 4), stride=(1, number(1, 2))))
        elif piece == 17:
            height, width, channels = draft.shape(stem)
            times = one_of(*[n for n in (1, 2, 3) if channels % n == 0])
            draft.add(Reshape((width, height * times)))
            draft.add(Crop(int(width > 1), 0, 0, 0))
        elif piece == 19:
            height, width, _ = draft.shape(stem)
            draft.add(Reshape((height * width,)))
            draft.add(Conv1D(number(1, 3), number(1, 4), padding=one_of("same", "causal")))
            draft.add(one_of(MaxPool1D, AvgPool1D)(3, 1))
            pooled = draft.add(one_of(GlobalAvgPool1D, GlobalMaxPool1D)(keepdims=True))
            draft.add(Reshape((height, width)), draft.add(Add(), draft.nodes[-2].name, pooled))
        elif piece == 18 and draft.channels > 1:  # of one channel it makes a sign
            draft.add(one_of(RMSNorm, UnitNorm)())
        elif piece == 10:
            draft.add(Concat(), stem, draft.add(conv(), stem), draft.add(conv(), stem))
        else:
            both = draft.add(Concat(), draft.add(conv(), stem), draft.add(conv(), stem))
            draft.add(Add(), both, draft.add(conv(draft.channels), stem))
    draft.add(one_of(Flatten, GlobalAvgPool, GlobalMaxPool)())
    for _ in range(number(0, 1)):
        draft.add(Dense(number(1, 5), activation=activation()))
        if rng.random() < 0.3 and draft.channels > 2:
            draft.add(one_of(LayerNorm(), BatchNorm(), Dropout(0.2)))
    return draft.done()


# -- weights, slots, images ----------------------------------------------------------------------


def trained(architecture: Architecture, *, seed: int = 0, dtype: Any = np.float32) -> Network:
    """A network as after training: no bias is zero, no batch norm at its start; with Adam slots.

    Its outputs depend on its input: of one whose units are all dead, no law could fail.
    """
    rng = np.random.default_rng(seed)
    for _ in range(100):
        network = _moved(architecture, rng, dtype)
        outputs = forward(network, images_for(architecture, seed=98))
        if np.ptp(outputs, axis=0).max() > 1e-2 * np.abs(outputs).max():
            return network
    raise AssertionError(f"no weights bring this network to life: {architecture}")


def _moved(architecture: Architecture, rng: np.random.Generator, dtype: Any) -> Network:
    initial = Network.initial(architecture, rng=rng)

    def moved(name: str, array: Array) -> Array:
        if name == "variance":
            return rng.uniform(0.1, 3.0, array.shape).astype(dtype)
        spread = 0.1 if array.ndim > 1 else 0.5
        return (array + rng.normal(scale=spread, size=array.shape)).astype(dtype)

    weights = {
        layer: {name: moved(name, array) for name, array in arrays.items()}
        for layer, arrays in initial.weights.items()
    }
    return Network(architecture, weights, slots_of(architecture, "adam", rng))


def slots_of(architecture: Architecture, optimizer: str, rng: np.random.Generator) -> Slots:
    """Random slots of an optimizer after 7 updates; even powers of the gradient are positive."""

    def drawn(shape: tuple[int, ...], degree: int) -> Array:
        return (rng.normal(size=shape) ** degree).astype(np.float32)

    return Slots(
        optimizer,
        7,
        {
            slot: {
                layer: {n: drawn(w.shape, degree) for n, w in weights.items() if w.trainable}
                for layer, weights in architecture.weights.items()
            }
            for slot, degree in OPTIMIZERS[optimizer].degrees.items()
        },
    )


def images_for(architecture: Architecture, *, seed: int = 0, count: int = 3) -> Array:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, *architecture.input_shape)).astype(np.float32)


def difference(one: Array, other: Array) -> float:
    """The oracle: max |Δ| relative to the largest output, in float64."""
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    assert one.shape == other.shape
    assert np.isfinite(one).all()
    assert np.isfinite(other).all()
    return float(np.abs(one - other).max() / max(np.abs(one).max(), 1e-12))


def tolerance(parent: Network) -> float:
    """The largest change by a growth: 1e-9, or 1e-6 where float32 weights are multiplied.

    A layer norm that widens by means has the root of a fraction as the factor of its gamma.
    """
    multiplied = [n.name for n in parent.architecture.nodes if n.layer.kind in MULTIPLIED]
    dtypes = {array.dtype for name in multiplied for array in parent.weights[name].values()}
    return 1e-6 if np.dtype(np.float32) in dtypes else 1e-9


def change(parent: Network, child: Network) -> float:
    """The largest change of the outputs by a growth, on random images."""
    images = images_for(parent.architecture, seed=99)
    return difference(forward(parent, images), forward(child, images))


def same(one: Network, other: Network) -> bool:
    """True if two networks have one architecture and the same weights, bit for bit."""
    return Network(one.architecture, one.weights).sha256 == (
        Network(other.architecture, other.weights).sha256
    )


def every_growth(
    architecture: Architecture, *, seed: int = 0, limits: Limits = SMALL
) -> Iterator[Growth]:
    """Every legal site of every operation in the table, as it is and by a random factor."""
    rng = np.random.default_rng(seed)
    for operation in GROWTHS.values():
        for site in operation.sites(architecture, limits):
            sized = site.sized(rng.uniform(0.0, 2.5), architecture, limits)
            yield from dict.fromkeys([site, sized])
