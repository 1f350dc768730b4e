"""What only TensorFlow can make for a comparison; called in processes of its own."""

from __future__ import annotations

from pathlib import Path

from tools.bench.rebuilds import silence_tensorflow

INCEPTION_SIDE = 299
INCEPTION_WIDTH = 2048
_SEED = 2026


def convert_to_tflite(module: Path, width: int, target: Path) -> str | None:
    """Convert the output of ``width`` of a Hub module; return why not, or None."""
    silence_tensorflow()
    import tensorflow as tf
    import tensorflow_hub as hub

    if not hasattr(tf, "lite"):
        return f"TensorFlow {tf.__version__} has no TensorFlow Lite."
    loaded = hub.load(str(module))
    signature = next(
        signature
        for signature in loaded.signatures.values()
        if any(output.shape[-1] == width for output in signature.structured_outputs.values())
    )
    try:
        model = tf.lite.TFLiteConverter.from_concrete_functions([signature], loaded).convert()
    # The converter has an error class of its own, in a module that moves between versions.
    except Exception as error:  # noqa: BLE001
        return f"TensorFlow Lite cannot convert {module.name}: {str(error).splitlines()[0]}"
    target.write_bytes(model)
    return None


def save_inception(folder: Path) -> None:
    """Save InceptionV3 with random weights: ``(n, 299, 299, 3)`` to ``(n, 2048)`` features."""
    silence_tensorflow()
    import keras

    keras.utils.set_random_seed(_SEED)
    network = keras.applications.InceptionV3(
        include_top=False,
        weights=None,
        input_shape=(INCEPTION_SIDE, INCEPTION_SIDE, 3),
        pooling="avg",
    )
    # Not tf.saved_model.save: of that OpenVINO finds no variables.
    network.export(str(folder), verbose=False)
