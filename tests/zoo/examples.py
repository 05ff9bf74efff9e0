"""Twenty models after the public vision examples of Keras (keras.io/examples), rebuilt smaller.

Layers of one's own stand in ``own_layers.py``, as the examples define them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from growsearch.training.slim.backend import tf
from tests.zoo import own_layers as own

keras = tf.keras
L = keras.layers
ops = keras.ops


def mnist_convnet() -> Any:
    """A plain chain of convolutions with dropout (mnist_convnet)."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            L.Conv2D(8, (3, 3), activation="relu"),
            L.MaxPooling2D((2, 2)),
            L.Conv2D(12, (3, 3), activation="relu"),
            L.MaxPooling2D((2, 2)),
            L.Flatten(),
            L.Dropout(0.5),
            L.Dense(10, activation="softmax"),
        ]
    )


def small_xception() -> Any:
    """Separable convolutions with strided shortcuts, from raw pixels (image_classification)."""
    inputs = keras.Input((36, 36, 3))
    x = L.Rescaling(1.0 / 255)(inputs)
    x = L.Activation("relu")(L.BatchNormalization()(L.Conv2D(8, 3, strides=2, padding="same")(x)))
    before = x
    for size in (16, 24):
        for _ in range(2):
            x = L.Activation("relu")(x)
            x = L.SeparableConv2D(size, 3, padding="same")(x)
            x = L.BatchNormalization()(x)
        x = L.MaxPooling2D(3, strides=2, padding="same")(x)
        x = L.add([x, L.Conv2D(size, 1, strides=2, padding="same")(before)])
        before = x
    x = L.Activation("relu")(L.BatchNormalization()(L.SeparableConv2D(32, 3, padding="same")(x)))
    x = L.Dropout(0.25)(L.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, L.Dense(1, activation=None)(x))


def fine_tuned() -> Any:
    """A frozen backbone called with training=False, augmentation before it (transfer_learning)."""
    backbone = keras.applications.MobileNetV2(
        input_shape=(32, 32, 3), include_top=False, weights=None, alpha=0.35
    )
    backbone.trainable = False
    augmentation = keras.Sequential(
        [L.RandomFlip("horizontal"), L.RandomRotation(0.1)], name="augmentation"
    )
    inputs = keras.Input((32, 32, 3))
    x = augmentation(inputs)
    x = L.Rescaling(scale=1 / 127.5, offset=-1)(x)
    x = backbone(x, training=False)
    x = L.Dropout(0.2)(L.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, L.Dense(1)(x))


def vision_transformer() -> Any:
    """Patches, a learnt position, attention and GELU (image_classification_with_vit)."""
    inputs = keras.Input((16, 16, 3))
    x = own.PatchEncoder(16, 24)(own.Patches(4)(inputs))
    for _ in range(2):
        y = L.LayerNormalization(epsilon=1e-6)(x)
        y = L.MultiHeadAttention(num_heads=2, key_dim=12, dropout=0.1)(y, y)
        x = L.Add()([y, x])
        y = L.LayerNormalization(epsilon=1e-6)(x)
        for units in (48, 24):
            y = L.Dropout(0.1)(L.Dense(units, activation=keras.activations.gelu)(y))
        x = L.Add()([y, x])
    x = L.Flatten()(L.LayerNormalization(epsilon=1e-6)(x))
    x = L.Dense(32, activation="gelu", name="mlp")(x)
    return keras.Model(inputs, L.Dense(10)(x))


def mlp_mixer() -> Any:
    """Dense layers over patches and over channels in turn (mlp_image_classification)."""
    inputs = keras.Input((16, 16, 3))
    x = L.Reshape((16, 48))(inputs)
    x = L.Dense(20)(x)
    for _ in range(2):
        y = L.Permute((2, 1))(L.LayerNormalization(epsilon=1e-6)(x))
        y = L.Dense(16)(L.Dense(16, activation="gelu")(y))
        x = L.Add()([x, L.Permute((2, 1))(y)])
        y = L.Dense(20)(L.Dense(20, activation="gelu")(L.LayerNormalization(epsilon=1e-6)(x)))
        x = L.Add()([x, y])
    x = L.Dropout(0.2)(L.GlobalAveragePooling1D()(x))
    return keras.Model(inputs, L.Dense(10)(x))


