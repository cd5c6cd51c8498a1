"""`lakerag doctor`: is everything here that the commands of an environment need?"""

import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from rich.console import Console
from rich.text import Text

from lakerag.config import Embedder, Generator, Settings, Spark, Store
from lakerag.errors import LakeragError
from lakerag.jobs.job import Job, Result, command
from lakerag.jobs.machine import Check, check_disk, check_java, check_python, check_system

HOME_GIB = 1.0
"""Room for a first corpus: tables, index, a packaged model."""


def checks(settings: Settings) -> list[Check]:
    """Looks at what the environment's commands need, cheapest first; repairs nothing."""
    done = [check_system(), check_python()]
    if settings.spark.mode == "local":
        done += [check_java(), check_disk(settings.home, HOME_GIB)]
    if all(check.ok for check in done if check.name == "Java"):
        done += check_spark(settings.spark, settings.home / "logs" / "spark.log")
    # The store comes after Spark: gRPC's fork handlers, once at work, can end the child that becomes the JVM.
    return [*done, *check_models(settings), check_store(settings.store)]


def check_models(settings: Settings) -> list[Check]:
    """The models' files; nothing is loaded."""
    return [
        _try("Embedder", lambda: _embedder(settings.embedder)),
        _try("Generator", lambda: _generator(settings.generator)),
    ]


def check_store(settings: Store) -> Check:
    """The vector store answers; a local one is started for it."""
    return _try("Vector store", lambda: _store(settings))


def check_spark(settings: Spark, log: Path) -> list[Check]:
    """A session starts, and locally reads and writes Delta; one that does not start is one finding, not two."""
    spark = _try("Spark", lambda: f"{_session(settings, log).version}, {settings.mode}")
    if not spark.ok or settings.mode != "local":
        return [spark]
    return [spark, _try("Delta", lambda: _delta(_session(settings, log), log.parent))]


def _try(name: str, look: Callable[[], str]) -> Check:
    """Lakerag's own errors say what to do; Spark's are told in their first line."""
    try:
        return Check(name, True, look())
    except LakeragError as error:
        return Check(name, False, "not usable", str(error))
    except PySparkException as error:
        advice = f"{str(error).splitlines()[0]} The jars come from spark.packages of conf/, through Maven Central."
        return Check(name, False, "not usable", advice)


def _session(settings: Spark, log: Path) -> SparkSession:
    from lakerag.session import open_session

    return open_session(settings, log if settings.mode == "local" else None)


def _delta(session: SparkSession, place: Path) -> str:
    """Takes one row through a Python worker into a Delta table and back, below a folder that all executors see."""
    with tempfile.TemporaryDirectory(dir=place) as folder:
        rows = session.range(1).mapInArrow(lambda batches: batches, "id long")
        rows.write.format("delta").save(f"{folder}/table")
        count = session.read.format("delta").load(f"{folder}/table").count()
    return f"a Python worker wrote {count} row, and it was read back"


def _embedder(settings: Embedder) -> str:
    from lakerag.models import embedding_space

    return embedding_space(settings).name


def _generator(settings: Generator) -> str:
    from lakerag.models.locate import locate

    return settings.kind if settings.model is None else f"{settings.kind} in {locate(settings.model)}"


def _store(settings: Store) -> str:
    from lakerag.stores import open_store

    with open_store(settings) as store:
        return f"{settings.kind}, collections: {len(store.collections())}"


def _show(console: Console, result: Result) -> None:
    for check in result["checks"]:
        mark = Text("  ok  ", "green") if check["ok"] else Text("  no  ", "red")
        console.print(mark + Text(f"{check['name']}: {check['found']}"), soft_wrap=True)
        if not check["ok"]:
            console.print(Text(f"      {check['advice']}"), soft_wrap=True)


@command("doctor", _show)
def main(job: Job) -> Result:
    """Check Java, Spark, Delta's jars, the vector store, the models and the disk."""
    with job.step("looking at this machine"):
        done = checks(job.settings)
    if not all(check.ok for check in done):
        job.exit_code = 4
    return {"ok": job.exit_code == 0, "checks": [asdict(check) for check in done]}
