"""A GPU trains what the CPU trains. Skipped where there is none."""

from __future__ import annotations

import pytest
import torch
from tests.conftest import TINY
from tests.training.test_train import StopAt, assert_same_weights

from mien.bundle.bundle import Bundle
from mien.errors import Interrupted
from mien.evaluation import Evaluation
from mien.models import build_model
from mien.recipes import load_recipe
from mien.training.batches import Batch
from mien.training.module import Trainable
from mien.training.train import resume, train

pytestmark = pytest.mark.cuda

# Everything random is drawn by the device's own generator, so this leaves it out.
PLAIN = [*TINY, "augment.enabled=false", "model.dropout=0", "train.precision=fp32"]
ALL = [
    "train.epochs=3", "train.batch_size=32", "model.stem=8", "model.channels=[8,16]",
    "model.blocks=[1,0]", "train.calibration_share=0.3", "train.face_gate=false",
    "augment.corruption=0.5", "augment.gamma=0.5", "augment.crop_margin=[-0.1,0.35]",
    "augment.mixup=0.2", "train.votes_in_target=0.5", "train.mirror_consistency=1",
]  # fmt: skip


def test_its_losses_are_those_of_the_cpu(layouts, tmp_path):
    on = {
        device: train(
            "quick", layouts["csv"], tmp_path / device, overrides=PLAIN, device=device
        ).history()
        for device in ("cpu", "cuda")
    }
    for ours, theirs in zip(on["cuda"], on["cpu"], strict=True):
        for name in ("train_loss", "val_loss"):
            assert ours[name] == pytest.approx(theirs[name], rel=2e-3)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_stopped_and_resumed_run_ends_in_the_same_weights(layouts, tmp_path, precision):
    settings = [*ALL, f"train.precision={precision}"]
    whole = train("mien-s", layouts["csv"], tmp_path / "whole", overrides=settings, device="cuda")
    path = tmp_path / "stopped"
    with pytest.raises(Interrupted, match="stopped after epoch 2 of 3"):
        train(
            "mien-s",
            layouts["csv"],
            path,
            overrides=settings,
            device="cuda",
            listener=StopAt(2, 1),
        )
    assert_same_weights(whole, resume(path))


def test_what_it_trains_reads_anywhere(layouts, tmp_path):
    run = train("mien-s", layouts["csv"], tmp_path / "run", overrides=ALL, device="cuda")
    evaluation = Evaluation.load(run.evaluation_path("val"))
    assert Bundle(run.bundle_path).metadata.scores[0]["accuracy"]["value"] == (
        evaluation.accuracy.value
    )


def test_compiled_it_trains_the_same(layouts, tmp_path):
    runs = [
        train("quick", layouts["csv"], tmp_path / name, overrides=[*PLAIN, setting], device="cuda")
        for name, setting in (("plain", "train.compile=false"), ("compiled", "train.compile=true"))
    ]
    plain, compiled = (run.history()[-1]["train_loss"] for run in runs)
    assert compiled == pytest.approx(plain, rel=1e-2)


def test_a_step_never_waits_for_the_device():
    recipe = load_recipe("mien-s", [*ALL, "train.seed=1"])
    module = Trainable(build_model(recipe.model), recipe).cuda()
    optimizer = module.configure_optimizers()
    batch = Batch(
        torch.randint(0, 256, (64, 48, 48), dtype=torch.uint8, device="cuda"),
        torch.arange(64, device="cuda") % 7,
        torch.ones(64, 10, device="cuda"),
    )

    def step():
        module.training_step(batch, 0).backward()
        optimizer.step()
        optimizer.zero_grad()

    step()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
