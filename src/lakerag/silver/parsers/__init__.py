"""Parsers by suffix: the bytes of a file become a document, or a reason why not."""

import gzip
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import PurePosixPath

from lakerag.silver.decoding import decode
from lakerag.silver.parsers.base import Limits, Parsed, RefusedError
from lakerag.silver.parsers.delimited import parse_csv
from lakerag.silver.parsers.html import declared_charset, parse_html
from lakerag.silver.parsers.json_records import parse_json, parse_jsonl
from lakerag.silver.parsers.mail import parse_mail
from lakerag.silver.parsers.markdown import parse_markdown, parse_mdx
from lakerag.silver.parsers.office import is_encrypted_package, parse_docx, parse_pptx, parse_xlsx
from lakerag.silver.parsers.pdf import parse_pdf
from lakerag.silver.parsers.plain import parse_plain
from lakerag.silver.parsers.sniffing import binary_format

TextParser = Callable[[str], Parsed]
BinaryParser = Callable[[bytes, Limits], Parsed]

TEXT_PARSERS: Mapping[str, TextParser] = {
    **dict.fromkeys((".md", ".markdown"), parse_markdown),
    **dict.fromkeys((".html", ".htm", ".xhtml"), parse_html),
    **dict.fromkeys(("", ".txt", ".text", ".log", ".rst", ".adoc", ".asciidoc", ".org"), parse_plain),
    **dict.fromkeys((".csv", ".tsv"), parse_csv),
    ".mdx": parse_mdx,
}
"""Formats that are text once decoded; a name without a suffix is judged by its content."""

RECORD_PARSERS: Mapping[str, Callable[[str, Sequence[str]], Parsed]] = {
    **dict.fromkeys((".jsonl", ".ndjson"), parse_jsonl),
    ".json": parse_json,
}
"""Formats of text whose records have fields."""

BINARY_PARSERS: Mapping[str, BinaryParser] = {
    ".eml": lambda content, _: parse_mail(content),
    ".pdf": parse_pdf,
    ".docx": parse_docx,
    ".pptx": parse_pptx,
    ".xlsx": parse_xlsx,
}
"""Formats that know their own encoding."""

_FORMATS = {
    ".pdf": "PDF",
    **dict.fromkeys((".docx", ".pptx", ".xlsx", ".odt", ".epub", ".zip"), "ZIP"),
    **dict.fromkeys((".doc", ".ppt", ".xls", ".msg"), "OLE"),
}
"""Suffixes whose bytes begin with a known mark."""


def parse(path: str, content: bytes, limits: Limits, text_fields: Sequence[str] = ()) -> Parsed:
    """Parses the bytes of one file.

    Args:
        path: Its path; the suffix of the name says what it should be.
        content: The raw bytes.
        limits: What it may cost.
        text_fields: Fields of JSON records that are their text; none: all are.

    Raises:
        RefusedError: It cannot become a document.
    """
    if not content:
        raise RefusedError("empty", "The file has no bytes.")
    name = PurePosixPath(path)
    suffix = name.suffix.lower()
    if suffix == ".gz":
        return parse(name.stem, _inflate(content, limits), limits, text_fields)
    if suffix in TEXT_PARSERS:
        return _parse_text(TEXT_PARSERS[suffix], content)
    if records := RECORD_PARSERS.get(suffix):
        return _parse_text(lambda text: records(text, text_fields), content)
    expected, found = _FORMATS.get(suffix, ""), binary_format(content)
    if expected == "ZIP" and is_encrypted_package(content):
        raise RefusedError("encrypted", "The document needs a password.")
    if expected and expected != found:
        raise RefusedError(
            "type_mismatch", f"Expected {expected} by the suffix {suffix}, found {found or 'other'} bytes."
        )
    if suffix in BINARY_PARSERS:
        return BINARY_PARSERS[suffix](content, limits)
    raise RefusedError("unsupported", f"There is no parser for {suffix}.")


def _parse_text(parser: TextParser, content: bytes) -> Parsed:
    if found := binary_format(content):
        raise RefusedError("binary", f"Expected text by the name, found {found}.")
    text, flags = decode(content, declared_charset(content) if parser is parse_html else "")
    parsed = parser(text)
    return replace(parsed, flags=(*flags, *parsed.flags))


def _inflate(content: bytes, limits: Limits) -> bytes:
    """Unpacks all members of a gzip file (RFC 1952) within the limits; a bomb is refused before it is in memory."""
    allowed = min(limits.inflated_bytes, max(2**20, limits.inflation_ratio * len(content)))
    try:
        with gzip.open(BytesIO(content)) as members:
            inflated = members.read(allowed + 1)
    except EOFError as error:
        raise RefusedError("corrupt", "The gzip data ends too early.") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise RefusedError("corrupt", f"Expected gzip, found damaged data ({error}).") from error
    if len(inflated) > allowed:
        raise RefusedError("decompression_limit", f"{len(content)} bytes expand to more than {allowed}.")
    return inflated
