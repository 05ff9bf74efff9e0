"""The layer types: frozen specifications, one class each, one file a family."""

from growsearch.networks.layer import Layer, options
from growsearch.networks.layers.convolutions import Conv, DepthwiseConv, SeparableConv
from growsearch.networks.layers.dense import Dense
from growsearch.networks.layers.functions import Activation, PReLU
from growsearch.networks.layers.joins import (
    Add,
    Average,
    Concat,
    Maximum,
    Minimum,
    Multiply,
    ScaledAdd,
    Subtract,
)
from growsearch.networks.layers.noise import (
    AlphaDropout,
    Carried,
    Dropout,
    GaussianDropout,
    GaussianNoise,
)
from growsearch.networks.layers.norms import BatchNorm, GroupNorm, LayerNorm, RMSNorm, UnitNorm
from growsearch.networks.layers.opaque import (
    OPAQUE,
    KerasEnds,
    KerasInput,
    KerasLayer,
    KerasOutput,
)
from growsearch.networks.layers.pooling import AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool
from growsearch.networks.layers.resampling import Resize, UpSample
from growsearch.networks.layers.scaling import Normalize, Rescale, RescaleChannels, Scale
from growsearch.networks.layers.sequences import (
    AvgPool1D,
    Conv1D,
    GlobalAvgPool1D,
    GlobalMaxPool1D,
    MaxPool1D,
)
from growsearch.networks.layers.shapes import Crop, Flatten, Permute, Reshape, ZeroPad
from growsearch.networks.layers.transposed import ConvTranspose
from growsearch.networks.layers.windows import padding_before

LAYERS: dict[str, type[Layer]] = {
    layer.kind: layer
    for layer in (
        *(Dense, Conv, SeparableConv, DepthwiseConv, ConvTranspose),
        *(BatchNorm, LayerNorm, GroupNorm, RMSNorm, UnitNorm),
        *(Rescale, RescaleChannels, Scale, Normalize),
        *(Conv1D, MaxPool1D, AvgPool1D, GlobalAvgPool1D, GlobalMaxPool1D),
        *(MaxPool, AvgPool, GlobalAvgPool, GlobalMaxPool),
        *(Flatten, Reshape, Permute, ZeroPad, Crop, UpSample, Resize),
        *(Dropout, AlphaDropout, GaussianDropout, GaussianNoise, Carried),
        *(Activation, PReLU),
        *(Add, ScaledAdd, Subtract, Multiply, Average, Maximum, Minimum, Concat),
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
    "AlphaDropout",
    "Average",
    "AvgPool",
    "AvgPool1D",
    "BatchNorm",
    "Carried",
    "Concat",
    "Conv",
    "Conv1D",
    "ConvTranspose",
    "Crop",
    "Dense",
    "DepthwiseConv",
    "Dropout",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAvgPool",
    "GlobalAvgPool1D",
    "GlobalMaxPool",
    "GlobalMaxPool1D",
    "GroupNorm",
    "KerasEnds",
    "KerasInput",
    "KerasLayer",
    "KerasOutput",
    "LayerNorm",
    "MaxPool",
    "MaxPool1D",
    "Maximum",
    "Minimum",
    "Multiply",
    "Normalize",
    "PReLU",
    "Permute",
    "RMSNorm",
    "Rescale",
    "RescaleChannels",
    "Reshape",
    "Resize",
    "Scale",
    "ScaledAdd",
    "SeparableConv",
    "Subtract",
    "UnitNorm",
    "UpSample",
    "ZeroPad",
    "padding_before",
]
