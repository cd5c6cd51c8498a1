"""Bronze: brings what changed in a landing folder into the history of raw files."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from itertools import islice

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf

from lakerag.bronze.arrivals import ingest_arrivals
from lakerag.bronze.listing import Listed, landing_folder, list_files
from lakerag.bronze.objects import is_object_store, list_objects, read_object
from lakerag.bronze.plan import UNREAD, Standing, Step, compare
from lakerag.bronze.reading import ROWS_DDL, FileVersion, file_reader, read_file
from lakerag.bronze.table_source import SCHEME, ingest_table
from lakerag.bronze.versions import latest_versions, to_bronze
from lakerag.catalog import Catalog
from lakerag.config import Source
from lakerag.tables import BRONZE_FILES, SILVER_QUARANTINE, TOO_LARGE

STEPS_PER_COMMIT = 10_000
"""Bounds the driver's memory; a crash loses no more than this many readings."""

NOTHING = {"added": 0, "modified": 0, "deleted": 0}

STEPS = pa.schema(
    [
        ("path", pa.string()),
        ("op", pa.string()),
        ("known_sha256", pa.string()),
        ("size_bytes", pa.int64()),
        ("modified_ns", pa.int64()),
        ("arrived_us", pa.int64()),
    ]
)


def ingest(catalog: Catalog, source: Source, *, run_id: str, now: datetime) -> dict[str, int]:
    """Appends added, modified and deleted files to bronze; writes nothing when nothing changed.

    Args:
        catalog: The lakehouse; `bronze_files` exists.
        source: The landing folder, which driver and executors see under the same path; an object store; or a table.
        run_id: Names the arrival.
        now: Beginning of the run, with its time zone.

    Returns:
        Files `added`, `modified`, `deleted`, and `unchanged` where they were listed.

    Raises:
        SourceError: The folder is missing or cannot be listed; nothing was written.
    """
    if str(source.path).startswith(SCHEME):
        return ingest_table(catalog, source, run_id=run_id, now=now)
    if source.discovery == "auto-loader":
        ingest_arrivals(catalog, source, _reader(source), run_id=run_id, now=now)
        return NOTHING | _arrived(catalog, source.name, run_id)
    listed, read_one = _listed(source), _reader(source)
    known = (Standing(*row) for row in _known(catalog, source).orderBy("path").toLocalIterator())
    steps = compare(listed, known, int(now.timestamp() * 1e6))
    seen: Counter[str] = Counter()
    changed = _changed(steps, seen)
    wrote = False
    while batch := list(islice(changed, STEPS_PER_COMMIT)):
        rows = _read(catalog.spark, batch, read_one)
        if any(step.certain for step in batch) or not rows.isEmpty():
            catalog.append(BRONZE_FILES, to_bronze(rows, source.name, run_id))
            wrote = True
    counts = NOTHING | (_arrived(catalog, source.name, run_id) if wrote else {})
    return counts | {"unchanged": seen.total() - seen["deleted"] - counts["added"] - counts["modified"]}


def _known(catalog: Catalog, source: Source) -> DataFrame:
    """Returns the latest versions; one that was too large to keep, and no longer is, counts as unread."""
    standing = latest_versions(catalog.read(BRONZE_FILES), source.name)
    refused = catalog.read(SILVER_QUARANTINE).where((sf.col("source") == source.name) & (sf.col("reason") == TOO_LARGE))
    left_out = refused.select("path", "content_sha256", sf.lit(True).alias("left_out"))
    fits = sf.col("left_out").isNotNull() & (sf.col("size_bytes") <= source.max_file_bytes)
    both = standing.join(sf.broadcast(left_out), ["path", "content_sha256"], "left")
    sha256 = sf.when(fits, UNREAD).otherwise(sf.col("content_sha256"))
    return both.withColumn("content_sha256", sha256).select(*standing.columns)


def _changed(steps: Iterable[Step], seen: Counter[str]) -> Iterator[Step]:
    """Counts the steps by what they do and yields those that do something."""
    for step in steps:
        seen[step.op] += 1
        if step.op != "unchanged":
            yield step


def _listed(source: Source) -> Iterable[Listed]:
    """Returns what stands in the source, sorted by path."""
    if is_object_store(str(source.path)):
        return list_objects(source)
    return list_files(landing_folder(source), source.ignore)


def _reader(source: Source) -> Callable[[str], FileVersion | None]:
    """Returns how to read one of the source's files."""
    if is_object_store(str(source.path)):
        return partial(read_object, str(source.path), max_file_bytes=source.max_file_bytes)
    return partial(read_file, str(landing_folder(source)), max_file_bytes=source.max_file_bytes)


def _read(spark: SparkSession, steps: list[Step], read_one: Callable[[str], FileVersion | None]) -> DataFrame:
    columns = {name: [getattr(step, name) for step in steps] for name in STEPS.names}
    planned = spark.createDataFrame(pa.table(columns, schema=STEPS))
    return planned.mapInArrow(file_reader(read_one), ROWS_DDL)


def _arrived(catalog: Catalog, source: str, run_id: str) -> dict[str, int]:
    arrived = catalog.read(BRONZE_FILES).where((sf.col("source") == source) & (sf.col("arrival") == run_id))
    return {str(row["op"]): int(row["count"]) for row in arrived.groupBy("op").count().toLocalIterator()}
