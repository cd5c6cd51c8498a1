"""Files as they arrive, told by a stream instead of a listing: Auto Loader on Databricks.

The stream only names them; they are read, hashed and compared as listed files are. It says nothing of deletions, nor of
names that begin with `_` or `.`: a run that lists the folder finds those.
"""

from collections.abc import Callable
from datetime import datetime

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as sf

from lakerag.bronze.listing import is_ignored
from lakerag.bronze.reading import ROWS_DDL, FileVersion, file_reader
from lakerag.bronze.versions import latest_versions, to_bronze
from lakerag.catalog import Catalog
from lakerag.config import Source
from lakerag.errors import ConfigError, SourceError
from lakerag.tables import BRONZE_FILES

AUTO_LOADER = "cloudFiles"
OPTIONS = {"cloudFiles.format": "binaryFile", "cloudFiles.allowOverwrites": "true"}
"""Overwritten files arrive again; bronze tells by the hash whether they changed."""

_FILES_DDL = "path STRING, modificationTime TIMESTAMP, length BIGINT, content BINARY"


def ingest_arrivals(
    catalog: Catalog, source: Source, read_one: Callable[[str], FileVersion | None], *, run_id: str, now: datetime
) -> None:
    """Appends the files that arrived since the checkpoint, added or modified, to bronze.

    A batch that ran before, and whose progress was lost, changes nothing more: its contents are known.

    Args:
        catalog: The lakehouse; `bronze_files` exists.
        source: Its `path` as Spark reads it, its `checkpoint`.
        read_one: Reads one file below the path, on an executor.
        run_id: Names the arrival.
        now: Beginning of the run, with its time zone.

    Raises:
        ConfigError: There is no checkpoint, or the source is not protected.
        SourceError: There is no Auto Loader, or it fails; what was appended stays, the next run goes on.
    """
    _check(source)
    place, ignore, name, root = catalog.place, source.ignore, source.name, str(source.path).rstrip("/")

    def read_wanted(path: str) -> FileVersion | None:
        return None if is_ignored(path, ignore) else read_one(path)

    def bring_in(batch: DataFrame, _: int) -> None:
        here = Catalog(batch.sparkSession, place)
        standing = latest_versions(here.read(BRONZE_FILES), name)
        rows = told_steps(batch, standing, root, now).mapInArrow(file_reader(read_wanted), ROWS_DDL)
        here.append(BRONZE_FILES, to_bronze(rows, name, run_id))

    stream = catalog.spark.readStream.format(AUTO_LOADER).options(**OPTIONS).schema(_FILES_DDL)
    try:
        writer = stream.load(root).drop("content").writeStream.foreachBatch(bring_in)
        writer.option("checkpointLocation", str(source.checkpoint)).trigger(
            availableNow=True
        ).start().awaitTermination()
    except (PySparkException, Py4JJavaError) as error:
        found = " ".join(str(error).splitlines()[:2])
        raise SourceError(
            f"Expected the arrivals of {root} from Auto Loader, found: {found} Auto Loader exists "
            "on Databricks alone; elsewhere set source.discovery to listing.",
            path=root,
        ) from error


def told_steps(told: DataFrame, standing: DataFrame, root: str, now: datetime) -> DataFrame:
    """Returns what is to be read of the files that a stream named; grain and key: path.

    Args:
        told: `path` (whole, perhaps with a scheme), `length`, `modificationTime`.
        standing: `latest_versions` of the source.
        root: Folder of the source, without a scheme where `path` has none of its own.
        now: Beginning of the run.
    """
    below = sf.col("path").substr(sf.instr("path", f"{root}/") + len(root) + 1, sf.length("path"))
    modified_ns = sf.max(sf.unix_micros("modificationTime") * 1000)
    files = told.groupBy(below.alias("path")).agg(
        sf.max_by("length", "modificationTime").alias("size_bytes"), modified_ns.alias("modified_ns")
    )
    known = standing.select("path", "op", "content_sha256", sf.col("arrived_us").alias("known_us"))
    is_live = sf.col("op").isNotNull() & (sf.col("op") != "deleted")
    now_us = sf.lit(int(now.timestamp() * 1e6))
    return files.join(known, "path", "left").select(
        "path",
        sf.when(is_live, "modified").otherwise("added").alias("op"),
        sf.when(is_live, sf.col("content_sha256")).alias("known_sha256"),
        "size_bytes",
        "modified_ns",
        sf.greatest(now_us, sf.col("known_us") + 1).alias("arrived_us"),
    )


def _check(source: Source) -> None:
    if not source.checkpoint:
        raise ConfigError("source.discovery is auto-loader: expected a folder in source.checkpoint, found none.")
    if not source.protected:
        raise ConfigError(
            "source.discovery is auto-loader: expected source.protected. Auto Loader passes over names that begin with "
            "_, and a folder's _meta.yml that restricts its documents is found only when the folder is listed; until "
            "then they must be seen by nobody."
        )
