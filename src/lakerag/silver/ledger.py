"""Compares what silver should hold with what it holds, path by path."""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf

_LIVE = ("path", "content_sha256", "arrival", "arrived_at", "recipe", "sidecars")


@dataclass(frozen=True, slots=True)
class Balance:
    """How far silver is from the live files of bronze."""

    live: int
    documents: int
    quarantined: int
    pending: int
    """Live files that are neither a document nor refused by the present recipe."""
    gone_documents: int
    """Documents whose file is gone or refused."""
    gone_refusals: int
    """Refusals whose file is gone, replaced or a document by now."""
    described: int
    """Pending files with sidecars."""
    since_us: int | None
    """Oldest arrival that parsing will read, microseconds since 1970; none: nothing is pending."""

    @property
    def settled(self) -> bool:
        """Whether every live file is a document or refused, and nothing else is there."""
        return not (self.pending or self.gone_documents or self.gone_refusals)


def live_versions(files: DataFrame) -> DataFrame:
    """Returns the versions that stand now, of the bronze files of one source; grain and key: path."""
    latest = sf.max_by(sf.struct("op", "content_sha256", "arrival", "arrived_at"), "arrived_at")
    return (
        files.groupBy("path")
        .agg(latest.alias("latest"))
        .select("path", "latest.*")
        .where(sf.col("op") != "deleted")
        .drop("op")
    )


def ledger(live: DataFrame, documents: DataFrame, refusals: DataFrame) -> DataFrame:
    """Sets live files, documents and refusals of one source side by side; grain and key: path.

    A document is current when it was made from the live bytes by the live recipe; a refusal when it was of the
    live arrival as well, since the same bytes may arrive again where they could not be kept before.

    Args:
        live: `live_versions` with `recipe` and `sidecars` (`sidecars.attach_sidecars`).
        documents: `silver_documents` of the source.
        refusals: `silver_quarantine` of the source.

    Returns:
        `path`; the live `content_sha256`, `arrival`, `arrived_at`, `recipe` (null: gone), `sidecars`;
        `refused` (hashes in quarantine); booleans `pending`, `gone_document`, `documented`.
    """
    nothing = sf.lit(None).cast("string")
    rows = (
        live.select(*_LIVE, nothing.alias("document"), nothing.alias("refusal"))
        .unionByName(documents.select("path", _made().alias("document")), allowMissingColumns=True)
        .unionByName(refusals.select("path", _refused().alias("refusal")), allowMissingColumns=True)
    )
    paths = rows.groupBy("path").agg(
        *(sf.max(name).alias(name) for name in (*_LIVE[1:], "document")), sf.collect_set("refusal").alias("refusals")
    )
    is_live = sf.col("content_sha256").isNotNull()
    documented = sf.coalesce(sf.col("document") == _made(), sf.lit(False)) & is_live
    refused = sf.array_contains("refusals", _refused()) & is_live
    return paths.select(
        *_LIVE,
        sf.transform("refusals", lambda made: sf.split_part(made, sf.lit(" "), sf.lit(1))).alias("refused"),
        documented.alias("documented"),
        (is_live & ~documented & ~refused).alias("pending"),
        (sf.col("document").isNotNull() & (~is_live | (~documented & refused))).alias("gone_document"),
    )


def gone_refusals(paths: DataFrame) -> DataFrame:
    """Returns quarantine keys that hold no longer; grain and key: path, content_sha256."""
    is_gone = (
        sf.col("documented")
        | sf.col("content_sha256").isNull()
        | (sf.col("content_sha256") != sf.col("refused_sha256"))
    )
    each = paths.withColumn("refused_sha256", sf.explode("refused"))
    return each.where(is_gone).select("path", sf.col("refused_sha256").alias("content_sha256"))


def balance(paths: DataFrame) -> Balance:
    """Counts the ledger, in one job."""
    is_live = sf.col("content_sha256").isNotNull()
    other = sf.size(sf.filter("refused", lambda sha: sha != sf.col("content_sha256")))
    gone = sf.when(is_live & ~sf.col("documented"), other).otherwise(sf.size("refused"))
    refused = is_live & ~sf.col("documented") & ~sf.col("pending")
    pending = sf.col("pending")
    oldest = sf.least("arrived_at", sf.array_min(sf.col("sidecars.sidecar_arrived_at")))
    row = paths.agg(
        sf.count_if(is_live).alias("live"),
        sf.count_if(sf.col("documented")).alias("documents"),
        sf.count_if(refused).alias("quarantined"),
        sf.count_if(pending).alias("pending"),
        sf.count_if(sf.col("gone_document")).alias("gone_documents"),
        sf.coalesce(sf.sum(gone), sf.lit(0)).alias("gone_refusals"),
        sf.count_if(pending & sf.col("sidecars").isNotNull()).alias("described"),
        sf.unix_micros(sf.min(sf.when(pending, oldest))).alias("since_us"),
    ).first()
    assert row is not None
    return Balance(**row.asDict())


def _made() -> Column:
    return sf.concat_ws(" ", "content_sha256", "recipe")


def _refused() -> Column:
    return sf.concat_ws(" ", "content_sha256", "recipe", sf.unix_micros("arrived_at").cast("string"))
