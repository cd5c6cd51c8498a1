"""Cuts a document into chunks that the embedder reads whole, and that stay put under edits.

A chunk ends at the strongest cut in the second half of what fits. Among equally strong
cuts the text around them decides, not their distance from the chunk's start, so that the
cuts behind an edit are found again (content-defined chunking: Muthitacharoen, Chen and
Mazieres, "A Low-bandwidth Network File System", SOSP 2001).
"""

import hashlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from lakerag.errors import ConfigError
from lakerag.gold.structure import HEADING, Heading, Structure, structure
from lakerag.gold.tokens import TokenStarts
from lakerag.models.base import Tokenizer

VERSION = "chunker-3"
MAX_CHARS = 4_000
"""Characters of a chunk at most, whatever the tokenizer says of them (one unknown word may be endless)."""
CONTEXT_SHARE = 4
"""Headings and a table's header take at most one part in so many of a chunk's tokens."""
_LANDMARK = 24
"""Characters before a cut that stand for it when equal cuts compete."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document: `text` is the document's [start, end)."""

    start: int
    end: int
    text: str
    heading_path: str
    """Headings above or at its start, outermost first, joined by ` > `."""
    embedded_text: str
    """What the embedder reads: the headings above it, a continued table's header, the text."""
    token_count: int
    """Tokens of `embedded_text`, special tokens excluded."""
    page: int
    """Page that it stands on, from 1; 0: the document has none."""
    occurrence: int
    """How many equal chunks stand before it in the document."""

    def key(self, doc_id: str) -> str:
        """Returns the `chunk_id`: the same as long as the chunk's own words and headings are."""
        parts = (doc_id, self.heading_path, self.text, str(self.occurrence))
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True)
class Chunker:
    """Cuts texts by structure, within a number of the embedder's tokens.

    Args:
        tokenizer: The embedder's own.
        chunk_tokens: Tokens of a chunk at most, context included, special tokens excluded.
        overlap_tokens: Tokens at most of whole sentences that a chunk repeats from the one before.

    Raises:
        ConfigError: The embedder would not read a chunk of that size whole.
    """

    tokenizer: Tokenizer
    chunk_tokens: int
    overlap_tokens: int = 0
    tokens: TokenStarts = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.chunk_tokens > self.tokenizer.max_tokens:
            raise ConfigError(
                f"chunking.chunk_tokens is {self.chunk_tokens}, but the embedder reads {self.tokenizer.max_tokens} "
                f"word pieces at most. Set it to {self.tokenizer.max_tokens} or less."
            )
        object.__setattr__(self, "tokens", TokenStarts(self.tokenizer))
        if self.overlap_tokens * 2 > self.chunk_tokens:
            raise ConfigError(
                f"chunking.overlap_tokens is {self.overlap_tokens}: expected at most half of chunk_tokens "
                f"({self.chunk_tokens // 2})."
            )

    def cut(self, text: str, page_starts: Sequence[int] = ()) -> list[Chunk]:
        """Returns the chunks in order; together they hold every character but white space.

        Args:
            text: A document.
            page_starts: Where its pages begin, in order; a chunk never reaches over two of them.
        """
        seen: Counter[tuple[str, str]] = Counter()
        chunks = []
        for chunk in _Cutting(self, text, page_starts).chunks():
            key = (chunk.heading_path, chunk.text)
            chunks.append(replace(chunk, occurrence=seen[key]))
            seen[key] += 1
        return chunks


