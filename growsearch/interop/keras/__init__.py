"""Keras 3: models in and out."""

from growsearch.interop.keras.read import from_keras
from growsearch.interop.keras.write import to_keras

__all__ = ["from_keras", "to_keras"]
