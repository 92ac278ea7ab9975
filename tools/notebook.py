"""Write the notebook of examples/ from its source, without outputs.

    python tools/notebook.py

The source is a Python file in cells, which a diff can show and a linter can check. Colab opens
notebooks of public repositories alone, so the badge needs the address of the repository:
`Repository` under `[project.urls]` of pyproject.toml.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "examples" / "walkthrough.py"
NOTEBOOK = SOURCE.with_suffix(".ipynb")
COLAB = "https://colab.research.google.com"
BADGE = "open in Colab"


def repository(project: dict[str, Any]) -> str:
    """Return owner and name of the repository on GitHub, such as ``me/mien``; empty if unknown."""
    address = project.get("urls", {}).get("Repository", "")
    found = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?", address)
    return found[1] if found else ""


def notebook(owner_and_name: str = "") -> str:
    """Return the notebook as JSON, the same for the same source.

    Args:
        owner_and_name: repository on GitHub, for the badge and for links to its pages.
    """
    import jupytext

    made = jupytext.read(SOURCE)
    for number, cell in enumerate(made.cells):
        cell["id"] = f"cell-{number}"
    if owner_and_name:
        path = f"{owner_and_name}/blob/main"
        for cell in made.cells:
            if cell.cell_type == "markdown":
                cell.source = cell.source.replace("](../", f"](https://github.com/{path}/")
        where = f"{COLAB}/github/{path}/{NOTEBOOK.relative_to(ROOT).as_posix()}"
        title, _, rest = made.cells[0].source.partition("\n")
        made.cells[0].source = f"{title}\n\n[{BADGE}]({where})\n{rest}"
    made.metadata = {"kernelspec": made.metadata["kernelspec"]}
    return str(jupytext.writes(made, fmt="ipynb")).rstrip() + "\n"


def main() -> None:
    """Write the notebook."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    NOTEBOOK.write_text(notebook(repository(project)), encoding="utf-8")
    print(NOTEBOOK.relative_to(ROOT))


if __name__ == "__main__":
    main()
