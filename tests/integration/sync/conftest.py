import pytest

from lakerag import config
from lakerag.stores import open_address


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A real Milvus Lite server of the module's own."""
    settings = config.Store(kind="milvus-lite", path=str(tmp_path_factory.mktemp("milvus")), consistency="Strong")
    with open_address(settings) as where:
        yield where


@pytest.fixture
def short_retention(spark):
    """Lets VACUUM remove what has only just become old, with a task or two instead of thousands."""
    settings = {
        "spark.databricks.delta.retentionDurationCheck.enabled": "false",
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
    }
    for name, value in settings.items():
        spark.conf.set(name, value)
    yield
    for name in settings:
        spark.conf.unset(name)
