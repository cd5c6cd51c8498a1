"""What every store does alike: the strict fake, Milvus Lite and the Milvus server."""

from uuid import uuid4

import numpy as np
import pytest

from lakerag.errors import (
    CollectionMissingError,
    DimensionMismatchError,
    MixedSpacesError,
    RowRefusedError,
    StoreUnavailableError,
    UsageError,
)
from lakerag.records import Access
from lakerag.stores import Collection, Query, StoreAddress
from lakerag.stores.filters import parse
from lakerag.stores.milvus import MilvusStore, upserting
from lakerag.stores.milvus.upserting import columns
from tests.integration.stores.conftest import emptied
from tests.stores_fixtures import row

FIELDS = {"year": "number", "tags": "texts", "day": "date", "team": "text"}
EAST, NORTH = np.eye(4, dtype=np.float32)[:2]


def held(store, name, *fields):
    return {found["chunk_id"]: found for batch in store.scan(name, ["chunk_id", *fields]) for found in batch}


def keys(store, name, *, access=None, condition=None, vector=EAST, top_k=50, mode="vector", text=""):
    query = Query(text, access or Access(), top_k, mode, condition)
    return [passage.chunk_id for passage in store.search(name, vector[None], [query])[0]]


def test_a_written_row_comes_back_as_it_was(store):
    name = emptied(store)
    vector = np.array([0.5, -0.25, 0, 1], dtype=np.float32)
    store.upsert(name, [row("a", text='Größe "1"\n\t\\', metadata={"year": "2024"}, embedding=vector)])
    found = held(store, name, "text", "metadata", "acl_groups", "start", "end", "embedding")["a"]
    np.testing.assert_array_equal(found.pop("embedding"), vector)
    assert found == {
        "chunk_id": "a",
        "text": 'Größe "1"\n\t\\',
        "metadata": {"year": "2024"},
        "acl_groups": ["*"],
        "start": 0,
        "end": 23,
    }


def test_fact_11_the_last_write_of_a_key_wins_and_it_stands_once(store):
    name = emptied(store)
    store.upsert(name, [row("a", text="old"), row("b", text="kept")])
    assert store.upsert(name, [row("a", text="new")]) == 1
    assert {key: found["text"] for key, found in held(store, name, "text").items()} == {"a": "new", "b": "kept"}
    assert store.count(name) == 2


def test_fact_12_deleted_rows_are_gone_at_once_the_count_is_exact_and_absent_ids_are_no_error(store):
    name = emptied(store)
    store.upsert(name, [row("a"), row("b"), row("c")])
    assert store.delete(name, ["a", "c", "never-there"]) == 3
    assert store.delete(name, []) == 0
    assert store.delete(name, ["k" * 70_000, 'ä\x00"']) == 2
    assert (store.count(name), keys(store, name)) == (1, ["b"])


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ({"embedding": [1, 0, float("nan"), 0]}, RowRefusedError),
        ({"embedding": [1, 0, float("inf"), 0]}, RowRefusedError),
        ({"embedding": [0, 0, 0, 0]}, RowRefusedError),
        ({"embedding": [1, 0, 0]}, DimensionMismatchError),
        ({"text": "ü" * 32_768}, RowRefusedError),  # 65,536 bytes
        ({"tenant": "t" * 513}, RowRefusedError),
        ({"acl_groups": ["g" * 513]}, RowRefusedError),
        ({"chunk_id": "first"}, RowRefusedError),
        ({"chunk_id": 'a" or chunk_id != "'}, RowRefusedError),
    ],
)
def test_facts_13_and_14_one_bad_row_refuses_the_whole_batch(store, bad, error):
    name = emptied(store)
    with pytest.raises(error):
        store.upsert(name, [row("first"), {**row("bad"), **bad}])
    assert store.count(name) == 0


def test_fact_13_a_text_of_exactly_as_many_bytes_as_fit_comes_back(store):
    name, text = emptied(store), "ü" * 32_767 + "x"
    store.upsert(name, [row("a", text=text)])
    assert len(text.encode()) == 65_535
    assert held(store, name, "text")["a"]["text"] == text


