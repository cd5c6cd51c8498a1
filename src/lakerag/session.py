"""The Spark session: local with Delta's jars, Spark Connect, or the one that is there."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from lakerag.config import Spark, masked
from lakerag.errors import MachineError

DELTA: dict[str, bool | float | int | str | None] = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}

RUNTIME = {"spark.sql.session.timeZone": "UTC", "spark.sql.ansi.enabled": "true"}
"""What every stage relies on, wherever the session comes from; Databricks' serverless compute takes both."""

STRICT = {"spark.sql.files.ignoreMissingFiles": "false", "spark.sql.files.ignoreCorruptFiles": "false"}
"""Where a cluster passes over files that are gone or damaged, rows would be lost as if they had never been."""

WORKERS = {
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # What a Python worker holds at a time; Spark's own 10,000 rows of vectors and texts are 100 MB and more there.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "4000",
    "spark.sql.execution.arrow.maxBytesPerBatch": "16m",
}
"""Speed and memory of Python workers."""


def open_session(settings: Spark, log: Path | None = None) -> SparkSession:
    """Opens the session that the environment asks for.

    Args:
        settings: Where it comes from.
        log: A file for what the JVM and the Python workers print; none: standard error.

    Raises:
        MachineError: There is no Java, or the session does not start.
    """
    builder = SparkSession.builder.appName("lakerag")
    if settings.mode == "connect":
        builder = builder.remote(settings.remote or "local[2]")
    if settings.mode == "local":
        # The workers run this very interpreter: the one that has the packages.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = builder.master(settings.master).config(map=DELTA)
        builder = builder.config("spark.jars.packages", ",".join(settings.packages))
    for name, value in settings.conf.items():
        builder = builder.config(name, value)
    try:
        with _standard_error_to(log):
            session = builder.getOrCreate()
    except (RuntimeError, OSError, PySparkException) as error:
        said = masked(str(error).splitlines()[0])  # an address of Spark Connect holds its token
        where = f" Its own words are in {log}." if log else ""
        raise MachineError(
            f"Spark did not start: {said}{where} Expected Java 17 or 21 on the PATH or in JAVA_HOME (Debian: "
            "apt install openjdk-17-jre-headless); `lakerag doctor` looks at the rest."
        ) from error
    set_up(session)
    # They print every Spark error with its JVM stack on top of the exception that is raised anyway.
    for noisy in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        logging.getLogger(noisy).disabled = True
    return session


def set_up(session: SparkSession) -> None:
    """Sets what every stage relies on, and of the rest what the session's compute takes.

    Compute that decides some of it itself (serverless) refuses these: then they stay so.
    """
    for name, value in RUNTIME.items():
        session.conf.set(name, value)
    for name, value in (STRICT | WORKERS).items():
        try:
            session.conf.set(name, value)
        except PySparkException as refused:
            logging.getLogger(__name__).info("%s stays as the compute has it: %s", name, refused)


@contextmanager
def _standard_error_to(log: Path | None) -> Iterator[None]:
    """Lets child processes that start meanwhile inherit the log as their standard error, for good."""
    if log is None:
        yield
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    kept = os.dup(2)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
