"""Reproduction section: the command, the recipe, and identifiers of the network and the data."""

from __future__ import annotations

import hashlib
import shlex

import tomli_w

from mien.bundle.bundle import Bundle, shipped_bundles
from mien.reports.commands import train_again
from mien.reports.sections.base import SECTIONS, Section


@SECTIONS.register("reproduce")
class ReproduceSection(Section):
    """Report section with the command that gives the same result, and all that it depends on."""

    title = "Reproduce"
    order = 90

    @property
    def command(self) -> str:
        """Command that trains the run again; for a Bundle, the one that writes the report again."""
        run, bundle = self.content.run, self.content.bundle
        if run is None:
            assert bundle is not None
            named, split = _name_of(bundle), self.content.split
            return shlex.join(["mien", "report", named, "--data", "PATH", "--split", split])
        return train_again(run)

    @property
    def facts(self) -> dict[str, str]:
        """Identifiers of the network, its data and the machine."""
        run, bundle, dataset = self.content.run, self.content.bundle, self.content.dataset
        facts: dict[str, str] = {}
        if bundle:
            digest = hashlib.sha256(bundle.path.read_bytes()).hexdigest()
            facts["Bundle"] = f"{bundle.path.name}, SHA-256 {digest}"
            facts["Training data"] = bundle.metadata.data.fingerprint or "unknown"
        if dataset:
            facts["Evaluated data"] = dataset.fingerprint
        if run:
            facts["Seed"] = str(run.recipe.train.seed)
            facts["Threads"] = str(run.record.threads)
            facts["Started"] = run.record.started
            facts |= run.record.environment
        elif bundle:
            facts["mien"] = bundle.metadata.mien_version
        return facts

    @property
    def recipe(self) -> str:
        """The recipe as TOML; empty if it is unknown."""
        run, bundle = self.content.run, self.content.bundle
        if run:
            return tomli_w.dumps(run.recipe.as_dict())
        return tomli_w.dumps(bundle.metadata.recipe) if bundle else ""


def _name_of(bundle: Bundle) -> str:
    """Return a Bundle's name for the command line: its path, or the name of a shipped one."""
    names = {path: name for name, path in shipped_bundles().items()}
    return names.get(bundle.path, str(bundle.path))
