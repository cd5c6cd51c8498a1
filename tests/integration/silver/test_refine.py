"""Silver holds what the live files of bronze give: no file lost, none twice."""

import pytest
from chispa.dataframe_comparer import assert_df_equality

from lakerag.catalog import Catalog
from lakerag.config import Source
from lakerag.errors import SchemaError
from lakerag.silver import documents
from lakerag.silver import refine as stage
from lakerag.silver.documents import document_id
from lakerag.tables import SILVER_DOCUMENTS, SILVER_QUARANTINE
from tests.integration.silver.stage import NOW, SOURCE, Land, run, sha, versions


def live(catalog: Catalog) -> dict[str, str]:
    """Text of every document and reason of every refusal, by path."""
    texts = catalog.read(SILVER_DOCUMENTS).select("path", "text").toLocalIterator()
    reasons = catalog.read(SILVER_QUARANTINE).select("path", "reason").toLocalIterator()
    rows = [*map(tuple, texts), *map(tuple, reasons)]
    assert len(dict(rows)) == len(rows)
    return dict(rows)


def test_a_document_has_every_column_of_its_contract(catalog: Catalog, land: Land) -> None:
    content = b"---\ntitle: Pumps\nkind: guide\nacl_groups: [staff, ops]\ntenant: north\n---\nThe pump is blue.\r\n"
    land({"guide/pumps.md": content})
    run(catalog)
    expected = {
        "doc_id": document_id("docs", "guide/pumps.md"),
        "source": "docs",
        "path": "guide/pumps.md",
        "content_sha256": sha(content),
        "title": "Pumps",
        "text": "The pump is blue.",
        "language": "und",
        "metadata": {"title": "Pumps", "kind": "guide"},
        "tenant": "north",
        "acl_groups": ["ops", "staff"],
        "content_hash": sha(b"The pump is blue."),
        "page_starts": [],
        "duplicate_group": None,
        "alternates": None,
        "quality_flags": [],
        "refused_rows": [],
        "arrived_at": NOW,
    }
    rows = catalog.spark.createDataFrame(
        [expected], ", ".join(f"{c.name} {c.type}" for c in SILVER_DOCUMENTS.columns if c.name in expected)
    )
    found = catalog.read(SILVER_DOCUMENTS).drop("recipe", "document_hash")
    assert_df_equality(found, rows, ignore_nullable=True, ignore_column_order=True, ignore_metadata=True)


def test_every_live_file_is_a_document_or_quarantined(catalog: Catalog, land: Land) -> None:
    land({"a.md": b"Alpha", "empty.txt": b"", "c.bin": b"\x00\x01"})
    assert run(catalog) == {"upserted": 1, "deleted": 0, "quarantined": 2, "documents": 1, "in_quarantine": 2}
    assert live(catalog) == {"a.md": "Alpha", "empty.txt": "empty", "c.bin": "unsupported"}


def test_a_second_run_writes_nothing(catalog: Catalog, land: Land) -> None:
    land({"a.md": b"Alpha", "empty.txt": b""})
    run(catalog)
    before = versions(catalog)
    assert run(catalog) == {"upserted": 0, "deleted": 0, "quarantined": 0, "documents": 1, "in_quarantine": 1}
    assert versions(catalog) == before


def test_edits_deletions_and_returns_are_followed(catalog: Catalog, land: Land) -> None:
    land({"a.md": b"Alpha", "b.md": b"Beta", "empty.txt": b""})
    run(catalog)
    land({"a.md": b"Alpha again", "b.md": None, "empty.txt": None})
    assert run(catalog)["deleted"] == 1
    assert live(catalog) == {"a.md": "Alpha again"}
    land({"b.md": b"Beta"})
    run(catalog)
    assert live(catalog) == {"a.md": "Alpha again", "b.md": "Beta"}


def test_a_document_that_turns_bad_leaves_and_one_that_turns_good_comes(catalog: Catalog, land: Land) -> None:
    land({"good.md": b"Good", "bad.md": b" "})
    run(catalog)
    land({"good.md": b"\n", "bad.md": b"Better"})
    run(catalog)
    assert live(catalog) == {"good.md": "empty", "bad.md": "Better"}


