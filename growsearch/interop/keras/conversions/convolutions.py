"""Convolutions, as Keras has them."""

from __future__ import annotations

from typing import Any

from growsearch.interop.keras.activations import activation_of
from growsearch.interop.keras.conversions.conversion import Reader, Writer, Written, expect
from growsearch.networks import layers


def _window_of(layer: Any) -> dict[str, Any]:
    """Return the options of convolutions of every kind."""
    return {
        "stride": layer.strides,
        "padding": layer.padding,
        "activation": activation_of(layer.activation),
        "use_bias": layer.use_bias,
    }


def _conv(layer: Any) -> layers.Conv:
    return layers.Conv(
        layer.kernel_size,
        layer.filters,
        dilation=layer.dilation_rate,
        groups=layer.groups,
        **_window_of(layer),
    )


def _depthwise(layer: Any) -> layers.DepthwiseConv:
    return layers.DepthwiseConv(
        layer.kernel_size,
        multiplier=layer.depth_multiplier,
        dilation=layer.dilation_rate,
        **_window_of(layer),
    )


def _separable(layer: Any) -> layers.SeparableConv:
    return layers.SeparableConv(
        layer.kernel_size,
        layer.filters,
        multiplier=layer.depth_multiplier,
        dilation=layer.dilation_rate,
        **_window_of(layer),
    )


def _transpose(layer: Any) -> layers.ConvTranspose:
    expect("output_padding", layer.output_padding, None)
    expect("dilation", tuple(layer.dilation_rate), (1, 1))
    return layers.ConvTranspose(layer.kernel_size, layer.filters, **_window_of(layer))


def _window(layer: Any) -> dict[str, Any]:
    """Return the arguments of Keras' convolutions of every kind."""
    return {
        "kernel_size": layer.kernel,
        "strides": layer.stride,
        "padding": layer.padding,
        "use_bias": layer.use_bias,
        "activation": layer.activation,
    }


def _write_conv(layer: layers.Conv) -> Written:
    own = {"filters": layer.filters, "dilation_rate": layer.dilation, "groups": layer.groups}
    return Written("Conv2D", {**own, **_window(layer)})


def _write_depthwise(layer: layers.DepthwiseConv) -> Written:
    own = {"depth_multiplier": layer.multiplier, "dilation_rate": layer.dilation}
    return Written("DepthwiseConv2D", {**own, **_window(layer)})


def _write_separable(layer: layers.SeparableConv) -> Written:
    own = {"filters": layer.filters, "depth_multiplier": layer.multiplier}
    return Written("SeparableConv2D", {**own, "dilation_rate": layer.dilation, **_window(layer)})


def _write_transpose(layer: layers.ConvTranspose) -> Written:
    return Written("Conv2DTranspose", {"filters": layer.filters, **_window(layer)})


READERS: dict[str, Reader] = {
    "Conv2D": _conv,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv2D": _separable,
    "Conv2DTranspose": _transpose,
}
WRITERS: dict[type, Writer] = {
    layers.Conv: _write_conv,
    layers.DepthwiseConv: _write_depthwise,
    layers.SeparableConv: _write_separable,
    layers.ConvTranspose: _write_transpose,
}
