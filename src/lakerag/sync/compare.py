"""Gold's snapshot against a collection, key by key and content by content."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakerag.stores import Collection, StoreAddress, connect
from lakerag.stores.rows import refusals
from lakerag.sync.feed import translated
from lakerag.tables import INDEX_FIELDS, INDEX_KEY, INDEX_SPACE, INDEX_VECTOR

DIFFERENCES = ("missing", "stale", "orphaned")
MAX_EXAMPLES = 20
_SCAN_ROWS = 10_000
_NAMES = [*(held.name for held in INDEX_FIELDS), INDEX_VECTOR]


@dataclass(slots=True)
class Kind:
    """Rows that differ in one way."""

    rows: int = 0
    examples: list[str] = field(default_factory=list)
    """Keys of some of them."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A collection against a version of gold, in rows."""

    collection: str
    version: int
    missing: int
    """In gold, not in the collection."""
    stale: int
    """In both, with other content."""
    orphaned: int
    """In the collection, not in gold."""
    refused: int
    """In gold, and such that no store can hold them; no difference."""
    repaired: int
    examples: dict[str, list[str]]
    """Keys of some rows of every kind."""


def differences(gold: DataFrame, *, version: int, address: StoreAddress, collection: Collection) -> DataFrame:
    """Returns what brings the collection to gold's content, and why; equal rows are not in it.

    One worker reads the collection's keys and fingerprints in batches. They meet gold's in
    Spark, bucket by bucket of the keys' hashes, so that neither side has to fit into
    memory; only rows that differ are read whole.

    Args:
        gold: Rows of `gold_chunks` at `version`.
        version: Stands in `first_version` and `last_version`.
        address: Where the executors reach the store.
        collection: To be compared.

    Returns:
        The columns of `plan.net_changes` and `kind` (missing, stale or orphaned); one row a
        `chunk_id`. An orphaned row has its key alone.
    """
    scan = partial(_scan, address=address, collection=collection.name)
    held = gold.sparkSession.range(0, 1, 1, 1).mapInPandas(scan, "chunk_id STRING, print STRING")
    # Of a key that stands twice with two contents, which no store should allow, one differs: it is written again.
    found = held.groupBy(INDEX_KEY).agg(F.min("print").alias("least"), F.max("print").alias("most"))
    wanted = gold.groupBy(INDEX_KEY).agg(F.max("fingerprint").alias("fingerprint"))
    kind = (
        F.when(F.col("fingerprint").isNull(), "orphaned")
        .when(F.col("most").isNull(), "missing")
        .when((F.col("least") != F.col("fingerprint")) | (F.col("most") != F.col("fingerprint")), "stale")
    )
    differing = wanted.join(found, INDEX_KEY, "full_outer").withColumn("kind", kind).where(F.col("kind").isNotNull())
    rows = gold.select(*(F.col(held.column).alias(held.name) for held in INDEX_FIELDS), INDEX_VECTOR, INDEX_SPACE)
    whole = differing.join(rows, [INDEX_KEY, "fingerprint"], "left").dropDuplicates([INDEX_KEY])
    # A null among them would turn a whole column of numbers into floats in pandas.
    filled = {field.name: F.coalesce(field.name, F.lit(0)) for field in INDEX_FIELDS if field.kind == "int"}
    return whole.withColumns(filled).select(
        *_NAMES,
        INDEX_SPACE,
        F.when(F.col("kind") == "orphaned", "delete").otherwise("upsert").alias("op"),
        F.lit(version).cast("bigint").alias("first_version"),
        F.lit(version).cast("bigint").alias("last_version"),
        "kind",
    )


def tally(differing: DataFrame, dimension: int) -> dict[str, Kind]:
    """Returns how many rows differ in every way, with examples.

    Args:
        differing: From `differences`.
        dimension: Of the collection's vectors.

    Returns:
        `missing`, `stale`, `orphaned`, and `refused` for the missing ones that no store can hold.
    """
    kinds = {kind: Kind() for kind in ("missing", "stale", "orphaned", "refused")}
    counted = differing.mapInPandas(partial(_tally, dimension=dimension), "kind STRING, chunk_id STRING, rows BIGINT")
    with translated():
        for row in counted.toLocalIterator():
            kind = kinds[row["kind"]]
            kind.rows += row["rows"]
            if row["chunk_id"] is not None and len(kind.examples) < MAX_EXAMPLES:
                kind.examples.append(row["chunk_id"])
    return kinds


def reconciled(collection: str, version: int, kinds: dict[str, Kind], repaired: int) -> Reconciled:
    """Returns the report of a comparison, from `tally`."""
    return Reconciled(
        collection=collection,
        version=version,
        **{name: kind.rows for name, kind in kinds.items()},
        repaired=repaired,
        examples={name: kind.examples for name, kind in kinds.items()},
    )


def _scan(_: Iterator[pd.DataFrame], address: StoreAddress, collection: str) -> Iterator[pd.DataFrame]:
    for rows in connect(address).scan(collection, [INDEX_KEY, "fingerprint"], batch_rows=_SCAN_ROWS):
        held = [(row[INDEX_KEY], row["fingerprint"]) for row in rows]
        yield pd.DataFrame(held, columns=[INDEX_KEY, "print"])


def _tally(frames: Iterator[pd.DataFrame], dimension: int) -> Iterator[pd.DataFrame]:
    """Yields the count of every kind and keys of the first rows, of one partition."""
    seen: dict[str, int] = {}
    for frame in frames:
        missing = frame[frame["kind"] == "missing"]
        refused = refusals(missing[_NAMES].to_dict("records"), dimension)  # type: ignore[arg-type]
        kinds = frame["kind"].copy()
        kinds[missing.index[list(refused)]] = "refused"
        for kind, keys in frame.groupby(kinds)[INDEX_KEY]:
            wanted = max(0, MAX_EXAMPLES - seen.get(str(kind), 0))
            examples = keys.head(wanted).tolist()
            seen[str(kind)] = seen.get(str(kind), 0) + len(examples)
            counts = [(kind, None, len(keys)), *((kind, key, 0) for key in examples)]
            yield pd.DataFrame(counts, columns=["kind", "chunk_id", "rows"])
