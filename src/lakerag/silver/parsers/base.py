"""What a parser takes and gives: limits, a parsed document, a reason to refuse."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lakerag.errors import TerminalError
from lakerag.tables import TOO_LARGE

ADVICE = {
    "bad_name": "Rename the file to valid UTF-8 without U+FFFD.",
    "binary": "Convert it to text, or give the file the suffix of its real format.",
    "corrupt": "Restore the file from its origin; it is damaged or was cut.",
    "decompression_limit": "Unpack it yourself if you trust it; it expands beyond the limit.",
    "empty": "Nothing to index; delete the file, or run text recognition on a scan.",
    "encrypted": "Remove the password and save the file again.",
    "not_natural_text": "Encoded data is not searchable; decode it, or ignore the file.",
    "parse_limit": "Split the file into smaller or flatter ones, or raise the limits.",
    TOO_LARGE: "Split the file, or raise source.max_file_bytes and run again.",
    "type_mismatch": "Give the file the suffix of its real format.",
    "unreadable": "Give read permission; replace a link that leads out of the root by its file.",
    "unsupported": "Convert it to Markdown, HTML or text, or name it in source.ignore.",
}
"""Stable reason codes of the quarantine, each with what to do about it."""


class RefusedError(TerminalError):
    """A file version that cannot become a document.

    Args:
        reason: A key of `ADVICE`.
        detail: What was found.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail} {ADVICE[reason]}", reason=reason)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what one file may cost; each keeps a hostile file from stopping a run."""

    seconds: float = 30.0
    """Time to parse and clean one file."""
    inflated_bytes: int = 64 * 2**20
    """Length of a file after decompression."""
    inflation_ratio: int = 200
    """Inflated bytes for one packed byte; text packs about 3 to 10 times."""


PAGE_BREAK = "\f"
"""Stands where a page begins in a parsed text that has pages, but for the first."""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row of a table that is not part of its document."""

    line: int
    """Where it begins in the file, from 1; its number where a file has no lines."""
    reason: str
    """Stable code: fields, quote, not_json, not_object, no_text."""
    detail: str
    """What was found."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document before cleaning."""

    text: str
    """Markdown."""
    title: str = ""
    """Declared by the document itself; empty: none."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Declared facts: text, lists and mappings of text."""
    flags: tuple[str, ...] = ()
    """Quality flags; `name:count` where something was counted."""
    refused_rows: tuple[RefusedRow, ...] = ()
    """Rows left out, one by one."""
    paged: bool = False
    """Whether form feeds in the text are page breaks."""
