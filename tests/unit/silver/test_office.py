"""Office documents give their structure; bombs, passwords and damage are refused before they cost anything."""

import io
import zipfile

import docx
import openpyxl
import pptx
import pytest
from pptx.util import Inches

from lakerag.silver.documents import Recipe, to_document
from lakerag.silver.parsers import parse
from lakerag.silver.parsers.base import Limits, RefusedError

LAUGHS = (
    b'<!DOCTYPE x [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 20) for n in range(9))
    + b"]>"
)


def saved(document) -> bytes:
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def word() -> bytes:
    document = docx.Document()
    document.core_properties.title = "Pump manual"
    document.add_heading("Install", 1)
    document.add_paragraph("Turn the key.")
    document.add_paragraph("first", style="List Bullet")
    table = document.add_table(2, 2)
    for cell, text in zip((*table.rows[0].cells, *table.rows[1].cells), ("Part", "No", "a|b", "7"), strict=True):
        cell.text = text
    document.add_heading("Care", 2)
    return saved(document)


def reworked(content: bytes, member: str, change) -> bytes:
    """The package with one member changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, change(old.read(name)) if name == member else old.read(name))
    return out.getvalue()


def word_of(body: str) -> bytes:
    """A document with this body."""
    start = b"<w:body>"
    return reworked(saved(docx.Document()), "word/document.xml", lambda xml: xml.replace(start, start + body.encode()))


def w(name: str, *content: str) -> str:
    """An element of WordprocessingML."""
    return f"<w:{name}>{''.join(content)}</w:{name}>"


def run(text: str) -> str:
    return w("r", w("t", text))


def paragraph(*texts: str) -> str:
    return w("p", *map(run, texts))


def control(*content: str, properties: str = "") -> str:
    return w("sdt", w("sdtPr", properties), w("sdtContent", *content))


def reason(path: str, content: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(RefusedError) as refused:
        parse(path, content, limits or Limits())
    return refused.value.reason


def test_a_word_document_keeps_headings_lists_and_tables_in_order() -> None:
    parsed = parse("a.docx", word(), Limits())
    assert parsed.title == "Pump manual"
    assert parsed.text == (
        "# Install\n\nTurn the key.\n\n- first\n\n| Part | No |\n| --- | --- |\n| a\\|b | 7 |\n\n## Care"
    )


def test_content_controls_are_read_wherever_they_stand() -> None:
    row = w("tr", w("tc", paragraph("Pump"), control(paragraph("P-1"))), control(w("tc", paragraph("blue"))))
    content = word_of(
        control(w("p", '<w:pPr><w:pStyle w:val="Heading1"/></w:pPr>', run("Parts")))
        + w("p", run("Made by "), control(control(run("Acme"))), run("."))
        + w("tbl", "<w:tblPr/>", w("tblGrid", "<w:gridCol/>", "<w:gridCol/>"), control(row))
        + control(paragraph("The end"))
    )
    assert parse("a.docx", content, Limits()).text == (
        "# Parts\n\nMade by Acme.\n\n| Pump P-1 | blue |\n| --- | --- |\n\nThe end"
    )


def test_tracked_changes_are_read_as_if_accepted() -> None:
    deleted = w("del", w("r", w("delText", "25")))
    content = word_of(
        w("p", run("Leave is "), deleted, w("ins", run("30")), w("hyperlink", w("ins", run(" days"))))
        + w("p", w("pPr", w("rPr", "<w:ins/>")), w("moveTo", run("There")), w("moveFrom", run("here")))
        + w("p", w("ins", w("del", run("never"))))
    )
    assert parse("a.docx", content, Limits()).text == "Leave is 30 days\n\nThere"


def test_other_elements_around_text_are_read() -> None:
    names = ("smartTag", "customXml", "fldSimple", "bdo", "dir")
    content = word_of(w("p", *(w(name, run(f"{name} ")) for name in names)))
    assert parse("a.docx", content, Limits()).text == " ".join(names)


def test_a_table_of_contents_goes() -> None:
    gallery = w("docPartObj", '<w:docPartGallery w:val="Table of Contents"/>')
    content = word_of(control(paragraph("Install 1"), properties=gallery) + paragraph("Install"))
    assert parse("a.docx", content, Limits()).text == "Install"


@pytest.mark.parametrize(("depth", "refused"), [(100, None), (100_000, "corrupt")])
def test_content_controls_within_one_another_are_bounded(depth: int, refused: str | None) -> None:
    start, end = "<w:sdt><w:sdtContent>", "</w:sdtContent></w:sdt>"
    content = word_of(start * depth + paragraph("deep") * 1000 + end * depth)
    assert to_document("a.docx", "x", content, Recipe("docs")).get("reason") == refused


def test_slides_are_pages_with_their_notes() -> None:
    deck = pptx.Presentation()
    for title, body in (("Start", "Open the valve."), ("Stop", "Close it.")):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = body
    slide.notes_slide.notes_text_frame.text = "Say goodbye."
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = "In a group."
    document = to_document("a.pptx", "x", saved(deck), Recipe("docs"))
    second = document["page_starts"][1]
    assert document["text"][:second].strip() == "# Start\n\nOpen the valve."
    assert document["text"][second:].strip() == "# Stop\n\nClose it.\n\nIn a group.\n\nNotes: Say goodbye."
    assert document["metadata"] == {"pages": "2"}


def test_rows_of_a_sheet_repeat_their_headers() -> None:
    book = openpyxl.Workbook()
    for row in ((None, None), ("Part", "Price"), ("Pump", 3.5), (None, None), ("Valve", None)):
        book.active.append(row)
    book.create_sheet("Empty")
    other = book.create_sheet("Stock")
    other.append(("Part",))
    other.append(("Lamp",))
    parsed = parse("a.xlsx", saved(book), Limits())
    assert parsed.text == "# Sheet\n\nPart: Pump\nPrice: 3.5\n\nPart: Valve\n\n# Stock\n\nPart: Lamp"
    assert parsed.metadata == {"records": "3"}


def test_every_value_of_a_sheet_is_kept_under_names_that_repeat_or_are_missing() -> None:
    book = openpyxl.Workbook()
    for row in (("Part", "Q1", "Q1"), ("Pump", 10, 20, "late")):
        book.active.append(row)
    dimension = b'<dimension ref="A1:D2"/>'
    undimensioned = reworked(saved(book), "xl/worksheets/sheet1.xml", lambda xml: xml.replace(dimension, b""))
    for content in (saved(book), undimensioned):
        assert parse("a.xlsx", content, Limits()).text == "# Sheet\n\nPart: Pump\nQ1: 10\nQ1: 20\ncolumn 4: late"


def test_a_bomb_is_refused_by_its_directory() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("word/document.xml", bytes(8 * 2**20))
    assert reason("a.docx", out.getvalue()) == "decompression_limit"
    assert reason("a.xlsx", word(), Limits(inflated_bytes=1000)) == "decompression_limit"


def test_passwords_damage_and_other_kinds_are_told_apart() -> None:
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500) + "EncryptedPackage".encode("utf-16-le")
    assert reason("a.docx", ole) == "encrypted"
    assert reason("a.docx", ole[:400]) == "type_mismatch"
    assert reason("a.docx", word()[:-200]) == "corrupt"
    assert reason("a.pptx", word()) == "corrupt"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("readme.txt", "words")
    for suffix in ("docx", "pptx", "xlsx"):
        assert reason(f"a.{suffix}", out.getvalue()) == "corrupt"


@pytest.mark.parametrize(("suffix", "member"), [("docx", "word/document.xml"), ("xlsx", "xl/worksheets/sheet1.xml")])
def test_entities_are_never_expanded(suffix: str, member: str) -> None:
    book = openpyxl.Workbook()
    book.active.append(("Part",))
    book.active.append(("Pump",))
    content = word() if suffix == "docx" else saved(book)
    hostile = reworked(
        content, member, lambda xml: LAUGHS + xml.partition(b"?>")[2].replace(b"Pump", b"&j;").replace(b"key", b"&j;")
    )
    document = to_document(f"a.{suffix}", "x", hostile, Recipe("docs"))
    assert document.get("reason") in ("corrupt", "empty", None)
    assert "haha" not in document.get("text", "")
