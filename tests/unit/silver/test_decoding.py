"""Text comes out of bytes in any encoding; what is no text is refused."""

import codecs
import random

import pytest

from lakerag.silver.decoding import decode
from lakerag.silver.parsers.base import RefusedError

PROSE = "Le préposé vérifie la température à la clôture. Größe und Höhe stehen im Prüfbericht über die Brücke. "


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (b"", "utf-8"),
        (b"", "utf-16-le"),
        (b"", "utf-16-be"),
    ],
)
def test_unicode_is_recognised_with_and_without_its_mark(mark: bytes, encoding: str) -> None:
    assert decode(mark + PROSE.encode(encoding)) == (PROSE, ())


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_a_western_encoding_is_detected_without_loss(encoding: str) -> None:
    text, flags = decode(PROSE.encode(encoding))
    assert text == PROSE
    assert [flag.partition(":")[0] for flag in flags] == ["decoded"]


def test_a_cyrillic_encoding_is_detected() -> None:
    prose = "Насос стоит в подвале и работает ночью. Резервный клапан проверяют каждый месяц. " * 3  # noqa: RUF001
    assert decode(prose.encode("cp1251"))[0] == prose


def test_a_declared_encoding_is_tried_before_a_guess() -> None:
    assert decode("ώρα".encode("iso8859-7"), "iso-8859-7") == ("ώρα", ("decoded:iso8859-7",))


def test_a_declared_encoding_that_does_not_exist_is_passed_over() -> None:
    assert decode(PROSE.encode("cp1252"), "no-such-encoding")[0] == PROSE


def test_broken_bytes_in_utf8_are_replaced_and_counted() -> None:
    text, flags = decode(("Größe " * 10).encode() + b"\xff end \xfa.")
    assert text == "Größe " * 10 + "\ufffd end \ufffd."
    assert flags == ("replaced_bytes:2",)


def test_noise_in_plain_ascii_is_replaced_and_not_read_as_letters() -> None:
    text, flags = decode(b"The pump runs at night and rests by day. " * 10 + b"\xff\xfe end \xe2\x82 here")
    assert text.endswith("\ufffd\ufffd end \ufffd here")
    assert flags == ("replaced_bytes:3",)


def test_a_few_zero_bytes_are_still_text() -> None:
    assert decode(b"Valve\x00 7 closes at 62 bar.")[0] == "Valve\x00 7 closes at 62 bar."


@pytest.mark.parametrize("content", [random.Random(1).randbytes(5000), b"\x00" * 100, b"ab\x00\x01\x02\x03" * 20])
def test_bytes_that_are_no_text_are_refused(content: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        decode(content)
    assert refused.value.reason == "binary"
