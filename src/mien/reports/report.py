"""A run or a Bundle to ``report.html``: one file that opens anywhere, in light and dark."""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path
from typing import Any

import tomli_w
from markupsafe import Markup
from matplotlib.figure import Figure

from mien.bundle.bundle import Bundle, shipped_bundles
from mien.data import FaceDataset
from mien.data.load import Paths
from mien.io.files import write_text
from mien.reports import faces, figures, score_figures
from mien.reports.advice import advise
from mien.reports.context import PEOPLE, known_scores
from mien.reports.explanation import show_overview
from mien.reports.pages import environment
from mien.reports.report_content import MOST_CONFUSED, Content, gather
from mien.reports.report_files import write_files
from mien.reports.svg import to_svg
from mien.runs.run import Run
from mien.runs.test_log import count_measurements


def write_report(
    model: Run | str | Path,
    *,
    data: Paths | None = None,
    split: str = "val",
    out: str | Path | None = None,
    with_files: bool = False,
) -> Path:
    """Write the report of a run or a Bundle on one split of a data set, and return its path.

    Args:
        model: a run, its directory, a ``.onnx`` file or a shipped Bundle's name.
        data: the data set; by default the one that a run was trained on, where it was.
        split: to report on. Of a run's own data an evaluation that it keeps is taken as it is; what
            was never measured is measured now, and a measurement on a test split is logged.
        out: the page; by default ``report.html`` in the run, ``report-SPLIT.html`` for another
            split than val, and ``report-NAME.html`` here for a Bundle, after its file.
        with_files: write each figure as SVG and PNG and all numbers as JSON and CSV too, into the
            folder ``figures`` beside the page, called after it unless it is ``report.html``.

    Raises:
        MienError: if a Bundle comes without data, or the split has no images.
        RunError: if the run is damaged.
        BundleError: if there is no such Bundle.
        DataError: if the data that was named cannot be read.
    """
    content = gather(model, data=data, split=split)
    path = Path(out) if out else _default_path(content)
    drawn = draw(content)
    svgs = {name: to_svg(figure) for name, figure in drawn.items()}
    write_text(path, render(content, svgs))
    if with_files:
        write_files(content, drawn, svgs, figures_folder(path))
    return path


def figures_folder(page: Path) -> Path:
    """Return the folder for a page's figures: ``figures`` for ``report.html``, else named after it.

    So the reports of several splits or Bundles can lie side by side.
    """
    name = page.stem.removeprefix("report").lstrip("-")
    return page.parent / (f"figures-{name}" if name else "figures")


def draw(content: Content) -> dict[str, Figure]:
    """Draw every figure that the content allows, by name."""
    drawn: dict[str, Figure] = {}
    about = content.bundle.metadata if content.bundle else None
    if content.history:
        kept = about.epoch if about else None
        drawn["loss"] = figures.draw_curve(content.history, "loss", kept)
        drawn["accuracy"] = figures.draw_curve(content.history, "accuracy", kept)
        drawn["rate"] = figures.draw_rate(content.history)
    if content.evaluation:
        evaluation = content.evaluation
        threshold = about.uncertain_below if about else 0.0
        drawn["confusion"] = score_figures.draw_confusion(evaluation)
        drawn["classes"] = score_figures.draw_class_scores(evaluation)
        drawn["roc"] = score_figures.draw_roc(evaluation)
        drawn["precision-recall"] = score_figures.draw_precision_recall(evaluation)
        drawn["reliability"] = score_figures.draw_reliability(evaluation)
        drawn["risk-coverage"] = score_figures.draw_risk_coverage(evaluation, threshold)
    if content.robustness:
        drawn["robustness"] = score_figures.draw_robustness(content.robustness)
    if content.dataset:
        counts = _class_counts(content.dataset)
        drawn["class-counts"] = figures.draw_class_counts(counts)
        drawn["class-shares"] = figures.draw_class_shares(counts)
    return drawn


def render(content: Content, svgs: dict[str, str]) -> str:
    """Return the page, which holds the figures."""
    run, evaluation = content.run, content.evaluation
    chosen = _choose_faces(content)
    return (
        environment()
        .get_template("report.html")
        .render(
            content=content,
            about=content.bundle.metadata if content.bundle else None,
            run=run,
            recipe=run.recipe if run else None,
            record=run.record if run else None,
            evaluation=evaluation,
            robustness=content.robustness,
            people=PEOPLE,
            context=known_scores(evaluation) if evaluation else None,
            figures={name: Markup(svg) for name, svg in svgs.items()},
            advice=advise(content),
            test_measurements=count_measurements(run.path) if run else 0,
            history=content.history,
            seconds=sum(row["seconds"] for row in content.history),
            split_counts=content.dataset.split_counts() if content.dataset else {},
            facts=_facts(content),
            recipe_text=_recipe_text(content),
            command=_command(content),
            explanation=show_overview(content.explanation) if content.explanation else None,
            **_say_in_words(content),
            **chosen,
            faces_shown=_count_faces(content, chosen),
        )
    )


