"""``mien data audit``: what is wrong with a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console import JsonOption, err, out, print_json, print_table, say_path
from mien.cli.data.options import PathsArgument, VotesOption

if TYPE_CHECKING:
    from mien.bundle.bundle import Bundle
    from mien.data import FaceDataset
    from mien.data.duplicates.groups import Mask

FOUND = 1


def audit(
    path: PathsArgument,
    folder: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where audit.html and audit.json go.")
    ] = Path("runs/audit"),
    against: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="B", help="Say instead how much of the data set B is inside PATH (repeatable)."
        ),
    ] = None,
    votes: VotesOption = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="RUN_OR_BUNDLE", help="What reads the faces, to doubt their labels."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 for warnings too, not notes.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Look for what makes scores wrong: leaks, duplicates, wrong labels, bad images, odd splits.

    Exits with 1 when a finding is serious. Changes nothing: see mien data clean.
    """
    if against and (votes is not None or model is not None):
        option = "--votes" if votes is not None else "--model"
        raise typer.BadParameter("has no effect with --against", param_hint=option)

    from mien.bundle.bundle import Bundle, find_bundle
    from mien.cli.data.search import watch_search
    from mien.curation import audit_dataset, audit_overlap
    from mien.data import load_dataset
    from mien.reports.audit import audit_table, write_audit

    bundle = Bundle(find_bundle(model)) if model is not None else None
    known = load_dataset(*path, make_val=False, skip_bad=True, votes=votes)
    dataset = load_dataset(*against, make_val=False, skip_bad=True) if against else known
    with watch_search() as progress:
        if against:
            found = audit_overlap(dataset, known, progress=progress)
        else:
            learnt = _learnt(dataset, bundle) if bundle else None
            found = audit_dataset(dataset, bundle=bundle, learnt=learnt, progress=progress)
    page = write_audit(found, dataset, folder)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        if found.findings:
            print_table(audit_table(found))
        for finding in found.findings:
            if finding.severity == "serious":
                out.print(f"{finding.title}.", style="bold")
                for name, figure in finding.figures.items():
                    out.print(f"  {name}: {figure:,}")
                out.print(f"  {finding.what_to_do}\n")
        for line in found.not_checked:
            err.print(f"Not looked for: {line}.")
        out.print(f"In order: {'; '.join(found.fine)}.\n" if found.fine else "", style="dim")
        say_path("page", page)
        say_path("findings", page.with_suffix(".json"))
    worst = found.worst()
    if worst == "serious" or (strict and worst == "warning"):
        raise typer.Exit(FOUND)


def _learnt(dataset: FaceDataset, bundle: Bundle) -> Mask | None:
    """Return which images the run of a Bundle was trained on; None where nothing says so."""
    from mien.runs.evaluations import run_folder
    from mien.runs.membership import Membership

    run = run_folder(bundle.path)
    membership = Membership.load(run) if run else None
    return membership.known_among(dataset.images).trained_on if membership else None
