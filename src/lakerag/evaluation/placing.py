"""Where the references of a set stand in the documents as they are indexed.

A set gives characters of the files; cleaning (line ends, blank line ends, control characters)
moves them. A reference is looked for by its words, nearest to where the set says.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from lakerag.errors import UsageError
from lakerag.evaluation.datasets import Reference, SpanCase
from lakerag.evaluation.spans import Span


class Corpora:
    """The indexed documents of a set: their chunks, and their text as far as chunks hold it.

    Args:
        names: Corpora of the set: each the path of a document, or its file name without the ending.
        rows: `path`, `start`, `end` and `text` of every chunk of the index.

    Raises:
        UsageError: A corpus is no document's name, or that of several.
    """

    def __init__(self, names: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> None:
        wanted = set(names)
        found: dict[str, dict[Span, str]] = {}
        for row in rows:
            if wanted & {row["path"], PurePosixPath(row["path"]).stem}:
                chunk = Span(row["path"], row["start"], row["end"])
                found.setdefault(row["path"], {})[chunk] = row["text"]
        self._paths = {name: _only(name, found) for name in wanted}
        self._chunks = {name: list(found[path]) for name, path in self._paths.items()}
        self._texts = {name: _joined(found[path]) for name, path in self._paths.items()}

    def chunks(self, name: str) -> list[Span]:
        """Returns the chunks of a corpus, in no order."""
        return self._chunks[name]

    def place(self, case: SpanCase) -> list[Span]:
        """Returns the references' spans in the indexed document; a text that is not there stays where the set says."""
        text, path = self._texts[case.corpus], self._paths[case.corpus]
        return [
            Span(path, *(_find(reference, text) or (reference.start, reference.end))) for reference in case.references
        ]

    def missing(self, cases: Iterable[SpanCase]) -> int:
        """Returns how many references' texts no document holds."""
        return sum(
            _find(reference, self._texts[case.corpus]) is None for case in cases for reference in case.references
        )


def _only(name: str, paths: Iterable[str]) -> str:
    """Returns the one document of that path, or else of that file name."""
    known = sorted(paths)
    matching = [name] if name in known else [path for path in known if PurePosixPath(path).stem == name]
    if len(matching) != 1:
        found = ", ".join(matching) or "none"
        raise UsageError(
            f"Expected one indexed document for the corpus {name!r} (its path, or its file name without the ending), "
            f"found {found}. Index it with `lakerag run --source DIR`, or name it by its path.",
            corpus=name,
        )
    return matching[0]


def _joined(chunks: Mapping[Span, str]) -> str:
    """Returns a document's text, each chunk in its place and blanks between them."""
    text = [" "] * max(chunk.end for chunk in chunks)
    for chunk, words in chunks.items():
        text[chunk.start : chunk.end] = words
    return "".join(text)


def _find(reference: Reference, text: str) -> tuple[int, int] | None:
    """Returns the place of a reference, whatever blanks stand between its words; the nearest of several."""
    if text[reference.start : reference.end] == reference.text:
        return reference.start, reference.end
    words = re.compile(r"\s+".join(map(re.escape, reference.text.split())))
    places = [match.span() for match in words.finditer(text)]
    return min(places, key=lambda place: abs(place[0] - reference.start), default=None)
