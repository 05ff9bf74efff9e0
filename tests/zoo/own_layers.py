"""Layers of one's own, as the public examples define them."""

from __future__ import annotations

from typing import Any

from growsearch.training.slim.backend import tf

keras = tf.keras
L = keras.layers
ops = keras.ops


class Patches(L.Layer):
    """Cut images into square patches."""

    def __init__(self, patch_size: int, **options: Any) -> None:
        super().__init__(**options)
        self.patch_size = patch_size

    def call(self, images: Any) -> Any:
        _, height, width, channels = images.shape
        across, down = width // self.patch_size, height // self.patch_size
        patches = ops.image.extract_patches(images, size=self.patch_size)
        return ops.reshape(patches, (-1, across * down, self.patch_size**2 * channels))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "patch_size": self.patch_size}


class PatchEncoder(L.Layer):
    """Project patches, and add a learnt vector for each place."""

    def __init__(self, num_patches: int, projection_dim: int, **options: Any) -> None:
        super().__init__(**options)
        self.num_patches, self.projection_dim = num_patches, projection_dim
        self.projection = L.Dense(units=projection_dim)
        self.position_embedding = L.Embedding(input_dim=num_patches, output_dim=projection_dim)

    def build(self, input_shape: Any) -> None:
        self.projection.build(input_shape)
        self.position_embedding.build((1, self.num_patches))

    def call(self, patch: Any) -> Any:
        positions = ops.expand_dims(ops.arange(start=0, stop=self.num_patches, step=1), axis=0)
        return self.projection(patch) + self.position_embedding(positions)

    def get_config(self) -> dict[str, Any]:
        sizes = {"num_patches": self.num_patches, "projection_dim": self.projection_dim}
        return {**super().get_config(), **sizes}


class StochasticDepth(L.Layer):
    """Drop whole branches in training."""

    def __init__(self, drop_prob: float, **options: Any) -> None:
        super().__init__(**options)
        self.drop_prob = drop_prob

    def call(self, x: Any, training: bool = False) -> Any:
        if not training:
            return x
        keep = 1 - self.drop_prob
        mask = keras.random.uniform((ops.shape(x)[0], 1, 1)) + keep
        return x / keep * ops.floor(mask)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "drop_prob": self.drop_prob}


class DepthToSpace(L.Layer):
    """Pixels out of channels."""

    def __init__(self, block_size: int, **options: Any) -> None:
        super().__init__(**options)
        self.block_size = block_size

    def call(self, x: Any) -> Any:
        _, height, width, depth = x.shape
        size = self.block_size
        x = ops.reshape(x, (-1, height, width, size, size, depth // size**2))
        x = ops.transpose(x, [0, 1, 3, 2, 4, 5])
        return ops.reshape(x, (-1, height * size, width * size, depth // size**2))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "block_size": self.block_size}


class Distance(L.Layer):
    """The distance of two vectors."""

    def call(self, vectors: Any) -> Any:
        one, other = vectors
        squares = ops.sum(ops.square(one - other), axis=1, keepdims=True)
        return ops.sqrt(ops.maximum(squares, keras.backend.epsilon()))


class Attention(L.Layer):
    """A weight for each of several inputs; the weights sum to 1."""

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(**options)
        self.units = units

    def build(self, input_shape: Any) -> None:
        self.v = self.add_weight(shape=(input_shape[0][1], self.units), name="v")
        self.w = self.add_weight(shape=(self.units, 1), name="w")

    def call(self, inputs: Any) -> Any:
        scores = [ops.tensordot(ops.tanh(ops.dot(each, self.v)), self.w, axes=1) for each in inputs]
        alpha = ops.softmax(ops.stack(scores), axis=0)
        return [alpha[i] for i in range(alpha.shape[0])]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}
