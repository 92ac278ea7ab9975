"""What `make docs` adds to the pages of docs/: a hook of MkDocs, named in mkdocs.yml.

The pages are written for a reader of the repository, and link to files all over it. Here, each
linked file outside of docs/ becomes part of the site at its own path, and each link is changed
accordingly. Two pages are made: the notebook of examples/, and the reference of all commands.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
NOTEBOOK = "examples/walkthrough.py"
NOTEBOOK_PAGE = "examples/walkthrough.md"
PAGES = ("CONTRIBUTING.md", "CODE_OF_CONDUCT.md", "SECURITY.md", "CHANGELOG.md")
LINK = re.compile(r"(?P<head>\]\(|\b(?:src|href)=\")(?P<target>[^)\"\s]+)")
FENCE = re.compile(r"^\s*(```|~~~)")


def links(text: str) -> Iterator[tuple[int, re.Match[str]]]:
    """Yield each link of a Markdown page with its line number, those in code left out."""
    fenced = False
    for number, line in enumerate(text.splitlines()):
        if FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            bare = re.sub(r"`[^`]*`", lambda code: " " * len(code[0]), line)
            for found in LINK.finditer(line):
                if bare[found.start()] != " " or line[found.start()] == " ":
                    yield number, found


def is_local(target: str) -> bool:
    """Return whether a link leads to a file, and not to an address or a place on its own page."""
    return not re.match(r"[a-z]+:|#|//", target)


def linked_path(page: str, target: str) -> str:
    """Return the path in the repository that a link of a page leads to.

    Args:
        page: path of the page in the repository.
        target: the link, relative to the page; an anchor is dropped.
    """
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), target.partition("#")[0]))
    return f"{path}/README.md" if (ROOT / path / "README.md").is_file() else path


def site_path(path: str) -> str:
    """Return where a file of the repository lies in the sources of the site."""
    return NOTEBOOK_PAGE if path == NOTEBOOK else path.removeprefix("docs/")


def moved_links(text: str, page: str) -> str:
    """Return a page whose links lead to the places that their files have in the site."""
    lines = text.splitlines()
    for number, found in reversed(list(links(text))):
        target = found["target"]
        if is_local(target):
            place = site_path(linked_path(page, target))
            start = posixpath.dirname(site_path(page)) or "."
            anchor = target.partition("#")[1] + target.partition("#")[2]
            line = lines[number]
            moved = posixpath.relpath(place, start) + anchor
            lines[number] = line[: found.start("target")] + moved + line[found.end("target") :]
    return "\n".join(lines) + "\n"


def notebook_page() -> str:
    """Return the notebook as a page of text and code, with the address of its Colab badge."""
    import jupytext

    notebook = jupytext.read(ROOT / NOTEBOOK)
    notebook.metadata = {}
    text = re.sub(r"\A---\n.*?\n---\n", "", jupytext.writes(notebook, fmt="md"), flags=re.DOTALL)
    text = re.sub(r"^```python .*$", "```python", text, flags=re.MULTILINE)
    ways = f"[Download the notebook]({Path(NOTEBOOK).stem}.ipynb)"
    if repository := os.environ.get("GITHUB_REPOSITORY"):  # set in GitHub's workflows
        path = f"{repository}/blob/main/{NOTEBOOK.removesuffix('.py')}.ipynb"
        ways += f" · [open in Colab](https://colab.research.google.com/github/{path})"
    title, _, rest = text.strip().partition("\n")
    return f"{title}\n\n{ways}\n{rest}\n"


def commands_page() -> str:
    """Return the reference of all commands, from their own help."""
    import typer

    from mien.cli.main import app

    parts = [
        "# Commands\n\nThis page is made from what `mien --help` and `mien VERB --help` print. "
        "[Exit codes and environment variables](exit-codes.md) are the same for all of them.\n"
    ]

    def describe(name: str, command: Any) -> None:
        if subcommands := getattr(command, "commands", None):
            for inner in subcommands:
                describe(f"{name} {inner}", subcommands[inner])
            return
        usage = " ".join(filter(None, [name, *map(argument, command.params), "[OPTIONS]"]))
        parts.append(f"## {name}\n\n{plain(command.help)}\n\n```text\n{usage}\n```\n")
        rows = [
            ", ".join(f"`{flag}`" for flag in (*one.opts, *one.secondary_opts))
            if one.param_type_name == "option"
            else f"`{argument(one)}`"
            for one in command.params
        ]
        told = [plain(getattr(one, "help", "") or "") for one in command.params]
        if rows:
            parts.append("| option | meaning |\n| --- | --- |")
            parts.extend(f"| {row} | {text} |" for row, text in zip(rows, told, strict=True))
            parts.append("")

    describe("mien", typer.main.get_command(app))
    return "\n".join(parts)


def argument(parameter: Any) -> str:
    """Return an argument as it stands in a usage line; empty for an option."""
    if parameter.param_type_name != "argument":
        return ""
    text = (parameter.metavar or parameter.name.upper()) + ("…" if parameter.nargs == -1 else "")
    return text if parameter.required else f"[{text}]"


def plain(text: str) -> str:
    """Return help without the terminal's markup, with what Markdown would take for its own."""
    text = re.sub(r"\[/?(?:bold|italic|dim|cyan|green|yellow|red)\]", "", text or "")
    return re.sub(r"([|<*_])", r"\\\1", text.replace("\\[", "[")).replace("\n\n", "<br>")


MADE: dict[str, Callable[[], str]] = {
    NOTEBOOK_PAGE: notebook_page,
    "reference/commands.md": commands_page,
}


def on_config(config: Any) -> Any:
    """Make anchors as they are made where repositories are shown, and link to the repository."""
    from pymdownx.slugs import slugify

    config.mdx_configs["toc"]["slugify"] = slugify(case="lower")
    (decisions,) = [one for part in config.nav for group in part.values() if isinstance(group, list)
                    for one in group if "Decisions" in one]  # fmt: skip
    decisions["Decisions"] += [f"adr/{path.name}" for path in sorted(ROOT.glob("docs/adr/0*.md"))]
    if repository := os.environ.get("GITHUB_REPOSITORY"):
        config.repo_url = f"https://github.com/{repository}"
        config.repo_name = repository
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the made pages, the pages of the root, and every other file that a page links to."""
    from mkdocs.structure.files import File

    for path, make in MADE.items():
        files.append(File.generated(config, path, content=make()))
    waiting = [f"docs/{file.src_uri}" for file in files if file.is_documentation_page()]
    waiting += [path for path in PAGES if (ROOT / path).is_file()]
    seen: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        place = site_path(path)
        if not files.get_file_from_path(place):
            files.append(File.generated(config, place, abs_src_path=str(ROOT / path)))
        if path.endswith(".md") and (file := files.get_file_from_path(place)):
            targets = [
                one["target"] for _, one in links(file.content_string) if is_local(one["target"])
            ]
            made = place in MADE
            for target in targets:
                linked = linked_path(place if made else path, target)
                if (ROOT / linked).is_file() and site_path(linked) not in MADE:
                    waiting.append(linked)
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Change the links of a page to where their files lie in the site."""
    place = page.file.src_uri
    if place in MADE or not (ROOT / "docs" / place).is_file():
        return moved_links(markdown, place)
    return moved_links(markdown, f"docs/{place}")
