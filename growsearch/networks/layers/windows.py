"""Windows that move over images: their positions, padding and options."""

from __future__ import annotations

from growsearch.networks.layer import Pair, check_choice

PADDINGS = ("same", "valid")


def positions(size: int, kernel: int, stride: int, padding: str, dilation: int = 1) -> int:
    """Count the positions of a window along one axis of ``size`` pixels."""
    reach = (kernel - 1) * dilation + 1
    if padding == "same":
        return -(-size // stride)
    if size < reach:
        raise ValueError(f"expects at least {reach} pixels along each axis, got {size}")
    return (size - reach) // stride + 1


def padding_before(size: int, kernel: int, stride: int, dilation: int = 1) -> int:
    """Count the pixels that ``same`` padding puts before an axis; the odd one goes to the end."""
    reach = (kernel - 1) * dilation + 1
    return max((-(-size // stride) - 1) * stride + reach - size, 0) // 2


def check_window(stride: Pair, padding: str, dilation: Pair = (1, 1)) -> None:
    """Raise ValueError for options that no window can have together."""
    check_choice("padding", padding, PADDINGS)
    if max(stride) > 1 and max(dilation) > 1:
        raise ValueError(f"expects stride 1 with dilation, got {stride} and {dilation}")


def check_equal(stride: Pair) -> None:
    """Raise ValueError unless both strides are equal: TensorFlow has no depthwise kernel else."""
    if stride[0] != stride[1]:
        raise ValueError(f"depthwise: expects equal strides, got {stride}")
