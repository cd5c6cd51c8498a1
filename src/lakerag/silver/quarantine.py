"""Gives quarantined files another chance."""

from collections.abc import Sequence

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
    refusals = catalog.read(SILVER_QUARANTINE).where(sf.col("source") == source)
    chosen = refusals.where(sf.col("reason").isin(list(reasons))) if reasons else refusals
    return catalog.merge(SILVER_QUARANTINE, chosen.withColumn("deleted", sf.lit(True)), guard="false")["deleted"]
