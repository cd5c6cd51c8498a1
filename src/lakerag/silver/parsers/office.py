"""DOCX, PPTX and XLSX (ECMA-376): zip packages of XML, opened only once their size is known."""

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from xml.etree.ElementTree import ParseError

from lakerag.silver.parsers.base import PAGE_BREAK, Limits, Parsed, RefusedError
from lakerag.silver.parsers.records import to_block
from lakerag.silver.parsers.sniffing import binary_format

MAX_MEMBERS = 10_000
"""Files of a package."""

MAX_DEPTH = 20
"""Groups of shapes and tables in cells within one another."""

_WRAPPERS = ("w:sdt", "w:sdtContent", "w:ins", "w:moveTo", "w:smartTag", "w:customXml", "w:fldSimple", "w:bdo", "w:dir")
"""Content controls, tracked insertions and the like: around runs, paragraphs, rows or cells (ECMA-376 part 1, 17)."""

_DELETED = ("w:del", "w:moveFrom")

_CONTENTS = ".//w:sdt[w:sdtPr/w:docPartObj/w:docPartGallery/@w:val = 'Table of Contents']"

_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
"""Name of the stream that holds an encrypted package in its OLE container (MS-OFFCRYPTO)."""


def parse_docx(content: bytes, limits: Limits) -> Parsed:
    """Parses a word-processor document: headings, paragraphs, lists and tables in their order."""
    import docx

    document = _opened(content, limits, docx.Document)
    _unwrap(document.element.body)
    return Parsed("\n\n".join(_blocks(document)), document.core_properties.title or "")


def parse_pptx(content: bytes, limits: Limits) -> Parsed:
    """Parses a presentation; its slides are pages, notes follow their slide."""
    import pptx

    deck = _opened(content, limits, pptx.Presentation)
    pages = ["\n\n".join(_slide(slide)) for slide in deck.slides]
    if not any(pages):
        raise RefusedError("empty", f"None of {len(pages)} slides has text.")
    text = f"\n{PAGE_BREAK}".join(pages)
    return Parsed(text, deck.core_properties.title or "", {"pages": str(len(pages))}, paged=True)


def parse_xlsx(content: bytes, limits: Limits) -> Parsed:
    """Parses a workbook: rows as records under the names of their sheet's first row; values, not formulas."""
    import openpyxl

    workbook = _opened(
        content, limits, lambda file: openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
    )
    sections = []
    records = 0
    for sheet in workbook.worksheets:
        blocks = [block for fields in _records(sheet) if (block := to_block(fields))]
        if blocks:
            sections += [f"# {sheet.title}", *blocks]
            records += len(blocks)
    if not records:
        raise RefusedError("empty", "No sheet has rows below a header.")
    return Parsed("\n\n".join(sections), workbook.properties.title or "", {"records": str(records)})


def is_encrypted_package(content: bytes) -> bool:
    """Returns whether the bytes are an Office document behind a password: no zip, but an OLE container."""
    return binary_format(content) == "OLE" and _ENCRYPTED in content


def _opened(content: bytes, limits: Limits, open_package: Callable[[io.BytesIO], Any]) -> Any:
    """Opens a package within the limits.

    Raises:
        RefusedError: It is encrypted, damaged, of another kind, or expands beyond the limits.
    """
    _check_size(content, limits)
    try:
        return open_package(io.BytesIO(content))
    except (KeyError, ValueError, zipfile.BadZipFile, SyntaxError) as error:
        raise RefusedError("corrupt", f"Expected an Office document, found: {error}"[:300]) from error


