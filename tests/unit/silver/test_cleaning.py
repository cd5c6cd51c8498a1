"""Clean text can be stored, compared and read."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakerag.silver.cleaning import clean, clean_line
from lakerag.silver.parsers.base import RefusedError


@pytest.mark.parametrize(
    ("raw", "cleaned", "flags"),
    [
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour", ()),
        ("kept  inside\tand trimmed \t\n\n\nat ends \n\n", "kept  inside\tand trimmed\n\n\nat ends", ()),
        ("  indented", "  indented", ()),
        ("a\x00b\ufeffc\ufffed", "abcd", ("removed_controls:3",)),
        ("\x1b[31mred\x1b[0m \x1b]0;title\x07bell\x07", "red bell", ("removed_controls:4",)),
        ("user\u202egnp.exe\u202c \u2066x\u2069", "usergnp.exe x", ("removed_controls:4",)),
        ("lone \ud800 surrogate", "lone  surrogate", ("removed_controls:1",)),
        ("cafe\u0301", "café", ()),
        ("join\u200der and \u05e9\u05dc\u05d5\u05dd\u200f!", "join\u200der and \u05e9\u05dc\u05d5\u05dd\u200f!", ()),
        ("GrÃ¶ÃŸe der RÃ¶hre\nnaïve", "Größe der Röhre\nnaïve", ("repaired_mojibake",)),
        ("« Été à Œ », “so” is É”", "« Été à Œ », “so” is É”", ()),
    ],
)
def test_each_kind_of_dirt(raw: str, cleaned: str, flags: tuple[str, ...]) -> None:
    assert clean(raw) == (cleaned, flags)


@pytest.mark.parametrize("text", ["", " \t\n\xa0", "\u200b\u200d", "\x00\x01", "\ufffd\ufffd"])
def test_text_with_nothing_to_read_is_empty(text: str) -> None:
    with pytest.raises(RefusedError) as refused:
        clean(text)
    assert refused.value.reason == "empty"


def test_encoded_data_is_not_natural_text() -> None:
    with pytest.raises(RefusedError) as refused:
        clean("A short preface. " + "kJ8/fX2q" * 2000)
    assert refused.value.reason == "not_natural_text"


@pytest.mark.parametrize(
    "text", ["水泵在夜间自动停止。" * 2000, "word " * 20_000 + "end", "kJ8/fX2q" * 100 + " word" * 3000]
)
def test_scripts_without_spaces_and_some_data_among_words_are_text(text: str) -> None:
    assert clean(text)[0] == text


@given(st.text(st.characters()))
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    try:
        once, _ = clean(text)
    except RefusedError:
        return
    assert clean(once)[0] == once
    assert unicodedata.is_normalized("NFC", once)
    assert once.encode().decode() == once
    assert not set("\x00\ufeff\r") & set(once)


def test_a_line_never_holds_a_break() -> None:
    assert clean_line(" A\ttitle\non\x00 two\x1b[0m lines ") == "A title on two lines"


@pytest.mark.parametrize(
    "text", [" " * 1_000_000 + "x", "\xc3 " * 150_000 + "x", "\x1b]" * 200_000 + "x", "\n" * 500_000 + "x"]
)
def test_hostile_repetition_ends(text: str) -> None:
    assert clean(text)[0].endswith("x")
