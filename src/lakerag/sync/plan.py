"""A range of gold's change feed as one decision per key: upsert, delete or nothing."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakerag.tables import INDEX_FIELDS, INDEX_KEY, INDEX_SPACE, INDEX_VECTOR


def net_changes(changes: DataFrame, *, begun: int | None = None) -> DataFrame:
    """Returns what a range of the change feed did to every key, taken together.

    A micro-batch brings versions in any order, and several of one key. The last word on a
    key is its highest `_commit_version`; within a version an insert or postimage stands
    above a delete or preimage, and a key that is seen only as a preimage was renamed away.
    A key whose first word says that it held what its last word says did not change
    (overwrite, restore, an update of columns that are not indexed).

    Args:
        changes: Rows of `gold_chunks` with `_change_type` and `_commit_version`.
        begun: Version of which the batch before brought a part: its deletes may name a content that
            the collection has left already, so that they do not say what a key held.

    Returns:
        The index fields by their own names, the vector and its space, `op` (upsert, delete or
        same), and the `first_version` and `last_version` that touched the key; one row a `chunk_id`.
    """
    lives = F.col("_change_type").isin("insert", "update_postimage")
    # The fingerprint settles ties between equal keys within a commit, always the same way.
    order = F.struct("_commit_version", lives, "fingerprint")
    words = changes.groupBy(F.col(INDEX_KEY).alias("_key")).agg(
        F.min_by(F.struct(lives.alias("lives"), "fingerprint"), order).alias("first"),
        F.max_by(F.struct(*_fields(), INDEX_VECTOR, INDEX_SPACE, lives.alias("lives")), order).alias("last"),
        F.min("_commit_version").alias("first_version"),
        F.max("_commit_version").alias("last_version"),
    )
    unchanged = ~F.col("first.lives") & (F.col("first.fingerprint") == F.col("last.fingerprint"))
    if begun is not None:
        unchanged &= F.col("first_version") != begun
    op = F.when(~F.col("last.lives"), "delete").when(unchanged, "same").otherwise("upsert")
    names = [*(field.name for field in INDEX_FIELDS), INDEX_VECTOR, INDEX_SPACE]
    return words.select(
        *(F.col(f"last.{name}").alias(name) for name in names),
        op.alias("op"),
        "first_version",
        "last_version",
    )


def only_insert(changes: DataFrame) -> bool:
    """Says whether a range of the change feed only inserts, every key once: then there is nothing to bring together."""
    only = F.bool_and(F.col("_change_type") == "insert").alias("only")
    [row] = changes.agg(only, F.count(INDEX_KEY).alias("rows"), F.count_distinct(INDEX_KEY).alias("keys")).collect()
    return bool(row["only"]) and row["rows"] == row["keys"]


def inserts(changes: DataFrame) -> DataFrame:
    """Returns what `net_changes` does, of a range that `only_insert`, without bringing rows together."""
    version = F.col("_commit_version")
    return changes.select(
        *_fields(),
        INDEX_VECTOR,
        INDEX_SPACE,
        F.lit("upsert").alias("op"),
        version.alias("first_version"),
        version.alias("last_version"),
    )


def without_halves(changes: DataFrame, gold: DataFrame, version: int) -> DataFrame:
    """Leaves keys alone that live on in a version whose deletes and inserts do not stand in one batch.

    A commit of whole files (overwrite, restore) is spread over batches, and the delete of a
    key that it keeps may come before its insert or after it. The version itself has the last word.

    Args:
        changes: From `net_changes`.
        gold: Rows of `gold_chunks` at that version.
        version: Shared by several batches.
    """
    living = gold.select(INDEX_KEY, F.lit(True).alias("lives")).distinct()
    half = (F.col("op") == "delete") & (F.col("last_version") == version) & F.col("lives")
    joined = changes.join(living, INDEX_KEY, "left")
    return joined.withColumn("op", F.when(half, "same").otherwise(F.col("op"))).select(*changes.columns)


def _fields() -> list[Column]:
    """Returns the index fields by their own names."""
    return [F.col(field.column).alias(field.name) for field in INDEX_FIELDS]
