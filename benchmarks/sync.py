"""The sync against raw pymilvus, its cost by what changed, and its memory: one JSON line each.

python -m benchmarks.sync throughput  [--store lite|milvus] [--rows 50000] [--repeats 3]
python -m benchmarks.sync incremental [--store lite|milvus] [--rows 100000] [--repeats 3]
python -m benchmarks.sync memory      [--rows 100000]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from pyspark.sql import DataFrame

from lakerag import config
from lakerag.catalog import Catalog
from lakerag.models.base import EmbeddingSpace
from lakerag.session import open_session
from lakerag.stores import Collection, StoreAddress, connect
from lakerag.stores.milvus import MilvusStore
from lakerag.sync.stream import Sync
from lakerag.tables import GOLD_CHUNKS, INDEX_FIELDS, INDEX_VECTOR, OPS_LEASES, OPS_SYNC, SYNC_QUARANTINE
from tests.chaos.stores import serving

SPACE = EmbeddingSpace("synthetic", "000000000000", "mean", True, 384)
CHARS = 600
"""Of a chunk's text."""
PERIOD = 8
"""Numbers after which a vector repeats."""
HEAP = "1g"
"""Of the JVM whose memory is watched."""


def chunks(catalog: Catalog, first: int, last: int, salt: str) -> DataFrame:
    """Returns rows of gold_chunks for the numbers in [first, last): 384 numbers and 600 characters each."""
    made = {
        "chunk_id": "concat('c', id)",
        "doc_id": "concat('d', id div 10)",
        "source": "'synthetic'",
        "path": "concat('folder/', id div 10, '.md')",
        "title": "concat('Document ', id div 10)",
        "text": f"substring(repeat(concat(sha2(concat(id, '{salt}'), 256), ' '), 20), 1, {CHARS})",
        "heading_path": "'Chapter > Section'",
        "end_char": str(CHARS),
        # Repeated, since Spark without code generation computes three million numbers a second.
        "embedding": f"flatten(array_repeat(transform(sequence(1, {PERIOD}), j -> cast(sin(id + j * 0.37) as float)), "
        f"{SPACE.dimension // PERIOD}))",
        "embedding_space": f"'{SPACE.name}'",
        "language": "'en'",
        "metadata": "map('year', '2024')",
        "acl_groups": "array('*')",
        "fingerprint": f"sha2(concat(id, '{salt}'), 256)",
    }
    zero = {"INT": "0", "STRING": "''", "ARRAY<STRING>": "array()", "ARRAY<INT>": "array()", "BIGINT": "0"}
    columns = [f"cast({made.get(c.name, zero.get(c.type, 'null'))} as {c.type}) {c.name}" for c in GOLD_CHUNKS.columns]
    return catalog.spark.range(first, last, 1, 4).selectExpr(*columns)


@contextmanager
def at_work(store: str, **conf: str) -> Iterator[tuple[Catalog, StoreAddress, Path]]:
    """Yields an empty lakehouse and an empty store of their own; `conf` goes to Spark."""
    with tempfile.TemporaryDirectory() as folder, serving(store, Path(folder, "store")) as server:
        home = Path(folder)
        settings = config.load("local", home, environ={})
        spark = settings.spark.model_copy(update={"conf": {**settings.spark.conf, **conf}})
        session = open_session(spark, home / "spark.log")
        catalog = Catalog(session, settings.lakehouse)
        catalog.ensure((GOLD_CHUNKS, OPS_SYNC, OPS_LEASES, SYNC_QUARANTINE))
        yield catalog, StoreAddress(f"http://127.0.0.1:{server.port}", timeout_s=120, consistency="Strong"), home
        session.stop()


def syncing(catalog: Catalog, address: StoreAddress, home: Path, alias: str) -> Sync:
    settings = config.Sync(checkpoint=str(home / "checkpoints"))
    return Sync(catalog, address, SPACE, config.Store(alias=alias), settings, uuid.uuid4().hex)


