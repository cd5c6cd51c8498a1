"""`lakerag status`: what stands where, how fresh it is, and what waits."""

from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table as Grid

from lakerag.errors import CollectionMissingError
from lakerag.jobs.job import Job, Result, command
from lakerag.sync.feed import failure
from lakerag.sync.journal import position
from lakerag.sync.target import why_lost
from lakerag.tables import ALL_TABLES, GOLD_CHUNKS, OPS_RUNS, SILVER_QUARANTINE

LAST_RUNS = 10


def show_status(console: Console, result: Result) -> None:
    """Prints what `look_around` found."""
    tables = Grid("table", "rows", "version", "changed at")
    for name, table in result["tables"].items():
        tables.add_row(name, str(table["rows"]), str(table["version"]), str(table["changed_at"]))
    console.print(tables)
    index, lag = result["index"], result["lag"]
    if index["collection"] is None:
        console.print("No index yet: `lakerag run` builds it.")
    else:
        console.print(f"{index['alias']} -> {index['collection']}: {index['rows']} rows, {index['embedding_space']}")
        since = "" if not lag["seconds"] else f", for {lag['seconds']:.0f} s"
        console.print(f"The index is {lag['versions']} versions and {lag['rows']} rows behind gold_chunks{since}.")
    for reason, count in result["quarantine"].items():
        console.print(f"in quarantine: {count} {reason}")
    for run in result["runs"]:
        console.print(
            f"{run['started_at']:%Y-%m-%d %H:%M:%S}  {run['stage']:<8} {run['seconds']:.1f} s  {run['counts']}"
        )


@command("status", show_status)
def main(job: Job) -> Result:
    """Show tables, freshness, lag of the index, quarantine by reason, last runs."""
    return look_around(job)


def look_around(job: Job) -> Result:
    """Returns what stands where, how fresh it is, and what waits."""
    catalog = job.catalog
    with job.step("looking at tables and index"):
        tables = {
            table.name: {"rows": catalog.read(table).count(), **catalog.last_change(table)} for table in ALL_TABLES
        }
        index = _index(job)
        behind = lag(job, index["collection"], tables[GOLD_CHUNKS.name])
        refused = catalog.read(SILVER_QUARANTINE).groupBy("reason").count().orderBy("reason")
        recent = catalog.read(OPS_RUNS).orderBy(F.desc("started_at"), F.desc("stage")).limit(LAST_RUNS)
        return {
            "tables": tables,
            "index": index,
            "lag": behind,
            "quarantine": {row["reason"]: row["count"] for row in refused.toLocalIterator()},
            "runs": [row.asDict() for row in recent.toLocalIterator()],
        }


def _index(job: Job) -> dict[str, Any]:
    alias = job.settings.store.alias
    try:
        collection = job.store.resolve(alias)
    except CollectionMissingError:
        return {"alias": alias, "collection": None, "rows": 0, "embedding_space": None}
    rows = job.store.count(collection.name)
    return {"alias": alias, "collection": collection.name, "rows": rows, "embedding_space": collection.space}


def lag(job: Job, collection: str | None, gold: dict[str, Any]) -> dict[str, Any]:
    """Returns how far the index is behind gold: versions, changed rows in them, seconds since the first of them.

    Where nothing says what changed (no index yet, or its position is lost), that is all of gold, since a time unknown.
    """
    stands = None if collection is None else position(job.catalog, collection)
    if stands is None or why_lost(job.catalog, stands, job.catalog.table_id(GOLD_CHUNKS), begun=True):
        return {"versions": gold["version"], "rows": gold["rows"], "seconds": None}
    if stands.version >= gold["version"]:
        return {"versions": 0, "rows": 0, "seconds": 0.0}
    # As a number: what a timestamp becomes in Python depends on the machine's time zone.
    since_us = F.unix_micros(F.min("_commit_timestamp"))
    versions = gold["version"] - stands.version
    try:
        feed = job.catalog.changes(GOLD_CHUNKS, stands.version + 1)
        waiting = feed.agg(F.countDistinct("chunk_id").alias("rows"), since_us.alias("since_us")).first()
    except (PySparkException, Py4JJavaError) as error:  # some of Delta's come unconverted
        if failure(str(error)) is None:
            raise
        return {"versions": versions, "rows": gold["rows"], "seconds": None}
    assert waiting is not None
    seconds = None if waiting["since_us"] is None else job.now.timestamp() - waiting["since_us"] / 1e6
    return {"versions": versions, "rows": waiting["rows"], "seconds": seconds}
