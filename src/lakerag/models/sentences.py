"""Cuts a passage into the pieces that an extractive answer may quote.

A piece is a sentence, a list item, a table row or a code block, given by its characters,
so that every quotation is verbatim. Headings, separators and other furniture are no
pieces. A sentence that introduces a block ("Run the following command:") owns it.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["prose", "item", "row", "code"]
_LineKind = Literal["prose", "item", "table", "code", "blank", "barrier"]


@dataclass(frozen=True, slots=True)
class Piece:
    """One quotable piece of a passage; all positions are characters of the passage's text."""

    kind: Kind
    start: int
    end: int
    """End of the sentence, item, row or block itself."""
    block_end: int
    """End of the block that it introduces; `end` where it introduces none."""
    read: str
    """What a scorer reads: without marks, a row's cells under their column names."""
    intro: str = ""
    """The sentence above a list or table that says what its entries are."""


@dataclass(frozen=True, slots=True)
class _Block:
    """Consecutive lines of one kind, or one list item with the lines that go on with it."""

    kind: _LineKind
    start: int
    end: int


_FENCE = re.compile(r"\s*(?:>\s*)?(`{3,}|~{3,})")
_HEADING = re.compile(r"\s*#{1,6}(\s|$)")
_ITEM = re.compile(r"\s*(?:>\s*)?(?:[-*+•]|\d{1,3}[.)])\s+(?=\S)")
_ROW = re.compile(r"\s*\|.*\|\s*$")
_RULE_ROW = re.compile(r"[\s|:-]*$")
_CODE_LINE = re.compile(r"\s*`[^`]+`\s*$")
_FURNITURE = re.compile(
    r"""\s*(?:>\s*)?(?:[-=*_~]{3,}           # rules, underlines of headings
    |:{3,}.*                                 # admonition fences
    |\[!\w+\].*                              # admonition labels
    |<[^>]*>                                 # a lone tag
    |!\[[^\]]*\]\([^)]*\)                    # a lone image
    |\[[^\]]*\]\([^)]*\)                     # a lone link
    |(?:©|copyright\b|all\ rights\ reserved|edit\ this\ page|table\ of\ contents|was\ this\ page\ helpful).*
    |\W*)$""",
    re.VERBOSE | re.IGNORECASE,
)
_SENTENCE_END = re.compile(
    r"""[.!?\u2026]+["'\u201d\u2019)\]*_`]*(?:\[\d+\])*\s+(?=["'\u201c\u2018(\[*_`]*[^\Wa-z_])  # no small letter comes
    |[\u3002\uff01\uff1f]+["'\u201d\u2019\u300d\u300f\uff09]*    # full-width marks need no white space""",
    re.VERBOSE,
)
_ABBREVIATION = re.compile(
    r"""(?:\b[A-Z]                           # initials
    |\b(?i:(?:[a-z]\.)+[a-z]                 # U.S., e.g.
    |mr|mrs|ms|dr|prof|st|sr|jr|vs|no|vol|fig|eq|pp|ca|cf|gen|col|lt|capt|sgt|rev|hon|gov|sen|rep|inc|ltd
    |co|corp|approx|dept|est|ed|eds|al|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec))\.\s+$""",
    re.VERBOSE,
)
_LONE_LINK = re.compile(r"\[[^\]]*\]\([^)]*\)\W*$")
_ANNOUNCEMENT = re.compile(
    r"(?:this|the following) (?:topic|page|guide|article|section|chapter|document|tutorial)s? "
    r"(?:describe|explain|show|introduce|cover|provide|list|demonstrate|discusse|walk)s?\b"
    r"|(?:for (?:more|further) (?:information|details)\b|see (?:also\b|the )?.*\bfor (?:more|further|details)\b)",
    re.IGNORECASE,
)
_HAS_WORD = re.compile(r"[^\W_]")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
_MARKS = re.compile(r"\*\*|__|`+|(?<!\w)[*_](?=\w)|(?<=\w)[*_](?!\w)|^\s*>\s?", re.MULTILINE)


def cut_into_pieces(text: str) -> list[Piece]:
    r"""Returns the pieces of a passage, in their order.

    >>> text = "# Build\n\nInstall it first. Then run:\n\n```\nmake\n```"
    >>> [text[piece.start : piece.block_end] for piece in cut_into_pieces(text)]
    ['Install it first.', 'Then run:\n\n```\nmake\n```']
    """
    pieces: list[Piece] = []
    owner = intro = -1  # the piece that takes a code block; the one that takes a list or table
    for block in _blocks(text):
        if block.kind == "barrier":
            owner = intro = -1
        elif block.kind == "code" and owner >= 0:
            pieces[owner] = replace(pieces[owner], block_end=block.end)
        elif block.kind == "prose":
            pieces += _sentences(text, block.start, block.end, "prose")
            owner = len(pieces) - 1
            intro = owner if text[: block.end].rstrip("*_ ").endswith((":", "\uff1a")) else -1
        else:
            said = pieces[intro].read if intro >= 0 else ""
            pieces += [replace(entry, intro=said) for entry in _entries(text, block)]
            owner = len(pieces) - 1
            if intro >= 0:
                pieces[intro] = replace(pieces[intro], block_end=block.end)
    return [piece for piece in pieces if piece.block_end > piece.end or not _says_nothing(text, piece)]


