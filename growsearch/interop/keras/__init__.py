"""Keras 3: models in and out."""

from growsearch.interop.keras.read import from_keras
from growsearch.interop.keras.write import forward, to_keras

__all__ = ["forward", "from_keras", "to_keras"]
