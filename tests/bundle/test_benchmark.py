from __future__ import annotations

import pytest
from tests.bundles import write_bundle

from mien.bundle.benchmark import measure_speed
from mien.bundle.bundle import Bundle
from mien.errors import MienError


def test_the_figures_fit_together(run):
    bundle = Bundle(run.bundle_path, threads=1)
    speed = measure_speed(bundle, batch=8, seconds=0.1)
    assert (speed.batch, speed.threads, speed.precision) == (8, 1, "float32")
    assert 0 < speed.latency_ms <= speed.latency_p95_ms
    assert speed.calls * speed.latency_ms < 10_000
    assert bundle.metadata.macs == run.record.macs
    assert speed.operations_per_second == 2 * run.record.macs * speed.faces_per_second
    assert 0 < speed.share_of_peak < 1.5
    assert speed.as_dict()["share_of_peak"] == speed.share_of_peak


def test_a_bundle_that_does_not_say_its_cost_has_no_share_of_the_peak(run, monkeypatch):
    bundle = Bundle(run.bundle_path, threads=1)
    bundle.metadata = bundle.metadata.model_copy(update={"macs": None})
    speed = measure_speed(bundle, batch=1, seconds=0.05)
    assert speed.operations_per_second is None
    assert speed.share_of_peak is None


def test_an_empty_batch_is_refused(run):
    with pytest.raises(MienError, match="batch of 0 faces: expected at least 1"):
        measure_speed(Bundle(run.bundle_path), batch=0)


def test_crops_of_the_bundles_own_shape_are_timed(tmp_path):
    bundle = Bundle(write_bundle(tmp_path / "own.onnx"), threads=1)
    assert measure_speed(bundle, batch=2, seconds=0.05).faces_per_second > 0
