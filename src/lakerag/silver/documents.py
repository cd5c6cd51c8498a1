"""One file version becomes one document, or one refusal."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any

from lakerag.config import Source
from lakerag.silver.cleaning import clean, clean_line
from lakerag.silver.deadline import DeadlineError, deadline
from lakerag.silver.language import identify
from lakerag.silver.parsers import parse
from lakerag.silver.parsers.base import ADVICE, PAGE_BREAK, Limits, Parsed, RefusedError
from lakerag.silver.parsers.json_records import parse_row
from lakerag.silver.parsers.markdown import first_heading
from lakerag.silver.personal_data import find_personal_data, mask
from lakerag.silver.rights import split_rights
from lakerag.silver.sidecars import merged_facts
from lakerag.tables import ROW_MIME, TOO_LARGE

CODE_VERSION = "3"
"""Raised whenever parsing or cleaning gives another result for the same bytes."""

DAMAGED_NAME = "\ufffd"
"""In a path: bronze wrote a byte that is no UTF-8 (`bronze/names.py`)."""

MAX_TITLE_CHARS = 500

HEADING_CHARS = 10_000
"""Where a heading that gives the title is looked for."""

PARSER_FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What libraries raise on damaged input they did not foresee; it must not stop the other files."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything besides the bytes that shapes a document."""

    source: str
    protected: bool = False
    limits: Limits = field(default_factory=Limits)
    mask: tuple[str, ...] = ()
    mask_patterns: tuple[tuple[str, str], ...] = ()
    text_fields: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: Source) -> "Recipe":
        """Returns the recipe that a source's settings ask for."""
        limits = Limits(source.parse_seconds, source.max_inflated_bytes, source.max_inflation_ratio)
        patterns = tuple(sorted(source.mask_patterns.items()))
        return cls(source.name, source.protected, limits, tuple(sorted(source.mask)), patterns, source.text_fields)

    @property
    def privacy(self) -> str:
        """Version of what is hidden, and from whom: 8 hexadecimal digits, the second part of `version`."""
        return _short_hash(self.protected, self.mask, self.mask_patterns)

    @property
    def version(self) -> str:
        return f"{CODE_VERSION}-{self.privacy}-{_short_hash(self.limits, self.text_fields)}"


def _short_hash(*settings: Any) -> str:
    return hashlib.sha256(repr(settings).encode()).hexdigest()[:8]


def document_id(source: str, path: str) -> str:
    """Returns the key of a document: 32 hexadecimal digits of the SHA-256 of source, NUL, path."""
    return hashlib.sha256(f"{source}\0{path}".encode()).hexdigest()[:32]


def to_document(
    path: str,
    content_sha256: str,
    content: bytes | None,
    recipe: Recipe,
    sidecars: Sequence[bytes | None] = (),
    mime: str = "",
) -> dict[str, Any]:
    """Returns the columns of a document, or `reason`, `detail` and `advice` of a refusal.

    Args:
        path: Path of the file.
        content_sha256: Its hash; empty where it could not be read.
        content: Its bytes; none where unread or over the size limit.
        recipe: How to parse it.
        sidecars: Bytes of the files that speak of it, outermost first.
        mime: `ROW_MIME` for a row of a table; any other is judged by its path.
    """
    try:
        with deadline(recipe.limits.seconds):
            return _document(path, _parsed(path, content_sha256, content, recipe, mime), recipe, sidecars)
    except RefusedError as refusal:
        return _refusal(refusal.reason, refusal.detail)
    except DeadlineError:
        return _refusal("parse_limit", f"Parsing took longer than {recipe.limits.seconds:g} s.")
    except (RecursionError, MemoryError) as error:
        return _refusal("parse_limit", f"Parsing gave up with {type(error).__name__}.")
    except PARSER_FAILURES as error:
        return _refusal("corrupt", f"Parsing failed with {type(error).__name__}: {error}"[:500])


def _refusal(reason: str, detail: str) -> dict[str, Any]:
    return {"reason": reason, "detail": detail, "advice": ADVICE[reason]}


def _readable(path: str, content_sha256: str, content: bytes | None) -> bytes:
    if DAMAGED_NAME in path:
        raise RefusedError("bad_name", "The file's name is not valid UTF-8.")
    if content is not None:
        return content
    if content_sha256:
        raise RefusedError(TOO_LARGE, "The file is longer than source.max_file_bytes.")
    raise RefusedError("unreadable", "The file may not be read, or is a link that leads out of the root.")


def _parsed(path: str, content_sha256: str, content: bytes | None, recipe: Recipe, mime: str) -> Parsed:
    readable = _readable(path, content_sha256, content)
    return parse_row(readable) if mime == ROW_MIME else parse(path, readable, recipe.limits, recipe.text_fields)


def _document(path: str, parsed: Parsed, recipe: Recipe, sidecars: Sequence[bytes | None]) -> dict[str, Any]:
    text, flags = clean(parsed.text, paged=parsed.paged)
    text, masked_flags = _masked(text, recipe)
    text, page_starts = _split_pages(text) if parsed.paged else (text, [])
    facts, sidecar_flags = merged_facts(sidecars)
    rights, metadata = split_rights({**facts, **parsed.metadata}, recipe.protected)
    title = _title((metadata.get("title"), parsed.title, first_heading(text[:HEADING_CHARS])), path)
    inherited = {
        "title": _masked(title, recipe)[0],
        "text": text,
        "page_starts": page_starts,
        "language": identify(text),
        "metadata": {clean_line(key): _masked(_scalar(value), recipe)[0] for key, value in metadata.items()},
        "tenant": rights.tenant,
        "acl_groups": list(rights.acl_groups),
        "path": path,
        "source": recipe.source,
    }
    return inherited | {
        "content_hash": hashlib.sha256(text.encode()).hexdigest(),
        "document_hash": _digest(inherited),
        "refused_rows": [asdict(row) for row in parsed.refused_rows],
        "quality_flags": [*parsed.flags, *flags, *masked_flags, *sidecar_flags],
    }


def _split_pages(text: str) -> tuple[str, list[int]]:
    """Returns the text with newlines for form feeds, and where each page begins."""
    starts = [0, *(match.end() for match in re.finditer(PAGE_BREAK, text))]
    return text.replace(PAGE_BREAK, "\n"), starts


def _title(candidates: Iterable[Any], path: str) -> str:
    """Returns the first title that says something, else the file's name."""
    for candidate in candidates:
        if isinstance(candidate, str) and (title := clean_line(candidate[:MAX_TITLE_CHARS])):
            return title
    return clean_line(PurePosixPath(path).stem)


def _masked(text: str, recipe: Recipe) -> tuple[str, tuple[str, ...]]:
    if not recipe.mask and not recipe.mask_patterns:
        return text, ()
    findings = find_personal_data(text, recipe.mask, dict(recipe.mask_patterns))
    counts = Counter(finding.kind for finding in findings)
    return mask(text, findings), tuple(f"masked_{kind}:{count}" for kind, count in sorted(counts.items()))


def _scalar(value: Any) -> str:
    return clean_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True))


def _digest(inherited: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(inherited, sort_keys=True).encode()).hexdigest()
