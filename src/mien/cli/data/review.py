"""``mien data review``: go through doubtful labels by hand, in a page of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mien.cli.console import err, new_table, out, say_line, say_notes, say_path, say_skipped
from mien.cli.data.audit import trained_on_mask
from mien.cli.data.clean import load_split
from mien.cli.data.options import (
    ChannelsOption,
    LabelsOption,
    PathsArgument,
    SizeOption,
    VotesOption,
    crop_options,
)
from mien.cli.options import SkipBadOption, Split
from mien.errors import MienError, nearest
from mien.io.text import one_line

if TYPE_CHECKING:
    from mien.data import FaceDataset
    from mien.service.review.evidence import Evidence, Found
    from mien.service.review.review import ClassSummary, Review


def review(
    path: PathsArgument,
    manifest: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Manifest for mien data clean. A journal of all decisions lies beside it, from "
            "which a review goes on.",
        ),
    ],
    audit: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of mien data audit: review the faces that its findings name. Default: all "
            "faces.",
        ),
    ] = None,
    finding: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHECK",
            help="Review the faces of this finding alone, such as doubtful-labels. Repeatable.",
        ),
    ] = None,
    split: Annotated[Split | None, typer.Option(help="Review this split alone.")] = None,
    label: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="Review this class alone.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="RUN_OR_BUNDLE",
            help="Run or Bundle whose readings are shown; without --audit, the faces that it is "
            "least sure of come first.",
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="Port of the page; 0 for a free one.")
    ] = 8001,
    write: Annotated[
        bool,
        typer.Option("--write", help="Write the manifest of the decisions so far, without a page."),
    ] = False,
    labels: LabelsOption = None,
    size: SizeOption = None,
    channels: ChannelsOption = None,
    votes: VotesOption = None,
    skip_bad: SkipBadOption = False,
) -> None:
    """Go through the labels of a data set by hand, in a page that this machine alone can open.

    Keys 1 to 9 relabel a face, space keeps its label, x drops it, u takes the last decision back.
    Ctrl-C ends the review and writes the manifest; the same command goes on. The data set itself is
    not changed: mien data clean --manifest writes a copy.
    """
    if finding and audit is None:
        raise MienError("--finding: has no effect without --audit DIR")
    from mien.cli.data.target import refuse_target
    from mien.io.files import expand_user, refuse_irregular, refuse_unwritable_file
    from mien.reports.commands import data_command
    from mien.service.review.decisions import Decisions
    from mien.service.review.journal import journal_path, open_journal
    from mien.service.review.review import Review
    from mien.service.review.run import run

    manifest = expand_user(manifest)
    if journal_path(manifest).exists():
        refuse_irregular(manifest)  # else it is a review's own, which replaces it
    else:
        if write:
            raise MienError(f"{journal_path(manifest)}: there is no review to write; leave --write")
        refuse_target(manifest, path)
        refuse_unwritable_file(manifest)
    read = {"skip_bad": skip_bad, **crop_options(labels, size, channels)}
    dataset = load_split(path, votes, read)
    given = {"--votes": votes, "--labels": labels, "--size": size, "--channels": channels}
    command = data_command(
        "clean", path, given, skip_bad=skip_bad, rest=("--manifest", str(manifest), "--out", "NEW")
    )
    say_skipped(dataset.skipped)
    say_notes(dataset.notes)
    found = _findings(audit, finding or [], dataset)
    with open_journal(manifest, dataset) as journal:
        if journal.note:
            say_line(f"{journal.note}.")
        decisions = Decisions(journal, dataset)
        evidence = _gather(dataset, found, split, label, model, light=write)
        shared = Review(evidence, decisions, manifest, command)
        if not write:
            run(shared, port=port, started=lambda address: _say_start(shared, address))
        lines = shared.write()
    _say_end(shared, lines)


def _findings(audit: Path | None, checks: Sequence[str], dataset: FaceDataset) -> list[Found]:
    """Return the findings to review; none without an audit."""
    from mien.io.files import expand_user
    from mien.service.review.evidence import read_findings

    if audit is None:
        return []
    audit = expand_user(audit)
    found = read_findings(audit, dataset)
    known = [one.check for one in found]
    if not known:
        raise MienError(f"{audit}: the audit names no images, so there is nothing to review")
    for check in checks:
        if check not in known:
            raise MienError(
                f"--finding {check}: the audit has no such finding{nearest(check, known)}; it has "
                f"{', '.join(known)}"
            )
    return [one for one in found if not checks or one.check in checks]


def _gather(
    dataset: FaceDataset,
    found: list[Found],
    split: Split | None,
    label: str | None,
    model: str | None,
    *,
    light: bool,
) -> Evidence:
    """Return what is known of the faces; without a page, what the manifest needs."""
    import numpy as np

    from mien.bundle.bundle import Bundle, find_bundle
    from mien.cli.data.search import watch_search
    from mien.data.duplicates.groups import Duplicates, find_duplicates
    from mien.data.duplicates.search import no_near_duplicates
    from mien.evaluation.evaluate import refuse_other_task
    from mien.service.review.evidence import Evidence, choose_rows, read_faces

    number = None if label is None else dataset.label_set.parse(label)
    rows = choose_rows(
        dataset, found or None, split=None if split is None else split.value, label=number
    )
    if light:
        none = Duplicates(np.arange(len(dataset)), no_near_duplicates())
        return Evidence(dataset, rows, none, tuple(found))
    bundle = Bundle(find_bundle(model)) if model is not None else None
    if bundle is not None:
        refuse_other_task(bundle, dataset)
    with watch_search() as progress:
        duplicates = find_duplicates(dataset.images, exact_only=dataset.drawn, progress=progress)
    reading = None
    if bundle is not None:
        say_line(f"Reading {len(rows):,} faces with {bundle.metadata.name}")
        reading = read_faces(dataset, rows, bundle, trained_on_mask(dataset, bundle))
        if reading is None:
            say_line("The model was trained on all of these faces, so its readings are not shown.")
    return Evidence(dataset, rows, duplicates, tuple(found), reading)


def _say_start(shared: Review, address: str) -> None:
    rows = shared.evidence.rows.tolist()
    decided = sum(shared.decisions.find(row) is not None for row in rows)
    err.print(f"{len(rows):,} faces to review, {decided:,} of them decided. Open the page:")
    out.print(address)
    err.print("Ctrl-C ends the review and writes the manifest.")
    out.file.flush()  # a program that started it may read the address from a pipe


def _say_end(shared: Review, lines: int) -> None:
    summary = shared.summary()
    out.print()
    if summary:
        out.print(_table(summary, shared.evidence.dataset.label_set.noun))
        out.print(
            "Agreement: the share of the faces that keep their label, without dropped ones. Faces "
            "that an audit or a model doubts are no sample of the data set.\n",
            style="dim",
        )
    say_path("manifest", shared.manifest)
    if lines:
        out.print(f"Next: {one_line(shared.command)}", soft_wrap=True)
    else:
        out.print("No face changes, so there is nothing to apply yet.")


def _table(summary: Sequence[ClassSummary], noun: str) -> object:
    table = new_table(noun, "reviewed", "kept", "relabelled", "dropped", "agreement", "most often")
    for one in summary:
        changed = sum(one.relabelled.values())
        often = next(iter(one.relabelled.items()), None)
        table.add_row(
            one.label,
            f"{one.kept + changed + one.dropped:,}",
            f"{one.kept:,}",
            f"{changed:,}",
            f"{one.dropped:,}",
            "–" if one.agreement is None else f"{one.agreement:.0%}",
            f"{often[0]} ({often[1]:,})" if often else "–",
        )
    return table
