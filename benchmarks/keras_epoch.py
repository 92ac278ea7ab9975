"""Train bn-cnn's network in Keras and print each epoch's seconds; run by `benchmarks/cost.py`.

This file needs TensorFlow and numpy only; mien is not installed with them.
"""

import json
import sys
import time

import keras
import numpy as np
import tensorflow as tf


def build(widths: list[int], dense: list[int], dropout: float) -> keras.Model:
    network = keras.Sequential([keras.Input((48, 48, 1))])
    for width in widths:
        network.add(keras.layers.Conv2D(width, 3, padding="same"))
        network.add(keras.layers.BatchNormalization())
        network.add(keras.layers.ReLU())
        network.add(keras.layers.MaxPooling2D())
    network.add(keras.layers.Flatten())
    for units in dense:
        network.add(keras.layers.Dense(units))
        network.add(keras.layers.BatchNormalization())
        network.add(keras.layers.ReLU())
        network.add(keras.layers.Dropout(dropout))
    network.add(keras.layers.Dense(7, activation="softmax"))
    network.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return network


class Clock(keras.callbacks.Callback):
    """Notes wall and CPU seconds (of all threads) at each epoch's end, validation included."""

    def __init__(self) -> None:
        super().__init__()
        self.marks: list[tuple[float, float]] = []

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.marks.append((time.perf_counter(), time.process_time()))

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.marks.append((time.perf_counter(), time.process_time()))


def main() -> None:
    settings = json.loads(sys.argv[1])
    arrays = np.load(settings["data"])
    unit = {
        split: arrays[f"{split}_images"][..., None] / np.float32(255) for split in ("train", "val")
    }
    network = build(settings["widths"], settings["dense"], settings["dropout"])
    clock = Clock()
    network.fit(
        unit["train"],
        arrays["train_labels"],
        validation_data=(unit["val"], arrays["val_labels"]),
        validation_batch_size=512,
        batch_size=settings["batch_size"],
        epochs=settings["epochs"],
        verbose=0,
        callbacks=[clock],
    )
    print(
        json.dumps(
            {
                "version": f"TensorFlow {tf.__version__}, Keras {keras.__version__}",
                "parameters": network.count_params(),
                "marks": clock.marks,
            }
        )
    )


if __name__ == "__main__":
    main()
