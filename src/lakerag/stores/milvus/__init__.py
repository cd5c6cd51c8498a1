"""The VectorStore over Milvus: a server, a cluster, or Milvus Lite behind its own server.

The only package that imports pymilvus.
"""

from lakerag.stores.milvus.store import MilvusStore

__all__ = ["MilvusStore"]
