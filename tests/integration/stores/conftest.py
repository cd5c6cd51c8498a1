"""Every store that fulfils the port, one after the other, with one empty collection a test."""

from collections.abc import Iterator

import pytest

from lakerag.stores import Collection, VectorStore
from lakerag.stores.milvus import MilvusStore
from tests.fakes.strict_store import StrictStore
from tests.stores_fixtures import DIMENSION

SHARED = Collection("contract", "words/1/mean/unit/4", DIMENSION)


@pytest.fixture(scope="session")
def lite(lite_address) -> Iterator[VectorStore]:
    store = MilvusStore(lite_address)
    yield store
    store.close()


@pytest.fixture(scope="session")
def server(milvus_address) -> Iterator[VectorStore]:
    store = MilvusStore(milvus_address)
    yield store
    store.close()


@pytest.fixture(params=["strict", "lite", "server"])
def store(request: pytest.FixtureRequest) -> VectorStore:
    return StrictStore() if request.param == "strict" else request.getfixturevalue(request.param)


@pytest.fixture(params=["strict", "lite"])
def text_store(request: pytest.FixtureRequest) -> VectorStore:
    """The stores that have keyword search."""
    return StrictStore() if request.param == "strict" else request.getfixturevalue(request.param)


def emptied(store: VectorStore) -> str:
    """The shared collection without rows: cheaper than a new one, which a server needs seconds for."""
    store.create(SHARED)
    for found in store.scan(SHARED.name, ["chunk_id"]):
        store.delete(SHARED.name, [held["chunk_id"] for held in found])
    return SHARED.name
