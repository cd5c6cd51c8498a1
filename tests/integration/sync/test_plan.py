from chispa import assert_df_equality
from pyspark.sql import functions as F

from lakerag.sync.plan import inserts, net_changes, only_insert
from lakerag.tables import GOLD_CHUNKS

PLANNED = ["chunk_id", "fingerprint", "op", "first_version", "last_version"]
FEED = "chunk_id STRING, fingerprint STRING, _change_type STRING, _commit_version BIGINT"


def feed(spark, rows):
    """A range of the feed, of (key, fingerprint, change type, version); other columns are null."""
    told = spark.createDataFrame(rows, FEED)
    for column in GOLD_CHUNKS.columns:
        if column.name not in ("chunk_id", "fingerprint"):
            told = told.withColumn(column.name, F.lit(None).cast(column.type))
    return told


def plan(spark, rows):
    return net_changes(feed(spark, rows)).select(PLANNED)


def assert_plan(spark, rows, expected):
    wanted = spark.createDataFrame(
        expected, "chunk_id STRING, fingerprint STRING, op STRING, first_version BIGINT, last_version BIGINT"
    )
    assert_df_equality(plan(spark, rows), wanted, ignore_row_order=True, ignore_nullable=True)


def test_highest_version_wins_whatever_order_a_batch_brings(spark):
    rows = [
        ("k", "f5", "update_postimage", 5),
        ("k", "f1", "update_preimage", 2),
        ("k", "f2", "update_postimage", 2),
        ("k", "f4", "update_preimage", 5),
        ("k", "f2", "update_preimage", 3),
        ("k", "f4", "update_postimage", 3),
    ]
    assert_plan(spark, rows, [("k", "f5", "upsert", 2, 5)])


def test_insert_stands_above_delete_within_one_version(spark):
    rows = [("k", "new", "insert", 7), ("k", "old", "delete", 7)]
    assert_plan(spark, rows, [("k", "new", "upsert", 7, 7)])


def test_key_seen_only_as_preimage_is_deleted(spark):
    rows = [("old", "f", "update_preimage", 3), ("new", "g", "update_postimage", 3)]
    assert_plan(spark, rows, [("old", "f", "delete", 3, 3), ("new", "g", "upsert", 3, 3)])


def test_key_that_ends_as_it_began_is_left_alone(spark):
    rows = [
        ("overwritten", "f", "delete", 4),
        ("overwritten", "f", "insert", 4),
        ("there and back", "f", "update_preimage", 4),
        ("there and back", "g", "update_postimage", 4),
        ("there and back", "g", "update_preimage", 5),
        ("there and back", "f", "update_postimage", 5),
    ]
    assert_plan(spark, rows, [("overwritten", "f", "same", 4, 4), ("there and back", "f", "same", 4, 5)])


def test_what_a_commit_begun_before_deletes_does_not_say_what_a_key_held(spark):
    rows = [
        ("torn", "f", "delete", 4),
        ("torn", "g", "update_preimage", 5),
        ("torn", "f", "update_postimage", 5),
        ("whole", "f", "update_preimage", 5),
        ("whole", "f", "update_postimage", 5),
    ]
    planned = net_changes(feed(spark, rows), begun=4).select("chunk_id", "op").collect()
    assert sorted(map(tuple, planned)) == [("torn", "upsert"), ("whole", "same")]


def test_key_inserted_and_deleted_in_the_range_is_deleted(spark):
    assert_plan(spark, [("k", "f", "insert", 1), ("k", "f", "delete", 2)], [("k", "f", "delete", 1, 2)])


def test_deleted_and_inserted_again_with_other_content_is_written(spark):
    assert_plan(spark, [("k", "f", "delete", 1), ("k", "g", "insert", 2)], [("k", "g", "upsert", 1, 2)])


def test_two_inserts_of_one_key_in_one_commit_give_one_row(spark):
    assert_plan(spark, [("k", "a", "insert", 1), ("k", "b", "insert", 1)], [("k", "b", "upsert", 1, 1)])


def test_a_range_that_only_inserts_needs_no_bringing_together(spark):
    once = feed(spark, [("a", "f", "insert", 4), ("b", "g", "insert", 5)])
    assert only_insert(once)
    assert inserts(once).columns == net_changes(once).columns
    assert_df_equality(
        inserts(once).select(PLANNED), net_changes(once).select(PLANNED), ignore_row_order=True, ignore_nullable=True
    )


def test_a_range_with_other_changes_or_a_key_twice_does_not_only_insert(spark):
    assert not only_insert(feed(spark, [("a", "f", "insert", 4), ("a", "g", "insert", 4)]))
    assert not only_insert(feed(spark, [("a", "f", "insert", 4), ("b", "g", "delete", 4)]))
    assert not only_insert(feed(spark, [("a", "f", "update_preimage", 4), ("a", "g", "update_postimage", 4)]))
