"""Reads and writes `ops_sync`: where a collection stands, and what was done to it."""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from pyspark.sql import functions as F

from lakerag.catalog import Catalog
from lakerag.stores import Collection
from lakerag.sync.apply import Applied
from lakerag.tables import OPS_SYNC, SYNC_QUARANTINE

NO_BATCH = -1
"""`batch_id` of what no micro-batch did."""


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where a collection holds gold."""

    table_id: str
    """Delta's id of the gold_chunks that it was read from."""
    version: int
    """Last version of gold whose changes are in it."""
    kind: str
    """Of the step that brought it there."""
    note: str | None
    """Of that step."""
    healed_by: str | None
    """The run that last compared it with a snapshot; its checkpoint begins after that."""
    healed_at: int | None
    """Version of that snapshot."""
    overlapped: bool
    """Whether two processes may have written to it at once since then."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a sync does to a collection."""

    run_id: str
    collection: Collection
    table_id: str
    kind: str
    """One of the kinds of `ops_sync`."""
    batch_id: int = NO_BATCH
    stream: str | None = None
    """Names the stream whose batch it is: it is recorded once, however often it runs."""
    note: str | None = None
    started: float = field(default_factory=time.monotonic)


def position(catalog: Catalog, collection: str) -> Position | None:
    """Returns where the collection stands; none before anything was written to it."""
    heal, overlap = F.col("kind") == "heal", F.col("kind") == "overlap"
    steps = catalog.read(OPS_SYNC).where(F.col("collection") == collection)
    order = F.when(overlap, None).otherwise(F.struct("applied_at", "to_version"))
    healed, overlapped = F.when(heal, F.col("applied_at")), F.when(overlap, F.col("applied_at"))
    last = steps.agg(
        F.max_by(F.struct("table_id", "to_version", "kind", "note"), order).alias("last"),
        F.max_by(F.struct("run_id", "to_version"), healed).alias("heal"),
        F.coalesce(F.max(overlapped) > F.max(healed), F.max(overlapped).isNotNull()).alias("overlapped"),
    ).first()
    if last is None or last["last"] is None:
        return None
    return Position(
        table_id=last["last"]["table_id"],
        version=last["last"]["to_version"],
        kind=last["last"]["kind"] or "stream",
        note=last["last"]["note"],
        healed_by=last["heal"] and last["heal"]["run_id"],
        healed_at=last["heal"] and last["heal"]["to_version"],
        overlapped=last["overlapped"],
    )


def record(catalog: Catalog, step: Step, applied: Applied) -> None:
    """Writes down what the store has acknowledged, refused rows first."""
    now = _later(catalog, step.collection.name)
    options = {} if step.stream is None else {"txnAppId": step.stream, "txnVersion": str(step.batch_id)}
    if applied.refused:
        refused = [
            (step.run_id, step.collection.name, row.chunk_id, row.reason, row.version, now) for row in applied.refused
        ]
        catalog.append(SYNC_QUARANTINE, catalog.spark.createDataFrame(refused, SYNC_QUARANTINE.schema), **options)
    row = {
        "run_id": step.run_id,
        "batch_id": step.batch_id,
        "collection": step.collection.name,
        "table_id": step.table_id,
        "embedding_space": step.collection.space,
        "from_version": applied.first_version,
        "to_version": applied.last_version,
        "upserted": applied.upserted,
        "deleted": applied.deleted,
        "skipped": applied.skipped,
        "seconds": time.monotonic() - step.started,
        "applied_at": now,
        "refused": len(applied.refused),
        "kind": step.kind,
        "note": step.note,
    }
    ordered = [tuple(row[name] for name in OPS_SYNC.names)]
    catalog.append(OPS_SYNC, catalog.spark.createDataFrame(ordered, OPS_SYNC.schema), **options)


def _later(catalog: Catalog, collection: str) -> datetime:
    """Returns the time, or what comes after the collection's last step: the clocks of two hosts need not agree."""
    # As a number: what a timestamp becomes in Python depends on the machine's time zone.
    last_us = F.unix_micros(F.max("applied_at")).alias("us")
    last = catalog.read(OPS_SYNC).where(F.col("collection") == collection).agg(last_us).first()
    after_us = 0 if last is None or last["us"] is None else last["us"] + 1
    return max(datetime.now(timezone.utc), datetime.fromtimestamp(0, timezone.utc) + timedelta(microseconds=after_us))


def totals(catalog: Catalog, run_id: str, collection: str) -> dict[str, Any]:
    """Returns the rows that a run wrote (`upserted`, `deleted`, `skipped`, `refused`) and its range of versions."""
    mine = (F.col("run_id") == run_id) & (F.col("collection") == collection)
    counts = ("upserted", "deleted", "skipped", "refused")
    summed = (
        catalog.read(OPS_SYNC)
        .where(mine)
        .agg(
            *(F.coalesce(F.sum(name), F.lit(0)).alias(name) for name in counts),
            F.min("from_version").alias("from_version"),
            F.max("to_version").alias("to_version"),
        )
        .first()
    )
    assert summed is not None
    return dict(summed.asDict())
