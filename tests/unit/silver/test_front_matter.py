"""Front matter is read as text and never executed, expanded or trusted."""

import pytest

from lakerag.silver.front_matter import MAX_CHARS, split_front_matter


def test_scalars_stay_as_they_are_written() -> None:
    text = "---\ntitle: 'A: b'\nversion: 1.10\ndate: 2024-02-29\ndraft: no\ntags: [a, b]\nempty:\n---\nBody\n"
    assert split_front_matter(text) == (
        {"title": "A: b", "version": "1.10", "date": "2024-02-29", "draft": "no", "tags": ["a", "b"], "empty": ""},
        "Body\n",
        (),
    )


@pytest.mark.parametrize(
    "block",
    [
        'title: "unclosed\n\ttabbed: [1',
        "- a\n- list",
        "a: &x [1]\nb: *x",
        "a: " + "[" * 5000,
        "a: " + "b" * MAX_CHARS,
    ],
)
def test_broken_front_matter_is_dropped_with_a_flag(block: str) -> None:
    assert split_front_matter(f"---\n{block}\n---\nBody\n") == ({}, "Body\n", ("bad_front_matter",))


def test_object_tags_are_never_executed(capsys: pytest.CaptureFixture[str]) -> None:
    facts, _, _ = split_front_matter("---\na: !!python/object/apply:builtins.print ['EXECUTED']\n---\nBody")
    assert facts == {"a": ["EXECUTED"]}
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "text", ["Body\n---\na: 1\n---\n", "---\n\nA line between rules\n\n---\nBody", "---\nno end: 1\n"]
)
def test_text_that_only_looks_alike_stays(text: str) -> None:
    assert split_front_matter(text) == ({}, text, ())


def test_empty_front_matter_goes() -> None:
    assert split_front_matter("---\n---\nBody") == ({}, "Body", ())