def test_over_long_titles_are_shortened_for_display(store):
    name = emptied(store)
    store.upsert(name, [row("a", title="ü" * 5000)])
    assert held(store, name, "title")["a"]["title"] == "ü" * 4094 + "…"


def test_the_nearest_passage_comes_first_with_its_cosine(store):
    name = emptied(store)
    store.upsert(name, [row("east", embedding=[2, 0, 0, 0]), row("between", embedding=[3, 4, 0, 0])])
    store.upsert(name, [row("west", embedding=[-1, 0, 0, 0])])
    found = store.search(name, EAST[None], [Query("", Access(), 10)])[0]
    assert [passage.chunk_id for passage in found] == ["east", "between", "west"]
    assert [passage.score for passage in found] == pytest.approx([1, 0.6, -1], abs=1e-5)
    assert (found[0].path, found[0].heading, found[0].start, found[0].end) == (
        "guide/delta.md",
        "Delta > Merge",
        0,
        23,
    )


def test_top_k_bounds_the_passages(store):
    name = emptied(store)
    store.upsert(name, [row(f"k{n}", embedding=[1, n / 10, 0, 0]) for n in range(5)])
    assert keys(store, name, top_k=2) == ["k0", "k1"]


def test_queries_of_different_askers_are_answered_in_one_call_each_with_its_own_rights(store):
    name = emptied(store)
    store.upsert(name, [row("red", acl_groups=["red"]), row("blue", acl_groups=["blue"], embedding=NORTH)])
    queries = [Query("", Access("", (group,)), 5) for group in ("red", "blue", "green", "red")]
    found = store.search(name, np.stack([EAST, EAST, EAST, NORTH]), queries)
    assert [[passage.chunk_id for passage in passages] for passages in found] == [["red"], ["blue"], [], ["red"]]


RIGHTS = {
    "public": ("", ["*"]),
    "staff": ("", ["staff"]),
    "nobody": ("", []),
    "acme": ("acme", ["*"]),
    "acme-staff": ("acme", ["staff", "admins"]),
}


@pytest.mark.parametrize(
    ("access", "visible"),
    [
        (Access(), {"public"}),
        (Access("", ("staff",)), {"public", "staff"}),
        (Access("", ("*",)), {"public"}),
        (Access("", ("",)), {"public"}),
        (Access("acme"), {"public", "acme"}),
        (Access("acme", ("other", "admins")), {"public", "acme", "acme-staff"}),
        (Access("ACME", ("Staff",)), {"public"}),
        (Access('acme" or tenant != "', ('staff"]) or array_contains(acl_groups, "staff',)), {"public"}),
    ],
)
def test_nobody_sees_a_row_beyond_tenant_and_groups(store, access, visible):
    name = emptied(store)
    store.upsert(name, [row(key, tenant=tenant, acl_groups=groups) for key, (tenant, groups) in RIGHTS.items()])
    assert set(keys(store, name, access=access)) == visible


def test_groups_that_are_one_text_are_refused(lite, server):
    for store in (lite, server):
        name = emptied(store)
        with pytest.raises(UsageError, match="Groups must be a tuple"):
            keys(store, name, access=Access("", "staff"))


DOCUMENTS = {
    "en": {"lang": "en", "metadata": {"year": "2024", "tags": '["spark", "delta"]', "day": "2024-05-01", "team": "a"}},
    "de": {"lang": "de", "metadata": {"year": "2023.5", "tags": "spark , milvus", "day": "2023-01-31"}},
    "none": {"lang": "und", "metadata": {}},
    "odd": {"lang": "en", "metadata": {"year": "n/a", "tags": "", "team": "%"}},
}


