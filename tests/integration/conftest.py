"""The stores that tests of several folders share: one server of each a process."""

from tests.stores_fixtures import lite_address, milvus_address, milvus_folder

__all__ = ["lite_address", "milvus_address", "milvus_folder"]
