"""Silver: keeps documents and quarantine equal to what the live files of bronze give."""

from datetime import datetime
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf

from lakerag.catalog import Catalog
from lakerag.config import Source
from lakerag.errors import SchemaError
from lakerag.silver.documents import Recipe
from lakerag.silver.ledger import Balance, balance, gone_refusals, ledger, live_versions
from lakerag.silver.parsing import PARSED_DDL, file_parser
from lakerag.silver.sidecars import attach_sidecars, sidecar_contents, sidecars_in, without_sidecars
from lakerag.tables import BRONZE_FILES, SILVER_DOCUMENTS, SILVER_QUARANTINE, Table

ROUNDS = 3
"""A file may parse within its time on one round and not on the next; more often is no chance."""

DOCUMENT_GUARD = "t.document_hash <> s.document_hash OR t.content_sha256 <> s.content_sha256 OR t.recipe <> s.recipe"
REFUSAL_GUARD = "t.recipe <> s.recipe OR t.arrived_at <> s.arrived_at"


def refine(catalog: Catalog, source: Source, *, now: datetime) -> dict[str, int]:
    """Parses live files that are new, and removes what has no live file any more.

    Documents are merged first, refusals after; each merge is atomic, and a run that
    stops in between is finished by the next one. With nothing new, nothing is written.

    Args:
        catalog: The lakehouse; bronze and silver tables exist.
        source: Whose files; `protected` decides about documents without rights.
        now: Beginning of the run, with its time zone.

    Returns:
        Documents `upserted`, `deleted`, files `quarantined` by this run; and what stands
        now: `documents`, `in_quarantine`.

    Raises:
        SchemaError: Live files are not documents plus quarantined files at the end.
    """
    stage = _Stage(catalog, Recipe.of(source), now)
    counts = {"upserted": 0, "deleted": 0, "quarantined": 0}
    standing = stage.balance()
    for _ in range(ROUNDS):
        if standing.settled:
            break
        if standing.pending or standing.gone_documents:
            merged = catalog.merge(SILVER_DOCUMENTS, stage.document_changes(standing), DOCUMENT_GUARD)
            counts["upserted"] += merged["inserted"] + merged["updated"]
            counts["deleted"] += merged["deleted"]
            standing = stage.balance()
        if standing.pending or standing.gone_refusals:
            merged = catalog.merge(SILVER_QUARANTINE, stage.refusal_changes(standing), REFUSAL_GUARD)
            counts["quarantined"] += merged["inserted"] + merged["updated"]
            standing = stage.balance()
    _check(standing, source.name)
    return counts | {"documents": standing.documents, "in_quarantine": standing.quarantined}


def parse_files(pending: DataFrame, raw: DataFrame, recipe: Recipe, *, described: bool) -> DataFrame:
    """Returns one parsed row a pending file: a document, or a refusal where `reason` is set.

    Args:
        pending: Pending rows of the ledger; their keys alone are sent around.
        raw: Bronze files of the source, with their bytes.
        recipe: How to parse them.
        described: Whether any of them has sidecars; where none has, none are looked for.
    """
    keys = pending.select("path", "arrival", "recipe", sf.unix_micros("arrived_at").alias("arrived_us"))
    # A run of Auto Loader may bring a path twice; its time tells the arrivals apart.
    arrived_us = sf.unix_micros("arrived_at").alias("arrived_us")
    versions = raw.select("path", "arrival", arrived_us, "content_sha256", "mime", "content").join(
        sf.broadcast(keys), ["path", "arrival", "arrived_us"]
    )
    if described:
        versions = versions.join(sf.broadcast(sidecar_contents(pending, raw)), "path", "left")
    else:
        versions = versions.withColumn("sidecars", sf.lit(None).cast("array<binary>"))
    read = versions.select("path", "content_sha256", "mime", "arrived_us", "recipe", "sidecars", "content")
    return read.repartition("path").mapInArrow(file_parser(recipe), PARSED_DDL)