def plain(text: str) -> str:
    """Returns Markdown text as it reads: link targets, emphasis and code marks left out, white space collapsed."""
    return " ".join(_MARKS.sub("", _LINK.sub(r"\1", text)).split())


def _says_nothing(text: str, piece: Piece) -> bool:
    """Tells whether a piece only says where something is said: a lone link, "This page describes ..."."""
    return bool(_LONE_LINK.match(text[piece.start : piece.end]) or _ANNOUNCEMENT.match(piece.read))


def _entries(text: str, block: _Block) -> list[Piece]:
    if block.kind == "item":
        mark = _ITEM.match(text, block.start)
        return _sentences(text, mark.end() if mark else block.start, block.end, "item")
    if block.kind == "table":
        return _rows(text, block)
    return [Piece("code", block.start, block.end, block.end, plain(text[block.start : block.end]))]


def _blocks(text: str) -> Iterator[_Block]:
    """Joins lines to blocks; a line of prose right below a list item goes on with the item."""
    open_block: _Block | None = None
    for line in _lines(text):
        goes_on = open_block is not None and (
            (line.kind == open_block.kind and line.kind != "item")
            or (line.kind == "prose" and open_block.kind == "item")
        )
        if open_block is not None and goes_on:
            open_block = replace(open_block, end=line.end)
            continue
        if open_block is not None:
            yield open_block
        open_block = None if line.kind == "blank" else line
    if open_block is not None:
        yield open_block


def _lines(text: str) -> Iterator[_Block]:
    """Yields every line with its kind, without the white space around it; a fenced block is one line."""
    fence, opened = "", 0
    for match in re.finditer(r"[^\n]*(?:\n|$)", text):
        line = match[0]
        start = match.start() + len(line) - len(line.lstrip())
        end = match.start() + len(line.rstrip())
        if fence:
            if line.strip(" >\t\n").startswith(fence):
                yield _Block("code", opened, end)
                fence = ""
        elif opening := _FENCE.match(line):
            fence, opened = opening[1], start
        else:
            yield _Block(_line_kind(line), start, max(start, end))
    if fence:
        yield _Block("code", opened, len(text.rstrip()))


def _line_kind(line: str) -> _LineKind:
    if not line.strip():
        return "blank"
    if _ROW.match(line):
        return "table"
    if _HEADING.match(line) or _FURNITURE.match(line):
        return "barrier"
    if _CODE_LINE.match(line):
        return "code"
    return "item" if _ITEM.match(line) else "prose"


def _sentences(text: str, start: int, end: int, kind: Kind) -> list[Piece]:
    ends = (match.end() for match in _SENTENCE_END.finditer(text, start, end))
    cuts = [start, *(cut for cut in ends if _ABBREVIATION.search(text, start, cut) is None), end]
    pieces = [_piece(text, kind, first, last) for first, last in itertools.pairwise(cuts)]
    return [piece for piece in pieces if _HAS_WORD.search(piece.read)]


def _piece(text: str, kind: Kind, start: int, end: int) -> Piece:
    end = start + len(text[start:end].rstrip())
    return Piece(kind, start, end, end, plain(text[start:end]))


def _rows(text: str, block: _Block) -> list[Piece]:
    """Returns the rows of a table; where it has a header, a row reads "column: cell; column: cell"."""
    spans = [match.span() for match in re.finditer(r"\|[^\n]*\|", text[block.start : block.end])]
    spans = [(block.start + start, block.start + end) for start, end in spans]
    has_header = len(spans) > 1 and _RULE_ROW.match(text[slice(*spans[1])]) is not None
    columns = _cells(text[slice(*spans[0])]) if has_header else []
    rows = []
    for start, end in spans[2:] if has_header else spans:
        cells = _cells(text[start:end])
        named = [f"{name}: {cell}" for name, cell in zip(columns, cells, strict=False)] if columns else cells
        rows.append(Piece("row", start, end, end, "; ".join(named)))
    return [row for row in rows if _HAS_WORD.search(row.read)]


def _cells(row: str) -> list[str]:
    return [plain(cell) for cell in row.strip().strip("|").split("|")]
