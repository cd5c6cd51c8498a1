"""One file gives one document or one refusal, whatever is in it."""

import gzip
import hashlib
import json
import time
from typing import Any

import pytest

from lakerag.silver import documents
from lakerag.silver.documents import Recipe, document_id, to_document
from lakerag.silver.parsers.base import ADVICE, Limits, Parsed
from lakerag.tables import ROW_MIME

RECIPE = Recipe("docs")


def made(path: str, content: bytes | None, recipe: Recipe = RECIPE, sha: str = "sha") -> dict[str, Any]:
    return to_document(path, sha, content, recipe)


def test_the_key_is_a_hash_of_source_and_path() -> None:
    assert document_id("docs", "a/b.md") == hashlib.sha256(b"docs\x00a/b.md").hexdigest()[:32]


@pytest.mark.parametrize(
    ("path", "content", "sha", "reason"),
    [
        ("a.txt", b"", "sha", "empty"),
        ("a.md", b"---\ntitle: x\n---\n \n", "sha", "empty"),
        ("a.txt", bytes(range(256)) * 4, "sha", "binary"),
        ("a.txt", b"\x1f\x8b\x08\x00", "sha", "binary"),
        ("a.pdf", b"plain text", "sha", "type_mismatch"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "sha", "unsupported"),
        ("a.txt", None, "sha", "too_large"),
        ("a.txt", None, "", "unreadable"),
        ("a\ufffdE9.txt", b"text", "sha", "bad_name"),
        ("a.txt.gz", gzip.compress(b"word " * 2_000_000, mtime=0), "sha", "decompression_limit"),
        ("a.txt.gz", gzip.compress(b"some text", mtime=0)[:-6], "sha", "corrupt"),
        ("a.txt.gz", b"no gzip", "sha", "corrupt"),
        ("a.txt.gz", gzip.compress(b"text", mtime=0) + b"\0no gzip", "sha", "corrupt"),
        ("a.txt.gz", gzip.compress(b"text", mtime=0) * 2 + b"\x1f", "sha", "corrupt"),
        ("a.txt.gz", gzip.compress(b"word " * 150_000, mtime=0) * 2, "sha", "decompression_limit"),
    ],
)
def test_refusals_have_a_stable_reason_and_advice(path: str, content: bytes | None, sha: str, reason: str) -> None:
    refusal = made(path, content, sha=sha)
    assert refusal["reason"] == reason
    assert refusal["advice"] == ADVICE[reason]
    assert refusal["detail"]


def test_a_small_gzip_is_unpacked() -> None:
    assert made("a.md.gz", gzip.compress(b"# T\n\ntext", mtime=0))["text"] == "# T\n\ntext"


def test_a_gzip_of_several_members_is_unpacked_to_its_end() -> None:
    first, second, empty = (gzip.compress(part, mtime=0) for part in (b"# T\n\n", b"text", b""))
    assert made("a.md.gz", first + empty * 10_000 + second + b"\0" * 500)["text"] == "# T\n\ntext"


def test_a_suffix_counts_without_its_case_and_no_suffix_means_text() -> None:
    assert made("A.MD", b"# T\n\ntext")["title"] == "T"
    assert made("README", b"# T\n\ntext")["text"] == "# T\n\ntext"


def test_the_title_falls_back_to_the_name() -> None:
    assert made("a/some notes.txt", b"text")["title"] == "some notes"


def test_metadata_is_text_and_clean() -> None:
    content = b'---\ntags: [b, a]\nnote: "x\\0y"\nnested: {k: v}\n---\ntext'
    assert made("a.md", content)["metadata"] == {"tags": '["b", "a"]', "note": "xy", "nested": '{"k": "v"}'}


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_front_matter_is_read_whatever_ends_its_lines(end: bytes) -> None:
    assert made("a.md", end.join((b"---", b"acl_groups: [hr]", b"---", b"text")))["acl_groups"] == ["hr"]


@pytest.mark.parametrize(
    ("declared", "groups"), [(None, ["*"]), ("", []), (" ", []), ([], []), (["hr", None], []), (7, []), ("hr", ["hr"])]
)
def test_groups_of_a_row_mean_what_they_mean_in_front_matter(declared: Any, groups: list[str]) -> None:
    content = json.dumps({"text": "Text", "facts": {"acl_groups": declared, "kind": ""}}).encode()
    row = to_document("7", "sha", content, RECIPE, mime=ROW_MIME)
    assert (row["acl_groups"], row["metadata"]) == (groups, {})


def test_everything_that_chunks_inherit_is_in_the_document_hash() -> None:
    def digest(path: str = "a.md", text: str = "text", head: str = "", recipe: Recipe = RECIPE) -> str:
        return str(made(path, f"---\n{head}\n---\n{text}".encode(), recipe)["document_hash"])

    changed = [
        digest(path="b.md"),
        digest(text="other"),
        digest(head="title: T"),
        digest(head="kind: k"),
        digest(head="tenant: t"),
        digest(head="acl_groups: g"),
        digest(recipe=Recipe("other")),
        digest(recipe=Recipe("docs", protected=True)),
    ]
    assert len({digest(), *changed}) == 9
    assert digest(text="text\r\n") == digest()


def test_a_document_that_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_: Any) -> Parsed:
        while True:
            try:
                time.sleep(0.001)
            except Exception:  # noqa: BLE001 - as some libraries do
                continue

    monkeypatch.setattr(documents, "parse", endless)
    assert made("a.txt", b"text", Recipe("docs", limits=Limits(seconds=0.05)))["reason"] == "parse_limit"


def test_a_parser_that_runs_out_of_stack_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def deep(*_: Any) -> Parsed:
        return deep()

    monkeypatch.setattr(documents, "parse", deep)
    assert made("a.txt", b"text")["reason"] == "parse_limit"


def test_a_parser_that_fails_on_damage_refuses_that_file_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Parsed:
        raise KeyError("unforeseen")

    monkeypatch.setattr(documents, "parse", fail)
    refusal = made("a.txt", b"text")
    assert (refusal["reason"], refusal["detail"]) == ("corrupt", "Parsing failed with KeyError: 'unforeseen'")


def test_nesting_beyond_the_stack_is_refused() -> None:
    assert made("a.json", b"[" * 100_000)["reason"] == "parse_limit"


def test_the_recipe_names_what_shapes_a_document() -> None:
    others = [
        Recipe("a", limits=Limits(seconds=1)),
        Recipe("a", text_fields=("a", "b")),
        Recipe("a", text_fields=("b", "a")),
    ]
    recipes = [Recipe("a"), Recipe("a", protected=True), *others]
    assert len({recipe.version for recipe in recipes}) == 5
    assert Recipe("a").version == Recipe("b").version
