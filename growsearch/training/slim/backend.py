"""TensorFlow and tf-slim, imported without their log messages."""

from growsearch.quiet import quiet

with quiet():
    import tensorflow as tf
    import tf_slim as slim

v1 = tf.compat.v1

__all__ = ["slim", "tf", "v1"]
