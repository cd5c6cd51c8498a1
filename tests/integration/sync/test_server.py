"""The sync on a real Milvus server: in step, and healed where its position is lost."""

from pathlib import Path

import pytest

from lakerag.tables import GOLD_CHUNKS
from tests.integration.sync.gold import append, chunk, edit, indexed, merge, rows, syncing


@pytest.fixture
def sync(catalog, milvus_address, tmp_path):
    return lambda run_id: syncing(catalog, milvus_address, tmp_path, alias="served", run_id=run_id)


def moved(report):
    return report.upserted, report.deleted


def test_a_server_is_kept_in_step_and_healed_where_the_position_is_lost(catalog, milvus_address, sync, spark):
    name, folder = catalog.ref(GOLD_CHUNKS), f"{catalog.place.root}/{GOLD_CHUNKS.name}"

    def held():
        return {key: text for key, text, _ in indexed(milvus_address, "served")}

    append(catalog, chunk("a", "one"), chunk("b", "two"), chunk("c", "three"))
    first = sync("fill").catch_up()
    assert (moved(first), held()) == ((3, 0), {"a": "one", "b": "two", "c": "three"})
    merge(catalog, [chunk("d", "four")], deletes=["b"])
    assert moved(sync("streams on").catch_up()) == (1, 1)

    edit(catalog, "a", "uno")
    spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('delta.checkpointInterval' = '1')")
    append(catalog, chunk("e", "five"))
    for version in range(catalog.version(GOLD_CHUNKS)):
        Path(folder, "_delta_log", f"{version:020}.json").unlink()
    cleaned = sync("cleaned log").catch_up()
    assert ("was cleaned up" in cleaned.healed, moved(cleaned)) == (True, (2, 0))

    spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
    spark.sql(f"ALTER TABLE {name} RENAME COLUMN ordinal TO place")
    edit(catalog, "c", "drei")
    renamed = sync("renamed column").catch_up()
    assert (renamed.healed.startswith("The change feed"), moved(renamed)) == (True, (1, 0))

    rows(catalog, chunk("a", "uno"), chunk("f", "six")).createOrReplaceTempView("replacing_rows")
    spark.sql(
        f"CREATE OR REPLACE TABLE {name} USING delta TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true') "
        f"LOCATION '{folder}' AS SELECT * FROM replacing_rows"
    )
    replaced = sync("replaced").catch_up()
    assert (replaced.healed, moved(replaced)) == ("gold_chunks was created anew", (1, 3))
    assert (replaced.collection, held()) == (first.collection, {"a": "uno", "f": "six"})
    assert sync("same").reconcile(repair=False).missing == 0