def conv_mixer() -> Any:
    """Patches by a strided convolution, then depthwise blocks with sums (convmixer)."""
    inputs = keras.Input((16, 16, 3))

    def activated(x: Any) -> Any:
        return L.BatchNormalization()(L.Activation("gelu")(x))

    x = activated(L.Conv2D(12, kernel_size=2, strides=2)(L.Rescaling(scale=1.0 / 255)(inputs)))
    for _ in range(2):
        before = x
        x = L.DepthwiseConv2D(kernel_size=5, padding="same")(x)
        x = L.Add()([activated(x), before])
        x = activated(L.Conv2D(12, kernel_size=1)(x))
    x = L.GlobalAvgPool2D()(x)
    return keras.Model(inputs, L.Dense(10, activation="softmax")(x))


def compact_transformer() -> Any:
    """A convolutional tokenizer and sequence pooling by ops.matmul (cct)."""
    inputs = keras.Input((16, 16, 3))
    x = L.Conv2D(8, 3, padding="valid", use_bias=False, activation="relu")(
        L.ZeroPadding2D(1)(inputs)
    )
    x = L.MaxPooling2D(3, 2, "same")(x)
    x = L.Reshape((-1, 8))(x)
    y = L.LayerNormalization(epsilon=1e-5)(x)
    y = L.MultiHeadAttention(num_heads=2, key_dim=8, dropout=0.1)(y, y)
    x = L.Add()([own.StochasticDepth(0.1)(y), x])
    x = L.LayerNormalization(epsilon=1e-5)(x)
    weights = ops.softmax(L.Dense(1)(x), axis=1)
    x = ops.squeeze(ops.matmul(ops.transpose(weights, (0, 2, 1)), x), 1)
    return keras.Model(inputs, L.Dense(10)(L.Dense(12, activation="relu", name="fc")(x)))


def u_net() -> Any:
    """An image for an image: transposed convolutions and upsampling (oxford_pets_segmentation)."""
    inputs = keras.Input((16, 16, 3))
    x = L.Activation("relu")(L.BatchNormalization()(L.Conv2D(8, 3, 2, padding="same")(inputs)))
    before = x
    x = L.Activation("relu")(x)
    x = L.BatchNormalization()(L.SeparableConv2D(12, 3, padding="same")(x))
    x = L.MaxPooling2D(3, strides=2, padding="same")(x)
    before = x = L.add([x, L.Conv2D(12, 1, strides=2, padding="same")(before)])
    for filters in (12, 8):
        x = L.Activation("relu")(x)
        x = L.BatchNormalization()(L.Conv2DTranspose(filters, 3, padding="same")(x))
        x = L.UpSampling2D(2)(x)
        before = L.Conv2D(filters, 1, padding="same")(L.UpSampling2D(2)(before))
        before = x = L.add([x, before])
    return keras.Model(inputs, L.Conv2D(3, 3, activation="softmax", padding="same")(x))


def deep_lab() -> Any:
    """Dilated convolutions side by side, bilinear upsampling (deeplabv3_plus)."""
    inputs = keras.Input((32, 32, 3))

    def block(x: Any, filters: int = 8, size: int = 3, rate: int = 1) -> Any:
        x = L.Conv2D(
            filters,
            size,
            dilation_rate=rate,
            padding="same",
            use_bias=False,
            kernel_initializer=keras.initializers.HeNormal(),
        )(x)
        return ops.nn.relu(L.BatchNormalization()(x))

    low = L.MaxPooling2D()(block(inputs))
    high = L.MaxPooling2D()(block(low))
    pooled = L.AveragePooling2D(pool_size=(8, 8))(high)
    pooled = L.UpSampling2D(size=(8, 8), interpolation="bilinear")(block(pooled, size=1))
    x = L.Concatenate(axis=-1)([pooled, *(block(high, rate=rate) for rate in (1, 2, 3))])
    x = L.UpSampling2D(size=(2, 2), interpolation="bilinear")(block(x, size=1))
    x = L.Concatenate(axis=-1)([x, block(low, filters=4, size=1)])
    x = L.UpSampling2D(size=(2, 2), interpolation="bilinear")(block(x))
    return keras.Model(inputs, L.Conv2D(5, kernel_size=(1, 1), padding="same")(x))


