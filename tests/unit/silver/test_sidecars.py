"""Facts beside a document: the nearer wins, and what cannot be read closes it."""

from lakerag.silver.documents import Recipe, to_document
from lakerag.silver.sidecars import merged_facts

TWICE = b'{"acl_groups": ["b"], "acl_groups": ["*"]}'


def test_nearer_facts_win() -> None:
    facts, flags = merged_facts([b"tenant: north\nacl_groups: [a]", b'{"acl_groups": ["b"], "kind": "guide"}'])
    assert facts == {"tenant": "north", "acl_groups": ["b"], "kind": "guide"}
    assert flags == ()


def test_a_sidecar_that_cannot_be_read_closes_the_document() -> None:
    for broken in (None, b"a: [", b"- a list", b"\xff\xfe\x00", b"a: &x 1\nb: *x", TWICE):
        assert merged_facts([b"acl_groups: [a]", broken]) == ({"acl_groups": []}, ("bad_sidecar",))


def test_groups_that_are_declared_nearer_hold_again() -> None:
    assert merged_facts([b"a: [", b"acl_groups: [a]"]) == ({"acl_groups": ["a"]}, ("bad_sidecar",))


def test_the_document_itself_wins_over_its_sidecars() -> None:
    content = b"---\nacl_groups: [own]\n---\n# Heading\n\ntext"
    sidecars = [b"title: Beside\nacl_groups: [beside]\nkind: guide"]
    row = to_document("a.md", "sha", content, Recipe("docs", protected=True), sidecars)
    assert (row["title"], row["acl_groups"]) == ("Beside", ["own"])
    assert row["metadata"] == {"title": "Beside", "kind": "guide"}
    assert row["quality_flags"] == []


def test_a_sidecar_does_not_open_a_document_whose_own_rights_cannot_be_read() -> None:
    content = b"---\ntitle: Payroll: 2024\nacl_groups: [hr]\n---\nText"
    row = to_document("a.md", "sha", content, Recipe("docs"), [b"acl_groups: ['*']"])
    assert (row["text"], row["acl_groups"]) == ("Text", [])
    assert row["quality_flags"] == ["bad_front_matter"]


def test_a_sidecar_holds_where_broken_front_matter_has_no_rights() -> None:
    row = to_document("a.md", "sha", b"---\ntitle: A: b\n---\nText", Recipe("docs"), [b"acl_groups: [hr]"])
    assert (row["acl_groups"], row["quality_flags"]) == (["hr"], ["bad_front_matter"])
