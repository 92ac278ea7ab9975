"""``mien data audit``: check a data set for defects that make scores wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console import err, out, print_json, print_table, say_notes, say_path
from mien.cli.data.options import (
    ChannelsOption,
    LabelsOption,
    PathsArgument,
    SizeOption,
    VotesOption,
    crop_options,
)
from mien.cli.options import JsonOption
from mien.io.text import one_line

if TYPE_CHECKING:
    from mien.bundle.bundle import Bundle
    from mien.curation import Audit
    from mien.data import FaceDataset
    from mien.types import Mask

FOUND = 1


def audit(
    path: PathsArgument,
    folder: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder of audit.html and audit.json.")
    ] = Path("runs/audit"),
    against: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="B",
            help="Report instead how much of the data set B is inside PATH. Repeat it for several "
            "Parquet files.",
        ),
    ] = None,
    labels: LabelsOption = None,
    size: SizeOption = None,
    channels: ChannelsOption = None,
    votes: VotesOption = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="RUN_OR_BUNDLE",
            help="Run or Bundle that reads the faces, to find doubtful labels.",
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 for warnings too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check a data set for leaks, duplicates, wrong labels, bad images and odd splits.

    Exits with 1 if a finding is serious. Changes nothing: see mien data clean.
    """
    if against and (votes is not None or model is not None):
        option = "--votes" if votes is not None else "--model"
        raise typer.BadParameter("has no effect with --against", param_hint=option)

    from mien.bundle.bundle import Bundle, find_bundle
    from mien.cli.data.search import watch_search
    from mien.curation import audit_dataset, audit_overlap
    from mien.data import load_dataset
    from mien.io.files import refuse_unwritable_file
    from mien.reports.audit import mending_commands, write_audit

    refuse_unwritable_file(folder / "audit.html")
    bundle = Bundle(find_bundle(model)) if model is not None else None
    read = {"make_val": False, "skip_bad": True, **crop_options(labels, size, channels)}
    known = load_dataset(*path, votes=votes, **read)
    dataset = load_dataset(*against, **read) if against else known
    with watch_search() as progress:
        if against:
            found = audit_overlap(dataset, known, progress=progress)
        else:
            trained_on = trained_on_mask(dataset, bundle) if bundle else None
            found = audit_dataset(dataset, bundle=bundle, trained_on=trained_on, progress=progress)
    given = {"--labels": labels, "--size": size, "--channels": channels, "--votes": votes}
    commands: list[str] = []
    if not against:
        commands = mending_commands(found, path, given, skip_bad=bool(dataset.skipped))
    page = write_audit(found, dataset, folder, commands=commands)
    if as_json:
        print_json(found.to_plain())
    else:
        _print_audit(found, commands)
        say_path("page", page)
        say_path("findings", page.with_suffix(".json"))
        say_notes([*known.notes, *dataset.notes])
    worst = found.worst()
    if worst == "serious" or (strict and worst == "warning"):
        raise typer.Exit(FOUND)


def _print_audit(found: Audit, commands: list[str]) -> None:
    """Print the verdict, the findings, and the commands that mend them."""
    from mien.reports.audit import audit_table

    out.print(f"{one_line(found.verdict())}\n", style="bold")
    if found.findings:
        print_table(audit_table(found))
    for finding in found.findings:
        if finding.severity == "serious":
            out.print(f"{one_line(finding.title)}.", style="bold")
            for name, figure in finding.figures.items():
                out.print(f"  {one_line(name)}: {figure:,}")
            out.print(f"  {one_line(finding.what_to_do)}\n")
    for line in found.not_checked:
        err.print(f"Not checked: {one_line(line)}.")
    fine = one_line("; ".join(found.fine))
    out.print(f"Passed: {fine}.\n" if fine else "", style="dim")
    for number, command in enumerate(commands):
        out.print(("Next: " if not number else "Then: ") + one_line(command), soft_wrap=True)


def trained_on_mask(dataset: FaceDataset, bundle: Bundle) -> Mask | None:
    """Return a mask of the images that the Bundle's run was trained on; None if unknown."""
    from mien.runs.evaluations import run_folder
    from mien.runs.membership import Membership

    run = run_folder(bundle.path)
    membership = Membership.load(run) if run else None
    return membership.known_among(dataset.images).trained_on if membership else None
