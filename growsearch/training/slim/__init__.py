"""Training in TensorFlow, in graphs built with tf-slim; the only importer of TensorFlow."""

from growsearch.training.slim.trainer import SlimTrainer

__all__ = ["SlimTrainer"]
