"""The layer types: frozen specifications, one class each, one file a family."""

from growsearch.networks.layer import Layer, options
from growsearch.networks.layers.convolutions import Conv, DepthwiseConv, SeparableConv
from growsearch.networks.layers.dense import Dense
from growsearch.networks.layers.functions import Activation, Dropout
from growsearch.networks.layers.joins import Add, Concat
from growsearch.networks.layers.norms import BatchNorm, GroupNorm, LayerNorm
from growsearch.networks.layers.opaque import (
    OPAQUE,
    KerasEnds,
    KerasInput,
    KerasLayer,
    KerasOutput,
)
from growsearch.networks.layers.pooling import AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool
from growsearch.networks.layers.shapes import Flatten, ZeroPad
from growsearch.networks.layers.windows import padding_before

LAYERS: dict[str, type[Layer]] = {
    layer.kind: layer
    for layer in (
        Dense,
        Conv,
        SeparableConv,
        DepthwiseConv,
        BatchNorm,
        LayerNorm,
        GroupNorm,
        MaxPool,
        AvgPool,
        GlobalAvgPool,
        GlobalMaxPool,
        Flatten,
        ZeroPad,
        Dropout,
        Activation,
        Add,
        Concat,
    )
}

# Type hints are evaluated here, so that nothing is evaluated while an untrusted file is read.
for _layer in (*LAYERS.values(), *OPAQUE.values()):
    options(_layer)

__all__ = [
    "LAYERS",
    "OPAQUE",
    "Activation",
    "Add",
    "AvgPool",
    "BatchNorm",
    "Concat",
    "Conv",
    "Dense",
    "DepthwiseConv",
    "Dropout",
    "Flatten",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "GroupNorm",
    "KerasEnds",
    "KerasInput",
    "KerasLayer",
    "KerasOutput",
    "LayerNorm",
    "MaxPool",
    "SeparableConv",
    "ZeroPad",
    "padding_before",
]