def autoencoder() -> Any:
    """Down by pooling and up by strided transposed convolutions (autoencoder)."""
    inputs = keras.Input((28, 28, 1))
    x = L.MaxPooling2D((2, 2), padding="same")(
        L.Conv2D(8, (3, 3), activation="relu", padding="same")(inputs)
    )
    x = L.MaxPooling2D((2, 2), padding="same")(
        L.Conv2D(8, (3, 3), activation="relu", padding="same")(x)
    )
    for _ in range(2):
        x = L.Conv2DTranspose(8, (3, 3), strides=2, activation="relu", padding="same")(x)
    return keras.Model(inputs, L.Conv2D(1, (3, 3), activation="sigmoid", padding="same")(x))


def super_resolution() -> Any:
    """Pixels out of channels by a layer of one's own (super_resolution_sub_pixel)."""
    options = {"activation": "relu", "kernel_initializer": "orthogonal", "padding": "same"}
    inputs = keras.Input((12, 12, 1))
    x = L.Conv2D(16, 5, **options)(inputs)
    x = L.Conv2D(12, 3, **options)(x)
    x = L.Conv2D(9, 3, **options)(x)
    return keras.Model(inputs, own.DepthToSpace(3)(x))


def captcha_reader() -> Any:
    """Convolutions, a reshape, and two recurrent layers (captcha_ocr)."""
    inputs = keras.Input((40, 16, 1), name="image", dtype="float32")
    x = L.Conv2D(8, (3, 3), activation="relu", padding="same", name="Conv1")(inputs)
    x = L.MaxPooling2D((2, 2), name="pool1")(x)
    x = L.Conv2D(12, (3, 3), activation="relu", padding="same", name="Conv2")(x)
    x = L.MaxPooling2D((2, 2), name="pool2")(x)
    x = L.Reshape(target_shape=(10, 48), name="reshape")(x)
    x = L.Dropout(0.2)(L.Dense(16, activation="relu", name="dense1")(x))
    x = L.Bidirectional(L.LSTM(8, return_sequences=True, dropout=0.25))(x)
    x = L.Bidirectional(L.GRU(6, return_sequences=True))(x)
    return keras.Model(inputs, L.Dense(12, activation="softmax", name="dense2")(x), name="ocr")


def siamese() -> Any:
    """One network for two images, and the distance of its outputs (siamese_contrastive)."""
    inputs = keras.Input((16, 16, 1))
    x = L.BatchNormalization()(inputs)
    x = L.AveragePooling2D(pool_size=(2, 2))(L.Conv2D(4, (5, 5), activation="tanh")(x))
    x = L.Dense(10, activation="tanh")(L.BatchNormalization()(L.Flatten()(x)))
    embedding = keras.Model(inputs, x, name="embedding")
    one, other = keras.Input((16, 16, 1), name="one"), keras.Input((16, 16, 1), name="other")
    distance = own.Distance()([embedding(one), embedding(other)])
    x = L.Dense(8, activation="relu", name="compare")(L.BatchNormalization()(distance))
    return keras.Model([one, other], L.Dense(1, activation="sigmoid")(x))


def volumes() -> Any:
    """Convolutions over three axes (3D_image_classification)."""
    inputs = keras.Input((12, 12, 8, 1))
    x = L.Conv3D(filters=6, kernel_size=3, activation="relu")(inputs)
    x = L.BatchNormalization()(L.MaxPool3D(pool_size=2)(x))
    x = L.GlobalAveragePooling3D()(x)
    x = L.Dropout(0.3)(L.Dense(units=16, activation="relu", name="fc")(x))
    return keras.Model(inputs, L.Dense(units=1, activation="sigmoid")(x), name="3dcnn")


def key_points() -> Any:
    """Coordinates by separable convolutions on a nested backbone (keypoint_detection)."""
    inputs = keras.Input((64, 64, 3))
    backbone = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(64, 64, 3), alpha=0.35
    )
    x = keras.applications.mobilenet_v2.preprocess_input(inputs)
    x = L.Dropout(0.3)(backbone(x))
    x = L.SeparableConv2D(8, kernel_size=1, strides=1, activation="relu")(x)
    outputs = L.SeparableConv2D(6, kernel_size=2, strides=1, activation="sigmoid")(x)
    return keras.Model(inputs, outputs, name="keypoint_detector")


