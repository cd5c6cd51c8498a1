"""A source position that is lost is noticed, and the index healed in place."""

import shutil

import pytest

from lakerag.errors import CollectionMissingError
from lakerag.stores import connect
from lakerag.tables import GOLD_CHUNKS, INDEX_FIELDS, INDEX_VECTOR, OPS_SYNC
from tests.integration.sync.gold import append, chunk, edit, indexed, merge, syncing


def delete(catalog, key):
    catalog.spark.sql(f"DELETE FROM {catalog.ref(GOLD_CHUNKS)} WHERE chunk_id = '{key}'")


def feed(catalog, on):
    properties = f"('delta.enableChangeDataFeed' = '{str(on).lower()}')"
    catalog.spark.sql(f"ALTER TABLE {catalog.ref(GOLD_CHUNKS)} SET TBLPROPERTIES {properties}")


def moved(report):
    return report.upserted, report.deleted


def test_lost_positions_are_healed_in_place_by_moving_the_difference_alone(catalog, address, tmp_path, short_retention):
    def sync(run_id, folder=tmp_path):
        return syncing(catalog, address, folder, alias="heals", run_id=run_id).catch_up()

    append(catalog, chunk("a", "one"), chunk("b", "two"), chunk("c", "three"))
    first = sync("fill")

    edit(catalog, "a", "uno")
    delete(catalog, "b")
    elsewhere = tmp_path / "elsewhere"
    report = sync("no checkpoint", elsewhere)
    assert (report.healed, moved(report), report.rebuilt) == ("its checkpoint is gone", (1, 1), False)
    assert report.collection == first.collection
    assert indexed(address, "heals") == [("a", "uno", ""), ("c", "three", "")]

    merge(catalog, [chunk("d", "four")])
    report = sync("streams on", elsewhere)
    assert (report.healed, moved(report)) == ("", (1, 0))

    delete(catalog, "d")
    edit(catalog, "c", "drei")
    catalog.spark.sql(f"VACUUM {catalog.ref(GOLD_CHUNKS)} RETAIN 0 HOURS")
    report = sync("aged out", elsewhere)
    assert "FAILED_READ_FILE.FILE_NOT_EXIST" in report.healed
    assert moved(report) == (1, 1)
    assert indexed(address, "heals") == [("a", "uno", ""), ("c", "drei", "")]

    feed(catalog, on=False)
    edit(catalog, "a", "unseen")
    feed(catalog, on=True)
    report = sync("feed was off", elsewhere)
    assert "DELTA_MISSING_CHANGE_DATA" in report.healed
    assert moved(report) == (1, 0)

    catalog.spark.sql(f"DROP TABLE {catalog.ref(GOLD_CHUNKS)}")
    shutil.rmtree(f"{catalog.place.root}/{GOLD_CHUNKS.name}")
    catalog.ensure((GOLD_CHUNKS,))
    append(catalog, chunk("a", "unseen"), chunk("e", "five"))
    report = sync("recreated", elsewhere)
    assert (report.healed, moved(report)) == ("gold_chunks was created anew", (1, 1))
    assert report.collection == first.collection
    assert indexed(address, "heals") == [("a", "unseen", ""), ("e", "five", "")]

    edit(catalog, "e", "cinq")
    report = sync("streams on again", elsewhere)
    assert (report.healed, moved(report), report.to_version) == ("", (1, 0), 2)
    heals = catalog.read(OPS_SYNC).where("kind = 'heal'").orderBy("applied_at").collect()
    assert [row["run_id"] for row in heals] == ["no checkpoint", "aged out", "feed was off", "recreated"]
    assert heals[-1]["note"] == "gold_chunks was created anew"


def test_whoever_heals_twice_does_not_go_back_to_the_first_checkpoint_whatever_the_clocks_say(
    catalog, address, tmp_path
):
    def sync(repair=False):
        made = syncing(catalog, address, tmp_path, alias="nightly", run_id="nightly")
        return made.reconcile(repair=True) if repair else made.catch_up()

    append(catalog, chunk("a", "one"), chunk("b", "two"))
    name, store = sync().collection, connect(address)
    store.delete(name, ["b"])
    assert sync(repair=True).repaired == 1
    # The clock of the host that healed was ahead.
    catalog.spark.sql(f"UPDATE {catalog.ref(OPS_SYNC)} SET applied_at = applied_at + INTERVAL 1 HOUR")
    append(catalog, chunk("c", "three"))
    sync()
    edit(catalog, "a", "uno")
    store.delete(name, ["b"])
    assert sync(repair=True).repaired == 2
    edit(catalog, "a", "one")  # as before the change that the first checkpoint has not seen
    sync()
    assert indexed(address, "nightly") == [("a", "one", ""), ("b", "two", ""), ("c", "three", "")]


def test_a_lost_record_of_the_position_is_healed(catalog, address, tmp_path):
    def sync():
        return syncing(catalog, address, tmp_path, alias="forgotten").catch_up()

    append(catalog, chunk("a", "one"), chunk("b", "two"))
    sync()
    catalog.spark.sql(f"DELETE FROM {catalog.ref(OPS_SYNC)}")
    edit(catalog, "a", "uno")
    report = sync()
    assert (report.healed, moved(report)) == ("nothing says where it stands", (1, 0))
    assert indexed(address, "forgotten") == [("a", "uno", ""), ("b", "two", "")]


def test_reconcile_tells_every_difference_and_repairs_it(catalog, address, tmp_path):
    def sync(run_id):
        return syncing(catalog, address, tmp_path, alias="compared", run_id=run_id)

    with pytest.raises(CollectionMissingError):
        sync("too early").reconcile(repair=False)
    append(catalog, chunk("a", "one"), chunk("b", "two"), chunk("c", "three"))
    name = sync("fill").catch_up().collection
    assert sync("same").reconcile(repair=False).examples == {"missing": [], "stale": [], "orphaned": [], "refused": []}

    store = connect(address)
    fields = [*(field.name for field in INDEX_FIELDS), INDEX_VECTOR]
    rows = {row["chunk_id"]: row for batch in store.scan(name, fields) for row in batch}
    store.delete(name, ["a"])
    store.upsert(name, [{**rows["b"], "fingerprint": "old"}, {**rows["c"], "chunk_id": "z"}])
    found = sync("look").reconcile(repair=False)
    assert found.examples == {"missing": ["a"], "stale": ["b"], "orphaned": ["z"], "refused": []}
    assert (found.missing, found.stale, found.orphaned, found.repaired) == (1, 1, 1, 0)

    mended = sync("mend").reconcile(repair=True)
    assert (mended.missing, mended.stale, mended.orphaned, mended.repaired) == (1, 1, 1, 3)
    assert indexed(address, "compared") == [("a", "one", ""), ("b", "two", ""), ("c", "three", "")]
    after = sync("after").reconcile(repair=True)
    assert (after.missing, after.stale, after.orphaned, after.repaired) == (0, 0, 0, 0)

    edit(catalog, "a", "uno")
    report = sync("on").catch_up()
    assert (report.healed, moved(report)) == ("", (1, 0))
