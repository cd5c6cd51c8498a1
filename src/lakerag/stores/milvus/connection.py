"""One connection to a Milvus, its failures translated and its collections loaded on demand."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from lakerag.config import read_secret
from lakerag.stores.base import StoreAddress
from lakerag.stores.milvus.failures import NOT_LOADED, failure

# Every failure is translated; the client would print a traceback of its own beside it.
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)

_CHANNEL_OPTIONS = {
    # The client pings every 10 s even when idle, which Lite's server answers by closing the connection.
    "grpc.keepalive_permit_without_calls": 0,
    # A store that comes back is found within a second, not after gRPC's two minutes.
    "grpc.max_reconnect_backoff_ms": 1000,
    "grpc.use_local_subchannel_pool": 1,
}

T = TypeVar("T")


class Connection:
    """A client together with what its server can do."""

    def __init__(self, address: StoreAddress) -> None:
        """Connects.

        Raises:
            StoreUnavailableError: Nothing answers there.
        """
        self.address = address
        token = read_secret(address.token) if address.token else ""
        with self.translated():
            self.client = MilvusClient(
                uri=address.uri, token=token, timeout=address.timeout_s, grpc_options=_CHANNEL_OPTIONS
            )
            self.version = str(self.client.get_server_version(timeout=address.timeout_s))
        self.lite = self.version.startswith("milvus_lite")
        self.full_text = self.lite or _release(self.version) >= (2, 5)
        """Whether a collection can have a BM25 function."""

    def call(self, method: Callable[..., T], name: str, *args: Any, **options: Any) -> T:
        """Calls a client's method on a collection; one that a restart left released is loaded first."""
        with self.translated(name):
            try:
                return method(name, *args, timeout=self.address.timeout_s, **options)
            except MilvusException as error:
                if error.code != NOT_LOADED:
                    raise
            self.client.load_collection(name, timeout=self.address.timeout_s)
            return method(name, *args, timeout=self.address.timeout_s, **options)

    @contextmanager
    def translated(self, name: str = "") -> Iterator[None]:
        """Turns the client's exceptions into lakerag's; `name` is the collection in question."""
        try:
            yield
        except MilvusException as error:
            raise failure(error.code, error.message or str(error), uri=self.address.uri, name=name) from error
        except grpc.RpcError as error:
            raise failure(error.code(), error.details() or "", uri=self.address.uri, name=name) from error


def _release(version: str) -> tuple[int, int]:
    """Returns the major and minor number of `v2.6.4` and the like; an unreadable one counts as old."""
    match = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else (0, 0)
