import pytest
from pyspark.sql import functions as F

from lakerag.errors import MixedSpacesError, StoreUnavailableError
from lakerag.models.base import EmbeddingSpace
from lakerag.stores import StoreAddress, connect
from lakerag.tables import GOLD_CHUNKS, OPS_SYNC
from tests.integration.sync.gold import chunk, indexed, merge, syncing


def test_collection_follows_inserts_edits_rights_and_deletes(catalog, address, tmp_path):
    merge(catalog, [chunk("a", "one"), chunk("b", "two"), chunk("c", "three")])
    first = syncing(catalog, address, tmp_path, alias="follows", run_id="1").catch_up()
    assert (first.upserted, first.deleted, first.rebuilt) == (3, 0, True)
    assert indexed(address, "follows") == [("a", "one", ""), ("b", "two", ""), ("c", "three", "")]

    merge(catalog, [chunk("a", "uno"), chunk("d", "four")], deletes=["b"])
    merge(catalog, [chunk("a", "ein"), chunk("c", "three", tenant="acme")], deletes=["d"])
    second = syncing(catalog, address, tmp_path, alias="follows", run_id="2").catch_up()
    assert (second.upserted, second.deleted, second.rebuilt) == (2, 2, False)
    assert (second.from_version, second.to_version) == (2, 3)
    assert indexed(address, "follows") == [("a", "ein", ""), ("c", "three", "acme")]

    third = syncing(catalog, address, tmp_path, alias="follows", run_id="3").catch_up()
    assert (third.upserted, third.deleted, third.from_version, third.to_version) == (0, 0, 3, 3)
    assert {row["run_id"] for row in catalog.read(OPS_SYNC).toLocalIterator()} == {"1", "2"}

    merge(catalog, deletes=["a", "c"])
    assert syncing(catalog, address, tmp_path, alias="follows", run_id="4").catch_up().deleted == 2
    assert indexed(address, "follows") == []


def test_rows_that_end_as_they_began_are_not_written(catalog, address, tmp_path):
    merge(catalog, [chunk("a", "one"), chunk("b", "two")])
    syncing(catalog, address, tmp_path, alias="unchanged", run_id="1").catch_up()
    rows = catalog.read(GOLD_CHUNKS).withColumn("ordinal", F.col("ordinal") + 1)
    rows.write.format("delta").mode("overwrite").saveAsTable(catalog.ref(GOLD_CHUNKS))
    report = syncing(catalog, address, tmp_path, alias="unchanged", run_id="2").catch_up()
    assert (report.upserted, report.deleted, report.skipped) == (0, 0, 2)


def test_lost_collection_is_filled_anew_from_the_snapshot(catalog, address, tmp_path):
    merge(catalog, [chunk("a", "one"), chunk("b", "two")])
    first = syncing(catalog, address, tmp_path, alias="lost", run_id="1").catch_up()
    merge(catalog, deletes=["b"])
    connect(address).drop(first.collection)
    second = syncing(catalog, address, tmp_path, alias="lost", run_id="2").catch_up()
    assert (second.rebuilt, second.healed, second.upserted) == (True, "", 1)
    assert second.collection != first.collection
    assert indexed(address, "lost") == [("a", "one", "")]


def test_another_embedding_space_is_refused_before_anything_is_written(catalog, address, tmp_path):
    merge(catalog, [chunk("a", "one")])
    syncing(catalog, address, tmp_path, alias="spaces", run_id="1").catch_up()
    other = EmbeddingSpace("toy", "111111111111", "mean", True, 8)
    with pytest.raises(MixedSpacesError, match="toy/000000000000/mean/unit/4"):
        syncing(catalog, address, tmp_path, alias="spaces", run_id="2", space=other).catch_up()
    assert indexed(address, "spaces") == [("a", "one", "")]


def test_an_empty_gold_is_an_empty_index(catalog, address, tmp_path):
    def sync():
        return syncing(catalog, address, tmp_path, alias="empty").catch_up()

    assert (sync().rebuilt, sync().rebuilt) == (True, False)
    assert indexed(address, "empty") == []
    merge(catalog, [chunk("a", "one")])
    assert sync().upserted == 1
    assert indexed(address, "empty") == [("a", "one", "")]


def test_store_that_is_not_there_is_an_error_and_the_next_run_goes_on(catalog, address, tmp_path):
    merge(catalog, [chunk("a", "one")])
    nowhere = StoreAddress("http://127.0.0.1:9", timeout_s=1.0)
    with pytest.raises(StoreUnavailableError, match=r"127\.0\.0\.1:9"):
        syncing(catalog, nowhere, tmp_path, alias="away").catch_up()
    assert syncing(catalog, address, tmp_path, alias="away").catch_up().upserted == 1
    assert indexed(address, "away") == [("a", "one", "")]
