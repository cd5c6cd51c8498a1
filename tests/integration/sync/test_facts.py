"""What Delta's change feed does that breaks a naive sync, and that ours is right in spite of it.

Each test shows the behaviour on a real table first, then what becomes of it here.
"""

import shutil
from pathlib import Path

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from lakerag import config
from lakerag.catalog import Catalog
from lakerag.errors import PositionLostError
from lakerag.session import set_up
from lakerag.sync.feed import failure
from lakerag.tables import GOLD_CHUNKS
from tests.integration.sync.gold import Reader, append, chunk, edit, live, merge, rows


@pytest.fixture
def gold(spark, tmp_path):
    """A lakehouse of gold_chunks alone, empty."""
    catalog = Catalog(spark, config.Lakehouse(root=str(tmp_path / "warehouse")))
    catalog.ensure((GOLD_CHUNKS,))
    yield catalog
    spark.sql(f"DROP TABLE IF EXISTS {catalog.ref(GOLD_CHUNKS)}")


@pytest.fixture
def reader(gold, tmp_path):
    return Reader(gold, str(tmp_path / "checkpoint"))


def lost(reader):
    """The condition by which the feed says that it cannot be read on; nothing may have been applied meanwhile."""
    before = dict(reader.held)
    with pytest.raises(PySparkException) as raised:
        reader.read()
    assert reader.held == before
    error = failure(str(raised.value))
    assert isinstance(error, PositionLostError)
    return error.details["condition"]


def alter(gold, what):
    gold.spark.sql(f"ALTER TABLE {gold.ref(GOLD_CHUNKS)} {what}")


def test_facts_1_and_5_snapshot_comes_as_inserts_then_one_batch_brings_many_versions_of_a_key(gold, reader):
    append(gold, chunk("k", "v1"), chunk("other", "o"))
    reader.read()
    assert sorted(reader.changes) == [("k", "v1", "insert", 1), ("other", "o", "insert", 1)]
    for text in ("v2", "v3", "v4", "v5"):
        edit(gold, "k", text)
    reader.read()
    [(_, changes)] = reader.batches
    assert sorted(version for _, _, change, version in changes if change == "update_postimage") == [2, 3, 4, 5]
    assert reader.ops == [("upsert", "k")]
    assert reader.held == {"k": "v5", "other": "o"} == live(gold)
    assert reader.read().batches == []


def test_fact_2_an_update_of_the_key_says_no_delete(gold, reader):
    append(gold, chunk("old", "text"))
    reader.read()
    gold.spark.sql(f"UPDATE {gold.ref(GOLD_CHUNKS)} SET chunk_id = 'new'")
    reader.read()
    assert sorted(change[::2] for change in reader.changes) == [("new", "update_postimage"), ("old", "update_preimage")]
    assert sorted(reader.ops) == [("delete", "old"), ("upsert", "new")]
    assert reader.held == {"new": "text"} == live(gold)


def test_fact_3_nothing_enforces_keys_but_the_merge_that_gold_uses(gold, reader):
    append(gold, chunk("k", "a"), chunk("k", "b"))
    assert gold.read(GOLD_CHUNKS).count() == 2
    reader.read()
    assert sorted(reader.changes) == [("k", "a", "insert", 1), ("k", "b", "insert", 1)]
    assert (reader.ops, reader.held) == ([("upsert", "k")], {"k": "b"})
    with pytest.raises(PySparkException, match="DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE"):
        merge(gold, [chunk("k", "c"), chunk("k", "d")])


def test_fact_4_commits_that_change_no_content_write_nothing(gold, reader):
    append(gold, chunk("a", "one"), chunk("b", "two"))
    reader.read()

    gold.read(GOLD_CHUNKS).write.format("delta").mode("overwrite").saveAsTable(gold.ref(GOLD_CHUNKS))
    reader.read()
    assert sorted(change[2] for change in reader.changes) == ["delete", "delete", "insert", "insert"]
    assert sorted(reader.ops) == [("same", "a"), ("same", "b")]

    gold.spark.sql(f"UPDATE {gold.ref(GOLD_CHUNKS)} SET ordinal = ordinal WHERE chunk_id = 'a'")
    reader.read()
    assert sorted(change[2] for change in reader.changes) == ["update_postimage", "update_preimage"]
    assert reader.ops == [("same", "a")]
    before = gold.version(GOLD_CHUNKS)
    merge(gold, [chunk("a", "one"), chunk("b", "two")])
    assert gold.version(GOLD_CHUNKS) == before or reader.read().changes == []

    edit(gold, "b", "zwei")
    gold.spark.sql(f"RESTORE TABLE {gold.ref(GOLD_CHUNKS)} TO VERSION AS OF {before}")
    reader.read()
    assert {op for op, _ in reader.ops} == {"same"}

    gold.spark.sql(f"OPTIMIZE {gold.ref(GOLD_CHUNKS)}")
    assert reader.read().changes == []
    assert reader.held == {"a": "one", "b": "two"} == live(gold)


