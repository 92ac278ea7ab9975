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
    from mien.data import FaceDataset, load_dataset
    from mien.data.synthetic.faces import synthetic_faces
    from mien.errors import MienError
    from mien.evaluation import Evaluation
    from mien.images.crop import CropSpec
    from mien.labels import LabelSet
    from mien.recipes import Recipe, list_recipes, load_recipe
    from mien.reports.report import write_report
    from mien.runs.evaluations import evaluate
    from mien.runs.run import Run
    from mien.training.export import export
    from mien.training.train import continue_training, resume, train
    from mien.vision import Reader, Reading, read

__version__ = VERSION

_MODULES: Final = {
    "Bundle": "mien.bundle.bundle",
    "CropSpec": "mien.images.crop",
    "Evaluation": "mien.evaluation",
    "FaceDataset": "mien.data",
    "LabelSet": "mien.labels",
    "MienError": "mien.errors",
    "Reader": "mien.vision",
    "Reading": "mien.vision",
    "Recipe": "mien.recipes",
    "Run": "mien.runs.run",
    "continue_training": "mien.training.train",
    "evaluate": "mien.runs.evaluations",
    "export": "mien.training.export",
    "list_recipes": "mien.recipes",
    "load_dataset": "mien.data",
    "load_recipe": "mien.recipes",
    "read": "mien.vision",
    "resume": "mien.training.train",
    "sinks": "mien.sinks",
    "synthetic_faces": "mien.data.synthetic.faces",
    "train": "mien.training.train",
    "write_report": "mien.reports.report",
}

_import = lazy_names(__name__, _MODULES)

__all__ = [
    "Bundle",
    "CropSpec",
    "Evaluation",
    "FaceDataset",
    "LabelSet",
    "MienError",
    "Reader",
    "Reading",
    "Recipe",
    "Run",
    "continue_training",
    "evaluate",
    "export",
    "list_recipes",
    "load_dataset",
    "load_recipe",
    "read",
    "resume",
    "sinks",
    "synthetic_faces",
    "train",
    "write_report",
]


def __getattr__(name: str) -> Any:
    try:
        return _import(name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "mien":
            raise
        raise ModuleNotFoundError(
            f"mien.{name} needs {error.name}: pip install 'mien[train]'", name=error.name
        ) from error


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
