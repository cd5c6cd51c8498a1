"""The demo's documents, made at run time from the documentation on the user's own machine."""

import ast
import hashlib
import pydoc_data.topics
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from importlib.metadata import PackageNotFoundError, distribution
from itertools import chain, islice, zip_longest
from pathlib import Path

from lakerag.jobs import docstrings, topics

TOPIC_WORDS = 480
DOCSTRING_WORDS = range(25, 250)
"""Longer ones are left out: many small documents show more than a few long ones."""

DEMO_QUESTIONS = (
    "What does the with statement guarantee about __exit__?",
    "Which function tells whether an array contains a value?",
    "What is the default retention period of vacuum?",
    "How do I restore a Delta table to an earlier version?",
    "What does log_params do when no run is active?",
    "Who approves a change of the embedding model?",
    "How many moons does Jupiter have?",
)
"""Answered by the corpus, the last but one by the document that `second_act` adds; the last by nothing."""


@dataclass(frozen=True, slots=True)
class Page:
    """One document to be written."""

    path: str
    """Relative, with its suffix."""
    title: str
    body: str
    """Markdown."""


@dataclass(frozen=True, slots=True)
class Module:
    """An installed module whose docstrings become pages; it is read, never imported."""

    distribution: str
    file: str
    """Below the folder that packages are installed in."""
    folder: str
    suffix: str


MODULES = (
    Module("pyspark", "pyspark/sql/functions/builtin.py", "spark/functions", ".md"),
    Module("pyspark", "pyspark/sql/dataframe.py", "spark/dataframe", ".html"),
    Module("delta-spark", "delta/tables.py", "delta", ".md"),
    Module("pymilvus", "pymilvus/milvus_client/milvus_client.py", "milvus", ".txt"),
    Module("mlflow", "mlflow/tracking/fluent.py", "mlflow", ".html"),
)

ADDED = Page(
    "team/embedding-models.md",
    "Changing the embedding model",
    "A change of the embedding model is approved by the search team's lead.\n\n"
    "Before that, the new model is evaluated on the team's own questions. Its vectors go into a collection of "
    "their own, and the alias is switched only when that collection holds every chunk.",
)


def write_corpus(folder: Path, limit: int) -> int:
    """Writes up to `limit` documents, a fair share from every source, and returns how many.

    The same installed packages give the same files.
    """
    count = 0
    for page in islice(_take_turns(_sources()), limit):
        _write(folder, page)
        count += 1
    return count


def second_act(folder: Path) -> tuple[Path, Path, Path]:
    """Adds one document, changes a paragraph of another and deletes a third; returns (added, changed, deleted)."""
    pages = sorted((folder / "python").glob("*.md"), key=lambda path: (path.stat().st_size, path.name))
    deleted, changed = pages[0], pages[-1]
    title, first, rest = changed.read_text(encoding="utf-8").split("\n\n", 2)
    changed.write_text(f"{title}\n\n{first} Our reviewers ask for a test of it.\n\n{rest}", encoding="utf-8")
    deleted.unlink()
    return _write(folder, ADDED), changed, deleted


def _take_turns(sources: Iterable[Iterable[Page]]) -> Iterator[Page]:
    return (page for page in chain.from_iterable(zip_longest(*sources)) if page is not None)


def _sources() -> list[Iterator[Page]]:
    return [_python_pages(), *(_module_pages(module) for module in MODULES)]


def _mixed(name: str) -> bytes:
    """Sorts names so that the first ones are from everywhere in the alphabet, always the same."""
    return hashlib.sha256(name.encode()).digest()


def _python_pages() -> Iterator[Page]:
    """Yields the statements first, which everybody knows."""
    pages = {
        title: Page(f"python/{_slug(title)}.md", title, body)
        for _, topic in sorted(pydoc_data.topics.topics.items())
        for title, body in topics.pages(topic, TOPIC_WORDS)
    }
    for title in sorted(pages, key=lambda title: (not title.endswith("statement"), _mixed(title))):
        yield pages[title]


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower().removeprefix("the ")).strip("-")


def _module_pages(module: Module) -> Iterator[Page]:
    """Yields the oldest functions first, which are the best known."""
    file = _installed_file(module)
    if file is None:
        return
    found = dict(_docstrings(ast.parse(file.read_text(encoding="utf-8")).body))
    for name in sorted(found, key=lambda name: (_since(found[name]), _mixed(name))):
        body = docstrings.to_markdown(found[name])
        if len(body.split()) in DOCSTRING_WORDS:
            yield Page(f"{module.folder}/{name}{module.suffix}", name, body)


def _since(docstring: str) -> tuple[int, ...]:
    match = re.search(r"versionadded:: (\d+)\.(\d+)", docstring)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _installed_file(module: Module) -> Path | None:
    # Not by the import system: a Spark session puts jars before the installed packages.
    try:
        file = Path(str(distribution(module.distribution).locate_file(module.file)))
    except PackageNotFoundError:
        return None
    return file if file.is_file() else None


def _docstrings(nodes: Iterable[ast.stmt], within: str = "") -> Iterator[tuple[str, str]]:
    """Yields name and docstring of every public function, class and method."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            name = f"{within}{node.name}"
            if docstring := ast.get_docstring(node):
                yield name, docstring
            if isinstance(node, ast.ClassDef):
                yield from _docstrings(node.body, f"{name}.")


def _write(folder: Path, page: Page) -> Path:
    render = {".md": _markdown, ".html": _html, ".txt": _plain}[Path(page.path).suffix]
    path = folder / page.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(page), encoding="utf-8")
    return path


def _markdown(page: Page) -> str:
    return f"# {page.title}\n\n{page.body}\n"


def _plain(page: Page) -> str:
    body = re.sub(r"^(?:## |```.*\n?)", "", page.body, flags=re.MULTILINE).replace("`", "")
    return f"{page.title}\n\n{body}\n"


def _html(page: Page) -> str:
    from markdown_it import MarkdownIt

    title, body = escape(page.title), MarkdownIt("commonmark", {"html": False}).render(page.body)
    return f"<!doctype html>\n<html><head><title>{title}</title></head>\n<body><h1>{title}</h1>\n{body}</body></html>\n"