def test_a_quarantine_that_changes_its_bytes_is_listed_once(catalog: Catalog, land: Land) -> None:
    land({"bad.md": b" "})
    run(catalog)
    land({"bad.md": b"\n\n"})
    run(catalog)
    found = [tuple(row) for row in catalog.read(SILVER_QUARANTINE).select("path", "content_sha256").toLocalIterator()]
    assert found == [("bad.md", sha(b"\n\n"))]


def test_equal_text_from_other_bytes_keeps_the_document_hash(catalog: Catalog, land: Land) -> None:
    land({"a.txt": b"one\ntwo"})
    run(catalog)
    columns = ("document_hash", "content_sha256")
    before = catalog.read(SILVER_DOCUMENTS).select(*columns).first()
    land({"a.txt": b"one\r\ntwo  \r\n"})
    run(catalog)
    after = catalog.read(SILVER_DOCUMENTS).select(*columns).first()
    assert before is not None
    assert after is not None
    assert after["document_hash"] == before["document_hash"]
    assert after["content_sha256"] == sha(b"one\r\ntwo  \r\n")


def test_a_crash_between_the_merges_is_finished_by_the_next_run(
    catalog: Catalog, land: Land, monkeypatch: pytest.MonkeyPatch
) -> None:
    land({"good.md": b"Good", "bad.md": b" "})
    run(catalog)
    land({"good.md": b"\n", "bad.md": b"Better"})

    class CrashError(Exception):
        pass

    real = Catalog.merge

    def merge(self: Catalog, table: object, *args: object) -> dict[str, int]:
        if table is SILVER_QUARANTINE:
            raise CrashError
        return real(self, table, *args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Catalog, "merge", merge)
        with pytest.raises(CrashError):
            run(catalog)
    run(catalog)
    assert live(catalog) == {"good.md": "empty", "bad.md": "Better"}


def test_another_recipe_parses_anew(catalog: Catalog, land: Land, monkeypatch: pytest.MonkeyPatch) -> None:
    land({"a.md": b"Alpha", "empty.txt": b""})
    run(catalog)
    monkeypatch.setattr(documents, "CODE_VERSION", "next")
    assert run(catalog) == {"upserted": 1, "deleted": 0, "quarantined": 1, "documents": 1, "in_quarantine": 1}


def test_a_protected_source_shows_documents_without_rights_to_nobody(catalog: Catalog, land: Land) -> None:
    land({"a.md": b"Alpha", "b.md": b"---\nacl_groups: staff\n---\nBeta"})
    run(catalog, SOURCE.model_copy(update={"protected": True}))
    groups = catalog.read(SILVER_DOCUMENTS).select("path", "acl_groups").toLocalIterator()
    assert dict(map(tuple, groups)) == {"a.md": [], "b.md": ["staff"]}
    run(catalog)
    groups = catalog.read(SILVER_DOCUMENTS).select("path", "acl_groups").toLocalIterator()
    assert dict(map(tuple, groups)) == {"a.md": ["*"], "b.md": ["staff"]}


def test_sources_leave_each_other_alone(catalog: Catalog, land: Land) -> None:
    land({"a.md": b"Alpha"}, source="docs")
    land({"a.md": b"Beta"}, source="other")
    run(catalog)
    run(catalog, Source(name="other", path="/other"))
    land({"a.md": None}, source="other")
    run(catalog, Source(name="other", path="/other"))
    assert live(catalog) == {"a.md": "Alpha"}


def test_a_file_that_ends_nowhere_fails_the_run(catalog: Catalog, land: Land, monkeypatch: pytest.MonkeyPatch) -> None:
    land({"a.md": b"Alpha"})
    whole = stage.to_documents
    monkeypatch.setattr(stage, "to_documents", lambda parsed, recipe: whole(parsed, recipe).where("false"))
    with pytest.raises(SchemaError, match="1 in neither"):
        run(catalog)


def test_a_path_that_one_run_brought_twice_is_one_document(catalog: Catalog, land: Land) -> None:
    for text, facts in ((b"Draft", b"year: 1"), (b"Final", b"year: 2")):
        land({"a.md": text, "a.md.meta.json": facts, "b.bin": b"\x00" + text}, arrival="stream")
    assert run(catalog)["documents"] == 1
    assert live(catalog) == {"a.md": "Final", "b.bin": "unsupported"}
    [row] = catalog.read(SILVER_DOCUMENTS).select("metadata").toLocalIterator()
    assert row["metadata"] == {"year": "2"}
