"""Passages with what stands beside them: the neighbouring chunks, or the rest of their section."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from lakerag.config import Retrieval
from lakerag.records import Passage
from lakerag.stores.base import Window

MAX_GAP = 8
"""Characters between two chunks that are still beside one another: line ends, the marks of a list. An overlap that is
larger ends the passage as well."""


@dataclass(frozen=True, slots=True)
class Joined(Passage):
    """A passage that has grown."""

    chunks: tuple[Passage, ...] = ()
    """What it consists of, in the order of the text."""


Chunks = Mapping[str, Sequence[Passage]]
"""Chunks by document, in the order of their text."""


def windows(passages: Iterable[Passage], chars: int) -> list[Window]:
    """Returns the parts of documents that reach `chars` beyond the passages, each document's as one where they meet."""
    merged: list[Window] = []
    for passage in sorted(passages, key=lambda p: (p.doc_id, p.start)):
        window = Window(passage.doc_id, max(0, passage.start - chars), passage.end + chars)
        last = merged[-1] if merged else None
        if last and last.doc_id == window.doc_id and window.start <= last.end:
            merged[-1] = replace(last, end=max(last.end, window.end))
        else:
            merged.append(window)
    return merged


def by_document(chunks: Iterable[Passage]) -> dict[str, list[Passage]]:
    """Returns chunks by document, in the order of their text."""
    placed: dict[str, list[Passage]] = {}
    for chunk in sorted(chunks, key=lambda c: (c.start, c.end)):
        placed.setdefault(chunk.doc_id, []).append(chunk)
    return placed


def join_all(passages: Sequence[Passage], beside: Chunks, limits: Retrieval) -> list[Passage]:
    """Returns one question's passages, grown; a passage that a better one has taken in is left out.

    Args:
        passages: Best first.
        beside: Chunks of the same documents, the passages' own among them.
        limits: `neighbours` grow by the next chunk on either side, `section` by all under the same headings; both
            within `join_chars`, and never over a heading.
    """
    grown: list[Passage] = []
    for passage in passages:
        if not any(_within(passage, taken) for taken in grown):
            grown.append(_grow(passage, beside.get(passage.doc_id, ()), limits))
    return grown


def _within(passage: Passage, other: Passage) -> bool:
    return passage.doc_id == other.doc_id and other.start <= passage.start and passage.end <= other.end


def _grow(passage: Passage, chunks: Sequence[Passage], limits: Retrieval) -> Passage:
    same = [chunk for chunk in chunks if chunk.heading == passage.heading]
    steps = 1 if limits.join == "neighbours" else len(same)
    before = [chunk for chunk in same if passage.start - limits.join_chars <= chunk.start < passage.start]
    after = [chunk for chunk in same if passage.end < chunk.end <= passage.end + limits.join_chars]
    grown = [passage]
    for chunk in before[::-1][:steps]:
        if abs(grown[0].start - chunk.end) > MAX_GAP:
            break
        grown.insert(0, chunk)
    for chunk in after[:steps]:
        if abs(chunk.start - grown[-1].end) > MAX_GAP:
            break
        grown.append(chunk)
    return passage if len(grown) == 1 else _joined(passage, grown)


def _joined(passage: Passage, chunks: Sequence[Passage]) -> Joined:
    text = ""
    start = chunks[0].start
    for chunk in chunks:
        text = _beside(text, chunk.text, chunk.start - start - len(text))
    known = {field.name: getattr(passage, field.name) for field in fields(passage)}
    return Joined(**{**known, "text": text, "start": start, "end": start + len(text)}, chunks=tuple(chunks))


def chunk_at(passage: Passage, start: int) -> Passage:
    """Returns the chunk of a passage that holds a character of the document; the passage itself where none does."""
    chunks = passage.chunks if isinstance(passage, Joined) else ()
    return next((chunk for chunk in chunks if chunk.start <= start < chunk.end), passage)


def _beside(left: str, right: str, gap: int) -> str:
    """Returns two texts with their distance kept, so that every character stays where it stands in the document."""
    return left + right[-gap:] if gap < 0 else left + (" " if gap == 1 else "\n" * gap) + right
