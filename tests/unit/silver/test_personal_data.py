"""Personal data is found by its own checks; look-alikes are left alone."""

import pytest

from lakerag.config import Source
from lakerag.silver.documents import Recipe, to_document
from lakerag.silver.personal_data import DETECTORS, find_personal_data, mask


def found(text: str) -> list[tuple[str, str]]:
    return [(finding.kind, text[finding.start : finding.end]) for finding in find_personal_data(text, DETECTORS, {})]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("EMAIL", "ann.o'neil+x@mail.example.org"),
        ("EMAIL", "Jürgen@büro.example"),
        ("IBAN", "GB29 NWBK 6016 1331 9268 19"),
        ("IBAN", "NO9386011117947"),
        ("CREDIT_CARD", "4012-8888-8888-1881"),
        ("CREDIT_CARD", "371449635398431"),
        ("PHONE", "+49 30 901820"),
        ("PHONE", "+1 (202) 555-0100"),
        ("PHONE", "(212) 555-0100"),
        ("PHONE", "0171 555 01234"),
        ("IP_ADDRESS", "192.0.2.17"),
        ("IP_ADDRESS", "2001:db8::8a2e:370:7334"),
    ],
)
@pytest.mark.parametrize("frame", ["{}", "See {}, please.", "| {} |", "({})", "a: {}\nb"])
def test_values_are_found_whole_in_any_frame(kind: str, value: str, frame: str) -> None:
    assert found(frame.format(value)) == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "user@host and @decorator.name",
        "GB29 NWBK 6016 1331 9268 18",
        "4012 8888 8888 1882",
        "434261413928632322",
        "commit a4012888888881881f",
        "on 01-02-2024 at 08:00:15, 2024-01-02",
        "order 212-555-0100-77",
        "version 10.2.3.4, v1.2.3.4 and 10.2.3.4-rc1 and 300.1.1.1",
        "std::vector and a::b and 12:30:45",
        "ISBN 978-3-16-148410-0, ISO 9001:2015, 1 234,50",
        "1718362800123 and 2125550100",
    ],
)
def test_look_alikes_are_left_alone(text: str) -> None:
    assert found(text) == []


def test_ten_bare_digits_are_a_telephone_only_where_the_text_says_so() -> None:
    assert found("phone: 2125550100") == [("PHONE", "2125550100")]


def test_own_patterns_come_first() -> None:
    text = "Ticket T-4012888888881881."
    assert [f.kind for f in find_personal_data(text, ["CREDIT_CARD"], {"TICKET": r"T-\d+"})] == ["TICKET"]


def test_masking_covers_text_title_and_metadata_and_is_counted() -> None:
    source = Source(mask=("EMAIL",), mask_patterns={"BADGE": r"B\d{4}"})
    content = b"---\nauthor: ann@example.org\n---\n# Mail ann@example.org\n\nB1234 or bob@example.org, 192.0.2.17"
    row = to_document("a.md", "sha", content, Recipe.of(source))
    assert row["text"] == "# Mail [EMAIL]\n\n[BADGE] or [EMAIL], 192.0.2.17"
    assert row["title"] == "Mail [EMAIL]"
    assert row["metadata"] == {"author": "[EMAIL]"}
    assert row["quality_flags"] == ["masked_BADGE:1", "masked_EMAIL:2"]


def test_the_settings_of_masking_are_part_of_the_recipe() -> None:
    sources = [Source(), Source(mask=("EMAIL",)), Source(mask=("EMAIL", "PHONE")), Source(mask_patterns={"A": "a"})]
    assert len({Recipe.of(source).version for source in sources}) == 4
    assert Recipe.of(Source(mask=("PHONE", "EMAIL"))).version == Recipe.of(sources[2]).version


@pytest.mark.parametrize(
    "text", ["1 " * 50_000, "a." * 50_000, "+1" * 50_000, "a@" * 50_000, ":" * 50_000, "0 1" * 30_000]
)
def test_hostile_repetition_ends(text: str) -> None:
    assert mask(text, find_personal_data(text, DETECTORS, {})) is not None
