"""Loader: many variables set in one session call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.training.slim.backend import tf, v1


class Loader:
    """Sets variables in one session call.

    Parameters
    ----------
    variables : mapping
        Path -> variable.
    """

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self.variables = dict(variables)
        self._feeds = {
            path: v1.placeholder(variable.dtype.base_dtype, variable.shape)
            for path, variable in variables.items()
        }
        self._assign = tf.group(
            *(v1.assign(variables[path], feed) for path, feed in self._feeds.items())
        )

    def load(self, session: Any, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Set every variable: to the array of its path, or to 0 where there is none."""
        feed = {
            placeholder: arrays[path] if path in arrays else np.zeros(placeholder.shape.as_list())
            for path, placeholder in self._feeds.items()
        }
        session.run(self._assign, feed)
