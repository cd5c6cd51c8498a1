"""What a sync does between its micro-batches, and when one of them fails."""

import pytest

from lakerag.errors import CollectionMissingError, MixedSpacesError, PositionLostError
from lakerag.stores import Collection, connect
from lakerag.stores.generations import switch
from lakerag.stores.milvus.store import MilvusStore
from lakerag.sync import stream
from lakerag.tables import GOLD_CHUNKS, OPS_SYNC
from tests.integration.sync.gold import SPACE, append, chunk, edit, indexed, merge, rows, syncing


@pytest.fixture
def sync(catalog, address, tmp_path):
    """A sync whose batches are of one file."""

    def of(alias, run_id="run", **given):
        return syncing(catalog, address, tmp_path, alias=alias, run_id=run_id, max_files=1, **given)

    return of


def fail_at(monkeypatch, number):
    """Lets the batch of that number fail before it is written."""
    calls = []

    def write(changes, **options):
        calls.append(changes)
        if len(calls) == number:
            raise ConnectionError("the driver ran out of something")
        return whole(changes, **options)

    whole = stream.write_changes
    monkeypatch.setattr(stream, "write_changes", write)


def test_a_first_load_that_was_interrupted_goes_on_though_all_its_batches_have_one_version(
    catalog, address, sync, monkeypatch
):
    for key in ("a", "b", "c"):
        append(catalog, chunk(key, "text"))
    with monkeypatch.context() as patched:
        fail_at(patched, 2)
        with pytest.raises(Exception, match="ran out of something"):
            sync("first").catch_up()
    with pytest.raises(CollectionMissingError):
        connect(address).resolve("first")
    report = sync("first", "2").catch_up()
    assert (report.upserted, report.healed, report.to_version) == (2, "", 3)
    assert indexed(address, "first") == [("a", "text", ""), ("b", "text", ""), ("c", "text", "")]


def test_a_collection_that_a_crash_left_without_indexes_gets_them(catalog, address, sync, monkeypatch):
    append(catalog, chunk("a", "text"))
    with monkeypatch.context() as patched:
        patched.setattr(MilvusStore, "_index", lambda self, name: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sync("torn").catch_up()
    name = sync("torn", "2").catch_up().collection
    assert len(connect(address)._client.list_indexes(name)) > 1
    assert indexed(address, "torn") == [("a", "text", "")]


def test_a_commit_of_many_files_is_not_done_before_its_last_one(catalog, address, sync, monkeypatch):
    append(catalog, chunk("a", "text"))
    sync("many").catch_up()
    catalog.append(GOLD_CHUNKS, rows(catalog, *(chunk(key, "text") for key in "bcd")).repartition(3))
    with monkeypatch.context() as patched:
        fail_at(patched, 2)
        with pytest.raises(Exception, match="ran out of something"):
            sync("many", "2").catch_up()
    assert sync("many", "3").catch_up().to_version == 2
    assert [key for key, _, _ in indexed(address, "many")] == ["a", "b", "c", "d"]


def test_nothing_new_asks_the_store_what_the_alias_is_and_nothing_else(catalog, sync, monkeypatch):
    append(catalog, chunk("a", "text"))
    sync("calm").catch_up()
    asked = set()

    class Counting:
        def __init__(self, store):
            self.store = store

        def __getattr__(self, name):
            asked.add(name)
            return getattr(self.store, name)

    monkeypatch.setattr(stream, "connect", lambda address, whole=stream.connect: Counting(whole(address)))
    before = catalog.version(OPS_SYNC)
    assert sync("calm", "2").catch_up().upserted == 0
    assert (asked, catalog.version(OPS_SYNC)) == ({"resolve"}, before)


def test_gold_of_another_embedding_space_never_gets_into_a_collection(catalog, address, sync):
    append(catalog, chunk("a", "text"))
    sync("pure").catch_up()
    place = GOLD_CHUNKS.names.index("embedding_space")
    row = chunk("foreign", "same length")
    append(catalog, (*row[:place], "toy/111111111111/mean/unit/4", *row[place + 1 :]))
    for refused in (sync("pure").catch_up, lambda: sync("pure").reconcile(repair=True)):
        with pytest.raises(MixedSpacesError, match="gold_chunks has vectors of toy/111111111111"):
            refused()
    assert indexed(address, "pure") == [("a", "text", "")]
    merge(catalog, deletes=["foreign"])
    append(catalog, chunk("b", "own"))
    mended = sync("pure", "mended").catch_up()
    assert (mended.healed[:40], mended.upserted) == ("gold_chunks has vectors of toy/111111111", 1)
    assert indexed(address, "pure") == [("a", "text", ""), ("b", "own", "")]


def test_a_position_that_is_lost_again_after_healing_says_what_to_look_for(catalog, address, sync, monkeypatch):
    append(catalog, chunk("a", "text"))

    def lose(*_):
        raise PositionLostError("The change feed cannot be read on.")

    monkeypatch.setattr(stream.Sync, "_drain", lose)
    with pytest.raises(PositionLostError, match=r"cannot be read on\. The index was compared .* find what vacuums"):
        sync("unlucky").catch_up()
    monkeypatch.undo()
    assert sync("unlucky", "2").catch_up().healed == ""
    assert indexed(address, "unlucky") == [("a", "text", "")]


def test_an_alias_that_moved_before_the_lease_was_taken_is_followed(catalog, address, sync, monkeypatch):
    append(catalog, chunk("a", "text"))
    old = sync("moved").catch_up().collection
    edit(catalog, "a", "new")
    late, store = sync("moved", "late"), connect(address)
    looked = stream.find_target

    def looked_and_then_moved(*arguments):
        found = looked(*arguments)
        monkeypatch.setattr(stream, "find_target", looked)
        store.create(Collection("moved_00000000_9", SPACE.name, SPACE.dimension))
        switch(store, "moved", Collection("moved_00000000_9", SPACE.name, SPACE.dimension))
        return found

    monkeypatch.setattr(stream, "find_target", looked_and_then_moved)
    assert late.catch_up().collection == "moved_00000000_9"
    assert indexed(address, "moved") == [("a", "new", "")]
    assert indexed(address, old) == [("a", "text", "")]
