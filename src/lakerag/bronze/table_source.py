"""Rows of a Delta table as documents: each row a file of its key's name, read by the table's own change feed.

Where the feed does not reach (the first run, a recreated table, other columns in the settings, a
feed that is off or was cleaned up) the whole table is compared with bronze instead; both ways lead to the same rows.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf

from lakerag.catalog import Catalog, quoted
from lakerag.config import Source
from lakerag.errors import SourceError
from lakerag.tables import BRONZE_FILES, OPS_SOURCES, ROW_MIME

SCHEME = "table:"
_FEED = "delta.enableChangeDataFeed"


@dataclass(frozen=True, slots=True)
class _Snapshot:
    name: str
    """Quoted."""
    table_id: str
    version: int
    has_feed: bool


def ingest_table(catalog: Catalog, source: Source, *, run_id: str, now: datetime) -> dict[str, int]:
    """Appends added, modified and deleted rows of `source.path` (`table:NAME`) to bronze.

    Args:
        catalog: The lakehouse; `bronze_files` and `ops_sources` exist.
        source: `key_columns` make the path, `text_column` holds the text, all other columns are facts.
        run_id: Names the arrival.
        now: Beginning of the run, with its time zone.

    Returns:
        Rows `added`, `modified`, `deleted`.

    Raises:
        SourceError: No such Delta table, a column is missing, or two rows have one key.
    """
    snapshot = _look(catalog, str(source.path).removeprefix(SCHEME))
    read = catalog.read(OPS_SOURCES).where(sf.col("source") == source.name).first()
    told = (snapshot.table_id, _columns(source))
    known = read["version"] if read is not None and (read["table_id"], read["columns"]) == told else None
    counts = {"added": 0, "modified": 0, "deleted": 0}
    if known == snapshot.version:
        return counts
    rows = catalog.spark.sql(f"SELECT * FROM {snapshot.name} VERSION AS OF {snapshot.version}")  # noqa: S608 (quoted)
    live = to_files(rows, source)
    standing = _standing(catalog, source.name)
    touched = None if known is None else _touched(catalog, snapshot, known, source)
    if touched is not None:
        live, standing = (side.join(touched, "path", "left_semi") for side in (live, standing))
    _check_keys(live, source)
    changes = changed_files(live, standing, source.name, run_id, now)
    if not changes.select("path").isEmpty():
        catalog.append(BRONZE_FILES, changes)
        arrived = catalog.read(BRONZE_FILES).where((sf.col("source") == source.name) & (sf.col("arrival") == run_id))
        counts |= {row["op"]: int(row["count"]) for row in arrived.groupBy("op").count().toLocalIterator()}
    _remember(catalog, source, snapshot, now)
    return counts


def to_files(rows: DataFrame, source: Source) -> DataFrame:
    """Returns rows as files: `path`, `content` (JSON: `text` and `facts`) and `content_sha256`.

    Raises:
        SourceError: A column is missing.
    """
    missing = [name for name in (*source.key_columns, source.text_column) if name not in rows.columns]
    if missing:
        raise SourceError(
            f"Expected the columns {', '.join(missing)} in {source.path}, found {', '.join(rows.columns)}. "
            "Set source.key_columns and source.text_column.",
            missing=missing,
        )
    facts = [name for name in rows.columns if name != source.text_column]
    held = sf.to_json(
        sf.struct(sf.col(source.text_column).cast("string").alias("text"), sf.struct(*facts).alias("facts"))
    )
    files = rows.select(_path(source).alias("path"), sf.encode(held, "UTF-8").alias("content"))
    return files.withColumn("content_sha256", sf.sha2("content", 256))


def changed_files(live: DataFrame, standing: DataFrame, source: str, run_id: str, now: datetime) -> DataFrame:
    """Returns what differs, in the columns of `bronze_files`.

    Args:
        live: From `to_files`.
        standing: `path`, `known_sha256` and `known_at` of what bronze holds, deletions left out.
        source: Name of the source.
        run_id: Names the arrival.
        now: Beginning of the run.
    """
    op = (
        sf.when(sf.col("content_sha256").isNull(), "deleted")
        .when(sf.col("known_sha256").isNull(), "added")
        .otherwise("modified")
    )
    both = live.join(standing, "path", "full_outer").where(~sf.col("content_sha256").eqNullSafe(sf.col("known_sha256")))
    at = sf.lit(now).cast("timestamp")
    later = sf.col("known_at") + sf.expr("INTERVAL 1 MICROSECOND")
    return both.select(
        sf.lit(source).alias("source"),
        "path",
        sf.coalesce("content_sha256", "known_sha256").alias("content_sha256"),
        op.alias("op"),
        sf.greatest(at, later).alias("arrived_at"),
        sf.lit(run_id).alias("arrival"),
        sf.coalesce(sf.octet_length("content"), sf.lit(0)).cast("bigint").alias("size_bytes"),
        sf.lit(0).cast("bigint").alias("modified_ns"),
        sf.lit(ROW_MIME).alias("mime"),
        "content",
    )


def _path(source: Source) -> Column:
    return sf.concat_ws("/", *(sf.coalesce(sf.col(name).cast("string"), sf.lit("null")) for name in source.key_columns))


def _look(catalog: Catalog, name: str) -> _Snapshot:
    place = ".".join(quoted(part) for part in name.split("."))
    try:
        detail = catalog.spark.sql(f"DESCRIBE DETAIL {place}").first()
        commit = catalog.spark.sql(f"DESCRIBE HISTORY {place} LIMIT 1").first()
    except (PySparkException, Py4JJavaError) as error:
        raise SourceError(
            f"Expected a Delta table {name}, found none that can be read. Check source.path; no document was touched.",
            table=name,
        ) from error
    assert detail is not None
    assert commit is not None
    return _Snapshot(place, detail["id"], int(commit["version"]), detail["properties"].get(_FEED) == "true")


def _standing(catalog: Catalog, source: str) -> DataFrame:
    latest = sf.max_by(sf.struct("op", "content_sha256", "arrived_at"), "arrived_at").alias("latest")
    rows = catalog.read(BRONZE_FILES).where(sf.col("source") == source).groupBy("path").agg(latest)
    return rows.where("latest.op <> 'deleted'").select(
        "path", sf.col("latest.content_sha256").alias("known_sha256"), sf.col("latest.arrived_at").alias("known_at")
    )


def _touched(catalog: Catalog, snapshot: _Snapshot, known: int, source: Source) -> DataFrame | None:
    """Returns the paths of rows that changed after a version; none where the feed does not tell."""
    if not snapshot.has_feed or known > snapshot.version:
        return None
    options = {"readChangeFeed": "true", "startingVersion": str(known + 1), "endingVersion": str(snapshot.version)}
    try:
        feed = catalog.spark.read.options(**options).table(snapshot.name)
        touched = feed.select(_path(source).alias("path")).distinct()
        touched.isEmpty()  # a feed that was cleaned up fails only when it is read
    except (PySparkException, Py4JJavaError):
        return None
    return touched


def _check_keys(live: DataFrame, source: Source) -> None:
    twice = live.groupBy("path").count().where("count > 1").first()
    if twice is not None:
        raise SourceError(
            f"Expected one row a key ({', '.join(source.key_columns)}) in {source.path}, found {twice['count']} of "
            f"{twice['path']!r}. Name the columns that identify a row in source.key_columns; nothing was written.",
            key=twice["path"],
        )


def _columns(source: Source) -> str:
    return json.dumps([source.key_columns, source.text_column])


def _remember(catalog: Catalog, source: Source, snapshot: _Snapshot, now: datetime) -> None:
    row = (source.name, snapshot.table_id, snapshot.version, _columns(source), now, False)
    position = catalog.spark.createDataFrame([row], f"{OPS_SOURCES.schema}, deleted BOOLEAN")
    catalog.merge(OPS_SOURCES, position, guard="true")
