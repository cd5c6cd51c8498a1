"""The life of a local Milvus Lite server: shared by processes, started on demand, gone when unused.

As a file, Milvus Lite belongs to one process; so one small server process owns the folder,
and every process that uses it holds a shared lock. Locks end with their process, however it
ends: nothing here trusts a process id.
"""

import fcntl
import importlib.util
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lakerag.errors import MachineError, StoreUnavailableError

HOST = "127.0.0.1"
DATA = "data"
ENDPOINT = "endpoint.json"
LOG = "server.log"
CLIENTS_LOCK = "clients.lock"
"""Held shared by every client; the server leaves when it can have it alone."""
SERVER_LOCK = "server.lock"
"""Held by the server for as long as it lives."""
START_LOCK = "start.lock"
"""Held by the one client that starts a server."""

_POLL_S = 0.05
_TAIL_CHARS = 2000


@contextmanager
def local_server(folder: Path, timeout_s: float = 60.0) -> Iterator[str]:
    """Yields the address of the folder's server; starts one unless another process has.

    The server stays for as long as any process is inside, and a few seconds longer.

    Args:
        folder: Made when missing. Data, locks and `server.log` stand in it.
        timeout_s: Seconds that the server may take to answer.

    Raises:
        MachineError: milvus-lite is not installed, or the folder cannot be used.
        StoreUnavailableError: The server does not come up; the message holds the end of its log.
    """
    if importlib.util.find_spec("milvus_lite") is None:
        raise MachineError("The local vector store needs milvus-lite. Install it: pip install 'lakerag[local]'.")
    deadline = time.monotonic() + timeout_s
    with _locked(folder, CLIENTS_LOCK, fcntl.LOCK_SH, deadline):
        yield ensure_server(folder, deadline - time.monotonic())


def ensure_server(folder: Path, timeout_s: float = 60.0) -> str:
    """Returns the address of the folder's server after starting one if none is alive.

    For a process that is inside `local_server` already and lost the server under it; the
    new one takes the old port unless somebody else has it by now.
    """
    deadline = time.monotonic() + timeout_s
    with _locked(folder, START_LOCK, fcntl.LOCK_EX, deadline):
        while True:
            if not _is_alive(folder):
                _start(folder, timeout_s)
            if (port := _port(folder)) and _answers(port):
                break
            if time.monotonic() > deadline:
                raise _failed(folder)
            time.sleep(_POLL_S)
    return f"http://{HOST}:{port}"


def _start(folder: Path, timeout_s: float) -> None:
    """Runs the launcher, which ends when the server it forked off answers, or when that server ended."""
    port = _port(folder)
    (folder / ENDPOINT).unlink(missing_ok=True)
    with (folder / LOG).open("wb") as log:
        try:
            subprocess.run(
                [sys.executable, "-m", "lakerag.stores.lite_server", str(folder), str(port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the client; the server sees it leave
                timeout=timeout_s,
                check=True,
            )
        except subprocess.SubprocessError as error:
            raise _failed(folder) from error


@contextmanager
def _locked(folder: Path, name: str, kind: int, deadline: float) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / name).open("w")
    except OSError as error:
        raise MachineError(
            f"The folder {folder} of the local vector store cannot be used ({error.strerror}). Choose another --home.",
            folder=folder,
        ) from error
    with handle:
        while not _try_lock(handle, kind, folder):
            if time.monotonic() > deadline:
                raise _failed(folder)
            time.sleep(_POLL_S)
        yield


def _try_lock(handle: IO[str], kind: int, folder: Path) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise MachineError(
            f"The file system of {folder} has no locks ({error.strerror}). Put --home on a local disk.", folder=folder
        ) from error
    return True


def _is_alive(folder: Path) -> bool:
    with (folder / SERVER_LOCK).open("w") as handle:
        return not _try_lock(handle, fcntl.LOCK_EX, folder)


def _port(folder: Path) -> int:
    """Returns the announced port; 0 when there is none."""
    try:
        return int(json.loads((folder / ENDPOINT).read_text(encoding="utf-8"))["port"])
    except (FileNotFoundError, ValueError, KeyError):
        return 0


def _answers(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def _failed(folder: Path) -> StoreUnavailableError:
    log = folder / LOG
    tail = log.read_text(encoding="utf-8", errors="replace")[-_TAIL_CHARS:].strip() if log.is_file() else ""
    return StoreUnavailableError(
        f"The local vector store in {folder} did not come up. Its log is {log}; it ends with: {tail or 'nothing'}",
        folder=folder,
        log=log,
    )