@pytest.mark.parametrize(
    ("expression", "matching"),
    [
        ('lang == "en"', {"en", "odd"}),
        ('lang != "en"', {"de", "none"}),
        ('lang in ["de", "und"]', {"de", "none"}),
        ('lang not in ["de", "und"]', {"en", "odd"}),
        ('lang > "de"', {"en", "none", "odd"}),
        ("year >= 2023.5", {"en", "de"}),
        ("year == 2024", {"en"}),
        ("year == 2024.0", {"en"}),
        ("year > -1", {"en", "de"}),
        ("year != 2024", {"de", "none", "odd"}),
        ("not year < 2024", {"en", "none", "odd"}),
        ("year in [2023.5, 1]", {"de"}),
        ("year not in [2023.5, 1]", {"en", "none", "odd"}),
        ('tags has "spark"', {"en", "de"}),
        ('not tags has "spark"', {"none", "odd"}),
        ('day >= "2024-01-01"', {"en"}),
        ('not day >= "2024-01-01"', {"de", "none", "odd"}),
        ('team == "%"', {"odd"}),
        ('team == "_"', set()),
        ('(lang == "en" and year >= 2024) or not (tags has "milvus" or lang == "en")', {"en", "none"}),
        ('lang == "en" and (year == 2024 or (tags has "x" or (team == "a" and not day < "2020-01-01")))', {"en"}),
    ],
)
def test_a_filter_matches_the_same_rows_in_every_store(store, expression, matching):
    name = emptied(store)
    store.upsert(name, [row(key, **fields) for key, fields in DOCUMENTS.items()])
    assert set(keys(store, name, condition=parse(expression, FIELDS))) == matching


def test_few_visible_rows_are_found_among_many(store):
    name = emptied(store)
    vectors = np.random.default_rng(7).normal(size=(3000, 4)).astype(np.float32)
    groups = [["few"] if n % 600 == 0 else ["others"] for n in range(3000)]
    rows = [row(f"k{n}", acl_groups=groups[n], embedding=vectors[n]) for n in range(3000)]
    store.upsert(name, rows)
    found = keys(store, name, access=Access("", ("few",)), top_k=10)
    by_hand = sorted(range(0, 3000, 600), key=lambda n: -vectors[n][0] / np.linalg.norm(vectors[n]))
    assert found == [f"k{n}" for n in by_hand]


def test_a_scan_yields_every_row_once_in_bounded_batches(store):
    name = emptied(store)
    store.upsert(name, [row(f"k{n}") for n in range(1234)])
    batches = [[found["chunk_id"] for found in batch] for batch in store.scan(name, ["chunk_id"], batch_rows=500)]
    assert max(map(len, batches)) <= 500
    assert sorted(key for batch in batches for key in batch) == sorted(f"k{n}" for n in range(1234))


def test_fact_14_keyword_search_scores_higher_for_better_matches(text_store):
    name = emptied(text_store)
    text_store.upsert(
        name,
        [
            row("both", text="liquid clustering of a table"),
            row("one", text="a table of contents"),
            row("neither", text="nothing alike"),
            row("hidden", text="liquid clustering", acl_groups=["x"]),
        ],
    )
    query = Query("liquid clustering table", Access(), 10, "keyword")
    found = text_store.search(name, np.zeros((1, 4), np.float32), [query])[0]
    assert [passage.chunk_id for passage in found] == ["both", "one"]
    assert found[0].score > found[1].score > 0


def test_hybrid_search_adds_up_how_far_each_score_stands_out(text_store):
    name = emptied(text_store)
    text_store.upsert(
        name,
        [
            row("near", text="nothing alike", embedding=[1, 0, 0, 0]),
            row("said", text="liquid clustering", embedding=[0, 1, 0, 0]),
            row("far", text="something else", embedding=[0, 1, 0, 0]),
            row("hidden", text="liquid clustering", acl_groups=["x"]),
        ],
    )
    found = text_store.search(name, EAST[None], [Query("liquid clustering", Access(), 10, "hybrid")])[0]
    assert [passage.chunk_id for passage in found] == ["said", "near", "far"]
    # One of three stands out by the square root of 2, the others fall short by half of that.
    assert [passage.score for passage in found] == pytest.approx([0.3536, 0.3536, -0.7071], abs=1e-3)


@pytest.mark.parametrize("mode", ["keyword", "hybrid"])
def test_a_server_without_bm25_says_what_is_missing(server, mode):
    name = emptied(server)
    with pytest.raises(UsageError, match=r"needs BM25.*Milvus 2\.5 or newer.*mode vector"):
        keys(server, name, mode=mode, text="table")


