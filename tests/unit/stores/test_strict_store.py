"""The fake fails the way a store that dies does."""

import pytest

from lakerag.errors import StoreUnavailableError
from lakerag.stores import Collection
from tests.fakes.strict_store import StrictStore
from tests.stores_fixtures import row


@pytest.fixture
def store():
    store = StrictStore()
    store.create(Collection("c", "words", 4))
    return store


def test_a_batch_can_stop_half_way_and_be_repeated(store):
    rows = [row(f"k{n}") for n in range(5)]
    store.fail_after(2)
    with pytest.raises(StoreUnavailableError, match="half-way"):
        store.upsert("c", rows)
    assert store.count("c") == 2
    assert store.upsert("c", rows) == 5
    assert store.count("c") == 5


def test_a_crashed_store_refuses_everything_until_it_restarts(store):
    store.upsert("c", [row("a")])
    store.crash()
    for use in (store.count, store.resolve, lambda name: store.upsert(name, [row("b")])):
        with pytest.raises(StoreUnavailableError):
            use("c")
    store.restart()
    assert store.count("c") == 1


def test_rows_of_a_batch_are_written_in_any_order(store):
    store.upsert("c", [row(f"k{n}") for n in range(20)])
    written = [key for _, key in store.writes]
    assert sorted(written) == sorted(f"k{n}" for n in range(20))
    assert written != [f"k{n}" for n in range(20)]
