"""mien reads facial expressions, in data sets, photos, videos and cameras.

    import mien

    dataset = mien.load_dataset("fer2013.csv")
    run = mien.train("quick", "fer2013.csv", "runs/quick")
    evaluation = mien.evaluate("runs/quick", "fer2013.csv", "val")
    readings = mien.read("photo.jpg")

Names are imported on first use: reading a photo never imports torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mien.lazy import lazy_names
from mien.version import VERSION

if TYPE_CHECKING:
    from mien import sinks
    from mien.bundle.bundle import Bundle
    from mien.curation.audit import audit_dataset as audit
    from mien.data import FaceDataset, load_dataset
    from mien.data.synthetic.faces import synthetic_faces
    from mien.errors import MienError, SourceError
    from mien.evaluation import Evaluation
    from mien.explain.faces import explain_photo
    from mien.images.crop import CropSpec
    from mien.labels import LabelSet
    from mien.recipes import Recipe, list_recipes, load_recipe
    from mien.reports.report import write_report
    from mien.runs.compare import compare_runs as compare
    from mien.runs.evaluations import evaluate
    from mien.runs.run import Run
    from mien.service.client import Client
    from mien.sweeps.runner import sweep
    from mien.training.export import export
    from mien.training.train import continue_training, resume, train
    from mien.vision import Reader, Reading, read
    from mien.vision.sample import sample_photo
    from mien.vision.sinks._drawing import draw_readings as draw
    from mien.vision.sources import Frame, open_source

__version__ = VERSION

_MODULES: Final = {
    "Bundle": "mien.bundle.bundle",
    "Client": "mien.service.client",
    "CropSpec": "mien.images.crop",
    "Evaluation": "mien.evaluation",
    "FaceDataset": "mien.data",
    "Frame": "mien.vision.sources.base",
    "LabelSet": "mien.labels",
    "MienError": "mien.errors",
    "Reader": "mien.vision",
    "Reading": "mien.vision",
    "Recipe": "mien.recipes",
    "Run": "mien.runs.run",
    "SourceError": "mien.errors",
    "audit": "mien.curation.audit:audit_dataset",
    "compare": "mien.runs.compare:compare_runs",
    "continue_training": "mien.training.train",
    "draw": "mien.vision.sinks._drawing:draw_readings",
    "evaluate": "mien.runs.evaluations",
    "explain_photo": "mien.explain.faces",
    "export": "mien.training.export",
    "list_recipes": "mien.recipes",
    "load_dataset": "mien.data",
    "load_recipe": "mien.recipes",
    "open_source": "mien.vision.sources",
    "read": "mien.vision",
    "resume": "mien.training.train",
    "sample_photo": "mien.vision.sample",
    "sinks": "mien.sinks",
    "sweep": "mien.sweeps.runner",
    "synthetic_faces": "mien.data.synthetic.faces",
    "train": "mien.training.train",
    "write_report": "mien.reports.report",
}

_import = lazy_names(__name__, _MODULES)

__all__ = [
    "Bundle",
    "Client",
    "CropSpec",
    "Evaluation",
    "FaceDataset",
    "Frame",
    "LabelSet",
    "MienError",
    "Reader",
    "Reading",
    "Recipe",
    "Run",
    "SourceError",
    "audit",
    "compare",
    "continue_training",
    "draw",
    "evaluate",
    "explain_photo",
    "export",
    "list_recipes",
    "load_dataset",
    "load_recipe",
    "open_source",
    "read",
    "resume",
    "sample_photo",
    "sinks",
    "sweep",
    "synthetic_faces",
    "train",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name == "EMOTIONS":  # of mien 0.1, which knew no other classes
        import warnings

        from mien.labels import FER2013

        warnings.warn(
            "mien.EMOTIONS is now mien.labels.FER2013.names; data sets and Bundles may have other "
            "classes, so use the names of the data set or the labels of the Bundle where you can",
            DeprecationWarning,
            stacklevel=2,
        )
        return FER2013.names
    try:
        return _import(name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "mien":
            raise
        from mien.errors import install_hint

        raise ModuleNotFoundError(
            f"mien.{name} needs {error.name}: {install_hint(error.name)}", name=error.name
        ) from error


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
