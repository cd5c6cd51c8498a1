"""The sync against raw pymilvus, its cost by what changed, and its memory: one JSON line each.

python -m benchmarks.sync throughput  [--store lite|milvus] [--rows 20000] [--repeats 3]
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
from lakerag.sync.apply import write_changes
from lakerag.sync.plan import net_changes
from lakerag.sync.stream import Sync
from lakerag.tables import GOLD_CHUNKS, INDEX_FIELDS, INDEX_VECTOR, OPS_LEASES, OPS_SYNC, SYNC_QUARANTINE
from tests.chaos.stores import serving

SPACE = EmbeddingSpace("synthetic", "000000000000", "mean", True, 384)
CHARS = 600
"""Of a chunk's text."""


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
        "embedding": f"transform(sequence(1, {SPACE.dimension}), j -> cast(sin(id + j * 0.37) as float))",
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
def at_work(store: str) -> Iterator[tuple[Catalog, StoreAddress, Path]]:
    """Yields an empty lakehouse and an empty store of their own."""
    with tempfile.TemporaryDirectory() as folder, serving(store, Path(folder, "store")) as server:
        home = Path(folder)
        settings = config.load("local", home, environ={})
        session = open_session(settings.spark, home / "spark.log")
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
    """Rows per second of the sync's writing stage, against upserts of the same rows with pymilvus from one process.

    Both have the rows ready: the stage in a Delta table, pymilvus as encoded records in memory.
    """
    with at_work(store) as (catalog, address, _):
        catalog.append(GOLD_CHUNKS, chunks(catalog, 0, rows, "a"))
        client = connect(address)
        assert isinstance(client, MilvusStore)
        names = [field.column for field in INDEX_FIELDS]
        found = [
            dict(zip([*(field.name for field in INDEX_FIELDS), INDEX_VECTOR], row, strict=True))
            for row in catalog.read(GOLD_CHUNKS).select(*names, INDEX_VECTOR).toLocalIterator()
        ]
        encoded = [client._encode(row) for row in found]
        batch = max(1, address.batch_bytes // 3000)

        def raw(name: str) -> None:
            for first in range(0, rows, batch):
                client._client.upsert(name, encoded[first : first + batch])

        def synced(name: str) -> None:
            feed = catalog.changes(GOLD_CHUNKS, 1)
            write_changes(net_changes(feed), address=address, collection=made(name), partitions=2)

        def made(name: str) -> Collection:
            return Collection(name, SPACE.name, SPACE.dimension)

        ratios, speeds = [], []
        for number in range(-1, repeats):  # the first one warms up
            took = {}
            for kind, work in (("raw", raw), ("sync", synced)):
                name = f"{kind}_{number + 1}"
                client.create(made(name))
                took[kind] = timed(lambda work=work, name=name: work(name))  # type: ignore[misc]
                assert client.count(name) == rows
                client.drop(name)
            if number >= 0:
                ratios.append(took["raw"] / took["sync"])
                speeds.append(rows / took["sync"])
    return {
        "benchmark": "sync throughput",
        "store": store,
        "rows": rows,
        "ratio_to_raw": round(statistics.median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in sorted(ratios)],
        "rows_per_s": round(statistics.median(speeds)),
    }


def incremental(store: str, rows: int, repeats: int) -> dict[str, Any]:
    """Seconds of a full load, of 1 % changed rows, of one changed row (the fixed start-up) and of nothing new."""
    with at_work(store) as (catalog, address, home):
        catalog.append(GOLD_CHUNKS, chunks(catalog, 0, rows, "a"))

        def catch_up() -> float:
            return timed(lambda: syncing(catalog, address, home, "bench").catch_up())

        def change(many: int, salt: str) -> None:
            changed = chunks(catalog, 0, many, salt).selectExpr("*", "false deleted")
            catalog.merge(GOLD_CHUNKS, changed, "t.fingerprint <> s.fingerprint")

        full = catch_up()
        seconds: dict[str, list[float]] = {"one": [], "percent": [], "nothing": []}
        for number in range(repeats):
            change(1, f"one {number}")
            seconds["one"].append(catch_up())
            change(rows // 100, f"percent {number}")
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
    """Peak resident memory of a full load's processes (driver, JVM, workers), at `rows` and at four times as many."""
    peaks = {}
    for many in (rows, 4 * rows):
        command = [sys.executable, "-m", "benchmarks.sync", "load", "--rows", str(many)]
        peaks[many] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)["peak_mib"]
    return {
        "benchmark": "sync memory",
        "peak_mib": {str(many): peak for many, peak in peaks.items()},
        "ratio": round(peaks[4 * rows] / peaks[rows], 3),
    }


def load(rows: int) -> dict[str, Any]:
    """Loads rows once and watches the memory of this process and its children; the store is not among them."""
    with at_work("lite") as (catalog, address, home):
        for first in range(0, rows, 50_000):
            catalog.append(GOLD_CHUNKS, chunks(catalog, first, min(first + 50_000, rows), "a"))
        with watched() as peak:
            syncing(catalog, address, home, "bench").catch_up()
    return {"peak_mib": round(peak[0] / 2**20)}


@contextmanager
def watched() -> Iterator[list[int]]:
    """Yields a list whose only element becomes the peak of the resident bytes of this process and its children."""
    peak, done, me = [0], threading.Event(), psutil.Process()

    def look() -> None:
        while not done.wait(0.2):
            resident = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    resident += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            peak[0] = max(peak[0], resident)

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
        "throughput": lambda: throughput(options.store, options.rows or 20_000, options.repeats),
        "incremental": lambda: incremental(options.store, options.rows or 100_000, options.repeats),
        "memory": lambda: memory(options.rows or 100_000),
        "load": lambda: load(options.rows or 100_000),
    }[options.what]()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
