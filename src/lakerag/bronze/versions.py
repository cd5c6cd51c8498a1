"""Rows of bronze: the latest one of every path, and new ones in the contract's columns."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as sf

from lakerag.tables import BRONZE_FILES


def latest_versions(bronze: DataFrame, source: str) -> DataFrame:
    """Returns the last arrival of every path of a source; grain and key: path."""
    latest = sf.max_by(sf.struct("op", "content_sha256", "size_bytes", "modified_ns", "arrived_at"), "arrived_at")
    arrived_us = sf.unix_micros("arrived_at").alias("arrived_us")
    return (
        bronze.where(sf.col("source") == source)
        .groupBy("path")
        .agg(latest.alias("latest"))
        .select("path", "latest.*")
        .select("path", "op", "content_sha256", "size_bytes", "modified_ns", arrived_us)
    )


def to_bronze(rows: DataFrame, source: str, arrival: str) -> DataFrame:
    """Returns read files in the contract's columns."""
    return rows.withColumns(
        {
            "source": sf.lit(source),
            "arrival": sf.lit(arrival),
            "arrived_at": sf.timestamp_micros("arrived_us"),
        }
    ).select(*BRONZE_FILES.names)
