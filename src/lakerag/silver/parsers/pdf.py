"""PDF: the text layer page by page, with bookmarks as headings; scans have none and are refused."""

import io
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lakerag.silver.parsers.base import PAGE_BREAK, Limits, Parsed, RefusedError

MIN_REPEATS = 3
"""Pages that a running line stands on at least."""

REPEATED_SHARE = 0.6
"""Share of the pages that a running line stands on at least."""

EDGE_LINES = 2
"""Lines at the top and at the bottom of a page that may be running heads and feet."""

MAX_HEADING_LEVEL = 6
Bookmark = tuple[int, int, str]
"""Page from 0, level from 1, title."""
_BOUNDS = ("zlib_maximum_output_length", "lzw_maximum_output_length", "run_length_maximum_output_length")
_DIGITS = re.compile(r"\d+")


def parse_pdf(content: bytes, limits: Limits) -> Parsed:
    """Parses a PDF; a form feed parts its pages.

    Running heads and feet (page numbers aside the same on most pages) are left out and
    counted in the flags.

    Raises:
        RefusedError: `encrypted` where a password is needed, `corrupt` where the file is
            damaged, `empty` where no page has text, `parse_limit` where a stream expands
            beyond the limit.
    """
    from pypdf.errors import DependencyError, FileNotDecryptedError, LimitReachedError, PyPdfError

    try:
        pages, marks, title = _read(content, limits)
    except (FileNotDecryptedError, DependencyError) as error:
        raise RefusedError("encrypted", f"The PDF cannot be decrypted ({error}).") from error
    except LimitReachedError as error:
        raise RefusedError("decompression_limit", f"A stream of the PDF is too long ({error}).") from error
    except PyPdfError as error:
        raise RefusedError("corrupt", f"Expected a PDF, found damaged data ({error}).") from error
    if not any(page.strip() for page in pages):
        raise RefusedError("empty", f"None of {len(pages)} pages has a text layer.")
    bodies, removed = without_running_lines(pages)
    texts = [_with_headings(body, [mark for mark in marks if mark[0] == n]) for n, body in enumerate(bodies)]
    flags = (f"removed_running_lines:{removed}",) if removed else ()
    return Parsed(f"\n{PAGE_BREAK}".join(texts), title, {"pages": str(len(pages))}, flags, paged=True)


def _read(content: bytes, limits: Limits) -> tuple[list[str], list[Bookmark], str]:
    from pypdf import PdfReader, apply_configuration

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it says of every damage what the refusal says
    bounds: dict[str, Any] = dict.fromkeys(_BOUNDS, limits.inflated_bytes)
    with apply_configuration(**bounds), PdfReader(io.BytesIO(content)) as reader:
        if reader.is_encrypted and not reader.decrypt(""):
            raise RefusedError("encrypted", "The PDF needs a password.")
        pages = list(_page_texts(reader, limits))
        title = str(reader.metadata.get("/Title") or "") if reader.metadata else ""
        return pages, list(_bookmarks(reader, reader.outline, 1)), title


def _page_texts(reader: Any, limits: Limits) -> Iterator[str]:
    chars = 0
    for page in reader.pages:
        text = page.extract_text()
        chars += len(text)
        if chars > limits.inflated_bytes:
            raise RefusedError("decompression_limit", f"The pages hold more than {limits.inflated_bytes} characters.")
        yield text


def without_running_lines(pages: Sequence[str]) -> tuple[list[str], int]:
    """Returns the pages without their running heads and feet, and how many lines those were."""
    lines = [page.strip().split("\n") for page in pages]
    seen = Counter(key for page in lines for key in {_key(page[at]) for at in _edges(page)})
    often = max(MIN_REPEATS, REPEATED_SHARE * len(pages))
    running = {key for key, count in seen.items() if key and count >= often}
    removed = 0
    bodies = []
    for page in lines:
        dropped = _running_edges(page, running)
        removed += len(dropped)
        bodies.append("\n".join(line for at, line in enumerate(page) if at not in dropped))
    return bodies, removed


def _edges(page: Sequence[str]) -> Iterable[int]:
    return {*range(min(EDGE_LINES, len(page))), *range(max(0, len(page) - EDGE_LINES), len(page))}


def _running_edges(page: Sequence[str], running: set[str]) -> set[int]:
    return {at for at in _edges(page) if _key(page[at]) in running}


def _key(line: str) -> str:
    return _DIGITS.sub("0", " ".join(line.split()).casefold())


def _bookmarks(reader: Any, outline: Sequence[Any], level: int) -> Iterator[Bookmark]:
    """Yields the bookmarks in order; one that leads nowhere is passed over."""
    for entry in outline:
        if isinstance(entry, list):
            yield from _bookmarks(reader, entry, min(level + 1, MAX_HEADING_LEVEL))
        elif (page := reader.get_destination_page_number(entry)) is not None:
            yield page, level, str(entry.title or "")


def _with_headings(page: str, marks: Sequence[Bookmark]) -> str:
    """Marks the lines that are the titles of bookmarks as headings."""
    lines = page.split("\n")
    places = {_key(line): at for at, line in reversed(list(enumerate(lines)))}
    for _, level, title in marks:
        at = places.get(_key(title)) if title.strip() else None
        if at is not None and not lines[at].startswith("#"):
            lines[at] = f"\n{'#' * level} {' '.join(lines[at].split())}\n"
    return "\n".join(lines)