def _choose_faces(content: Content) -> dict[str, Any]:
    """Return the faces that the page shows, by what they show; none without the data."""
    run, dataset, evaluation = content.run, content.dataset, content.evaluation
    pairs = evaluation.most_confused(MOST_CONFUSED) if evaluation else []
    if dataset is None or evaluation is None:
        kinds = dict.fromkeys(("samples", "mistakes", "unsure", "augmented"), ())
        return {**kinds, "doubts": None, "confused": [(pair, ()) for pair in pairs]}
    return {
        "samples": faces.draw_sample(dataset, evaluation),
        "mistakes": faces.most_confident_mistakes(dataset, evaluation),
        "unsure": faces.least_certain_right(dataset, evaluation),
        "doubts": faces.doubt_labels(dataset, evaluation),
        "confused": [(pair, faces.confused_examples(dataset, evaluation, pair)) for pair in pairs],
        "augmented": faces.augment_examples(dataset, run.recipe) if run else (),
    }


def _say_in_words(content: Content) -> dict[str, Any]:
    """Return what the page says in words: the best and the worst, and what is not there."""
    said: dict[str, Any] = {"best": None, "worst": None, "absent": [], "worst_change": ""}
    if content.evaluation:
        rows = content.evaluation.per_class
        scored = sorted((row for row in rows if row.f1 is not None), key=lambda row: row.f1 or 0.0)
        if len(scored) > 1:
            said |= {"best": scored[-1], "worst": scored[0]}
        said["absent"] = [row.emotion for row in rows if not row.images]
    if content.robustness:
        means = {name: sum(values) for name, values in content.robustness.accuracy.items()}
        said["worst_change"] = min(means, key=means.__getitem__).split(" (")[0]
    return said


def _count_faces(content: Content, chosen: dict[str, Any]) -> int:
    """Return how many faces of the data set a page holds; their means are nobody's."""
    doubts, pairs = chosen["doubts"], chosen["confused"]
    return (
        sum(len(chosen[kind]) for kind in ("samples", "mistakes", "unsure"))
        + (len(doubts.samples) if doubts else 0)
        + sum(len(examples) for _, examples in pairs)
        + sum(1 + len(example.changed) for example in chosen["augmented"])
        + (len(content.explanation.examples) if content.explanation else 0)
    )


def _default_path(content: Content) -> Path:
    if content.run is None:
        assert content.bundle is not None
        return Path(f"report-{content.bundle.path.stem}.html")
    if content.split == "val":
        return content.run.report_path
    return content.run.report_path.with_stem(f"report-{content.split}")


def _class_counts(dataset: FaceDataset) -> dict[str, dict[str, int]]:
    return {split: dataset.split(split).class_counts() for split in dataset.split_counts()}


def _facts(content: Content) -> dict[str, str]:
    """Return what identifies the network, its data and the machine."""
    facts: dict[str, str] = {}
    if content.bundle:
        digest = hashlib.sha256(content.bundle.path.read_bytes()).hexdigest()
        facts["Bundle"] = f"{content.bundle.path.name}, SHA-256 {digest}"
        facts["Data it learnt"] = str(content.bundle.metadata.data.get("fingerprint", "not known"))
    if content.dataset:
        facts["Data measured"] = content.dataset.fingerprint
    if content.run:
        record = content.run.record
        facts["Seed"] = str(content.run.recipe.train.seed)
        facts["Threads"] = str(record.threads)
        facts["Started"] = record.started
        facts |= record.environment
    elif content.bundle:
        facts["mien"] = content.bundle.metadata.mien_version
    return facts


def _recipe_text(content: Content) -> str:
    if content.run:
        return tomli_w.dumps(content.run.recipe.as_dict())
    return tomli_w.dumps(content.bundle.metadata.recipe) if content.bundle else ""


def _command(content: Content) -> str:
    if content.run is None:
        assert content.bundle is not None
        named = _as_named(content.bundle)
        return shlex.join(["mien", "report", named, "--data", "PATH", "--split", content.split])
    record = content.run.record
    words = ["mien", "train", str(content.run.path / "recipe.toml")]
    for path in record.data.paths:
        words += ["--data", path]
    words += ["--skip-bad"] if record.data.skip_bad else []
    return shlex.join([*words, "--out", f"{content.run.path}-again"])


def _as_named(bundle: Bundle) -> str:
    """Return what names a Bundle on the command line: its file, or the name of a shipped one."""
    names = {path: name for name, path in shipped_bundles().items()}
    return names.get(bundle.path, str(bundle.path))
