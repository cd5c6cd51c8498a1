"""The champion behind MLflow's scoring server, as a child process that ends with this one."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lakerag import config
from lakerag.config import Settings, masked
from lakerag.errors import MachineError
from lakerag.rag.endpoint import OVERRIDABLE
from lakerag.rag.registry import OFFLINE, ModelVersion, connect, quiet, with_alias

APP = "mlflow.pyfunc.scoring_server.app:app"
_POLL_S = 0.1
_TAIL_CHARS = 2000


@dataclass(frozen=True, slots=True)
class Server:
    """A scoring server that answers."""

    url: str
    version: ModelVersion
    process: "subprocess.Popen[bytes]"


@contextmanager
def serving(settings: Settings, log: Path, port: int | None = None) -> Iterator[Server]:
    """Yields the champion's scoring server once it answers; it ends with the context, or with this process' SIGTERM.

    `POST /invocations` takes questions, `GET /ping` tells that it lives. Bad requests are answered 400,
    a store that is down 503, connections over the limit 503 at once.

    Args:
        settings: Registry, address of the server, and the store that it asks.
        log: The server's words.
        port: In place of the settings' own; 0 for a free one.

    Raises:
        RegistryError: There is no champion.
        MachineError: The port is taken, or the server does not come up.
    """
    version = with_alias(settings.registry, settings.registry.champion)
    host = settings.serving.host
    port = _free_port(host, settings.serving.port if port is None else port)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as words:
        process = _start(settings, version, port, words)
        try:
            with _ended_by_sigterm():
                url = f"http://{host}:{port}"
                _wait(process, url, settings.serving.start_timeout_s, log)
                yield Server(url, version, process)
        finally:
            _stop(process)


def _start(settings: Settings, version: ModelVersion, port: int, words: IO[bytes]) -> "subprocess.Popen[bytes]":
    serving = settings.serving
    options = {
        "host": serving.host,
        "port": port,
        "workers": serving.workers,
        "limit-concurrency": serving.max_connections,
        "log-level": "warning",
    }
    arguments = [argument for name, value in options.items() for argument in (f"--{name}", str(value))]
    return subprocess.Popen(
        [sys.executable, "-m", "uvicorn", *arguments, APP],
        env=_environment(settings, version),
        stdin=subprocess.DEVNULL,
        stdout=words,
        stderr=subprocess.STDOUT,
    )


def _environment(settings: Settings, version: ModelVersion) -> dict[str, str]:
    """Returns the child's environment: the model, and this process' own in place of what was packaged of them."""
    connect(settings.registry)
    with quiet():
        from mlflow.artifacts import download_artifacts
        from mlflow.pyfunc.scoring_server import get_cmd

        _, environment = get_cmd(download_artifacts(version.uri))
    return {**environment, **OFFLINE, **variables(settings)}


def variables(settings: Settings) -> dict[str, str]:
    """Returns store, limits and registry as the variables that a model takes in place of the packaged ones."""
    values = config.dump(settings)
    return {
        f"{config.ENV_PREFIX}{section}__{key}".upper(): json.dumps(value, ensure_ascii=False)  # which is YAML too
        for section in OVERRIDABLE
        for key, value in values[section].items()
    }


def _wait(process: "subprocess.Popen[bytes]", url: str, timeout_s: float, log: Path) -> None:
    deadline = time.monotonic() + timeout_s
    while not _answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            said = masked(_last_words(log))
            raise MachineError(f"The endpoint did not come up: {said} Its log is {log}.", log=str(log))
        time.sleep(_POLL_S)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/ping", timeout=5) as response:  # noqa: S310 - our own address
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _last_words(log: Path) -> str:
    """Returns the message of lakerag's own error in a log, else the log's end."""
    text = log.read_text(encoding="utf-8", errors="replace")
    own = re.findall(r"lakerag\.errors\.\w+: (.+)", text)
    return str(own[-1]) if own else text[-_TAIL_CHARS:].strip() or "it said nothing."


def _free_port(host: str, port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise MachineError(
                f"Port {port} of {host} cannot be had ({error.strerror}). Give another one with --port.", port=port
            ) from error
        return int(probe.getsockname()[1])


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Lets SIGTERM run the clean-up, so that no server is left behind."""
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
