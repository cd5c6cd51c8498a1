"""PDF gives its text page by page; what has none, or needs a password, is refused."""

import io

import pytest
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from lakerag.silver.documents import Recipe, to_document
from lakerag.silver.parsers import parse
from lakerag.silver.parsers.base import Limits, RefusedError
from lakerag.silver.parsers.pdf import without_running_lines


def pdf(*pages: list[str], bookmarks: tuple[tuple[str, int], ...] = (), password: str = "") -> bytes:
    """A PDF with one line of Helvetica under the other."""
    writer = PdfWriter()
    font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    reference = writer._add_object(DictionaryObject({NameObject(k): NameObject(v) for k, v in font.items()}))
    for lines in pages:
        page = writer.add_blank_page(595, 842)
        fonts = DictionaryObject({NameObject("/F1"): reference})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        stream = DecodedStreamObject()
        shown = "".join(f"({line}) Tj 0 -20 Td " for line in lines)
        stream.set_data(f"BT /F1 12 Tf 72 720 Td {shown}ET".encode())
        page[NameObject("/Contents")] = writer._add_object(stream)
    for title, page_number in bookmarks:
        writer.add_outline_item(title=title, page_number=page_number)
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    writer.close()
    return out.getvalue()


def reason(content: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(RefusedError) as refused:
        parse("a.pdf", content, limits or Limits())
    return refused.value.reason


def test_pages_and_bookmarks_become_spans_and_headings() -> None:
    content = pdf(["Manual", "Read me first."], ["Install", "Turn the key."], bookmarks=(("Install", 1),))
    document = to_document("a.pdf", "x", content, Recipe("docs"))
    assert document["metadata"] == {"pages": "2"}
    text, starts = document["text"], document["page_starts"]
    assert text[: starts[1]].split() == ["Manual", "Read", "me", "first."]
    assert text[starts[1] :].strip() == "# Install\n\nTurn the key."


def test_an_empty_page_keeps_its_number() -> None:
    document = to_document("a.pdf", "x", pdf([], ["One"], [], ["Two"]), Recipe("docs"))
    starts = document["page_starts"]
    assert [document["text"][a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)] == [
        *("", "One", "", "Two")
    ]


def test_running_heads_go_and_page_numbers_with_them() -> None:
    pages = [f"Handbook 2024\nText {word}\nmore\nof {word}\nPage {n} of 4" for n, word in enumerate("abcd", 1)]
    bodies, removed = without_running_lines(pages)
    assert bodies == [f"Text {word}\nmore\nof {word}" for word in "abcd"]
    assert removed == 8
    assert without_running_lines(pages[:2]) == (pages[:2], 0)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (pdf(["secret"], password="key"), "encrypted"),
        (pdf([], []), "empty"),
        (pdf(["One"])[:300], "corrupt"),
        (b"plain words", "type_mismatch"),
    ],
)
def test_what_gives_no_text_is_refused(content: bytes, expected: str) -> None:
    assert reason(content) == expected


def test_an_expanding_stream_is_refused() -> None:
    writer = PdfWriter(io.BytesIO(pdf(["A" * 100_000])))
    for page in writer.pages:
        page.compress_content_streams()
    out = io.BytesIO()
    writer.write(out)
    writer.close()
    assert reason(out.getvalue(), Limits(inflated_bytes=10_000)) == "decompression_limit"
