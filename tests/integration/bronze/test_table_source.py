"""Rows of a Delta table are documents, followed by its change feed or by comparison."""

from datetime import datetime, timedelta, timezone

import pytest

from lakerag.bronze import table_source
from lakerag.bronze.ingest import ingest
from lakerag.catalog import Catalog
from lakerag.config import Source
from lakerag.errors import SourceError
from lakerag.silver.refine import refine
from lakerag.tables import BRONZE_FILES, SILVER_DOCUMENTS, SILVER_QUARANTINE

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def articles(catalog: Catalog, tmp_path):
    """A table with two articles, and SQL on it."""

    def sql(statement: str) -> None:
        catalog.spark.sql(statement)

    sql(
        f"CREATE TABLE articles (id INT, text STRING, title STRING, acl_groups ARRAY<STRING>, year INT) USING delta "
        f"LOCATION '{tmp_path}/articles' TBLPROPERTIES (delta.enableChangeDataFeed = true)"
    )
    sql(
        "INSERT INTO articles VALUES (1, '# Pump\n\nIt is blue.', 'Pumps', array('hr'), 2024), "
        "(2, 'Two', NULL, NULL, 1)"
    )
    yield sql
    sql("DROP TABLE articles")


def test_rows_are_followed_through_the_feed_and_without_it(catalog: Catalog, articles, monkeypatch) -> None:
    source = Source(name="wiki", path="table:articles")
    runs = iter(range(100))

    def run() -> dict[str, int]:
        n = next(runs)
        now = NOW + timedelta(minutes=n)
        counts = ingest(catalog, source, run_id=f"run-{n}", now=now)
        refine(catalog, source, now=now)
        return counts

    assert run() == {"added": 2, "modified": 0, "deleted": 0}
    row = catalog.read(SILVER_DOCUMENTS).where("path = '1'").first()
    assert (row["text"], row["title"], row["acl_groups"]) == ("# Pump\n\nIt is blue.", "Pumps", ["hr"])
    assert row["metadata"] == {"id": "1", "title": "Pumps", "year": "2024"}
    version = catalog.version(BRONZE_FILES)
    assert run() == {"added": 0, "modified": 0, "deleted": 0}
    assert catalog.version(BRONZE_FILES) == version

    articles("UPDATE articles SET text = 'Zwei' WHERE id = 2")
    articles("INSERT INTO articles VALUES (3, NULL, 'Empty', NULL, NULL)")
    articles("DELETE FROM articles WHERE id = 1")
    assert run() == {"added": 1, "modified": 1, "deleted": 1}
    found = catalog.read(SILVER_DOCUMENTS).select("path", "text").toLocalIterator()
    assert [tuple(row) for row in found] == [("2", "Zwei")]
    assert [row["path"] for row in catalog.read(SILVER_QUARANTINE).toLocalIterator()] == ["3"]

    articles("UPDATE articles SET text = 'Three' WHERE id = 3")
    monkeypatch.setattr(table_source, "_touched", lambda *_: None)  # the feed was cleaned up
    assert run() == {"added": 0, "modified": 1, "deleted": 0}

    titled = source.model_copy(update={"name": "titles", "text_column": "title"})
    ingest(catalog, titled, run_id="titles", now=NOW)
    texts = titled.model_copy(update={"text_column": "text"})
    counts = ingest(catalog, texts, run_id="texts", now=NOW + timedelta(minutes=1))
    assert counts == {"added": 0, "modified": 2, "deleted": 0}

    articles("INSERT INTO articles VALUES (3, 'again', NULL, NULL, NULL)")
    with pytest.raises(SourceError, match="found 2 of '3'"):
        run()
    with pytest.raises(SourceError, match="the columns nowhere"):
        ingest(catalog, source.model_copy(update={"name": "w2", "text_column": "nowhere"}), run_id="x", now=NOW)
    with pytest.raises(SourceError, match="Delta table nothing"):
        ingest(catalog, source.model_copy(update={"path": "table:nothing"}), run_id="x", now=NOW)