class _Cutting:
    """One text on its way to chunks."""

    def __init__(self, chunker: Chunker, text: str, page_starts: Sequence[int]) -> None:
        self.chunker = chunker
        self.text = text
        self.page_starts = page_starts
        self.token_starts = chunker.tokens.of(text)
        self.structure: Structure = structure(text)
        self.cut_positions = [at for at, _ in self.structure.cuts]
        self.heading_starts = [heading.start for heading in self.structure.headings]
        self.paths = list(_paths(self.structure.headings))
        self.counts: dict[str, int] = {"": 0}

    def chunks(self) -> Iterator[Chunk]:
        at = 0
        while at < len(self.text):
            end = self._next_cut(at)
            yield from self._fitting(self._with_overlap(at), end)
            at = end

    def _fitting(self, start: int, end: int) -> Iterator[Chunk]:
        """Yields [start, end) as one chunk, or halved until it fits: a cut inside a word makes new tokens."""
        chunk = self._chunk(start, end)
        if chunk is None:
            return
        if chunk.token_count <= self.chunker.chunk_tokens or end - start == 1:
            yield chunk
            return
        middle = (start + end) // 2
        yield from self._fitting(start, middle)
        yield from self._fitting(middle, end)

    def _next_cut(self, start: int) -> int:
        """Returns where the chunk that starts here ends."""
        context = self._count(self._context(start))
        first = bisect_left(self.token_starts, start)
        room = self.chunker.chunk_tokens - context - self.chunker.overlap_tokens
        end = self._page_end(start)
        if bisect_left(self.token_starts, end) - first <= room and end - start <= MAX_CHARS:
            return end
        limit = min(self._reach(first, room, start), end)
        for least, least_heading in ((room // 2, room // 3), (room // 6, room // 6)):
            at = self._strongest(
                start, self._reach(first, least, start), self._reach(first, least_heading, start), limit
            )
            if at:
                return at
        return self._word_cut(start, limit)

    def _page(self, at: int) -> int:
        return bisect_right(self.page_starts, at)

    def _page_end(self, at: int) -> int:
        page = self._page(at)
        return self.page_starts[page] if page < len(self.page_starts) else len(self.text)

    def _strongest(self, start: int, least: int, least_heading: int, limit: int) -> int:
        """Returns the strongest cut up to the limit, from `least` on, before a heading earlier; 0 for none."""
        best, best_rank = 0, (0, b"")
        for i in range(bisect_right(self.cut_positions, start), bisect_right(self.cut_positions, limit)):
            at, strength = self.structure.cuts[i]
            if at >= (least_heading if strength == HEADING else least):
                rank = (strength, self._landmark(at))
                if rank > best_rank:
                    best, best_rank = at, rank
        return best

    def _reach(self, first: int, tokens: int, start: int) -> int:
        """Returns the position that so many tokens from the first one reach, bounded in characters."""
        last = first + max(tokens, 1)
        at = self.token_starts[last] if last < len(self.token_starts) else len(self.text)
        return min(max(at, start + 1), start + MAX_CHARS)

    def _word_cut(self, start: int, limit: int) -> int:
        """Returns the last white space before the limit, else the limit."""
        for at in range(limit, start + (limit - start) // 2, -1):
            if self.text[at - 1].isspace():
                return at
        return limit

    def _landmark(self, at: int) -> bytes:
        around = self.text[max(0, at - _LANDMARK) : at]
        return hashlib.blake2b(around.encode("utf-8", "surrogatepass"), digest_size=8).digest()

    def _with_overlap(self, at: int) -> int:
        """Returns the earliest cut that repeats no more than the overlap."""
        if not self.chunker.overlap_tokens or at == 0 or not self.token_starts:
            return at
        first = bisect_left(self.token_starts, at)
        earliest = self.token_starts[max(0, first - self.chunker.overlap_tokens)]
        if self._page(at):
            earliest = max(earliest, self.page_starts[self._page(at) - 1])
        cut = bisect_left(self.cut_positions, earliest)
        return min(self.cut_positions[cut], at) if cut < len(self.cut_positions) else at

    def _chunk(self, start: int, end: int) -> Chunk | None:
        while start < end and self.text[start].isspace():
            start += 1
        while start < end and self.text[end - 1].isspace():
            end -= 1
        if start == end:
            return None
        piece, context = self.text[start:end], self._context(start)
        path = " > ".join(heading.title for heading in self._above(start))
        tokens = self._count(context) + self._count_piece(start, end)
        return Chunk(start, end, piece, path, f"{context}\n{piece}" if context else piece, tokens, self._page(start), 0)

    def _count_piece(self, start: int, end: int) -> int:
        """Returns the tokens of [start, end): those of the text, but where a word was cut."""
        whole = start == 0 or self.text[start - 1].isspace()
        if whole and (end == len(self.text) or self.text[end].isspace()):
            return bisect_left(self.token_starts, end) - bisect_left(self.token_starts, start)
        return self.chunker.tokens.count(self.text[start:end])

    def _context(self, at: int) -> str:
        """Returns what goes before a chunk that starts here: headings above it, a table's header."""
        room = self.chunker.chunk_tokens // CONTEXT_SHARE
        titles = [heading.title for heading in self._above(at) if heading.start != at]
        while titles and self._count(" > ".join(titles)) > room:
            titles.pop(0)
        head = self._table_head(at)
        lines = [" > ".join(titles)] if titles else []
        if head and self._count(head) <= room:
            lines.append(head)
        return "\n".join(lines)

    def _above(self, at: int) -> tuple[Heading, ...]:
        """Returns the headings that a position stands under, outermost first."""
        last = bisect_right(self.heading_starts, at)
        return self.paths[last - 1] if last else ()

    def _table_head(self, at: int) -> str:
        for table in self.structure.tables:
            if table.head_end <= at < table.end:
                return self.text[table.start : table.head_end].rstrip("\n")
        return ""

    def _count(self, context: str) -> int:
        if context not in self.counts:
            self.counts[context] = self.chunker.tokens.count(context)
        return self.counts[context]


def _paths(headings: list[Heading]) -> Iterator[tuple[Heading, ...]]:
    """Yields for every heading the headings that it stands under, and itself."""
    path: list[Heading] = []
    for heading in headings:
        while path and path[-1].level >= heading.level:
            path.pop()
        path.append(heading)
        yield tuple(path)