def timed(work: Callable[[], Any]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def throughput(store: str, rows: int, repeats: int) -> dict[str, Any]:
    """Rows per second of a first load beyond the fixed start-up, against pymilvus from one process.

    The sync reads gold and writes into a new collection; pymilvus upserts the same rows, ready in memory as encoded
    records. The start-up is what a sync of one changed row takes, measured after every load.
    """
    with at_work(store) as (catalog, address, home):
        for first in range(0, rows, 10_000):
            catalog.append(GOLD_CHUNKS, chunks(catalog, first, min(first + 10_000, rows), "a"))
        client = connect(address)
        assert isinstance(client, MilvusStore)
        names = [field.column for field in INDEX_FIELDS]
        found = (
            dict(zip([*(field.name for field in INDEX_FIELDS), INDEX_VECTOR], row, strict=True))
            for row in catalog.read(GOLD_CHUNKS).select(*names, INDEX_VECTOR).toLocalIterator()
        )
        encoded = [client._encode(row) for row in found]
        batch = max(1, address.batch_bytes // 3000)

        def raw(name: str) -> None:
            for first in range(0, rows, batch):
                client._client.upsert(name, encoded[first : first + batch])

        ratios, speeds, starts = [], [], []
        for number in range(-1, repeats):  # the first one warms up
            client.create(Collection("raw", SPACE.name, SPACE.dimension))
            raw_s = timed(lambda: raw("raw"))
            assert client.count("raw") == rows
            client.drop("raw")
            alias = f"bench_{number + 1}"
            sync_s = timed(lambda alias=alias: syncing(catalog, address, home, alias).catch_up())  # type: ignore[misc]
            assert client.count(alias) == rows
            touch(catalog, 1, f"start {number}")
            fixed_s = timed(lambda alias=alias: syncing(catalog, address, home, alias).catch_up())  # type: ignore[misc]
            client.drop(client.resolve(alias).name)
            if number >= 0:
                ratios.append(raw_s / (sync_s - fixed_s))
                speeds.append(rows / (sync_s - fixed_s))
                starts.append(fixed_s)
    return {
        "benchmark": "sync throughput",
        "store": store,
        "rows": rows,
        "ratio_to_raw": round(statistics.median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in sorted(ratios)],
        "rows_per_s": round(statistics.median(speeds)),
        "fixed_s": round(statistics.median(starts), 2),
    }


def touch(catalog: Catalog, many: int, salt: str) -> None:
    """Gives the first rows of gold another content."""
    changed = chunks(catalog, 0, many, salt).selectExpr("*", "false deleted")
    catalog.merge(GOLD_CHUNKS, changed, "t.fingerprint <> s.fingerprint")


def incremental(store: str, rows: int, repeats: int) -> dict[str, Any]:
    """Seconds of a full load, of 1 % changed rows, of one changed row (the fixed start-up) and of nothing new."""
    with at_work(store) as (catalog, address, home):
        catalog.append(GOLD_CHUNKS, chunks(catalog, 0, rows, "a"))

        def catch_up() -> float:
            return timed(lambda: syncing(catalog, address, home, "bench").catch_up())

        full = catch_up()
        seconds: dict[str, list[float]] = {"one": [], "percent": [], "nothing": []}
        for number in range(repeats):
            touch(catalog, 1, f"one {number}")
            seconds["one"].append(catch_up())
            touch(catalog, rows // 100, f"percent {number}")
            seconds["percent"].append(catch_up())
            seconds["nothing"].append(catch_up())
    fixed, percent, nothing = (statistics.median(seconds[what]) for what in ("one", "percent", "nothing"))
    return {
        "benchmark": "sync incremental",
        "store": store,
        "rows": rows,
        "full_s": round(full, 2),
        "fixed_s": round(fixed, 2),
        "percent_s": round(percent, 2),
        "nothing_s": round(nothing, 2),
        "percent_beyond_fixed_of_full": round((percent - fixed) / (full - fixed), 4),
        "seconds": {what: [round(one, 2) for one in took] for what, took in seconds.items()},
    }


def memory(rows: int) -> dict[str, Any]:
    """Peak resident memory of a full load's processes (driver, JVM, workers), at `rows` and at four times as many.

    A JVM takes all of the heap that it is given before it tidies up: it gets little, so that both loads have to.
    """
    peaks = {}
    for many in (rows, 4 * rows):
        command = [sys.executable, "-m", "benchmarks.sync", "load", "--rows", str(many)]
        peaks[many] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)["peak_mib"]
    return {
        "benchmark": "sync memory",
        "heap": HEAP,
        "peak_mib": {str(many): peak for many, peak in peaks.items()},
        "ratio": round(sum(peaks[4 * rows].values()) / sum(peaks[rows].values()), 3),
    }


def load(rows: int) -> dict[str, Any]:
    """Loads rows once and watches the memory of this process and its children; the store is not among them."""
    with at_work("lite", **{"spark.driver.memory": HEAP}) as (catalog, address, home):
        for first in range(0, rows, 50_000):
            catalog.append(GOLD_CHUNKS, chunks(catalog, first, min(first + 50_000, rows), "a"))
        with watched() as peak:
            syncing(catalog, address, home, "bench").catch_up()
    return {"peak_mib": {kind: round(held / 2**20) for kind, held in peak.items()}}


@contextmanager
def watched() -> Iterator[dict[str, int]]:
    """Yields what becomes the resident bytes of this process, the JVM and its workers, when together they are most.

    Pages that processes share count once in all (PSS): a child that the JVM is about to start has all of its own.
    """
    peak, done, me = dict[str, int](), threading.Event(), psutil.Process()

    def look() -> None:
        while not done.wait(0.5):
            resident = {"driver": me.memory_full_info().pss, "jvm": 0, "workers": 0}
            for process in me.children(recursive=True):
                try:
                    kind = "jvm" if process.name() == "java" else "workers"
                    resident[kind] += process.memory_full_info().pss
                except psutil.NoSuchProcess:
                    continue
            if sum(resident.values()) > sum(peak.values()):
                peak.update(resident)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield peak
    finally:
        done.set()
        looking.join()


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.sync", description=__doc__)
    parser.add_argument("what", choices=["throughput", "incremental", "memory", "load"])
    parser.add_argument("--store", choices=["lite", "milvus"], default="lite")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    result = {
        "throughput": lambda: throughput(options.store, options.rows or 50_000, options.repeats),
        "incremental": lambda: incremental(options.store, options.rows or 100_000, options.repeats),
        "memory": lambda: memory(options.rows or 100_000),
        "load": lambda: load(options.rows or 100_000),
    }[options.what]()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
