"""Rows that no store can hold go to quarantine, and the rest goes on."""

import pytest

from lakerag.stores import connect
from lakerag.tables import GOLD_CHUNKS, SYNC_QUARANTINE
from tests.integration.sync.gold import append, chunk, indexed, merge, syncing


@pytest.fixture(params=["lite_address", "milvus_address"])
def store_address(request):
    return request.getfixturevalue(request.param)


def poisoned(key, text, vector):
    """A chunk with another vector."""
    row, place = chunk(key, text), GOLD_CHUNKS.names.index("embedding")
    return (*row[:place], vector, *row[place + 1 :])


def test_poison_rows_are_quarantined_with_their_reasons_and_their_old_content_is_removed(
    catalog, store_address, tmp_path
):
    def sync(run_id):
        return syncing(catalog, store_address, tmp_path, alias="poison", run_id=run_id)

    bad = [
        poisoned("nan", "a", [1.0, float("nan"), 0.0, 0.0]),
        poisoned("short", "b", [1.0, 0.0, 0.0]),
        chunk("long", "ü" * 32_768),
    ]
    append(catalog, chunk("good", "one"), chunk("turns", "two"), *bad)
    first = sync("1").catch_up()
    assert (first.upserted, first.refused) == (2, 3)
    assert indexed(store_address, "poison") == [("good", "one", ""), ("turns", "two", "")]

    merge(catalog, [poisoned("turns", "bad", [0.0, 0.0, 0.0, 0.0]), chunk("nan", "mended")])
    second = sync("2").catch_up()
    assert (second.upserted, second.refused) == (1, 1)
    assert indexed(store_address, "poison") == [("good", "one", ""), ("nan", "mended", "")]

    held = catalog.read(SYNC_QUARANTINE).orderBy("run_id", "chunk_id")
    assert [(row["run_id"], row["chunk_id"], row["version"], row["reason"]) for row in held.collect()] == [
        ("1", "long", 1, "text: 65536 bytes of UTF-8, at most 65535"),
        ("1", "nan", 1, "embedding: NaN or infinite"),
        ("1", "short", 1, "embedding: expected 4 numbers, found the shape (3,)"),
        ("2", "turns", 2, "embedding: all zeros, which has no direction"),
    ]
    compared = sync("3").reconcile(repair=True)
    assert (compared.missing, compared.stale, compared.orphaned, compared.refused) == (0, 0, 0, 3)
    assert sorted(compared.examples["refused"]) == ["long", "short", "turns"]
    assert connect(store_address).count("poison") == 2
