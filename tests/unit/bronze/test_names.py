"""Any bytes of a name survive the way into a table and back."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakerag.bronze.names import name_to_text, text_to_name


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain.txt", "plain.txt"),
        ("café".encode(), "café"),
        ("cafe\u0301".encode(), "cafe\u0301"),
        (b"a%2Fb\\c\n\t", "a%2Fb\\c\n\t"),
        (b"latin\xe9.txt", "latin\ufffdE9.txt"),
        (b"\xff\xfe", "\ufffdFF\ufffdFE"),
        ("\ufffdE9".encode(), "\ufffdEF\ufffdBF\ufffdBDE9"),
    ],
)
def test_only_damaged_bytes_are_escaped(raw: bytes, text: str) -> None:
    assert name_to_text(os.fsdecode(raw)) == text


@given(st.binary())
def test_the_way_back_gives_the_same_bytes(raw: bytes) -> None:
    text = name_to_text(os.fsdecode(raw))
    assert text.encode().decode() == text
    assert os.fsencode(text_to_name(text)) == raw
