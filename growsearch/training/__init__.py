"""Brief training in TensorFlow; the only folder that imports it."""

from growsearch.training.trainer import SlimTrainer

__all__ = ["SlimTrainer"]
