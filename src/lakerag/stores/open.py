"""Opening the vector store that the settings name, in the driver and in its workers."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lakerag.config import Store, read_secret
from lakerag.errors import ConfigError
from lakerag.stores.base import BATCH_BYTES, StoreAddress, VectorStore

_connections: dict[tuple[int, StoreAddress], VectorStore] = {}
"""By process, since a connection does not survive a fork."""


@contextmanager
def open_address(settings: Store, batch_bytes: int = BATCH_BYTES) -> Iterator[StoreAddress]:
    """Yields where the store is; a local server runs for as long as the context.

    The address can be pickled: the driver stays inside, its workers `connect` to it.

    Raises:
        ConfigError: Neither `store.uri` nor `store.path` says where the store is, or its secret is not there.
        MachineError, StoreUnavailableError: The local server cannot be started.
    """
    with ExitStack() as stack:
        if settings.kind == "milvus-lite":
            from lakerag.stores.lite import local_server

            if settings.path is None:
                raise ConfigError("store.kind is milvus-lite: set store.path to the folder of the local store.")
            uri = stack.enter_context(local_server(Path(settings.path)))
        elif settings.uri is None:
            raise ConfigError("store.kind is milvus: set store.uri, for example http://localhost:19530.")
        else:
            uri = settings.uri
        if settings.token:
            read_secret(settings.token)  # here, since workers would find out when there is work done already
        yield StoreAddress(uri, settings.token, settings.timeout_s, settings.consistency, batch_bytes)


@contextmanager
def open_store(settings: Store, batch_bytes: int = BATCH_BYTES) -> Iterator[VectorStore]:
    """Yields the store that the settings name, and closes it.

    Raises:
        ConfigError: The settings do not say where the store is.
        StoreUnavailableError: It does not answer.
    """
    from lakerag.stores.milvus import MilvusStore

    with open_address(settings, batch_bytes) as address:
        store = MilvusStore(address)
        try:
            yield store
        finally:
            store.close()


def connect(address: StoreAddress) -> VectorStore:
    """Returns this process's one connection to a store, for workers; it ends with the process.

    Raises:
        StoreUnavailableError: Nothing answers there.
    """
    from lakerag.stores.milvus import MilvusStore

    key = (os.getpid(), address)
    if key not in _connections:
        _connections[key] = MilvusStore(address)
    return _connections[key]
