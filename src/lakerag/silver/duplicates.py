"""Finds documents that say the same, and names one of each group that stands for the others.

Texts, not documents, are compared, each with those that share a band of its signature; what
was found is kept in `silver_signatures` and `silver_similar`, so that only new texts are
looked up. Which documents stand for which is decided anew over the pairs that are known, by
an order that no arrival changes: the result is that of a rebuild.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as sf

from lakerag.catalog import Catalog, literal
from lakerag.config import Duplicates
from lakerag.silver import minhash
from lakerag.tables import SILVER_DOCUMENTS, SILVER_SIGNATURES, SILVER_SIMILAR, Table

MEETINGS = 200
"""Texts of a bucket that each other one of it is compared with; a bucket of thousands is one template."""

_AUDIENCE = "audience STRING, content_hash STRING, represented_by STRING"
_CHANGED = "NOT (t.duplicate_group <=> s.duplicate_group AND t.alternates <=> s.alternates)"


def deduplicate(catalog: Catalog, settings: Duplicates, fields: Sequence[str], *, now: datetime) -> dict[str, int]:
    """Brings `duplicate_group` and `alternates` of all documents up to date.

    A document is an alternate only of one that it is similar to itself (or equals). Both have
    the same source, tenant, groups and filterable metadata: whoever may see or filter for one
    of them finds the other as well.

    Args:
        catalog: The lakehouse.
        settings: Threshold, and the length from which texts are compared.
        fields: Metadata that filters may name.
        now: Beginning of the run, with its time zone.

    Returns:
        `duplicates`: documents that another one stands for; `regrouped`: rows changed by this run.
    """
    recipe = recipe_of(settings)
    _sign(catalog, settings, recipe, now)
    _compare(catalog, recipe)
    regrouped = _group(catalog, settings, fields, recipe)
    alternates = catalog.read(SILVER_DOCUMENTS).where("duplicate_group <> doc_id").count()
    return {"duplicates": alternates, "regrouped": regrouped}


def recipe_of(settings: Duplicates) -> str:
    """Returns the version of everything that makes signatures of texts."""
    return f"{minhash.VERSION}-{settings.min_words}-{minhash.rows_of_band(settings.threshold)}"


def _sign(catalog: Catalog, settings: Duplicates, recipe: str, now: datetime) -> None:
    """Appends the signatures of texts that have none by this recipe."""
    known = catalog.read(SILVER_SIGNATURES).where(sf.col("recipe") == recipe).select("content_hash")
    documents = catalog.read(SILVER_DOCUMENTS)
    unsigned = documents.select("content_hash", "arrived_at").join(known, "content_hash", "left_anti")
    oldest = unsigned.agg(sf.unix_micros(sf.min("arrived_at")).alias("us")).first()
    if oldest is None or oldest["us"] is None:
        return
    # Another recipe's comparisons write over this one's pairs: back under that recipe, all is signed and compared anew.
    catalog.spark.sql(f"DELETE FROM {catalog.ref(SILVER_SIGNATURES)} WHERE recipe <> {literal(recipe)}")  # noqa: S608
    arrived = sf.col("arrived_at") >= sf.timestamp_micros(sf.lit(oldest["us"]))  # skips older data files
    texts = documents.where(arrived).select("content_hash", "text")
    unsigned = texts.join(known, "content_hash", "left_anti").dropDuplicates(["content_hash"])
    sign = minhash.signer(minhash.rows_of_band(settings.threshold), settings.min_words)
    signed = unsigned.mapInArrow(sign, minhash.SIGNED_DDL).withColumns(
        {
            "recipe": sf.lit(recipe),
            "compared": sf.size("buckets") == 0,  # a short text meets no other one
            "signed_at": sf.lit(now).cast("timestamp"),
        }
    )
    catalog.append(SILVER_SIGNATURES, signed)


def _compare(catalog: Catalog, recipe: str) -> None:
    """Adds the similar pairs of texts that were not compared yet, then marks them as compared."""
    signed = catalog.read(SILVER_SIGNATURES).where(sf.col("recipe") == recipe)
    new = signed.where(~sf.col("compared"))
    if new.select("content_hash").isEmpty():
        return
    pairs = similar_pairs(signed, any_old=not signed.where("compared").select("content_hash").isEmpty())
    added = pairs.withColumns({"recipe": sf.lit(recipe), "deleted": sf.lit(False)})
    catalog.merge(SILVER_SIMILAR, added.select(*SILVER_SIMILAR.names, "deleted"), guard="t.recipe <> s.recipe")
    done = new.withColumns({"compared": sf.lit(True), "deleted": sf.lit(False)})
    catalog.merge(SILVER_SIGNATURES, done, guard="t.compared <> s.compared")


def similar_pairs(signed: DataFrame, *, any_old: bool) -> DataFrame:
    """Returns the pairs of signatures that share a band, at least one of them not compared before.

    Args:
        signed: `silver_signatures` of one recipe.
        any_old: Whether some were compared before; then only buckets with new ones are gathered.

    Returns:
        `content_hash` < `similar_hash`, `jaccard` (estimated); each pair once.
    """
    placed = signed.select("content_hash", "compared", sf.explode("buckets").alias("bucket"))
    if any_old:
        touched = placed.where(~sf.col("compared")).select("bucket").distinct()
        placed = placed.join(touched, "bucket", "left_semi")
    held = placed.groupBy("bucket").agg(
        sf.sort_array(sf.collect_list(sf.struct("content_hash", "compared"))).alias("held")
    )
    first = held.where(sf.size("held") > 1).select("held", sf.explode(sf.slice("held", 1, MEETINGS)).alias("one"))
    both = first.select("one", sf.explode("held").alias("other")).where(
        (sf.col("other.content_hash") > sf.col("one.content_hash"))
        & ~(sf.col("one.compared") & sf.col("other.compared"))
    )
    met = both.select(
        sf.col("one.content_hash").alias("content_hash"), sf.col("other.content_hash").alias("similar_hash")
    ).distinct()
    left = signed.select("content_hash", sf.col("signature").alias("left"))
    right = signed.select(sf.col("content_hash").alias("similar_hash"), sf.col("signature").alias("right"))
    beside = met.join(left, "content_hash").join(right, "similar_hash")
    return beside.select("content_hash", "similar_hash", "left", "right").mapInArrow(
        _estimate, "content_hash STRING, similar_hash STRING, jaccard DOUBLE"
    )


def _estimate(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        values = minhash.estimate(batch.column("left").to_pylist(), batch.column("right").to_pylist())
        columns = [batch.column("content_hash"), batch.column("similar_hash"), pa.array(values)]
        yield pa.RecordBatch.from_arrays(columns, names=["content_hash", "similar_hash", "jaccard"])


def wanted_groups(documents: DataFrame, similar: DataFrame, fields: Sequence[str]) -> DataFrame:
    """Returns `duplicate_group` and `alternates` of every document; grain and key: doc_id.

    Args:
        documents: `silver_documents`.
        similar: Pairs of similar texts.
        fields: Metadata that filters may name.
    """
    filterable = sf.array_sort(sf.map_entries(sf.map_filter("metadata", lambda name, _: name.isin(list(fields)))))
    audience = sf.to_json(sf.struct("source", "tenant", sf.array_sort("acl_groups"), filterable))
    seen = documents.select("doc_id", "path", "content_hash", audience.alias("audience"))
    texts = seen.select("audience", "content_hash").distinct()
    others = texts.withColumnRenamed("content_hash", "similar_hash")
    pairs = similar.join(texts, "content_hash").join(others, ["audience", "similar_hash"])
    represented = (
        pairs.select("audience", "content_hash", "similar_hash").groupBy("audience").applyInArrow(_represent, _AUDIENCE)
    )
    chosen = sf.coalesce("represented_by", "content_hash")
    placed = seen.join(represented, ["audience", "content_hash"], "left").withColumn("chosen", chosen)
    first = sf.min(sf.when(sf.col("content_hash") == sf.col("chosen"), sf.struct("path", "doc_id")))
    groups = placed.groupBy("audience", "chosen").agg(first.alias("first"), sf.collect_list("path").alias("paths"))
    several = groups.where(sf.size("paths") > 1)
    grouped = placed.join(several, ["audience", "chosen"], "left")
    others_paths = sf.array_sort(sf.array_remove("paths", sf.col("path")))
    return grouped.select(
        "doc_id",
        sf.col("first.doc_id").alias("duplicate_group"),
        sf.when(sf.col("first.doc_id") == sf.col("doc_id"), others_paths).alias("alternates"),
    )


def _represent(pairs: pa.Table) -> pa.Table:
    """Goes through the texts of one audience in the order of their hashes.

    A text without a similar one before it that stands for itself stands for itself; any other is
    represented by the first of those.
    """
    before: dict[str, list[str]] = {}
    for one, other in zip(pairs["content_hash"].to_pylist(), pairs["similar_hash"].to_pylist(), strict=True):
        before.setdefault(other, []).append(one)
    represented: dict[str, str] = {}
    for text in sorted(before):
        standing = [one for one in before[text] if one not in represented]
        if standing:
            represented[text] = min(standing)
    audience = pairs["audience"][0].as_py()
    columns = {"audience": [audience] * len(represented), "content_hash": list(represented)}
    return pa.table({**columns, "represented_by": list(represented.values())}, schema=_REPRESENTED)


_REPRESENTED = pa.schema([(name, pa.string()) for name in ("audience", "content_hash", "represented_by")])


def _group(catalog: Catalog, settings: Duplicates, fields: Sequence[str], recipe: str) -> int:
    """Writes what `wanted_groups` says where it differs; returns how many rows did."""
    found = (sf.col("recipe") == recipe) & (sf.col("jaccard") >= settings.threshold)
    similar = catalog.read(SILVER_SIMILAR).where(found)
    documents = catalog.read(SILVER_DOCUMENTS)
    wanted = wanted_groups(documents, similar.select("content_hash", "similar_hash"), fields)
    keys = documents.select("doc_id", sf.struct("duplicate_group", "alternates").alias("found"))
    differing = keys.join(wanted, "doc_id").where(
        ~sf.col("found").eqNullSafe(sf.struct("duplicate_group", "alternates"))
    )
    if differing.isEmpty():
        return 0
    rows = documents.drop("duplicate_group", "alternates").join(differing.drop("found"), "doc_id")
    changes = rows.select(*SILVER_DOCUMENTS.names, sf.lit(False).alias("deleted"))
    return catalog.merge(SILVER_DOCUMENTS, changes, _CHANGED)["updated"]


def forget_texts(catalog: Catalog, settings: Duplicates) -> None:
    """Removes the signatures and pairs of texts that no document has any more, and those of other recipes.

    They change no result, so that this need not be done by every run.
    """
    recipe = recipe_of(settings)
    live = catalog.read(SILVER_DOCUMENTS).select("content_hash").distinct()
    signed = catalog.read(SILVER_SIGNATURES)
    gone = signed.join(live, "content_hash", "left_anti").unionByName(
        signed.where(sf.col("recipe") != recipe).join(live, "content_hash", "left_semi")
    )
    if gone.select("content_hash").isEmpty():
        return
    similar = catalog.read(SILVER_SIMILAR)
    stale = similar.where(sf.col("recipe") != recipe)
    for name in ("content_hash", "similar_hash"):
        dead = similar.join(live, similar[name] == live["content_hash"], "left_anti")
        stale = stale.unionByName(dead.select(*similar.columns))
    # In this order: a text that returns after a crash in between is compared again, not taken for compared.
    _delete(catalog, SILVER_SIGNATURES, gone)
    _delete(catalog, SILVER_SIMILAR, stale.distinct())


def _delete(catalog: Catalog, table: Table, rows: DataFrame) -> None:
    catalog.merge(table, rows.select(*table.names).withColumn("deleted", sf.lit(True)), guard="false")
