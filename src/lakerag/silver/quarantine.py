"""Shows quarantined files and gives them another chance."""

from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as sf

from lakerag.catalog import Catalog
from lakerag.errors import ConfigError
from lakerag.silver.documents import Recipe
from lakerag.tables import SILVER_DOCUMENTS, SILVER_QUARANTINE


def release(catalog: Catalog, recipe: Recipe, reasons: Sequence[str] = ()) -> int:
    """Takes refusals out of the quarantine, so that the next `refine` parses their files again.

    Args:
        catalog: The lakehouse.
        recipe: How they will be parsed.
        reasons: Reason codes; none: all.

    Returns:
        How many were released.

    Raises:
        ConfigError: The source was last parsed under other rules of privacy: `refine` would parse all of it by these.
    """
    tables = (catalog.read(table) for table in (SILVER_DOCUMENTS, SILVER_QUARANTINE))
    for rows in tables:
        by_others = _of_source(rows, recipe.source).where(
            sf.split_part("recipe", sf.lit("-"), sf.lit(2)) != recipe.privacy
        )
        if not by_others.select("recipe").isEmpty():
            raise ConfigError(
                f"Expected the settings under which the source {recipe.source!r} was last run, found others in "
                "source.protected, source.mask or source.mask_patterns. Give those of that run (--set), or use "
                "`lakerag run`, which parses every document by the new ones; nothing was released.",
                source=recipe.source,
            )
    chosen = _chosen(catalog, recipe.source, reasons)
    return catalog.merge(SILVER_QUARANTINE, chosen.withColumn("deleted", sf.lit(True)), guard="false")["deleted"]


def listed(catalog: Catalog, source: str | None, reasons: Sequence[str], limit: int) -> list[dict[str, Any]]:
    """Returns refused files by source and path, with the reason and what to do."""
    columns = ("source", "path", "content_sha256", "reason", "detail", "advice", "quarantined_at")
    rows = _chosen(catalog, source, reasons).orderBy("source", "path").select(*columns).limit(limit)
    return [row.asDict() for row in rows.toLocalIterator()]


def refused_rows(catalog: Catalog, source: str | None, reasons: Sequence[str], limit: int) -> list[dict[str, Any]]:
    """Returns rows left out of documents, by source, path and line."""
    columns = ("source", "path", "content_sha256")
    documents = _of_source(catalog.read(SILVER_DOCUMENTS), source).where(sf.size("refused_rows") > 0)
    rows = documents.select(*columns, sf.inline("refused_rows"))
    chosen = rows.where(sf.col("reason").isin(list(reasons))) if reasons else rows
    return [row.asDict() for row in chosen.orderBy("source", "path", "line").limit(limit).toLocalIterator()]


def count_by_reason(catalog: Catalog, source: str | None, reasons: Sequence[str]) -> dict[str, int]:
    """Returns how many files are refused, by reason code."""
    counts = _chosen(catalog, source, reasons).groupBy("reason").count().orderBy("reason")
    return {row["reason"]: int(row["count"]) for row in counts.toLocalIterator()}


def _chosen(catalog: Catalog, source: str | None, reasons: Sequence[str]) -> DataFrame:
    refusals = _of_source(catalog.read(SILVER_QUARANTINE), source)
    return refusals.where(sf.col("reason").isin(list(reasons))) if reasons else refusals


def _of_source(rows: DataFrame, source: str | None) -> DataFrame:
    return rows if source is None else rows.where(sf.col("source") == source)
