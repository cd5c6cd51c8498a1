import pytest


@pytest.fixture
def few_tasks(spark):
    """VACUUM lists with a task or two instead of thousands."""
    spark.conf.set("spark.sql.sources.parallelPartitionDiscovery.parallelism", "2")
    yield
    spark.conf.unset("spark.sql.sources.parallelPartitionDiscovery.parallelism")