def metric_learning() -> Any:
    """An embedding of unit length (metric_learning)."""
    inputs = keras.Input((16, 16, 3))
    x = inputs
    for filters in (8, 12):
        x = L.Conv2D(filters=filters, kernel_size=3, strides=2, activation="relu")(x)
    x = L.Dense(units=8, activation=None)(L.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, L.UnitNormalization()(x))


def light_curves() -> Any:
    """Symmetric concatenations and a tanh at the end (zero_dce)."""
    inputs = keras.Input((12, 12, 3))

    def conv(x: Any) -> Any:
        return L.Conv2D(6, (3, 3), strides=(1, 1), activation="relu", padding="same")(x)

    one = conv(inputs)
    two = conv(one)
    three = conv(two)
    four = conv(three)
    five = conv(L.Concatenate(axis=-1)([four, three]))
    six = conv(L.Concatenate(axis=-1)([five, two]))
    x = L.Concatenate(axis=-1)([six, one])
    return keras.Model(inputs, L.Conv2D(24, (3, 3), activation="tanh", padding="same")(x))


def leaky_teacher() -> Any:
    """Strided convolutions with leaky ReLU (knowledge_distillation)."""
    return keras.Sequential(
        [
            keras.Input(shape=(28, 28, 1)),
            L.Conv2D(12, (3, 3), strides=(2, 2), padding="same"),
            L.LeakyReLU(negative_slope=0.2),
            L.MaxPooling2D(pool_size=(2, 2), strides=(1, 1), padding="same"),
            L.Conv2D(16, (3, 3), strides=(2, 2), padding="same"),
            L.Flatten(),
            L.Dense(10),
        ],
        name="teacher",
    )


def bags() -> Any:
    """Several inputs through shared dense layers, weighted by attention (attention_mil)."""
    inputs, embedded = [], []
    one, two = L.Dense(16, activation="relu"), L.Dense(8, activation="relu")
    for number in range(3):
        each = keras.Input((14, 14), name=f"bag-{number}")
        inputs.append(each)
        embedded.append(two(one(L.Flatten()(each))))
    weights = own.Attention(units=6, name="alpha")(embedded)
    weighted = [L.multiply([weights[i], embedded[i]]) for i in range(3)]
    return keras.Model(inputs, L.Dense(2, activation="softmax")(L.concatenate(weighted)))


def clouds() -> Any:
    """Points: convolutions along one axis, and products with learnt matrices (pointnet)."""
    inputs = keras.Input((32, 3))

    def conv(x: Any, filters: int) -> Any:
        x = L.Conv1D(filters, kernel_size=1, padding="valid")(x)
        return L.Activation("relu")(L.BatchNormalization(momentum=0.0)(x))

    x = L.GlobalMaxPooling1D()(conv(conv(inputs, 8), 12))
    x = L.Dense(8, name="t")(x)
    x = L.Reshape((3, 3))(L.Dense(9)(L.Activation("relu")(L.BatchNormalization(momentum=0.0)(x))))
    x = conv(L.Dot(axes=(2, 1))([inputs, x]), 10)
    x = L.Dropout(0.3)(L.Dense(12, name="fc", activation="relu")(L.GlobalMaxPooling1D()(x)))
    return keras.Model(inputs, L.Dense(5, activation="softmax")(x), name="pointnet")


EXAMPLES: dict[str, Callable[[], Any]] = {
    "mnist_convnet": mnist_convnet,
    "image_classification_from_scratch": small_xception,
    "transfer_learning": fine_tuned,
    "image_classification_with_vision_transformer": vision_transformer,
    "mlp_image_classification": mlp_mixer,
    "convmixer": conv_mixer,
    "cct": compact_transformer,
    "oxford_pets_image_segmentation": u_net,
    "deeplabv3_plus": deep_lab,
    "autoencoder": autoencoder,
    "super_resolution_sub_pixel": super_resolution,
    "captcha_ocr": captcha_reader,
    "siamese_contrastive": siamese,
    "3D_image_classification": volumes,
    "keypoint_detection": key_points,
    "metric_learning": metric_learning,
    "zero_dce": light_curves,
    "knowledge_distillation": leaky_teacher,
    "attention_mil_classification": bags,
    "pointnet": clouds,
}
