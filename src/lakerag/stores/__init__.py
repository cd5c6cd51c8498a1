"""The VectorStore port and its adapters."""

from lakerag.stores.base import Collection, Query, Row, StoreAddress, VectorStore
from lakerag.stores.open import connect, open_address, open_store

__all__ = ["Collection", "Query", "Row", "StoreAddress", "VectorStore", "connect", "open_address", "open_store"]
