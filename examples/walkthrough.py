# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From a data set to an answer: a notebook
#
# This notebook goes through everything that mien does, once: it loads faces, looks at them,
# varies them, trains a network, measures it, shows its mistakes and where it looks, saves it, and
# reads a photo with it. It takes a minute or two on two slow cores.
#
# The faces are **drawn by mien**, so that you need no data. They are easy to read, and a network
# that was trained on them reads photographs badly. With FER-2013 or another data set of your own,
# set `DATA` to its path. Expressions are not feelings: a network learns what people call the
# expression of a face, and nothing about what somebody feels.

# %%
# Colab has no mien yet. Elsewhere, install it before you start: pip install 'mien[train]'
import importlib.util

if importlib.util.find_spec("mien") is None:
    # %pip install --quiet "mien[train]"
    pass

# %%
import os
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import mien

warnings.filterwarnings("ignore", message="IProgress not found")  # of a library, about bars
DATA = os.environ.get("WALKTHROUGH_DATA", "")  # such as "fer2013.csv"; empty for drawn faces
FACES = int(os.environ.get("WALKTHROUGH_FACES", "1000"))  # number of drawn faces
EPOCHS = int(os.environ.get("WALKTHROUGH_EPOCHS", "8"))

# %% [markdown]
# ## Load
#
# A data set is a CSV as the competition published it, a folder such as `train/happy/1.png`,
# Parquet, or another layout. Whatever it was, it becomes a `FaceDataset`: arrays of images,
# labels and splits.

# %%
from mien.data.write import write_dataset

if not DATA:
    DATA = "drawn-faces.csv"
    if not Path(DATA).exists():
        write_dataset(mien.synthetic_faces(FACES), Path(DATA), "csv")

dataset = mien.load_dataset(DATA)
print(dataset.images.shape, dataset.images.dtype, dataset.label_set.names)
print(dataset.split_counts())

# %% [markdown]
# ## Look
#
# Which classes are there, how many images has each of them, and what do they look like?


# %%
def show(images, titles=(), *, columns=7, colours=(), title=""):
    """Show face crops in a grid, each with its title, in a frame of its colour."""
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(1.5 * columns, 2 * rows), squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for index, image in enumerate(images):
        axis = axes.flat[index]
        axis.set_axis_on()
        axis.set(xticks=[], yticks=[])
        axis.imshow(image, cmap="gray", vmin=0, vmax=255)
        axis.set_title(titles[index] if index < len(titles) else "", fontsize=8)
        for edge in axis.spines.values():
            edge.set(color=colours[index] if colours else "none", linewidth=3)
    figure.suptitle(title)
    figure.tight_layout()
    plt.show()


names = dataset.label_set.names
firsts = [np.flatnonzero(dataset.labels == label)[:2] for label in range(len(names))]
chosen = np.concatenate([one[:1] for one in firsts] + [one[1:] for one in firsts])
show(dataset.images[chosen], [names[label] for label in dataset.labels[chosen]])

counts = dataset.train.class_counts()
plt.figure(figsize=(7, 2.5))
plt.bar(list(counts), list(counts.values()))
plt.title("Images of each class in train")
plt.show()

# %% [markdown]
# Before any training: what is wrong with the data? An audit finds duplicates across splits, which
# make scores too high, unusable images, and doubtful labels. `mien data audit` writes the same as
# a page.

# %%
for finding in mien.audit(dataset).findings:
    print(f"{finding.severity:8} {finding.title}")

# %% [markdown]
# ## Augment
#
# In training, each face is turned, zoomed, shifted and mirrored at random, differently in each
# epoch, so that the network cannot memorize single pictures. A recipe says how strongly. Here is
# one face with 13 variations.

# %%
import torch

from mien.training.augment import Augmentation

recipe = mien.load_recipe("quick")
torch.manual_seed(0)
face = torch.from_numpy(np.array(dataset.train.images[:1])) / 255  # (1, 48, 48)
varied = Augmentation(recipe.augment)(face.expand(13, 1, 48, 48).clone())
varied = (varied[:, 0].clamp(0, 1) * 255).byte().numpy()
show([dataset.train.images[0], *varied], ["as it is"], title="One face, varied")

# %% [markdown]
# ## Train
#
# `quick` is the smallest recipe. Any setting can be changed, and a misspelt one is an error. A
# listener is told what happens: it is mien's callback, and Lightning's callbacks work as well
# (`callbacks=[…]`). `train.early_stopping_patience` ends a training that no longer gets better.

# %%
from mien.training.listener import TrainingListener


class Notes(TrainingListener):
    """Prints a line for each epoch, and keeps the best accuracy on val."""

    best = 0.0

    def epoch_ended(self, row):
        self.best = max(self.best, row["val_accuracy"])
        train, val = row["train_accuracy"], row["val_accuracy"]
        print(f"epoch {row['epoch']:.0f}: accuracy {train:.2f} on train, {val:.2f} on val")


folder = Path("runs/walkthrough")
number = 1
while folder.exists():  # a run never replaces another one
    number += 1
    folder = Path(f"runs/walkthrough-{number}")

notes = Notes()
run = mien.train(
    "quick",
    DATA,
    folder,
    overrides=[
        f"train.epochs={EPOCHS}",
        "train.batch_size=16",  # few images: smaller batches give more steps
        "train.lr=0.02",
        "train.early_stopping_patience=5",
    ],
    listener=notes,
)
print(f"best on val: {notes.best:.2f}; everything is in {run.path}")

