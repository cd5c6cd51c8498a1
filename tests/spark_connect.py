"""A Spark Connect server on loopback, in a process of its own: its clients have no JVM, context or RDD to reach for."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyspark

from lakerag import config
from lakerag.session import DELTA

ROOT = Path(__file__).parents[1]
SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
START_TIMEOUT_S = 180


@contextmanager
def connect_server(settings: config.Spark, log: Path) -> Iterator[str]:
    """Yields the address of a server with the settings of a local session; it ends with the context.

    Args:
        settings: Master, packages and configuration.
        log: A file for what the server prints.
    """
    port = _free_port()
    conf = {
        **DELTA,
        **settings.conf,
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
    }
    command = [f"{pyspark.__path__[0]}/bin/spark-submit", "--master", settings.master, "--class", SERVER]
    command += ["--packages", ",".join(settings.packages)]
    command += [part for name, value in conf.items() for part in ("--conf", f"{name}={value}")]
    # Workers of a Connect session do not work in the server's folder: tests' own modules are found by the path alone.
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    python = {"PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable, "PYTHONPATH": path}
    environ = {**os.environ, **python}
    with (
        log.open("ab") as output,
        subprocess.Popen(
            [*command, "spark-internal"], env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as server,
    ):
        try:
            _wait_for(port, server, log)
            yield f"sc://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=60)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"the Spark Connect server did not come up: {log.read_text(errors='replace')[-2000:]}")
