"""The contract of report sections: the base classes, and the registry."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from matplotlib.figure import Figure

from mien.errors import MienError
from mien.evaluation import Evaluation
from mien.registry import Registry, in_a_line
from mien.reports.content import Content
from mien.reports.pages import render_text
from mien.types import Labels


class Section:
    """One section of a report: its figures, tables, numbers and text.

    A subclass overrides the parts that it has, and is registered in
    `mien.reports.sections.SECTIONS`: a module of that package by the decorator, a class of an
    installed package by an entry point of the group ``mien.report_sections``. The page shows the
    section's title and, below it, the rendered template. The template sees ``section`` (the section
    itself), ``content`` and ``figures`` (the section's figures as inline SVG, by name).

    Args:
        content: content of the report.
    """

    title: ClassVar[str]
    """Heading of the section, and its name in the page's navigation."""
    order: ClassVar[int] = 100
    """Position on the page: sections are sorted by it, those of mien are 10 to 90."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Names of the fields of `Content` that the section needs."""
    without: ClassVar[str] = ""
    """Text in place of the section if one of these is missing; if empty, the section is left out.
    """

    def __init__(self, content: Content) -> None:
        self.content = content

    @property
    def complete(self) -> bool:
        """Whether the content has everything that the section needs."""
        return all(getattr(self.content, name) is not None for name in self.needs)

    @property
    def template(self) -> str:
        """Text of the Jinja template; by default the HTML file next to the module.

        Raises:
            MienError: if there is no such file.
        """
        file = Path(inspect.getfile(type(self))).with_suffix(".html")
        if not file.is_file():
            raise MienError(
                f"{file}: no such template, but the report section {type(self).__name__} needs "
                "one; write it, or override `template`"
            )
        return file.read_text(encoding="utf-8")

    def figures(self) -> dict[str, Figure]:
        """Return the figures by name; called only if the section is complete."""
        return {}

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Return rows by the name of the table; called only if the section is complete."""
        return {}

    def numbers(self) -> dict[str, Any]:
        """Return plain data for ``report.json`` by key, the same keys for every content."""
        return {}

    def count_faces(self) -> int:
        """Return the number of faces of the data set that the section shows."""
        return 0

    def render(self, svgs: Mapping[str, Markup]) -> Markup:
        """Return the section below its title, as HTML.

        Args:
            svgs: the section's figures as inline SVG, by name.
        """
        return render_text(self.template, section=self, content=self.content, figures=svgs)


class FailedSection(Section):
    """A section that is shown instead of a plugin's section that raised an error.

    Args:
        content: content of the report.
        name: name of the plugin's section.
        error: error that the plugin's section raised.
    """

    def __init__(self, content: Content, name: str, error: Exception) -> None:
        super().__init__(content)
        self.title = name  # type: ignore[misc]
        self.without = (  # type: ignore[misc]
            f"This section comes from an installed plugin, which failed: {in_a_line(error)}."
        )

    @property
    def complete(self) -> bool:
        """False, so that only the error is shown."""
        return False


class EvaluationSection(Section):
    """A section about the evaluation."""

    needs: ClassVar[tuple[str, ...]] = ("evaluation",)
    without = "There is no evaluation, so there is nothing to show."

    @property
    def evaluation(self) -> Evaluation:
        """Evaluation of the split."""
        assert self.content.evaluation is not None
        return self.content.evaluation

    @cached_property
    def labels(self) -> Labels:
        """Labels of the evaluated images. Shape: (N,)."""
        return np.array(self.evaluation.labels)

    @cached_property
    def probabilities(self) -> npt.NDArray[np.float64]:
        """Probabilities of the evaluated images. Shape: (N, classes)."""
        return np.array(self.evaluation.probabilities)


SECTIONS: Final[Registry[type[Section]]] = Registry(
    "report section", group="mien.report_sections", package="mien.reports.sections", base=Section
)