def _check_size(content: bytes, limits: Limits) -> None:
    """Refuses a bomb by what its directory declares; zipfile never inflates a file beyond its declared size."""
    try:
        members = zipfile.ZipFile(io.BytesIO(content)).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise RefusedError("corrupt", f"Expected a zip package, found damaged data ({error}).") from error
    if any(member.flag_bits & 1 for member in members):
        raise RefusedError("encrypted", "Files of the package are encrypted.")
    allowed = min(limits.inflated_bytes, max(2**20, limits.inflation_ratio * len(content)))
    inflated = sum(member.file_size for member in members)
    if inflated > allowed or len(members) > MAX_MEMBERS:
        raise RefusedError(
            "decompression_limit", f"{len(content)} bytes expand to {inflated} in {len(members)} files, over {allowed}."
        )


def _unwrap(body: Any) -> None:
    """Puts in its place what stands inside other elements, where python-docx looks for nothing.

    A document reads as if all tracked changes were accepted. What a table of contents says, the headings say.
    """
    from docx.oxml.ns import qn
    from lxml import etree

    for contents in body.xpath(_CONTENTS):
        contents.getparent().remove(contents)
    etree.strip_elements(body, *map(qn, _DELETED), with_tail=False)
    etree.strip_tags(body, *map(qn, _WRAPPERS))


def _blocks(container: Any, depth: int = 0) -> Iterator[str]:
    """Yields the paragraphs and tables of a document or a cell as Markdown."""
    from docx.table import Table

    for item in container.iter_inner_content():
        if isinstance(item, Table):
            yield _table([[_cell(cell, depth) for cell in row.cells] for row in item.rows])
        elif text := item.text.strip():
            yield _paragraph(text, (item.style.name if item.style else "") or "")


def _paragraph(text: str, style: str) -> str:
    name, _, level = style.rpartition(" ")
    if style == "Title":
        return f"# {text}"
    if name == "Heading" and level.isdigit():
        return f"{'#' * min(int(level), 6)} {' '.join(text.split())}"
    return f"- {text}" if style.startswith("List") else text


def _cell(cell: Any, depth: int) -> str:
    if depth >= MAX_DEPTH:
        raise RefusedError("parse_limit", f"Tables are nested more than {MAX_DEPTH} deep.")
    return " ".join(_blocks(cell, depth + 1))


def _table(rows: Sequence[Sequence[str]]) -> str:
    cells = [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows]
    if not any(any(row) for row in cells):
        return ""
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([lines[0], "|" + " --- |" * len(cells[0]), *lines[1:]])


def _slide(slide: Any) -> Iterator[str]:
    title = slide.shapes.title
    if title is not None and title.text_frame.text.strip():
        yield f"# {' '.join(title.text_frame.text.split())}"
    yield from (text for text in _shapes(slide.shapes, None if title is None else title.shape_id) if text.strip())
    if slide.has_notes_slide and (notes := slide.notes_slide.notes_text_frame.text.strip()):
        yield f"Notes: {notes}"


def _shapes(shapes: Any, title_id: int | None, depth: int = 0) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise RefusedError("parse_limit", f"Shapes are grouped more than {MAX_DEPTH} deep.")
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes, title_id, depth + 1)
        elif shape.has_text_frame and shape.shape_id != title_id:
            yield "\n".join(paragraph.text for paragraph in shape.text_frame.paragraphs if paragraph.text.strip())
        elif getattr(shape, "has_table", False):
            yield _table([[cell.text for cell in row.cells] for row in shape.table.rows])


def _records(sheet: Any) -> Iterator[Iterable[tuple[str, str]]]:
    """Yields the rows of a sheet as (name, value), under the names of the first row that is not blank."""
    names: list[str] = []
    try:
        for row in sheet.iter_rows(values_only=True):
            values = ["" if value is None else str(value).strip() for value in row]
            if not any(values):
                continue
            if not names:
                names = [value or f"column {n}" for n, value in enumerate(values, 1)]
            else:
                names += [f"column {n}" for n in range(len(names) + 1, len(values) + 1)]
                yield zip(names, values, strict=False)
    except ParseError as error:
        raise RefusedError("corrupt", f"A sheet is damaged ({error}).") from error
