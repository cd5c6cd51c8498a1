"""First loads through the bulk import of a real Milvus server, from Parquet that Spark writes into its storage."""

from dataclasses import replace

import pytest

from lakerag.errors import ConfigError, ImportFailedError
from lakerag.stores import connect
from lakerag.tables import OPS_SYNC
from tests.integration.sync.gold import append, chunk, indexed, merge, syncing
from tests.integration.sync.test_quarantine import poisoned


@pytest.fixture
def sync(catalog, milvus_address, milvus_folder, tmp_path):
    """A sync that imports first loads of two rows and more."""

    def of(run_id, address=milvus_address, **given):
        made = syncing(catalog, address, tmp_path, alias="imported", run_id=run_id)
        importing = {"import_path": f"{milvus_folder}/data/imports", "import_rows": 2, "import_timeout_s": 120}
        return replace(made, settings=made.settings.model_copy(update={**importing, **given}))

    return of


@pytest.mark.long
def test_a_first_load_is_imported_and_everything_after_it_is_synced(catalog, milvus_address, lite_address, sync):
    store = connect(milvus_address)
    append(
        catalog,
        chunk("a", 'one, with "quotes",\nlines and ümlauts', tenant="acme", groups=("hr", "it")),
        chunk("b", "two"),
        poisoned("nan", "a", [1.0, float("nan"), 0.0, 0.0]),
    )
    with pytest.raises(ConfigError, match="no bulk import"):
        sync("on Lite", lite_address).catch_up()
    with pytest.raises(ImportFailedError, match=r"did not import /no/such/folder/imported_.*import_prefix"):
        sync("nowhere", import_prefix="/no/such/folder").catch_up()
    append(catalog, chunk("c", "three"))  # while nothing serves

    first = sync("imports").catch_up()
    assert (first.rebuilt, first.upserted, first.refused, first.healed) == (True, 3, 1, "")
    text = 'one, with "quotes",\nlines and ümlauts'
    assert indexed(milvus_address, "imported") == [("a", text, "acme"), ("b", "two", ""), ("c", "three", "")]
    held = {
        row["chunk_id"]: row for rows in store.scan("imported", ["chunk_id", "metadata", "acl_groups"]) for row in rows
    }
    assert held["a"] == {"chunk_id": "a", "metadata": {"team": "ops"}, "acl_groups": ["hr", "it"]}
    assert sync("compares").reconcile(repair=False).stale == 0
    [note] = [row["note"] for row in catalog.read(OPS_SYNC).where("run_id = 'imports'").collect()]
    assert note == "bulk import of 3 rows"

    merge(catalog, [chunk("b", "zwei")], deletes=["c"])
    second = sync("streams on").catch_up()
    assert (second.upserted, second.deleted, second.healed) == (1, 1, "")
    assert indexed(milvus_address, "imported") == [("a", text, "acme"), ("b", "zwei", "")]
    store.drop(first.collection)
