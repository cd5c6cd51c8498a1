"""Shows quarantined files and gives them another chance."""

from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as sf

from lakerag.catalog import Catalog
from lakerag.tables import SILVER_QUARANTINE


def release(catalog: Catalog, source: str, reasons: Sequence[str] = ()) -> int:
    """Takes refusals out of the quarantine, so that the next `refine` parses their files again.

    Args:
        catalog: The lakehouse.
        source: Name of the source.
        reasons: Reason codes; none: all.

    Returns:
        How many were released.
    """
    chosen = _chosen(catalog, source, reasons)
    return catalog.merge(SILVER_QUARANTINE, chosen.withColumn("deleted", sf.lit(True)), guard="false")["deleted"]


def listed(catalog: Catalog, source: str | None, reasons: Sequence[str], limit: int) -> list[dict[str, Any]]:
    """Returns refused files by source and path, with the reason and what to do."""
    columns = ("source", "path", "content_sha256", "reason", "detail", "advice", "quarantined_at")
    rows = _chosen(catalog, source, reasons).orderBy("source", "path").select(*columns).limit(limit)
    return [row.asDict() for row in rows.toLocalIterator()]


def count_by_reason(catalog: Catalog, source: str | None, reasons: Sequence[str]) -> dict[str, int]:
    """Returns how many files are refused, by reason code."""
    counts = _chosen(catalog, source, reasons).groupBy("reason").count().orderBy("reason")
    return {row["reason"]: int(row["count"]) for row in counts.toLocalIterator()}


def _chosen(catalog: Catalog, source: str | None, reasons: Sequence[str]) -> DataFrame:
    refusals = catalog.read(SILVER_QUARANTINE)
    if source is not None:
        refusals = refusals.where(sf.col("source") == source)
    return refusals.where(sf.col("reason").isin(list(reasons))) if reasons else refusals
