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


def stretched_norm(
    units: Units, gamma: Any, beta: Any = None, *, epsilon: float
) -> tuple[Array, Array | None, float]:
    """Widen a layer norm or RMS norm to any width, by units that it normalises to 0.

    The statistics of n inputs and of extra ones at their mean (for an RMS norm: at 0) are those of
    the n inputs, but that variance, or mean square, is divided among more: it is s = n / n' times
    the old one. With gamma·√s and epsilon·s the norm of the old inputs is what it was. The extra
    outputs are 0: whatever weights consume them, they change nothing.

    Source: the average expansion of LEMON (Wang et al., arXiv:2310.07999).

    Parameters
    ----------
    units : Units
        ``Units.extended(n, new, "mean")``, or ``"zero"`` for an RMS norm, with which the layers in
        front are widened: :func:`~growsearch.net2net.wider`.
    gamma, beta : array, shape (n,)
        beta is None for an RMS norm.
    epsilon : float

    Returns
    -------
    (gamma, beta, epsilon)
        The former in their dtypes, the extra gammas as their mean, the extra betas 0.

    Raises
    ------
    ValueError
        When a parameter is not one number a unit, or the extra units are copies.

    Examples
    --------
    >>> import numpy as np
    >>> def norm(x, gamma, beta, epsilon):
    ...     return (x - x.mean()) / np.sqrt(x.var() + epsilon) * gamma + beta
    >>> x, gamma, beta = np.array([1.0, 2.0, 6.0]), np.array([1.0, 2.0, 3.0]), np.ones(3)
    >>> wider = stretched_norm(Units.extended(3, 4, "mean"), gamma, beta, epsilon=0.1)
    >>> old, new = norm(x, gamma, beta, 0.1), norm(np.append(x, x.mean()), *wider)
    >>> bool(np.allclose(old, new[:3])), float(new[3])
    (True, 0.0)
    """
    if units.extra == "copies":
        raise ValueError('units: expected extra units of "mean" or "zero", got copies')
    ratio = stretch(units)
    old = _one_a_unit(gamma, units.old)
    scaled = (old.astype(np.float64) * ratio**0.5).astype(old.dtype)
    shift = None
    if beta is not None:
        shift = copy_axis(_one_a_unit(beta, units.old), units, 0)
        shift[units.is_new] = 0
    wide = copy_axis(scaled, units, 0)
    wide[units.is_new] = scaled.mean(dtype=np.float64)
    return wide, shift, epsilon * ratio


def stretch(units: Units) -> float:
    """Return the factor of a variance among units of which the extra ones add nothing to it."""
    return units.old / len(units)


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
