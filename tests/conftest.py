"""One Spark session for all tests that ask for it, one fresh lakehouse a test."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from xdist.scheduler import LoadFileScheduling

from lakerag import config
from lakerag.catalog import Catalog
from lakerag.session import open_session
from lakerag.tables import ALL_TABLES
from tests.spark_connect import connect_server
from tests.stores_fixtures import lite_address, milvus_address, milvus_folder

# Offered here alone: a session's fixture that two conftests import starts two servers.
__all__ = ["lite_address", "milvus_address", "milvus_folder"]

CONNECT = "LAKERAG_TEST_CONNECT"
"""Set by `make test-connect`: the tests' session is a client of a Spark Connect server."""

SERVER_TESTS = (
    "tests/e2e/test_cluster.py",
    "tests/e2e/test_job_graph.py",
    "tests/integration/stores/",
    "tests/integration/sync/test_first_load.py",
    "tests/integration/sync/test_quarantine.py",
    "tests/integration/sync/test_server.py",
)
"""They run in one process, since a second Milvus server does not come up beside the first."""


class _Scheduling(LoadFileScheduling):
    """A file's tests stay in one process; those of the Milvus server too."""

    def _split_scope(self, nodeid: str) -> str:
        return "the Milvus server" if nodeid.startswith(SERVER_TESTS) else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Tells pytest-xdist which tests belong together."""
    return _Scheduling(config, log)


@pytest.fixture(scope="session")
def embedder() -> config.Embedder:
    """The local embedder; its export is shared by all runs of a user."""
    return config.load("local", environ={}).embedder


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The local session of conf/local.yml, in less memory; `make test-connect`: one over a Spark Connect server."""
    settings = config.load("local", environ={}).spark
    smaller = settings.model_copy(update={"conf": {**settings.conf, "spark.driver.memory": "1g"}})
    log = tmp_path_factory.mktemp("logs") / "spark.log"
    with ExitStack() as stack:
        if CONNECT in os.environ:
            remote = stack.enter_context(connect_server(smaller, log))
            smaller = config.Spark(mode="connect", remote=remote)
        session = open_session(smaller, log)
        stack.callback(session.stop)
        yield session


@pytest.fixture(scope="session")
def empty_warehouse(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every table of the contract, empty; copying it is cheaper than creating them."""
    root = tmp_path_factory.mktemp("empty")
    place = Catalog(spark, config.Lakehouse(root=str(root), deletion_vectors=False))
    place.ensure()
    _forget(place)
    return root


@pytest.fixture
def catalog(spark: SparkSession, empty_warehouse: Path, tmp_path: Path) -> Iterator[Catalog]:
    """A lakehouse of its own with every table, empty."""
    root = tmp_path / "warehouse"
    shutil.copytree(empty_warehouse, root)
    place = Catalog(spark, config.Lakehouse(root=str(root), deletion_vectors=False))
    for table in ALL_TABLES:
        spark.sql(f"CREATE TABLE {place.ref(table)} USING delta LOCATION '{root}/{table.name}'")
    yield place
    _forget(place)


@pytest.fixture
def few_tasks(spark):
    """VACUUM lists with a task or two instead of thousands."""
    spark.conf.set("spark.sql.sources.parallelPartitionDiscovery.parallelism", "2")
    yield
    spark.conf.unset("spark.sql.sources.parallelPartitionDiscovery.parallelism")


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The evaluation corpora, which are no part of the project."""
    root = Path(os.environ.get("LAKERAG_CORPORA", ""))
    if "LAKERAG_CORPORA" not in os.environ or not root.is_dir():
        pytest.skip("LAKERAG_CORPORA names no folder of evaluation corpora")
    return root


def _forget(place: Catalog) -> None:
    """Drops the tables from the session's catalog; their files stay."""
    for table in ALL_TABLES:
        place.spark.sql(f"DROP TABLE IF EXISTS {place.ref(table)}")
