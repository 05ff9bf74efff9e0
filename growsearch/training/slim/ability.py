"""The ability of this machine to train: TensorFlow's version, its GPUs, native bfloat16."""

from __future__ import annotations

from typing import Any

from growsearch.quiet import quiet
from growsearch.training.slim.backend import tf
from growsearch.training.slim.precision import has_native_bfloat16


def ability() -> dict[str, Any]:
    """Return what TensorFlow finds on this machine, as plain JSON values."""
    with quiet():  # looks for GPUs
        gpus = tf.config.list_physical_devices("GPU")
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    return {
        "tensorflow": str(tf.__version__),
        "gpus": [str(each.get("device_name", "GPU")) for each in details],
        "bfloat16": has_native_bfloat16(),
    }
