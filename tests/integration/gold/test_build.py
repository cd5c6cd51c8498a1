from datetime import datetime, timezone

import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F

from lakerag import config
from lakerag.errors import ConfigError, SchemaError
from lakerag.gold import build as stage
from lakerag.gold.build import GoldReport, build
from lakerag.tables import GOLD_CHUNKS, GOLD_EMBEDDINGS, SILVER_DOCUMENTS
from tests.integration.models.tiny import save_sentence_model

NOW = datetime(2024, 5, 1, tzinfo=timezone.utc)
CHUNKING = config.Chunking(chunk_tokens=24)
PUMP = "# Pump\n\nThe pump moves water through the north pipe all day.\n\n"
VALVE = "# Valve\n\nThe valve closes when the pressure in the line falls.\n\n"
GATE = "# Gate\n\nThe gate opens to the south at six in the morning.\n\n"
HORN = "# Horn\n\nThe horn sounds twice when a ship leaves.\n\n"
BELL = "# Bell\n\nThe bell hangs above the stairs of the tower.\n\n"
LAMP = "# Lamp\n\nThe lamp burns red while the gate stands open.\n\n"


def document(
    doc_id: str,
    text: str,
    *,
    path: str | None = None,
    tenant: str = "",
    group: str | None = None,
    alternates: list[str] | None = None,
    page_starts: tuple[int, ...] = (),
) -> tuple:
    path = path or f"{doc_id}.md"
    content_hash = f"hash of {text}"
    return (
        *(doc_id, "docs", path, f"bytes of {text}", path, text, "en", {"team": "ops"}, tenant, ["*"], content_hash),
        *(list(page_starts), group, alternates, [], [], "recipe", f"{content_hash} {path} {tenant}", NOW),
    )


def put(catalog, *documents) -> None:
    """Makes these the only silver documents."""
    rows = catalog.spark.createDataFrame(list(documents), SILVER_DOCUMENTS.schema)
    rows.write.format("delta").mode("overwrite").saveAsTable(catalog.ref(SILVER_DOCUMENTS))


def run(catalog, embedder, chunking=CHUNKING):
    return build(catalog, embedder, chunking, now=NOW)


def standing(catalog) -> dict[tuple[str, str], dict]:
    """The chunks by (doc_id, text)."""
    return {(row["doc_id"], row["text"]): row.asDict() for row in catalog.read(GOLD_CHUNKS).toLocalIterator()}


def versions(catalog):
    return catalog.version(GOLD_CHUNKS), catalog.version(GOLD_EMBEDDINGS)


def test_documents_become_chunks_and_a_second_run_writes_nothing(catalog, embedder):
    put(catalog, document("d1", PUMP + VALVE, tenant="acme"), document("d2", PUMP))
    report = run(catalog, embedder)
    assert report == GoldReport(total=3, embedded=2, reused=1, deleted=0, changed=True)
    end = len(PUMP + VALVE) - 2
    expected = catalog.spark.createDataFrame(
        [
            ("d1", 0, PUMP.strip(), "Pump", 0, len(PUMP) - 2, "d1.md", "en", {"team": "ops"}, "acme", ["*"]),
            ("d1", 1, VALVE.strip(), "Valve", len(PUMP), end, "d1.md", "en", {"team": "ops"}, "acme", ["*"]),
            ("d2", 0, PUMP.strip(), "Pump", 0, len(PUMP) - 2, "d2.md", "en", {"team": "ops"}, "", ["*"]),
        ],
        "doc_id string, ordinal int, text string, heading_path string, start_char int, end_char int, path string, "
        "language string, metadata map<string,string>, tenant string, acl_groups array<string>",
    )
    found = catalog.read(GOLD_CHUNKS).select(*expected.columns).orderBy("doc_id", "ordinal")
    assert_df_equality(found, expected, ignore_nullable=True, ignore_metadata=True)
    lengths = {round(sum(x * x for x in row["embedding"]), 3) for row in standing(catalog).values()}
    assert lengths == {1.0}

    before = versions(catalog)
    assert run(catalog, embedder) == GoldReport(total=3, embedded=0, reused=3, deleted=0, changed=False)
    assert versions(catalog) == before


def test_only_what_changed_is_embedded_and_everything_else_keeps_its_key(catalog, embedder):
    rising = VALVE.replace("falls", "rises")
    put(
        catalog,
        document("edited", PUMP + VALVE + LAMP),
        document("old name", GATE),
        document("deleted", HORN),
        document("restricted", BELL),
    )
    run(catalog, embedder)
    before = standing(catalog)
    put(
        catalog,
        document("edited", PUMP + rising + LAMP),
        document("new name", GATE),
        document("restricted", BELL, tenant="acme"),
    )
    assert run(catalog, embedder) == GoldReport(total=5, embedded=1, reused=4, deleted=3, changed=True)
    after = standing(catalog)
    assert after.keys() == {
        ("edited", PUMP.strip()),
        ("edited", rising.strip()),
        ("edited", LAMP.strip()),
        ("new name", GATE.strip()),
        ("restricted", BELL.strip()),
    }
    for kept in (("edited", PUMP.strip()), ("edited", LAMP.strip()), ("restricted", BELL.strip())):
        assert after[kept]["chunk_id"] == before[kept]["chunk_id"]
    restricted = ("restricted", BELL.strip())
    assert (before[restricted]["tenant"], after[restricted]["tenant"]) == ("", "acme")
    assert before[restricted]["fingerprint"] != after[restricted]["fingerprint"]
    moved, origin = after["new name", GATE.strip()], before["old name", GATE.strip()]
    assert moved["embedding"] == origin["embedding"]
    assert moved["chunk_id"] != origin["chunk_id"]


