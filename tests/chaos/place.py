"""What the processes of the chaos share: where everything is, and a session of their own."""

import random
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from lakerag import config
from lakerag.catalog import Catalog
from lakerag.session import open_session
from lakerag.stores import StoreAddress
from lakerag.sync.stream import Sync
from lakerag.tables import GOLD_CHUNKS, OPS_LEASES, OPS_SYNC, SYNC_QUARANTINE
from tests.integration.sync.gold import SPACE

ALIAS = "chaos"
PINNED = tuple(f"pinned-{n}" for n in range(8))
"""Keys that are edited all the time and never deleted: a reader has to find each of them, always."""


def open_catalog(home: Path, name: str) -> Catalog:
    """Opens a session of this process's own on the lakehouse of the chaos."""
    settings = config.load("local", home, environ={})
    conf = {
        **settings.spark.conf,
        "spark.driver.memory": "1g",
        "spark.databricks.delta.retentionDurationCheck.enabled": "false",
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
    }
    session: SparkSession = open_session(settings.spark.model_copy(update={"conf": conf}), home / f"{name}.log")
    catalog = Catalog(session, settings.lakehouse)
    catalog.ensure((GOLD_CHUNKS, OPS_SYNC, OPS_LEASES, SYNC_QUARANTINE))
    return catalog


def sync_of(catalog: Catalog, home: Path, port: int, run_id: str, alias: str = ALIAS) -> Sync:
    address = StoreAddress(f"http://127.0.0.1:{port}", timeout_s=10, consistency="Strong")
    # Few files a batch, so that commits of whole files are spread over several.
    settings = config.Sync(checkpoint=str(home / "checkpoints"), lease_s=10, max_files_per_trigger=2)
    return Sync(catalog, address, SPACE, config.Store(alias=alias), settings, run_id)


def words(chance: random.Random) -> str:
    return " ".join(chance.choices(("delta", "table", "merge", "commit", "vector", "index", "row", "key"), k=5))


def content(row: Any) -> tuple[Any, ...]:
    """What must be equal in gold and in the store: text, rights, fingerprint and vector."""
    vector = tuple(round(float(number), 4) for number in row["embedding"])
    return row["text"], row["tenant"], tuple(row["acl_groups"]), row["fingerprint"], vector