# %% [markdown]
# ## Curves
#
# If the loss on val rises while the loss on train still falls, the network overfits.

# %%
history = run.history()
epochs = [row["epoch"] for row in history]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
for split in ("train", "val"):
    left.plot(epochs, [row[f"{split}_loss"] for row in history], label=split)
    right.plot(epochs, [row[f"{split}_accuracy"] for row in history], label=split)
left.set(title="loss", xlabel="epoch")
right.set(title="accuracy", xlabel="epoch", ylim=(0, 1))
right.legend()
plt.show()

# %% [markdown]
# ## Measure
#
# A score is worth little without its 95% interval and its protocol. Choices are made on val; test
# is for the very end, and mien counts each look at it.

# %%
evaluation = mien.evaluate(run.path, DATA, "val")
for name in ("accuracy", "macro_f1", "weighted_f1"):
    score = getattr(evaluation, name)
    print(f"{name:12} {score.value:.3f} ({score.low:.3f} to {score.high:.3f})")
print(evaluation.protocol.images, "images of", evaluation.protocol.split)

# %% [markdown]
# The confusion matrix: each row is a label, each column an answer.

# %%
confusion = np.array(evaluation.confusion)
figure, axis = plt.subplots(figsize=(5, 4.5))
axis.imshow(
    confusion / np.maximum(confusion.sum(1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1
)
axis.set_xticks(range(len(names)), names, rotation=45)
axis.set_yticks(range(len(names)), names)
axis.set(xlabel="read as", ylabel="labelled")
for (row, column), count in np.ndenumerate(confusion):
    axis.text(column, row, count, ha="center", va="center", fontsize=8)
plt.show()

# %% [markdown]
# The **report** has all of this and more on one page: calibration, robustness, doubtful labels,
# where the network looks, and what to try next. Open it in a browser.

# %%
print(mien.write_report(run))

# %% [markdown]
# ## Right and wrong
#
# The most confident wrong answers on val, in red frames, and the most confident right ones, in
# green.

# %%
faces = dataset.val if "val" in dataset.split_counts() else dataset.test
bundle = mien.Bundle(run.path)
probabilities = bundle.predict(faces.images)[1]
answers = probabilities.argmax(1)
confidence = probabilities.max(1)
right_answer = answers == faces.labels
wrong = np.flatnonzero(~right_answer)
right = np.flatnonzero(right_answer)
order = np.concatenate([one[np.argsort(-confidence[one])][:7] for one in (wrong, right)])
show(
    faces.images[order],
    [f"{names[faces.labels[i]]}\nread: {names[answers[i]]} {confidence[i]:.0%}" for i in order],
    colours=["tab:green" if right_answer[i] else "tab:red" for i in order],
)

# %% [markdown]
# ## Where it looks
#
# Grad-CAM shows where there is evidence for the answer; occlusion shows where covering the face
# lowers the probability. Neither says why, and wrong answers have maps that look just as good.

# %%
from mien.explain.grad_cam import grad_cam
from mien.explain.network import load_network
from mien.explain.occlusion import occlusion_maps
from mien.reports.figures.overlay import overlay

few = order[:5]
crops, read_as = faces.images[few], answers[few]
cam = grad_cam(load_network(run.path), crops, read_as)
covered = occlusion_maps(bundle, crops, read_as)
covered = covered / max(float(covered.max()), 0.05)
maps = [
    overlay(crop, heat)[..., ::-1] for heats in (cam, covered) for crop, heat in zip(crops, heats)
]
show(
    [*crops, *maps],
    [names[i] for i in read_as] + ["Grad-CAM"] * 5 + ["occlusion"] * 5,
    columns=5,
)

# %% [markdown]
# ## Save
#
# The model is one ONNX file, with preprocessing and calibration inside. Any ONNX runtime gives
# the same answer, and reading needs no torch.

# %%
mien.export(run, "walkthrough.onnx")
loaded = mien.Bundle("walkthrough.onnx")
assert np.allclose(loaded.predict(faces.images)[1], probabilities, atol=1e-5)
print(f"{loaded.path.stat().st_size / 1e6:.1f} MB, {loaded.crop}, {loaded.labels}")

# %% [markdown]
# ## Predict a photo
#
# First with the network that comes with mien, then with the one from above, which knows drawn
# faces only. The photo comes with mien and is in the public domain; put the path of your own in
# its place.

# %%
import cv2

photo = mien.sample_photo()
for model in (None, "walkthrough.onnx"):
    readings = mien.read(photo, model)
    for reading in readings:
        sure = "uncertain" if reading.uncertain else ""
        print(model or "mien-s", reading.emotion, f"{reading.probability:.2f}", sure)
    plt.figure(figsize=(6, 3.5))
    plt.imshow(mien.draw(cv2.imread(str(photo)), readings)[..., ::-1])
    plt.axis("off")
    plt.show()

# %% [markdown]
# ## And now
#
# - [Fine-tune](../docs/how-to/fine-tune.md) the shipped network on folders of your own faces;
#   `finetune.py` beside this notebook does it.
# - [Compare two recipes](../docs/how-to/compare-recipes.md): is the difference more than chance?
# - [What an answer means](../docs/explanation/answers.md), and what it must not be used for.
