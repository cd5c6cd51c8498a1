"""The main job on a Spark standalone cluster with a Milvus server, on loopback, each in processes of their own.

python -m benchmarks.cluster demo    [--documents 320] [options of lakerag]: `lakerag demo` on two executors
python -m benchmarks.cluster scaling [--documents 120] [--rounds 2]: `lakerag run` on one and on two, one JSON line
"""

import argparse
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyspark

from lakerag import config
from lakerag.jobs.demo_corpus import write_corpus
from tests.chaos.stores import serving

LOOPBACK = "127.0.0.1"
SPARK = Path(pyspark.__path__[0])
DEPLOY = "org.apache.spark.deploy"
WORKERS = 2
START_TIMEOUT_S = 60

DEFAULTS = """
spark.cores.max {executors}
spark.executor.cores 1
spark.executor.memory 1g
spark.scheduler.minRegisteredResourcesRatio 1
spark.scheduler.maxRegisteredResourcesWaitingTime 60s
spark.ui.enabled false
spark.sql.shuffle.partitions 4
spark.databricks.delta.snapshotPartitions 2
"""
"""An administrator's spark-defaults.conf: executors of one core, and few tasks for little data."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where a cluster and its store are."""

    folder: Path
    master: str
    store: str

    def lakerag(self, command: Sequence[str], *, home: str, executors: int, **streams: Any) -> str | None:
        """Runs a command as a user of the cluster would: the driver here, the executors at the workers."""
        conf = self.folder / f"conf-{executors}"
        conf.mkdir(exist_ok=True)
        (conf / "spark-defaults.conf").write_text(DEFAULTS.format(executors=executors), encoding="utf-8")
        # Executors find exported models by this path alone: their HOME is another one.
        cache = Path(config.load("local", environ={}).embedder.cache or "").expanduser()
        given = [f"spark.master={self.master}", f"store.uri={self.store}", f"embedder.cache={cache}"]
        options = ["--env", "cluster", "--home", str(self.folder / home), *(o for g in given for o in ("--set", g))]
        environ = {**os.environ, "SPARK_CONF_DIR": str(conf), "SPARK_LOCAL_IP": LOOPBACK}
        done = subprocess.run(
            [sys.executable, "-m", "lakerag", *command, *options], env=environ, text=True, check=True, **streams
        )
        return done.stdout

    def tasks(self) -> dict[str, int]:
        """Returns how many tasks each executor has run, by worker, application and number, from their own logs."""
        logs = sorted(self.folder.glob("worker-*/app-*/*/stderr"))
        return {
            "/".join(log.parts[-4:-1]): len(re.findall("Running task", log.read_text(errors="replace"))) for log in logs
        }


@contextmanager
def started(folder: Path, store: str | None) -> Iterator[Cluster]:
    """Starts master, workers and, where none is named, a Milvus server; stops them at the end."""
    port = _free_port()
    master = f"spark://{LOOPBACK}:{port}"
    with ExitStack() as stack:
        if store is None:
            store = f"http://{LOOPBACK}:{stack.enter_context(serving('milvus', folder / 'milvus')).port}"
        asked = ["--host", LOOPBACK, "--webui-port", "0"]
        stack.enter_context(_daemon(folder / "master", "master.Master", *asked, "--port", str(port)))
        _wait_for(port)
        for number in range(WORKERS):
            place = folder / f"worker-{number}"
            size = ["--cores", "1", "--memory", "1g", "--work-dir", str(place)]
            stack.enter_context(_daemon(place, "worker.Worker", *asked, *size, master))
        yield Cluster(folder, master, store)


@contextmanager
def _daemon(folder: Path, name: str, *arguments: str) -> Iterator[None]:
    """Runs a Spark daemon in a folder that is its HOME and working directory too, so that it shares no others."""
    folder.mkdir(parents=True)
    environ = {**os.environ, "HOME": str(folder), "SPARK_LOCAL_IP": LOOPBACK}
    command = [str(SPARK / "bin" / "spark-class"), f"{DEPLOY}.{name}", *arguments]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=60)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            socket.create_connection((LOOPBACK, port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def demo(cluster: Cluster, documents: int, options: Sequence[str]) -> None:
    """The whole main job and everything after it; says who worked."""
    cluster.lakerag(["demo", "--documents", str(documents), *options], home="home", executors=WORKERS)
    for executor, tasks in cluster.tasks().items():
        print(f"{executor}: {tasks} tasks", file=sys.stderr)


def scaling(cluster: Cluster, documents: int, rounds: int) -> dict[str, Any]:
    """Seconds of the gold stage and of a whole first run, on one executor and on two, in turns."""
    landing = cluster.folder / "landing"
    write_corpus(landing, documents)
    took: dict[int, list[dict[str, float]]] = {1: [], 2: []}
    for number in range(rounds):
        for executors, seconds in took.items():
            home = f"home-{number}-{executors}"
            command = ["run", "--source", str(landing), "--set", f"store.alias=run_{number}_{executors}", "--json"]
            said = cluster.lakerag(command, home=home, executors=executors, stdout=subprocess.PIPE)
            result = json.loads(said or "")
            seconds.append(result["seconds"])
    chunks = result["chunks"]["total"]
    found: dict[str, Any] = {"benchmark": "cluster scaling", "documents": documents, "chunks": chunks}
    for stage in ("gold", "total"):
        pairs = list(zip(*([seconds[stage] for seconds in took[executors]] for executors in (1, 2)), strict=True))
        found[f"{stage}_s"] = [[round(value, 1) for value in pair] for pair in pairs]
        found[f"{stage}_ratio"] = round(statistics.median(one / two for one, two in pairs), 2)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", metavar="URI", help="A Milvus server that is there already.")
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("demo").add_argument("--documents", type=int, default=320)
    scaled = kinds.add_parser("scaling")
    scaled.add_argument("--documents", type=int, default=120)
    scaled.add_argument("--rounds", type=int, default=2)
    given, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder, started(Path(folder), given.store) as cluster:
        if given.kind == "demo":
            demo(cluster, given.documents, options)
        else:
            print(json.dumps(scaling(cluster, given.documents, given.rounds)))


if __name__ == "__main__":
    main()