def test_fact_5_starting_at_latest_loses_what_comes_before_the_first_change_is_read(gold, reader, tmp_path):
    naive = Reader(gold, str(tmp_path / "naive"), options={"startingVersion": "latest"})
    naive.read()
    reader.read()
    append(gold, chunk("a", "one"))
    assert naive.read().held == {}
    assert reader.read().held == {"a": "one"} == live(gold)


def test_fact_6_a_commit_of_updates_arrives_whole_whatever_the_file_limit(gold, reader):
    reader.max_files = 1
    for key in ("a", "b", "c"):
        append(gold, chunk(key, "old"))
    assert len(reader.read().batches) == 3
    gold.spark.sql(f"UPDATE {gold.ref(GOLD_CHUNKS)} SET text = 'new', fingerprint = 'new'")
    folder = Path(gold.place.root, GOLD_CHUNKS.name, "_change_data")
    assert len(list(folder.rglob("*.parquet"))) > 1
    assert [len(changes) for _, changes in reader.read().batches] == [6]
    assert reader.held == {"a": "new", "b": "new", "c": "new"}


def test_facts_4_and_6_an_overwrite_comes_in_several_batches_and_deletes_nothing_that_lives_on(gold, reader):
    reader.max_files = 1
    append(gold, chunk("a", "one"), chunk("b", "two"), chunk("c", "three"))
    reader.read()
    seen = []
    reader.apply = lambda changes: seen.append(set(reader.held))
    new = rows(gold, chunk("a", "one"), chunk("b", "zwei"), chunk("d", "four")).repartition(3)
    new.write.format("delta").mode("overwrite").saveAsTable(gold.ref(GOLD_CHUNKS))
    reader.read()
    assert len(reader.batches) > 1
    assert {change[3] for change in reader.changes} == {2}
    assert all(keys >= {"a", "b"} for keys in seen)
    assert reader.held == {"a": "one", "b": "zwei", "d": "four"} == live(gold)

    gold.spark.sql(f"RESTORE TABLE {gold.ref(GOLD_CHUNKS)} TO VERSION AS OF 1")
    reader.read()
    assert len(reader.batches) > 1
    assert all(keys >= {"a", "b"} for keys in seen)
    assert reader.held == {"a": "one", "b": "two", "c": "three"} == live(gold)


def test_facts_4_and_6_a_delete_out_of_a_commit_begun_before_does_not_say_what_the_collection_holds(gold, reader):
    reader.max_files = 2
    append(gold, chunk("a", "one"), chunk("b", "two"))
    append(gold, chunk("c", "three"))
    reader.read()
    new = rows(gold, chunk("a", "uno"), chunk("b", "due")).coalesce(1)
    new.write.format("delta").mode("overwrite").saveAsTable(gold.ref(GOLD_CHUNKS))
    edit(gold, "a", "one")
    edit(gold, "b", "two")
    reader.read()
    torn = {("a", "one", "delete", 3), ("a", "one", "update_postimage", 4)}
    assert any(torn <= set(changes) for _, changes in reader.batches), "other batches: this shows nothing"
    assert reader.held == {"a": "one", "b": "two"} == live(gold)


def test_fact_7_a_failed_batch_runs_again_with_the_same_id_and_rows_and_is_recorded_once(gold, reader):
    append(gold, chunk("a", "one"), chunk("b", "two"))
    log = f"{gold.place.root}/log"

    def record(batch, batch_id):
        line = batch.select("chunk_id")
        line.write.format("delta").mode("append").options(txnAppId="sync", txnVersion=str(batch_id)).save(log)
        if len(seen) == 0:
            seen.append(reader.batches)
            raise ConnectionError("the store went away")

    seen = []
    reader.before_apply = record
    with pytest.raises(PySparkException, match="the store went away"):
        reader.read()
    reader.read()
    assert [(n, sorted(changes)) for n, changes in reader.batches] == [(n, sorted(rows)) for n, rows in seen[0]]
    assert sorted(row[0] for row in gold.spark.read.format("delta").load(log).collect()) == ["a", "b"]
    assert reader.held == {"a": "one", "b": "two"}


