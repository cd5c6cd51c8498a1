"""`lakerag maintain`: compacts the tables and removes old files, but no change that the sync has not read."""

import math
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import datetime, timezone

import click
from pyspark.sql import functions as F
from rich.console import Console

from lakerag.catalog import Catalog, properties_sql
from lakerag.errors import CollectionMissingError, TransientError
from lakerag.jobs.job import Job, Result, command
from lakerag.sync.journal import position
from lakerag.sync.lease import Lease
from lakerag.sync.rebuild import lease_name
from lakerag.tables import ALL_TABLES, GOLD_CHUNKS, GOLD_STAGED, Table

LEAST_HOURS = 168
"""Delta refuses to remove younger files, which a reader may still be at (docs.delta.io, VACUUM)."""

LOG_HOURS = 720
"""Delta's own: how long the log tells of a commit."""

MARGIN_HOURS = 24
"""Beyond the oldest change that the sync has not read: it may be reading it now."""


def _show(console: Console, result: Result) -> None:
    for name, done in result["tables"].items():
        console.print(
            f"{name}: {done['files_compacted']} files into {done['files_written']}, {done['kept_hours']} h kept"
        )


@command("maintain", _show)
@click.option(
    "--keep-hours",
    type=click.IntRange(LEAST_HOURS),
    default=LEAST_HOURS,
    show_default=True,
    help="How far back tables can be read at least.",
)
def main(job: Job, keep_hours: int) -> Result:
    """Compact every table (OPTIMIZE) and remove files that no reader needs any more (VACUUM).

    Signatures of texts that no document has any more go as well.
    The change files of gold_chunks that the sync has not read are kept, however old they are.
    """
    from lakerag.silver.duplicates import forget_texts

    with job.stage("maintain", "compacting tables and removing old files") as stage:
        forget_texts(job.catalog, job.settings.duplicates)
        tables = maintain(job, ALL_TABLES, keep_hours) | maintain_staged(job, keep_hours)
        stage.counts = {
            name: sum(done[name] for done in tables.values()) for name in ("files_compacted", "files_written")
        }
        stage.changed = any(stage.counts.values())
        stage.summary = "{files_compacted} files into {files_written}".format(**stage.counts)
    return {"run_id": job.run_id, "tables": tables, "seconds": job.seconds["maintain"]}


def maintain(job: Job, tables: Iterable[Table], keep_hours: int) -> dict[str, dict[str, int]]:
    """Compacts tables and removes their old files; returns what was done, by table."""
    done = {}
    for table in tables:
        ref = job.catalog.ref(table)
        since = unread_since(job) if table.name == GOLD_CHUNKS.name else None
        kept_hours = hours_to_keep(job.now, since, keep_hours)
        optimised = job.catalog.spark.sql(f"OPTIMIZE {ref}").first()
        assert optimised is not None
        retain(job.catalog, table, kept_hours)
        job.catalog.spark.sql(f"VACUUM {ref}")
        metrics = optimised["metrics"]
        done[table.name] = {
            "files_compacted": int(metrics["numFilesRemoved"]),
            "files_written": int(metrics["numFilesAdded"]),
            "kept_hours": kept_hours,
        }
    return done


def maintain_staged(job: Job, keep_hours: int) -> dict[str, dict[str, int]]:
    """Does the same for the staged chunks, of which an ended rebuild leaves the files of a whole gold behind.

    A rebuild under way is left alone: compaction would make its merges fail.
    """
    job.catalog.ensure((GOLD_STAGED,))
    name, lease_s = lease_name(job.settings.store.alias), job.settings.sync.lease_s
    with ExitStack() as held:
        try:
            held.enter_context(Lease(job.catalog, name, job.run_id, lease_s))
        except TransientError:
            job.console.print(f"{GOLD_STAGED.name} is left alone: a rebuild is under way")
            return {}
        return maintain(job, (GOLD_STAGED,), keep_hours)


def retain(catalog: Catalog, table: Table, hours: int) -> None:
    """Lets a table keep what is younger, and the log that tells of it; no commit where it does already.

    VACUUM's own RETAIN is no way to say it: Delta removes change files by the table's property alone, and refuses
    to read versions beyond it.
    """
    wanted = {
        "delta.deletedFileRetentionDuration": f"interval {hours} hours",
        "delta.logRetentionDuration": f"interval {max(hours, LOG_HOURS)} hours",
    }
    ref = catalog.ref(table)
    detail = catalog.spark.sql(f"DESCRIBE DETAIL {ref}").first()
    assert detail is not None
    if not wanted.items() <= detail["properties"].items():
        catalog.spark.sql(f"ALTER TABLE {ref} SET TBLPROPERTIES ({properties_sql(wanted)})")


def hours_to_keep(now: datetime, since: datetime | None, least_hours: int) -> int:
    """Returns how old a file must be before it may go.

    Args:
        now: When the run began.
        since: The oldest commit that is not read yet; none: everything is.
        least_hours: Kept in any case.
    """
    if since is None:
        return least_hours
    return max(least_hours, math.ceil((now - since).total_seconds() / 3600) + MARGIN_HOURS)


def unread_since(job: Job) -> datetime | None:
    """Returns when the oldest change of gold_chunks was made that the sync has not read; none where there is none.

    An index that is still to be built is filled from the snapshot and needs no change.
    """
    try:
        collection = job.store.resolve(job.settings.store.alias)
    except CollectionMissingError:
        return None
    stands = position(job.catalog, collection.name)
    if stands is None:
        return None
    history = job.catalog.spark.sql(f"DESCRIBE HISTORY {job.catalog.ref(GOLD_CHUNKS)}")
    # As a number: what a timestamp becomes in Python depends on the machine's time zone.
    oldest = history.where(F.col("version") > stands.version).agg(F.unix_micros(F.min("timestamp")).alias("us")).first()
    assert oldest is not None
    return None if oldest["us"] is None else datetime.fromtimestamp(oldest["us"] / 1e6, timezone.utc)
