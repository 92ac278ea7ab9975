"""Finalize a run: write weights, a Bundle and an evaluation on val from its kept checkpoint."""

from __future__ import annotations

from mien.bundle.export import export_bundle, update_metadata
from mien.io.records import write_record
from mien.models.weights import save_weights
from mien.runs.evaluations import measure
from mien.runs.run import Run
from mien.training.calibrate import calibrate_answer
from mien.training.export import describe
from mien.training.face_gate import fit_face_gate, read_gate
from mien.training.kept import add_face_gate, load_fitted, mix_votes
from mien.training.listener import TrainingListener
from mien.training.preflight import Prepared


def finalize(run: Run, prepared: Prepared, listener: TrainingListener) -> None:
    """Write a run's weights, Bundle and evaluation on val, all from the same kept checkpoint.

    The evaluation is that of the Bundle, and the metadata of the Bundle contain its scores.

    Args:
        run: run whose training has ended or was stopped.
        prepared: images of the training.
        listener: progress listener, which is told each step.
    """
    train = run.recipe.train
    classifier, votes_head, rows = load_fitted(run)
    if prepared.calibration is not None:
        faces, opening = prepared.calibration, None
        if train.face_gate:
            listener.working("Fitting the gate that doubts images without a face")
            gate = fit_face_gate(
                classifier,
                prepared.fitted.images,
                faces.images,
                run.recipe.augment,
                seed=train.seed,
            )
            write_record(run.face_gate_path, gate)
            opening = read_gate(gate, classifier, faces.images)
        listener.working("Calibrating on the images that were kept back")
        calibration = calibrate_answer(
            classifier,
            votes_head,
            run.recipe,
            fitted=prepared.fitted,
            kept_back=faces,
            gate=opening,
        )
        write_record(run.calibration_path, calibration)
        classifier.calibrate(calibration.matrix, calibration.bias)
    listener.working("Writing the Bundle, and measuring it on val")
    weights = {**classifier.state_dict(), **votes_head}
    save_weights(weights, run.weights_path, classifier.task)
    mix_votes(run, classifier, votes_head)
    add_face_gate(run, classifier)
    metadata = describe(run, rows)
    dataset = prepared.dataset
    bundle = export_bundle(classifier, metadata, run.bundle_path, samples=dataset.val.images)
    evaluation = measure(bundle, dataset, "val")
    update_metadata(bundle, metadata.model_copy(update={"scores": (evaluation.summary(),)}))
