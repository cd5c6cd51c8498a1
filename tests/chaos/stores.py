"""The stores that can be killed and started again on the same port with the same data."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import psutil

from lakerag.stores.lite import ENDPOINT, ensure_server, local_server


class Killable(Protocol):
    """A store server."""

    port: int
    """Where it listens; another one after a start only if somebody took the first."""

    def kill(self) -> None:
        """Ends the server with SIGKILL."""

    def start(self) -> None:
        """Starts it again and returns when it answers."""


class Lite:
    """Milvus Lite behind its server."""

    def __init__(self, folder: Path, uri: str) -> None:
        self._folder = folder
        self.port = _port(uri)

    def kill(self) -> None:
        process = psutil.Process(json.loads((self._folder / ENDPOINT).read_text())["pid"])
        process.kill()
        process.wait()  # one that is still dying holds its lock, and would be taken for alive by `start`

    def start(self) -> None:
        self.port = _port(ensure_server(self._folder))


class Server:
    """The standalone Milvus server of the package `milvus`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = 0
        self.start()

    def kill(self) -> None:
        for process in psutil.Process(self._process.pid).children(recursive=True):
            process.kill()
        self._process.kill()
        self._process.wait()

    def start(self) -> None:
        command = [sys.executable, "-W", "ignore", "-c", _MILVUS, str(self._folder), str(self.port)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        time.sleep(1)


def _port(uri: str) -> int:
    return int(uri.rsplit(":", 1)[1])


@contextmanager
def serving(kind: str, folder: Path) -> Iterator[Killable]:
    """Runs a store of that kind (`lite` or `milvus`) as long as the context."""
    if kind == "lite":
        with local_server(folder) as uri:
            yield Lite(folder, uri)
        return
    server = Server(folder)
    try:
        yield server
    finally:
        server.kill()


_MILVUS = """
import sys
from milvus import MilvusServer
server = MilvusServer()
server.set_base_dir(sys.argv[1])
if int(sys.argv[2]):
    server.listen_port = int(sys.argv[2])
server.start()
print(server.listen_port, flush=True)
sys.stdin.read()  # ends with the process that started it, however that ends
server.stop()
"""
