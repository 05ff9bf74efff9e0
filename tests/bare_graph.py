"""A network in a tf-slim graph of its own, without a trainer around it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.networks import Network
from growsearch.training.slim.backend import tf, v1
from growsearch.training.slim.builders import Mode
from growsearch.training.slim.graph import build_logits
from growsearch.training.slim.variables import model_variables


def slim_logits(network: Network, images: NDArray[Any], *, training: bool) -> NDArray[np.float32]:
    """The graph's logits in float32, in training or in evaluation mode."""
    with tf.Graph().as_default(), v1.Session() as session:
        mode = Mode(training=training, seed=tf.constant([1, 2], tf.int64))
        logits = build_logits(network.architecture, tf.constant(images), mode)
        every = [
            (variable, network.weights[layer][name])
            for layer, named in model_variables(network.architecture).items()
            for name, variable in named.items()
        ]
        starts = {variable.initial_value: array for variable, array in every}
        session.run([variable.initializer for variable, _ in every], starts)
        return session.run(logits)