def test_interrupted_run_is_finished_without_embedding_again_and_another_recipe_cuts_anew(catalog, embedder):
    put(catalog, document("d1", PUMP + VALVE), document("d2", LAMP))
    run(catalog, embedder)
    whole = standing(catalog)
    catalog.spark.sql(f"DELETE FROM {catalog.ref(GOLD_CHUNKS)} WHERE doc_id = 'd1'")
    assert run(catalog, embedder) == GoldReport(total=3, embedded=0, reused=3, deleted=0, changed=True)
    assert standing(catalog) == whole

    wider = run(catalog, embedder, config.Chunking(chunk_tokens=60))
    assert wider == GoldReport(total=2, embedded=1, reused=1, deleted=2, changed=True)
    assert standing(catalog).keys() == {("d1", (PUMP + VALVE).strip()), ("d2", LAMP.strip())}


def test_chunks_over_the_embedders_limit_are_refused_before_anything_is_written(catalog, embedder):
    put(catalog, document("d1", PUMP))
    before = versions(catalog)
    with pytest.raises(ConfigError, match="the embedder reads 254 word pieces"):
        run(catalog, embedder, config.Chunking(chunk_tokens=300))
    assert versions(catalog) == before


def test_an_edit_in_a_document_of_a_hundred_pages_embeds_one_or_two_chunks(catalog, tmp_path):
    model = save_sentence_model(tmp_path / "tiny", "mean", normalise=True)
    small, cutting = config.Embedder(model=str(model), runtime="torch"), config.Chunking(chunk_tokens=28)
    pages = ["".join(f"The dog {n} of box {p} sees {n * p}. " for n in range(9)) + "\n\n" for p in range(100)]

    def edition() -> tuple:
        starts = tuple(sum(map(len, pages[:n])) for n in range(100))
        return document("book", "".join(pages), page_starts=starts)

    put(catalog, edition())
    first = run(catalog, small, cutting)
    before = {row["chunk_id"] for row in standing(catalog).values()}
    pages[49] = pages[49].replace("box 49 sees 196.", "box 49 sees nobody at all.")
    put(catalog, edition())
    second = run(catalog, small, cutting)
    assert first.total > 400
    assert second.embedded in (1, 2)
    after = {row["chunk_id"] for row in standing(catalog).values()}
    assert len(after - before) == second.embedded


def test_a_hard_expectation_that_fails_stops_the_stage_before_gold_is_written(catalog, embedder, monkeypatch):
    put(catalog, document("d1", PUMP))
    run(catalog, embedder)
    before, version = standing(catalog), catalog.version(GOLD_CHUNKS)
    cut = stage.cut_documents
    monkeypatch.setattr(stage, "cut_documents", lambda *a, **k: cut(*a, **k).withColumn("end_char", F.lit(0)))
    put(catalog, document("d1", VALVE), document("d2", GATE))
    with pytest.raises(SchemaError, match="gold_chunks to hold to span"):
        run(catalog, embedder)
    assert (standing(catalog), catalog.version(GOLD_CHUNKS)) == (before, version)


def test_an_alternate_is_not_indexed_and_stands_beside_its_representative(catalog, embedder):
    put(catalog, document("d1", PUMP), document("d2", PUMP + VALVE))
    run(catalog, embedder)
    put(catalog, document("d1", PUMP, group="d2"), document("d2", PUMP + VALVE, group="d2", alternates=["d1.md"]))
    report = run(catalog, embedder)
    assert (report.total, report.embedded, report.deleted) == (2, 0, 1)
    rows = catalog.read(GOLD_CHUNKS).select("path", "alternates").distinct().toLocalIterator()
    assert [tuple(row) for row in rows] == [("d2.md", ["d1.md"])]
    put(catalog, document("d1", PUMP))
    run(catalog, embedder)
    rows = catalog.read(GOLD_CHUNKS).select("path", "alternates").toLocalIterator()
    assert [tuple(row) for row in rows] == [("d1.md", [])]


def test_chunks_know_their_page(catalog, embedder):
    put(catalog, document("d1", PUMP + VALVE + GATE, page_starts=(0, len(PUMP), len(PUMP + VALVE))))
    build(catalog, embedder, config.Chunking(chunk_tokens=200), now=NOW)
    rows = catalog.read(GOLD_CHUNKS).select("page", "heading_path").orderBy("page").toLocalIterator()
    assert [tuple(row) for row in rows] == [(1, "Pump"), (2, "Valve"), (3, "Gate")]