def test_wrong_questions_are_refused(store):
    name = emptied(store)
    for query in (Query("", Access(), 0), Query("", Access(), 5, "magic")):
        with pytest.raises(UsageError):
            store.search(name, EAST[None], [query])
    with pytest.raises(DimensionMismatchError):
        store.search(name, np.ones((1, 5), np.float32), [Query("", Access(), 5)])


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.count("missing"),
        lambda store: store.resolve("missing"),
        lambda store: store.point("alias", "missing"),
        lambda store: store.upsert("missing", [row("a")]),
        lambda store: store.delete("missing", ["a"]),
        lambda store: keys(store, "missing"),
        lambda store: list(store.scan("missing", ["chunk_id"])),
    ],
)
def test_a_missing_collection_is_named(store, call):
    with pytest.raises(CollectionMissingError, match="missing"):
        call(store)


def test_a_collection_knows_its_space_and_refuses_another(store):
    collection = Collection(f"c_{uuid4().hex}", "all-MiniLM-L6-v2/0a1b/mean/unit/4", 4)
    store.create(collection)
    store.create(collection)
    assert store.resolve(collection.name) == collection
    assert collection in store.collections()
    with pytest.raises(MixedSpacesError):
        store.create(Collection(collection.name, "other/0a1b/mean/unit/4", 4))
    store.drop(collection.name)
    store.drop(collection.name)
    assert collection not in store.collections()


def test_fact_15_an_alias_moves_at_once_and_leaves_with_its_collection(store):
    blue, green = (Collection(f"{colour}_{uuid4().hex}", "words", 4) for colour in ("blue", "green"))
    alias = f"alias_{uuid4().hex}"
    for collection in (blue, green):
        store.create(collection)
    store.point(alias, blue.name)
    store.point(alias, blue.name)
    store.upsert(alias, [row("a")])
    assert (store.resolve(alias), keys(store, alias), store.count(blue.name)) == (blue, ["a"], 1)
    store.point(alias, green.name)
    assert (store.resolve(alias), keys(store, alias)) == (green, [])
    store.drop(green.name)
    with pytest.raises(CollectionMissingError):
        store.resolve(alias)
    store.drop(blue.name)


def test_rows_of_1_and_of_60_kilobytes_come_in_requests_of_the_same_size(lite_address, milvus_address, monkeypatch):
    for address in (lite_address, milvus_address):
        store = MilvusStore(StoreAddress(address.uri, consistency="Strong", batch_bytes=2**18))
        name, sizes = emptied(store), []

        def counted(records, description, sizes=sizes):
            sizes.append((len(records), sum(len(record["text"]) for record in records)))
            return columns(records, description)

        monkeypatch.setattr(upserting, "columns", counted)
        small = [row(f"s{n}", text="x" * 1000) for n in range(1000)]
        large = [row(f"l{n}", text="x" * 60_000) for n in range(20)]
        assert store.upsert(name, [*small, *large]) == 1020
        assert store.count(name) == 1020
        assert max(size for _, size in sizes) <= 2**18
        assert len(sizes) < 12
        assert {rows > 100 for rows, _ in sizes} == {True, False}
        store.close()


def test_fact_12_a_scan_sees_what_was_just_written_whatever_searches_may_miss(lite_address, milvus_address):
    for address in (lite_address, milvus_address):
        store = MilvusStore(StoreAddress(address.uri, consistency="Eventually"))
        name = emptied(store)
        for n in range(5):
            store.upsert(name, [row(f"k{n}")])
            assert len(held(store, name)) == n + 1
        store.delete(name, ["k0", "k1"])
        assert sorted(held(store, name)) == ["k2", "k3", "k4"]
        store.close()


def test_a_released_collection_is_loaded_on_demand(lite, server, lite_address, milvus_address):
    from pymilvus import MilvusClient

    for store, address in ((lite, lite_address), (server, milvus_address)):
        name = emptied(store)
        store.upsert(name, [row("a")])
        for use in (
            store.count,
            lambda name, store=store: keys(store, name),
            lambda name, store=store: held(store, name),
        ):
            client = MilvusClient(uri=address.uri)
            client.release_collection(name)
            client.close()
            assert len(use(name)) == 1 if use != store.count else use(name) == 1


def test_a_store_that_is_not_there_is_a_transient_error():
    with pytest.raises(StoreUnavailableError, match=r"http://127\.0\.0\.1:1 does not answer"):
        MilvusStore(StoreAddress("http://127.0.0.1:1", timeout_s=1))
