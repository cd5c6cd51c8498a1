"""Front matter is read as text and never executed, expanded or trusted."""

import pytest

from lakerag.silver.front_matter import MAX_CHARS, split_front_matter

BAD = ("bad_front_matter",)
NOBODY = {"acl_groups": []}


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
        "title: A: b",
        'title: "unclosed\n\ttabbed: [1',
        "- a\n- list",
        "a: &x [1]\nb: *x",
        "a: " + "[" * 5000,
        "a: " + "[" * 30_000 + "]" * 30_000,
        "- " * 30_000 + "a",
    ],
)
def test_broken_front_matter_is_dropped_with_a_flag(block: str) -> None:
    assert split_front_matter(f"---\n{block}\n---\nBody\n") == ({}, "Body\n", BAD)


@pytest.mark.parametrize(
    "block",
    [
        "title: Payroll: 2024\nacl_groups: [hr]",
        "acl_groups: [hr",
        "acl_groups:\n\t- hr",
        "acl_groups: @me",
        "acl_groups: *",
        "acl_groups [hr]\ntitle: A",
        "{'ACL_Groups': [hr]",
        'title: A: b\n"Tenant" : acme',
        "- acl_groups: [hr]",
        "acl_groups: [hr]\nrelated: &x [a]\nmore: *x",
        "acl_groups: [hr]\nrelated: " + "[" * 60 + "]" * 60,
        "acl_groups: [hr]\ntitle: A\nacl_groups: ['*']",
        "tenant: acme\n'tenant': ''",
        "a: " + "b" * MAX_CHARS,
    ],
)
def test_broken_front_matter_that_may_hold_rights_closes_the_document(block: str) -> None:
    assert split_front_matter(f"---\n{block}\n---\nBody\n") == (NOBODY, "Body\n", BAD)


@pytest.mark.parametrize(
    "text",
    [
        "---\nacl_groups: [hr]\n\nThe end of the block is missing.\n",
        "\ufeff---\ntitle: A\nacl_groups: [hr]",
        "---\nacl_groups = hr\n---\nBody\n",
    ],
)
def test_text_that_was_to_be_front_matter_with_rights_closes_the_document(text: str) -> None:
    assert split_front_matter(text) == (NOBODY, text, BAD)


def test_object_tags_are_never_executed(capsys: pytest.CaptureFixture[str]) -> None:
    facts, _, _ = split_front_matter("---\na: !!python/object/apply:builtins.print ['EXECUTED']\n---\nBody")
    assert facts == {"a": ["EXECUTED"]}
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "text",
    [
        "Body\n---\na: 1\n---\n",
        "---\n\nA line between rules\n\n---\nBody",
        "---\nno end: 1\n",
        "---\n\nA tenant pays, and `acl_groups: [hr]` says who sees it.\n",
        "---\n" + "word\n" * 20_000,
    ],
)
def test_text_that_only_looks_alike_stays(text: str) -> None:
    assert split_front_matter(text) == ({}, text, ())


def test_empty_front_matter_goes() -> None:
    assert split_front_matter("---\n---\nBody") == ({}, "Body", ())
