"""Normalisations on plain arrays: widened with their layer, or made the identity."""

from __future__ import annotations

from typing import Any

import numpy as np

from growsearch.net2net.arrays import Array, copy_axis
from growsearch.net2net.layout import checked
from growsearch.net2net.units import Units

# Bounds of the standard deviations for which gamma² - epsilon is a float32 without rounding.
_LEAST, LARGEST_DEVIATION = 2.0**-4, 2.0**7


def wider_norm(units: Units, *parameters: Any) -> tuple[Array | None, ...]:
    """Widen the parameters of a batch norm behind a layer that widens: every copy gets its unit's.

    Parameters
    ----------
    units : Units
        The units given to :func:`~growsearch.net2net.wider`. Behind a flatten, the units of its
        positions: ``units.expand(before=positions)``, channels first ``after=positions``.
    *parameters : array, shape (n,), or None
        gamma, beta, mean, variance, or some of them in any order. None stays None.

    Returns
    -------
    tuple of array, shape (new,), or None
        In the order of ``parameters``.

    Raises
    ------
    ValueError
        When a parameter is not one number a unit, or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> units = Units.replicate(2, 3, rng=np.random.default_rng(0))
    >>> wider_norm(units, np.array([0.5, 2.0]), None)
    (array([0.5, 2. , 2. ]), None)
    """
    return tuple(
        None if each is None else copy_axis(_one_a_unit(each, units.old), units, 0)
        for each in parameters
    )


def deeper_norm(
    mean: Any, variance: Any, *, epsilon: float = 1e-3, scale: float = 1.0
) -> tuple[Array, Array, Array, Array]:
    """Return a batch norm that is the identity in evaluation mode, for the layer of ``deeper``.

    gamma is the deviation by which evaluation divides, beta the mean that it subtracts. Training
    uses the batch's own statistics: the outputs differ as far as these differ from the measured
    ones.

    Parameters
    ----------
    mean, variance : array, shape (n,)
        Of the layer's input, measured on a batch.
    epsilon : float
        The batch norm's. With a power of two, such as 2**-10, the identity holds without a
        rounding error in float32 too.
    scale : float
        A power of two by which the layer in front multiplies: its kernel is ``scale`` times the
        identity, and layer and norm together are the identity. Behind a batch norm's layer a
        factor of the kernel changes no output, but gradients are divided by it, so that an update
        changes the kernel's direction ``scale²`` times less.

    Returns
    -------
    (gamma, beta, mean, variance)
        Shapes (n,), in the dtype of ``mean``. The deviation of the norm's input is rounded to 10
        bits, and kept between 2**-4 (a silent channel) and 2**7, so that its square less
        ``epsilon`` does not round.

    Raises
    ------
    ValueError
        When the statistics are not finite, or a variance is negative.

    Examples
    --------
    >>> import numpy as np
    >>> gamma, beta, mean, variance = deeper_norm(np.array([3.0]), np.array([4.0]))
    >>> x = np.array([7.0])
    >>> (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    array([7.])
    """
    mean = checked(mean, "mean")
    variance = checked(variance, "variance").astype(np.float64)
    if mean.shape != variance.shape or mean.ndim != 1:
        raise ValueError(
            f"variance: expected one number a unit as in mean, {mean.shape}, got {variance.shape}"
        )
    if (variance < 0.0).any() or not 0.0 <= epsilon < _LEAST**2:
        raise ValueError(
            f"variance: expected 0 or more with 0 <= epsilon < {_LEAST**2:g}, got "
            f"{variance.min():g} and {epsilon!r}"
        )
    if scale <= 0.0 or np.frexp(scale)[0] != 0.5:
        raise ValueError(f"scale: expected a power of two, got {scale!r}")
    mantissa, exponent = np.frexp(np.sqrt(variance * scale**2 + epsilon))
    deviation = np.ldexp(np.round(mantissa * 2**10), exponent - 10)
    deviation = np.clip(deviation, _LEAST, LARGEST_DEVIATION)
    dtype = mean.dtype
    gamma, scaled = (deviation / scale).astype(dtype), (mean * scale).astype(dtype)
    return gamma, mean.copy(), scaled, (deviation**2 - epsilon).astype(dtype)


def _one_a_unit(given: Any, units: int) -> Array:
    array: Array = checked(given, "parameter")
    if array.shape != (units,):
        raise ValueError(f"parameter: expected shape ({units},), one a unit, got {array.shape}")
    return array