def test_fact_8_vacuum_removes_changes_and_a_session_that_skips_missing_files_is_set_back(
    gold, reader, short_retention
):
    append(gold, chunk("a", "one"), chunk("b", "two"), chunk("c", "three"))
    reader.read()
    gold.spark.sql(f"DELETE FROM {gold.ref(GOLD_CHUNKS)} WHERE chunk_id = 'b'")
    edit(gold, "a", "uno")
    gold.spark.sql(f"VACUUM {gold.ref(GOLD_CHUNKS)} RETAIN 0 HOURS")
    gold.spark.conf.set("spark.sql.files.ignoreMissingFiles", "true")
    set_up(gold.spark)  # as every job does with the session that it finds
    assert lost(reader) == "FAILED_READ_FILE.FILE_NOT_EXIST"


def test_fact_9_a_cleaned_log_is_told(gold, reader):
    append(gold, chunk("a", "one"))
    reader.read()
    append(gold, chunk("b", "two"))
    alter(gold, "SET TBLPROPERTIES ('delta.checkpointInterval' = '1')")
    append(gold, chunk("c", "three"))
    for version in (0, 1, 2):
        Path(gold.place.root, GOLD_CHUNKS.name, "_delta_log", f"{version:020}.json").unlink()
    assert lost(reader) == "DELTA_LOG_FILE_NOT_FOUND_FOR_STREAMING_SOURCE"


def test_fact_9_a_feed_that_was_off_meanwhile_is_told(gold, reader):
    append(gold, chunk("a", "one"))
    reader.read()
    alter(gold, "SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'false')")
    edit(gold, "a", "unseen")
    alter(gold, "SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')")
    assert lost(reader) == "DELTA_MISSING_CHANGE_DATA"


def test_fact_9_a_feed_that_is_off_is_told(gold, reader):
    append(gold, chunk("a", "one"))
    reader.read()
    alter(gold, "SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'false')")
    edit(gold, "a", "unseen")
    assert lost(reader) == "DELTA_MISSING_CHANGE_DATA"


def test_fact_9_a_recreated_or_replaced_table_has_another_id(gold, reader, tmp_path):
    append(gold, chunk("a", "one"))
    replaced = Reader(gold, str(tmp_path / "replaced"))
    first = gold.table_id(GOLD_CHUNKS)
    reader.read()
    spark, name, folder = gold.spark, gold.ref(GOLD_CHUNKS), f"{gold.place.root}/{GOLD_CHUNKS.name}"
    spark.sql(f"DROP TABLE {name}")
    shutil.rmtree(folder)
    gold.ensure((GOLD_CHUNKS,))
    second = gold.table_id(GOLD_CHUNKS)
    append(gold, chunk("b", "two"))
    assert lost(reader) == "DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE"

    replaced.read()
    rows(gold, chunk("c", "three")).createOrReplaceTempView("new_rows")
    spark.sql(
        f"CREATE OR REPLACE TABLE {name} USING delta TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true') "
        f"LOCATION '{folder}' AS SELECT * FROM new_rows"
    )
    third = gold.table_id(GOLD_CHUNKS)
    assert len({first, second, third}) == 3
    # The condition depends on which of the two Delta looks at first: the id or the schema.
    assert lost(replaced) in ("DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE", "DELTA_UNSUPPORTED_SCHEMA_DURING_READ")


def test_fact_10_an_added_column_reads_on_and_a_renamed_one_is_told(gold, reader):
    append(gold, chunk("a", "one"))
    reader.read()
    alter(gold, "ADD COLUMN remark STRING")
    edit(gold, "a", "uno")
    assert reader.read().held == {"a": "uno"} == live(gold)
    alter(gold, "SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
    alter(gold, "RENAME COLUMN ordinal TO place")
    edit(gold, "a", "ein")
    assert lost(reader).startswith("DELTA_")
    assert gold.read(GOLD_CHUNKS).where(F.col("place") == 0).count() == 1