def to_documents(parsed: DataFrame, recipe: Recipe) -> DataFrame:
    """Returns documents in the contract's columns; a refused file takes its document away."""
    return parsed.withColumns(
        {
            "source": sf.lit(recipe.source),
            "duplicate_group": sf.lit(None).cast("string"),
            "alternates": sf.lit(None).cast("array<string>"),
            "arrived_at": sf.timestamp_micros("arrived_us"),
            "deleted": sf.col("reason").isNotNull(),
        }
    ).select(*SILVER_DOCUMENTS.names, "deleted")


def to_refusals(parsed: DataFrame, recipe: Recipe, now: datetime) -> DataFrame:
    """Returns refused files in the contract's columns."""
    return (
        parsed.where(sf.col("reason").isNotNull())
        .withColumns(
            {
                "source": sf.lit(recipe.source),
                "arrived_at": sf.timestamp_micros("arrived_us"),
                "quarantined_at": sf.lit(now).cast("timestamp"),
                "deleted": sf.lit(False),
            }
        )
        .select(*SILVER_QUARANTINE.names, "deleted")
    )


def to_deletions(keys: DataFrame, table: Table) -> DataFrame:
    """Returns keys as deletions in the contract's columns."""
    columns = [
        sf.col(column.name) if column.name in keys.columns else sf.lit(None).cast(column.type).alias(column.name)
        for column in table.columns
    ]
    return keys.select(*columns, sf.lit(True).alias("deleted"))


class _Stage:
    """The tables of one run, read anew for every look; plans hold only what is needed."""

    def __init__(self, catalog: Catalog, recipe: Recipe, now: datetime) -> None:
        self._catalog = catalog
        self._recipe = recipe
        self._now = now
        self._attach = without_sidecars if sidecars_in(self._files()).isEmpty() else attach_sidecars

    def balance(self) -> Balance:
        return balance(self._ledger())

    def document_changes(self, standing: Balance) -> DataFrame:
        paths = self._ledger()
        gone = paths.where("gone_document").select(_document_id(self._recipe.source).alias("doc_id"))
        parts = []
        if standing.pending:
            parts.append(to_documents(self._parsed(paths, standing), self._recipe))
        if standing.gone_documents:
            parts.append(to_deletions(gone, SILVER_DOCUMENTS))
        return reduce(DataFrame.unionByName, parts)

    def refusal_changes(self, standing: Balance) -> DataFrame:
        paths = self._ledger()
        gone = gone_refusals(paths).withColumn("source", sf.lit(self._recipe.source))
        parts = []
        if standing.pending:
            parts.append(to_refusals(self._parsed(paths, standing), self._recipe, self._now))
        if standing.gone_refusals:
            parts.append(to_deletions(gone, SILVER_QUARANTINE))
        return reduce(DataFrame.unionByName, parts)

    def _parsed(self, paths: DataFrame, standing: Balance) -> DataFrame:
        arrived = sf.col("arrived_at") >= sf.timestamp_micros(sf.lit(standing.since_us))  # skips older data files
        raw = self._files().where(arrived)
        return parse_files(paths.where("pending"), raw, self._recipe, described=standing.described > 0)

    def _ledger(self) -> DataFrame:
        live = self._attach(live_versions(self._files()), self._recipe.version)
        of_source = sf.col("source") == self._recipe.source
        documents = self._catalog.read(SILVER_DOCUMENTS).where(of_source)
        refusals = self._catalog.read(SILVER_QUARANTINE).where(of_source)
        return ledger(live, documents, refusals)

    def _files(self) -> DataFrame:
        return self._catalog.read(BRONZE_FILES).where(sf.col("source") == self._recipe.source)


def _document_id(source: str) -> Column:
    """Returns `documents.document_id` as a Spark expression."""
    return sf.substring(sf.sha2(sf.concat(sf.lit(f"{source}\0"), sf.col("path")), 256), 1, 32)


def _check(standing: Balance, source: str) -> None:
    if standing.settled and standing.live == standing.documents + standing.quarantined:
        return
    raise SchemaError(
        f"Expected each of the {standing.live} live files of source {source!r} to be a document or in quarantine, "
        f"found {standing.documents} documents, {standing.quarantined} in quarantine and {standing.pending} in "
        "neither. Run again; if it stays, rebuild silver from bronze.",
        source=source,
        balance=standing,
    )
