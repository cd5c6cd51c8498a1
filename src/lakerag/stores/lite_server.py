"""The process that serves one folder's Milvus Lite on loopback until nobody holds it any more.

Run as `python -m lakerag.stores.lite_server FOLDER PORT`; `lite.local_server` starts it.
"""

import fcntl
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from lakerag.stores.lite import CLIENTS_LOCK, DATA, ENDPOINT, HOST, SERVER_LOCK

MEMTABLE_BYTES = 4 * 2**20
IDLE_GRACE_S = 3
"""Seconds without a client before the server leaves."""


def launch(folder: Path, port: int) -> int:
    """Forks the server off and returns when it answers: 0, or 1 when it ended before it did.

    The server is nobody's child then: whoever started it may end first, and it leaves no
    zombie behind in a client that outlives it.
    """
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(reader)
        serve(folder, port, ready=writer)
        return 0
    os.close(writer)
    return 0 if os.read(reader, 1) else 1


def serve(folder: Path, port: int, *, ready: int) -> None:
    """Serves until SIGTERM or until no client is left.

    Args:
        folder: The store's folder.
        port: The port to take if it is free, so that clients of a killed server find the next one.
        ready: A pipe that is told when the server answers.
    """
    # What is in memory is turned into arrays anew on every search; by default that is up to 128 MiB.
    os.environ.setdefault("MILVUS_LITE_MEMTABLE_MEMORY_LIMIT_BYTES", str(MEMTABLE_BYTES))
    from milvus_lite.adapter.grpc.server import start_server_in_thread

    _write_in_turn()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with (folder / SERVER_LOCK).open("w") as life, (folder / CLIENTS_LOCK).open("w") as clients:
        fcntl.flock(life, fcntl.LOCK_EX | fcntl.LOCK_NB)
        server, database, port = start_server_in_thread(str(folder / DATA), HOST, port if _is_free(port) else 0)
        try:
            _announce(folder, port)
            os.write(ready, b"1")
            os.close(ready)
            _wait(stopped, clients.fileno())
        finally:
            (folder / ENDPOINT).unlink(missing_ok=True)
            server.stop(grace=5).wait()
            database.close()


def _write_in_turn() -> None:
    """Lets one request at a time write or remove rows.

    Milvus Lite takes no lock for it: of two writers at once, one fails with "current_seq is monotonic" when
    the other's rows leave memory first.
    """
    from milvus_lite.adapter.grpc.servicer import MilvusServicer

    turn = threading.RLock()

    def in_turn(handle: Callable[..., object]) -> Callable[..., object]:
        def wait_and_handle(*arguments: object) -> object:
            with turn:
                return handle(*arguments)

        return wait_and_handle

    for name in ("Insert", "Upsert", "Delete", "Flush", "TruncateCollection", "DropCollection"):
        setattr(MilvusServicer, name, in_turn(getattr(MilvusServicer, name)))


def _wait(stopped: threading.Event, clients: int) -> None:
    """Returns when stopped, or holding the clients' lock: a newcomer then waits for this process to end."""
    idle_s = 0
    while idle_s < IDLE_GRACE_S and not stopped.wait(1):
        idle_s = idle_s + 1 if _take(clients) else 0
        if idle_s < IDLE_GRACE_S:
            fcntl.flock(clients, fcntl.LOCK_UN)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _announce(folder: Path, port: int) -> None:
    """Writes the endpoint in one step, so that nobody reads half of it."""
    written = folder / f"{ENDPOINT}.new"
    written.write_text(json.dumps({"pid": os.getpid(), "port": port}), encoding="utf-8")
    written.replace(folder / ENDPOINT)


def _is_free(port: int) -> bool:
    """Returns whether nobody listens there: gRPC would share a port with another server in silence."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


if __name__ == "__main__":
    sys.exit(launch(Path(sys.argv[1]), int(sys.argv[2])))
