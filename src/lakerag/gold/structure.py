"""Where a Markdown text may be cut, with exact positions: headings, blocks, lines, sentences."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

HEADING, BLOCK, LINE, SENTENCE = 4, 3, 2, 1
"""Strength of a cut: before a heading, between blocks, before a code line, row, item or paragraph, after a sentence."""

_HEADING = re.compile(r"(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_ROW = re.compile(r"[ \t]*\||[^|`]*[^|`\s] \| ")
_RULE_ROW = re.compile(r"[ \t]*\|?[ \t:|-]*-[ \t:|-]*$")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]")
_WIKI_HEADING = re.compile(r"[ \t]*(={1,6}|=(?: =){1,5})[ \t]+([^=\s].*?)[ \t]+\1[ \t]*$")
"""MediaWiki's; with spaces between the marks as corpora that part words have them."""
_SENTENCE_END = re.compile(
    r"[.!?\u3002\uff01\uff1f](?:(?<=[.!?])[\"')\]]*[ \t\n]+(?=[\"'(\[]?[A-Z0-9])|(?<=[\u3002\uff01\uff1f]))"
)
_CAPITAL = re.compile(r"[A-Z]")
_CASELESS_END = re.compile(
    r"(?:(?<=\w{4})|(?<=[\d%)]))[.!?][\"')\]]*[ \t\n]+|[\u061f\u0964][ \t\n]+|[\u3002\uff01\uff1f]"
)
"""Ends of sentences where none begins with a capital: after a number, or a word longer than most abbreviations."""
_PARAGRAPH_CHARS = 160
"""A line of text that is longer was not wrapped: it is a whole paragraph."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading line; `level` 1 is the outermost."""

    start: int
    end: int
    level: int
    title: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its header rows are text[start:head_end]."""

    start: int
    head_end: int
    end: int


@dataclass(frozen=True, slots=True)
class Structure:
    """Cuts as (position, strength) in order, without 0 and the end; headings and tables in order."""

    cuts: list[tuple[int, int]]
    headings: list[Heading]
    tables: list[Table]


@dataclass(slots=True)
class _Block:
    kind: str
    """heading, text, list, table or code; empty between blocks."""
    lines: list[tuple[int, int]]


def structure(text: str) -> Structure:
    """Returns where a Markdown text may be cut.

    A heading is never cut from the first block below it, and the header of a table never
    from its first row.
    """
    cuts: dict[int, int] = {}
    headings: list[Heading] = []
    tables: list[Table] = []
    above: Heading | None = None  # the heading that ended just before this block
    for block in _blocks(text):
        start, end = block.lines[0][0], block.lines[-1][1]
        heading = _heading(text, block)
        if above is None or (heading is not None and heading.level <= above.level):
            cuts[start] = HEADING if heading else BLOCK
        above = heading
        if heading:
            headings.append(heading)
        head_end = _head_end(text, block)
        if head_end:
            tables.append(Table(start, head_end, end))
        cuts.update((at, strength) for at, strength in _inner(text, block) if at > head_end)
    cuts.pop(0, None)
    return Structure(sorted(cuts.items()), headings, tables)


def _heading(text: str, block: _Block) -> Heading | None:
    start, end = block.lines[0]
    match = _heading_of(text[start:end].rstrip("\n")) if block.kind == "heading" else None
    return Heading(start, end, len(match[1].replace(" ", "")), match[2]) if match else None


def _head_end(text: str, block: _Block) -> int:
    """Returns the end of a table's header rows; 0 where the block is no table with a header and rows."""
    if block.kind != "table" or len(block.lines) < 3:
        return 0
    start, end = block.lines[1]
    return end if _RULE_ROW.match(text[start:end].rstrip("\n")) else 0


def _inner(text: str, block: _Block) -> Iterator[tuple[int, int]]:
    """Yields the cuts inside a block."""
    if block.kind in ("text", "list"):
        first, end = block.lines[0][0], block.lines[-1][1]
        caseless = block.kind == "text" and not _CAPITAL.search(text, first, end)
        sentence_end = _CASELESS_END if caseless else _SENTENCE_END
        yield from ((m.end(), SENTENCE) for m in sentence_end.finditer(text, first, end) if m.end() < end)
    if block.kind == "text":
        yield from ((end, LINE) for start, end in block.lines[:-1] if end - start > _PARAGRAPH_CHARS)
    for start, end in block.lines[1:]:
        if block.kind in ("code", "table") or (block.kind == "list" and _ITEM.match(text[start:end])):
            yield start, LINE


def _blocks(text: str) -> Iterator[_Block]:
    """Yields the blocks in order; blank lines part them and belong to none, but inside a fence."""
    block, fence = _Block("", []), ""
    end = 0
    for line in text.split("\n"):
        start, end = end, min(end + len(line) + 1, len(text))
        if start == end:
            break  # behind the last newline
        if fence:
            block.lines.append((start, end))
            mark = line.strip()
            if mark.startswith(fence) and not mark.strip(fence[0]):
                fence = ""
                yield block
                block = _Block("", [])
            continue
        opened = _FENCE.match(line) if "```" in line or "~~~" in line else None
        kind = "code" if opened else _kind(line, block.kind)
        if block.lines and (opened or kind != block.kind or kind == "heading"):
            yield block
            block = _Block("", [])
        if not kind:
            block = _Block("", [])
            continue
        if not block.lines:
            block = _Block(kind, [])
        block.lines.append((start, end))
        fence = opened[1] if opened else ""
    if block.lines:
        yield block


def _heading_of(line: str) -> "re.Match[str] | None":
    """Returns the marks and the title of a heading line."""
    found = _HEADING.match(line) if line.startswith("#") else None
    return found or (_WIKI_HEADING.match(line) if "=" in line else None)


def _kind(line: str, before: str) -> str:
    if not line.strip():
        return ""
    if _heading_of(line):
        return "heading"
    if ("|" in line and _ROW.match(line)) or (before == "table" and _RULE_ROW.match(line)):
        return "table"
    return "list" if _ITEM.match(line) or before == "list" else "text"
