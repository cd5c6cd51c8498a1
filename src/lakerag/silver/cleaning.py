"""Text of any origin as text that can be stored, compared and indexed."""

import re
import unicodedata

import ftfy

from lakerag.silver.parsers.base import RefusedError

LONG_RUN = 200
"""Characters of script with spaces between words that no word reaches."""

_NEWLINES = re.compile("[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029](?:(?<=\r)\n)?")
_NEWLINES_IN_PAGES = re.compile("[\r\x0b\x1c-\x1e\x85\u2028\u2029](?:(?<=\r)\n)?")
_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[@-Z\\-_])")
"""ANSI escape sequences (ECMA-48): colours, cursor moves, window titles."""
_UNSTORABLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f"  # controls
    "\u202a-\u202e\u2066-\u2069"  # bidirectional overrides and isolates: they hide what is read
    "\ufeff\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff]"  # marks, noncharacters, lone surrogates
)
_BLANK = re.compile("[\\s\u200b-\u200f\u2060\u00ad\ufffd]*")
_MOJIBAKE = re.compile(
    "[\u00c2-\u00f4][\u0080-\u00bf\u0152-\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2026\u20ac\u2122]"
)
"""A UTF-8 lead byte and a continuation byte, both read as Windows-1252: worth a closer look."""
_UNBROKEN = re.compile(rf"[!-~\u00a1-\u024f]{{{LONG_RUN},}}")


def clean(text: str, *, paged: bool = False) -> tuple[str, tuple[str, ...]]:
    """Returns storable text, NFC, lines ended by a newline, and flags of what was done.

    Args:
        text: Decoded text.
        paged: Keep form feeds, which part pages.

    Raises:
        RefusedError: `empty` where nothing is left to read, `not_natural_text` where most
            of it is one unbroken run (encoded data).
    """
    text, removed = _without_controls((_NEWLINES_IN_PAGES if paged else _NEWLINES).sub("\n", text))
    flags = [f"removed_controls:{removed}"] if removed else []
    repaired = _repair(text)
    if repaired != text:
        flags.append("repaired_mojibake")
    lines = unicodedata.normalize("NFC", repaired).split("\n")
    text = "\n".join(line.rstrip(" \t\xa0") for line in lines).strip("\n")
    if _BLANK.fullmatch(text):
        raise RefusedError("empty", "Expected text, found none.")
    _refuse_encoded(text)
    return text, tuple(flags)


def clean_line(text: str) -> str:
    """Returns a short text (a title, a fact) storable and on one line; perhaps empty."""
    bare, _ = _without_controls(" ".join(text.split()))
    return unicodedata.normalize("NFC", _repair(bare)).strip()


def _without_controls(text: str) -> tuple[str, int]:
    text, escapes = _TERMINAL.subn("", text)
    text, controls = _UNSTORABLE.subn("", text)
    return text, escapes + controls


def _repair(text: str) -> str:
    """Undoes UTF-8 that was read as another encoding, line by line, where it is evident."""
    if not _MOJIBAKE.search(text):
        return text
    lines = (ftfy.fix_encoding(line) if _MOJIBAKE.search(line) else line for line in text.split("\n"))
    return "\n".join(lines)


def _refuse_encoded(text: str) -> None:
    longest = sum(len(run) for run in _UNBROKEN.findall(text)) if len(text) > 50 * LONG_RUN else 0
    if longest > len(text) // 2:
        raise RefusedError("not_natural_text", f"{longest} of {len(text)} characters stand in unbroken runs.")
