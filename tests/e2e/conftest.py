"""The real Milvus server, one a process."""

from tests.stores_fixtures import milvus_address, milvus_folder

__all__ = ["milvus_address", "milvus_folder"]
