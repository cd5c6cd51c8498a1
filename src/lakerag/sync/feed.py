"""Gold's change feed as a stream, and what it says when changes that were not read are no longer there."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from lakerag import errors
from lakerag.catalog import Catalog
from lakerag.config import Sync
from lakerag.errors import LakeragError, PositionLostError
from lakerag.tables import GOLD_CHUNKS

_LOST = (
    "DELTA_CHANGE_DATA_FEED_INCOMPATIBLE_DATA_SCHEMA",
    "DELTA_CHANGE_DATA_FEED_INCOMPATIBLE_SCHEMA_CHANGE",
    "DELTA_LOG_FILE_NOT_FOUND",
    "DELTA_LOG_FILE_NOT_FOUND_FOR_STREAMING_SOURCE",
    "DELTA_MISSING_CHANGE_DATA",
    "DELTA_MISSING_FILES_UNEXPECTED_VERSION",
    "DELTA_SCHEMA_CHANGED_WITH_STARTING_OPTIONS",
    "DELTA_SCHEMA_CHANGED_WITH_VERSION",
    "DELTA_STREAMING_CANNOT_CONTINUE_PROCESSING_POST_SCHEMA_EVOLUTION",
    "DELTA_STREAMING_CHECK_COLUMN_MAPPING_NO_SNAPSHOT",
    "DELTA_STREAMING_INCOMPATIBLE_SCHEMA_CHANGE",
    "DELTA_STREAMING_INCOMPATIBLE_SCHEMA_CHANGE_USE_SCHEMA_LOG",
    "DELTA_TRUNCATED_TRANSACTION_LOG",
    "DELTA_UNSUPPORTED_SCHEMA_DURING_READ",
    "DELTA_UNSUPPORTED_TIME_TRAVEL_BEYOND_DELETED_FILE_RETENTION_DURATION",
    "DELTA_VERSIONS_NOT_CONTIGUOUS",
    "DELTA_VERSION_NOT_FOUND",
    "DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE",
    "FAILED_READ_FILE.FILE_NOT_EXIST",
)
"""Delta's and Spark's error conditions that mean: the feed cannot be read on from the last position."""


@dataclass(frozen=True, slots=True)
class BatchEnd:
    """Where a micro-batch ends."""

    version: int
    """Of gold."""
    inside: bool
    """Whether other files of that version are left for the next batch."""
    snapshot: bool
    """Whether it is the snapshot that a stream begins with."""


def open_feed(catalog: Catalog, settings: Sync, *, first_version: int | None) -> DataFrame:
    """Returns the stream of gold's changes.

    Args:
        catalog: Where gold stands.
        settings: Limits of one micro-batch; a commit of updates arrives whole all the same.
        first_version: Where a stream without a checkpoint begins; none: with the snapshot
            as inserts. A stream with one goes on from there.
    """
    reader = catalog.spark.readStream.format("delta").option("readChangeFeed", "true")
    if first_version is not None:
        reader = reader.option("startingVersion", first_version)
    limits = {
        "maxFilesPerTrigger": settings.max_files_per_trigger,
        "maxBytesPerTrigger": settings.max_bytes_per_trigger,
    }
    return reader.options(**limits).table(catalog.ref(GOLD_CHUNKS))


def batch_end(spark: SparkSession, checkpoint: str, batch_id: int) -> BatchEnd:
    """Returns where a batch of a stream ends, which its checkpoint says before the batch runs.

    Delta notes the version and the place of the last file in it; no file's place (a negative
    one) means that the versions before are complete (delta-io/delta, DeltaSourceOffset).
    """
    lines = spark.read.text(f"{checkpoint}/offsets/{batch_id}").toLocalIterator()
    [offset] = [json.loads(line["value"]) for line in lines if "reservoirVersion" in line["value"]]
    return BatchEnd(offset["reservoirVersion"], offset["index"] >= 0, offset["isStartingVersion"])


@contextmanager
def translated() -> Iterator[None]:
    """Turns a failed job's exception into what it means to lakerag."""
    try:
        yield
    except (PySparkException, Py4JJavaError) as error:  # some of Delta's come unconverted
        if (meant := failure(str(error))) is None:
            raise
        raise meant from error


def failure(message: str) -> LakeragError | None:
    """Returns what a failed stream's message means to lakerag; none where it is nobody's of ours.

    An error that a writer raised in a worker has crossed two processes as text.
    """
    conditions = set(re.findall(r"\[([A-Z][A-Z0-9_.]+)\]", message))
    if lost := sorted(conditions.intersection(_LOST)):
        return PositionLostError(
            f"The change feed of {GOLD_CHUNKS.name} cannot be read on from the last synced version ({lost[0]}).",
            condition=lost[0],
        )
    raised = re.findall(r"lakerag\.errors\.(\w+): (.+)", message)
    if not raised:
        return None
    name, said = raised[-1]
    error: type[LakeragError] = getattr(errors, name)
    return error(said)
