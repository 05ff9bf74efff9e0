"""Windows that move over images: their positions, padding and options."""

from __future__ import annotations

from growsearch.networks.layer import Pair, Shape, Window, check_choice, image

PADDINGS = ("same", "valid")


def positions(shape: Shape, window: Window) -> Pair:
    """Count the positions of a window over images, along height and width."""
    counts = []
    for axis, size in enumerate(image(shape)[:2]):
        reach = (window.kernel[axis] - 1) * window.dilation[axis] + 1
        if window.padding == "valid" and size < reach:
            raise ValueError(f"expects at least {reach} pixels along each axis, got {size}")
        room = size if window.padding == "same" else size - reach + 1
        counts.append(-(-room // window.stride[axis]))
    return counts[0], counts[1]


def padding_before(size: int, kernel: int, stride: int, dilation: int = 1) -> int:
    """Count the pixels that ``same`` padding puts before an axis; the odd one goes to the end."""
    reach = (kernel - 1) * dilation + 1
    return max((-(-size // stride) - 1) * stride + reach - size, 0) // 2


def check_window(window: Window) -> None:
    """Raise ValueError for options that no window can have together."""
    check_choice("padding", window.padding, PADDINGS)
    if max(window.stride) > 1 and max(window.dilation) > 1:
        raise ValueError(
            f"expects stride 1 with dilation, got {window.stride} and {window.dilation}"
        )
